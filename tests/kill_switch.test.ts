// The kill switch: what the service takes just now, by word of whoever runs it and without a deployment. Nothing is lost by it: what was
// refused is taken when it is open again, and the clients that people have wait for that by themselves.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { createUpload } from "../client/src/index.ts";
import { Admin } from "./support/admin.ts";
import type { Created, Problem } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { dropzone, sendPiece } from "./support/chunked_form.ts";
import { formBody, formHeaders } from "./support/form.ts";
import type { Reply } from "./support/http.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { idOf, Tus } from "./support/tus.ts";
import { libraries } from "./support/tus_js.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithOrigin({ AUTH: "token" });
const admin = new Admin(stack);
const token = mint(stack, claimsOf("alice", { quayside: { delete: true } }));
const alice = bearer(token);
const tus = new Tus(client);
const open = () => admin.set({ mode: "open" });

async function create(fileSize: number): Promise<Created> {
  const reply = await client.init({ fileName: "a.bin", fileSize }, alice);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Created>();
}

async function completed(file: Buffer): Promise<string> {
  const { uploadId } = await create(file.length);
  assert.equal((await client.put(uploadId, 0, file, alice)).status, 200);
  await waitFor(
    "it to be complete",
    async () => (await status(uploadId)).json<{ state: string }>().state === "completed",
  );
  return uploadId;
}

const status = (id: string) => client.request("GET", `/upload/${id}/status`, { headers: alice });
const content = (id: string) => client.request("GET", `/upload/${id}/content`, { headers: alice });

/** Every way to begin an upload. */
async function creations(): Promise<Reply[]> {
  const form = formBody([{ name: "file", fileName: "a", bytes: Buffer.from("bytes") }]);
  const draft = { "Upload-Draft-Interop-Version": "8", "Upload-Complete": "?0", "Upload-Length": 5 };
  const [piece] = dropzone.pieces(fileBytes("piece", 2_000), 1_000, `a piece ${Math.random()}`);
  assert.ok(piece);
  return [
    await client.init({ fileName: "a", fileSize: 5 }, alice),
    await tus.post({ ...alice, "Upload-Length": 5 }),
    await tus.post({ ...alice, "Upload-Length": 5 }, Buffer.from("bytes")),
    await client.request("POST", "/files", { headers: { ...alice, ...draft }, body: "" }),
    await client.request("POST", "/upload", { headers: alice, body: "bytes" }),
    await client.request("POST", "/upload", { headers: { ...alice, ...formHeaders() }, body: form }),
    await client.request("POST", "/upload?uploadType=resumable", { headers: alice, body: "" }),
    await sendPiece(client, piece, { headers: alice }),
  ];
}

function assertPaused(reply: Reply, mode: string): void {
  assert.equal(reply.status, 503, reply.body.toString());
  assert.ok(Number(reply.header("Retry-After")) >= 1, reply.body.toString());
  const problem = reply.json<Problem & { mode: string }>();
  assert.deepEqual([problem.code, problem.mode], ["service-paused", mode]);
}

test("it is open, and whoever runs the service sees by whom it was set, and for how long", async () => {
  const never = { mode: "open", reason: null, expiresAt: null, changedAt: null, changedBy: null };
  assert.deepEqual(await admin.switch(), never);
  const set = await admin.set({ mode: "no-creations", reason: "We move.", expiresInSeconds: 3_600 });
  assert.deepEqual([set.mode, set.reason, set.changedBy], ["no-creations", "We move.", "ops@example.com"]);
  const lastsMs = Date.parse(set.expiresAt ?? "") - Date.parse(set.changedAt ?? "");
  assert.ok(Math.abs(lastsMs - 3_600_000) < 5_000, `${lastsMs}`);
  assert.deepEqual(await admin.switch(), set);
  const reopened = await open();
  assert.deepEqual([reopened.mode, reopened.reason, reopened.expiresAt], ["open", null, null]);
});

test("no creations: nothing begins in any protocol, and what has begun goes on to its end", async () => {
  const file = fileBytes("goes on", 6 * MIB);
  const { uploadId } = await create(file.length);
  assert.equal((await client.put(uploadId, 0, file.subarray(0, 5 * MIB), alice)).status, 200);
  await admin.set({ mode: "no-creations", reason: "Come back at ten." });
  const companion = { headers: alice, body: '{"filename":"a","type":"text/plain","metadata":{"size":5}}' };
  for (const reply of [...(await creations()), await client.request("POST", "/s3/multipart", companion)]) {
    assertPaused(reply, "no-creations");
    assert.equal(reply.json<Problem>().detail, "Come back at ten.");
  }
  assert.equal((await client.put(uploadId, 5 * MIB, file.subarray(5 * MIB), alice)).status, 200);
  await open();
  assert.equal((await origin.waitForStored(uploadId)).sha256, sha256(file));
  for (const reply of await creations()) {
    assert.ok(reply.status >= 200 && reply.status < 300, `${reply.status} ${reply.body}`);
  }
});

test("read-only: no byte is added and nothing is deleted, and everything can be read", async () => {
  const file = fileBytes("read only", 6 * MIB);
  const done = await completed(file.subarray(0, 1_000));
  const { uploadId } = await create(file.length);
  assert.equal((await client.put(uploadId, 0, file.subarray(0, 5 * MIB), alice)).status, 200);
  await admin.set({ mode: "read-only" });
  const body = JSON.stringify({ uploadIds: [done, uploadId] });
  const patch = { "Upload-Offset": 5 * MIB, ...alice };
  for (const reply of [
    await client.put(uploadId, 5 * MIB, file.subarray(5 * MIB), alice),
    await tus.patch(`/files/${uploadId}`, 5 * MIB, file.subarray(5 * MIB), patch),
    await client.request("DELETE", `/upload/${done}`, { headers: alice }),
    await client.request("DELETE", `/upload/${uploadId}`, { headers: alice }),
    await client.request("POST", "/uploads/delete", { headers: alice, body }),
    await client.request("PATCH", `/upload/${uploadId}`, { headers: alice, body: '{"metadata":{"a":"b"}}' }),
    await client.request("POST", `/upload/${uploadId}/complete`, { headers: alice, body: "" }),
    ...(await creations()),
  ]) {
    assertPaused(reply, "read-only");
  }
  assert.equal((await content(done)).status, 200);
  assert.equal((await status(uploadId)).json<{ uploadedBytes: number }>().uploadedBytes, 5 * MIB);
  assert.equal((await client.request("GET", "/uploads", { headers: alice })).status, 200);
  assert.equal(await tus.head(`/files/${uploadId}`).then(({ status }) => status), 401, "who says nothing is nobody");
  await open();
  assert.equal((await client.put(uploadId, 5 * MIB, file.subarray(5 * MIB), alice)).status, 200);
  assert.equal((await origin.waitForStored(uploadId)).sha256, sha256(file));
});

test("closed: nothing but health and whoever runs it", async () => {
  const done = await completed(fileBytes("behind a door", 1_000));
  const link = await client.request("POST", `/upload/${done}/links`, { headers: alice, body: "{}" });
  const { pathname, search } = new URL(link.json<{ url: string }>().url);
  await admin.set({ mode: "closed" });
  for (const reply of [
    await status(done),
    await content(done),
    await client.request("GET", `${pathname}${search}`),
    await client.request("GET", "/uploads", { headers: alice }),
    ...(await creations()),
  ]) {
    assertPaused(reply, "closed");
  }
  for (const path of ["/healthz", "/readyz", "/openapi.json", "/problems/service-paused"]) {
    assert.equal((await client.request("GET", path)).status, 200, path);
  }
  const preflight = { Origin: "https://app.example", "Access-Control-Request-Method": "PUT" };
  // Else no page would ever see the refusal.
  for (const path of [`/upload/${done}`, "/files", `/files/${done}`]) {
    assert.equal((await client.request("OPTIONS", path, { headers: preflight })).status, 204, path);
  }
  assert.equal((await admin.show(done)).status.state, "completed");
  await open();
  assert.equal((await client.request("GET", `${pathname}${search}`)).status, 200);
});

test("it opens by itself when its time is over, and clients are told when to come", async () => {
  await admin.set({ mode: "closed", expiresInSeconds: 2 });
  const refused = await client.init({ fileName: "a", fileSize: 5 }, alice);
  assertPaused(refused, "closed");
  assert.ok(Number(refused.header("Retry-After")) <= 2);
  await waitFor("it to open", async () => (await client.init({ fileName: "a", fileSize: 5 }, alice)).status === 201);
  assert.equal((await admin.switch()).mode, "open");
});

for (const [line, { Upload }] of Object.entries(libraries)) {
  test(`tus-js-client ${line} stops in read-only, and its file is whole after it`, async () => {
    const file = fileBytes(`tus ${line}`, 12 * MIB);
    let refusals = 0;
    const url = await new Promise<string>((resolve, reject) => {
      const upload = new Upload(file, {
        endpoint: `${stack.baseUrl}/files`,
        headers: { Authorization: `Bearer ${token}` },
        chunkSize: 5 * MIB,
        retryDelays: Array.from({ length: 20 }, () => 100),
        onChunkComplete: (_, acceptedBytes) => {
          if (acceptedBytes === 5 * MIB) {
            void admin.set({ mode: "read-only" });
          }
        },
        onShouldRetry: () => {
          refusals++;
          void open();
          return true;
        },
        onSuccess: () => resolve(String(upload.url)),
        onError: reject,
      } as ConstructorParameters<typeof Upload>[1]);
      upload.start();
    });
    await open();
    assert.ok(refusals > 0, "it was refused meanwhile");
    assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
  });
}

test("the SDK waits as long as it is told, and goes on where it was", async () => {
  const bytes = new Uint8Array(fileBytes("sdk", 12 * MIB));
  const upload = createUpload(new File([bytes], "sdk.bin", { lastModified: 1 }), {
    endpoint: stack.baseUrl,
    headers: () => ({ Authorization: `Bearer ${token}` }),
    chunkBytes: 5 * MIB,
    store: null,
  });
  let paused: Promise<unknown> | undefined;
  upload.on("progress", ({ uploadedBytes }) => {
    if (uploadedBytes >= 5 * MIB) {
      paused ??= admin.set({ mode: "read-only", expiresInSeconds: 2 });
    }
  });
  const { uploadId } = await upload.start();
  assert.ok(paused !== undefined);
  await open();
  assert.equal((await origin.waitForStored(uploadId)).sha256, sha256(bytes));
});

test("a body that says wrong is refused by name, and of two at once the later one holds", async () => {
  for (const [body, field] of [
    [{}, "mode"],
    [{ mode: "off" }, "mode"],
    [{ mode: "closed", reason: "a\nb" }, "reason"],
    [{ mode: "closed", reason: "x".repeat(501) }, "reason"],
    [{ mode: "closed", expiresInSeconds: 0 }, "expiresInSeconds"],
    [{ mode: "open", expiresInSeconds: 5 }, "expiresInSeconds"],
    [{ mode: "closed", untilMs: 5 }, "untilMs"],
  ] as const) {
    assertBadRequest(await admin.send("PUT", "switch", body), field);
  }
  assertBadRequest(await client.request("PUT", "/admin/switch", { headers: admin.headers, body: "closed" }), "body");
  assertRefused(await admin.send("POST", "switch", { mode: "open" }), 405, "method-not-allowed");
  assert.equal((await admin.switch()).mode, "open");
  const other = new Admin(stack, "second@example.com");
  const answers = await Promise.all([admin.set({ mode: "closed" }), other.set({ mode: "read-only" })]);
  assert.deepEqual(
    answers.map(({ mode }) => mode),
    ["closed", "read-only"],
    "each is told what it has set",
  );
  const holds = await admin.switch();
  assert.ok(answers.some(({ mode, changedBy }) => mode === holds.mode && changedBy === holds.changedBy));
  await open();
  const line = () => stack.log.lines.find(({ detail }) => detail === "by second@example.com, to read-only");
  assert.equal((await waitFor("the log", line)).code, "set-switch");
});

test("it is still set after a crash, and a register that is away holds up nobody", async () => {
  const faulty = await Stack.start({ buildDir: "build-faults", vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "" } });
  after(() => faulty.stop());
  const ops = new Admin(faulty);
  const headers = bearer(mint(faulty, claimsOf("alice")));
  const init = () => faulty.client.init({ fileName: "a", fileSize: 5 }, headers);
  await ops.set({ mode: "no-creations" });
  await faulty.kill();
  await faulty.restart();
  assertPaused(await init(), "no-creations");
  // A new isolate that hears nothing takes what comes: the service must not go where the register goes.
  await faulty.kill();
  await faulty.restart();
  const rules = [{ point: "object.read-switch", nth: 1, kind: "hang" }];
  await faulty.client.request("POST", "/faults", { body: JSON.stringify(rules) });
  const askedAt = Date.now();
  assert.equal((await init()).status, 201);
  assert.ok(Date.now() - askedAt < 4_000, "long before the register answers");
  await waitFor("the register to be heard", async () => (await init()).status === 503, { giveUpMs: 20_000 });
});
