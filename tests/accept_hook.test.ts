// The application is asked before an upload is created (`ACCEPT_HOOK`): what it says narrows the upload, or refuses it in its own words; and
// where it says nothing that can be relied on, nothing is created.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { AcceptHook, type HookAnswer } from "./support/accept_hook.ts";
import type { Created, InitFields } from "./support/api.ts";
import { fileBytes, sha256 } from "./support/bytes.ts";
import { dropzone, sendPiece } from "./support/chunked_form.ts";
import { formBody, formHeaders } from "./support/form.ts";
import { codeBlock } from "./support/guides.ts";
import { type Reply, send } from "./support/http.ts";
import { freePort } from "./support/ports.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithS3, sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { encoded, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const hook = await AcceptHook.start();
after(() => hook.stop());
const { stack, origin, client } = await sceneWithScriptedOrigin({
  AUTH: "token",
  ACCEPT_HOOK: hook.url,
});
hook.trust(stack.secrets.WEBHOOK_SECRET);

const attached = { album: "7", by: "token" };
/** Alice's token, and what it allows. */
const alice = bearer(mint(stack, claimsOf("alice", { quayside: { maxBytes: 10_000_000, metadata: attached } })));

const init = (fileName: string, fields: InitFields = {}, headers = {}) =>
  client.init({ fileName, fileSize: 1000, contentType: "text/plain", ...fields }, { ...alice, ...headers });

async function created(reply: Reply): Promise<Created> {
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Created>();
}

/** What Alice has open. */
async function open(): Promise<string[]> {
  const reply = await client.request("GET", "/uploads", { headers: alice });
  return reply.json<{ uploads: { fileName: string }[] }>().uploads.map(({ fileName }) => fileName);
}

const tus = new Tus(client);
const tusHeaders = (fileName: string, length?: number) => ({
  ...alice,
  "Upload-Metadata": `filename ${encoded(fileName)},filetype ${encoded("text/plain")}`,
  ...(length === undefined ? { "Upload-Defer-Length": 1 } : { "Upload-Length": length }),
});

test("the application is told what would be uploaded, by whom, and nothing that is not signed", async () => {
  const metadata = { camera: "x100" };
  const headers = { "Idempotency-Key": "once", "CF-Connecting-IP": "203.0.113.7" };
  const upload = await created(await init("told.txt", { metadata }, headers));
  const { id, genuine, path, type, timestamp, data } = hook.single("told.txt");
  assert.ok(genuine);
  assert.deepEqual([path, type], ["/may-i", "upload.accept"]);
  assert.equal(id, `evt_${upload.uploadId.replaceAll("-", "")}_accept`);
  assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  assert.deepEqual(data, {
    uploadId: upload.uploadId,
    owner: "alice",
    fileName: "told.txt",
    contentType: "text/plain",
    fileSize: 1000,
    metadata,
    attached,
    address: "203.0.113.7",
    idempotencyKey: "once",
  });
});

test("what it was asked about is not said otherwise afterwards, whatever token says so", async () => {
  const upload = await created(await init("asked.txt", { metadata: { album: "public" } }));
  const { uploadId, uploadToken } = upload as Created & { uploadToken: string };
  const body = JSON.stringify({ metadata: { album: "admin" } });
  for (const headers of [alice, bearer(uploadToken)]) {
    const reply = await client.request("PATCH", `/upload/${uploadId}`, { headers, body });
    assertRefused(reply, 403, "not-permitted");
  }
  const status = await client.request("GET", `/upload/${uploadId}/status`, { headers: alice });
  assert.deepEqual(status.json<{ metadata: unknown }>().metadata, { album: "public" });
});

test("what it attaches is told with the event, over what the token says, and not to the client", async () => {
  hook.says("attached.txt", { body: { metadata: { by: "hook", job: "42" } } });
  const file = fileBytes("attached", 1000);
  const { uploadId } = await created(await init("attached.txt"));
  const put = await client.put(uploadId, 0, file, alice);
  assert.equal(put.status, 200, put.body.toString());
  const event = await origin.waitForEvent(uploadId, "upload.completed");
  assert.deepEqual(event.data.attached, { album: "7", by: "hook", job: "42" });
  assert.deepEqual(event.data.metadata, {});
  const shown = await client.request("GET", `/upload/${uploadId}`, { headers: alice });
  assert.ok(!shown.body.toString().includes("hook"), shown.body.toString());
});

test("it narrows size, also of a file whose length comes late, types and time", async () => {
  hook.says("small.txt", { body: { maxBytes: 999 } });
  assertRefused(await init("small.txt"), 413, "upload-too-large", { limitBytes: 999 });
  const fits = await created(await init("small.txt", { fileSize: 999 }));
  assert.equal(fits.limits.maxUploadBytes, 999);

  const url = await tus.create(tusHeaders("small.txt"));
  const late = await tus.patch(url, 0, fileBytes("late", 1000), { ...alice, "Upload-Length": 1000 });
  assertRefused(late, 413, "upload-too-large");

  hook.says("picture", { body: { types: ["image/png", "video/*"] } });
  assertRefused(await init("picture"), 415, "type-not-allowed");
  await created(await init("picture", { contentType: "image/png" }));

  hook.says("hasty.txt", { body: { expiresInSeconds: 60 } });
  const hasty = await created(await init("hasty.txt"));
  assert.ok(Date.parse(hasty.expiresAt) <= Date.now() + 60_000);
});

test("the types that it names hold for the first bytes, too", async () => {
  hook.says("page.png", { body: { types: ["image/png"] } });
  const { uploadId } = await created(await init("page.png", { fileSize: 26, contentType: "image/png" }));
  await client.put(uploadId, 0, Buffer.from("<!DOCTYPE html><html></htm"), alice);
  const event = await origin.waitForEvent(uploadId, "upload.failed");
  assert.match(event.data.reason ?? "", /image\/png/);
});

test("what would widen is no error and changes nothing", async () => {
  const terms = { maxBytes: 5000, types: ["image/*", "text/plain"] };
  const tight = bearer(mint(stack, claimsOf("alice", { quayside: terms })));
  const ask = (fields: InitFields) => init("wide.txt", fields, tight);
  hook.says("wide.txt", { body: { maxBytes: 1e12, types: ["image/*", "text/*", "video/*"], expiresInSeconds: 4e9 } });
  const wide = await created(await ask({}));
  assert.equal(wide.limits.maxUploadBytes, 5000);
  assert.ok(Date.parse(wide.expiresAt) <= Date.now() + 86_400_000);
  assertRefused(await ask({ contentType: "video/mp4" }), 415, "type-not-allowed");
  assertRefused(await ask({ fileSize: 5001 }), 413, "upload-too-large");
  assert.equal(hook.of("wide.txt").length, 1, "what is refused anyway is not asked about");
});

const NO = {
  status: 422,
  headers: { "Content-Type": "application/problem+json" },
  body: { type: "about:blank", title: "Album full", detail: "Album 7 has\u0007 its 100 files.", code: "album-full" },
};
const NO_DETAIL = "Album 7 has its 100 files.";

test("its refusal reaches the client in its own words, in JSON and in tus, and nothing is there", async () => {
  hook.says("no.txt", NO);
  const before = await open();
  const json = assertRefused(await init("no.txt"), 403, "refused-by-application", { applicationCode: "album-full" });
  assert.equal(json.detail, NO_DETAIL);

  const reply = await tus.post(tusHeaders("no.txt", 5), fileBytes("no", 5));
  assert.equal(reply.header("Tus-Resumable"), "1.0.0");
  assert.equal(assertRefused(reply, 403, "refused-by-application").detail, NO_DETAIL);

  const plain = await client.request("PUT", "/upload/new/no.txt", { headers: alice, body: "12345" });
  assert.equal(assertRefused(plain, 403, "refused-by-application").detail, NO_DETAIL);
  assert.deepEqual(await open(), before);
});

test("no protocol has a way around it", async () => {
  const past = await sceneWithS3({ ACCEPT_HOOK: hook.url });
  hook.says("around.txt", NO);
  const json = { "Content-Type": "application/json" };
  const direct = JSON.stringify({ fileName: "around.txt", fileSize: 10_000_000, direct: true });
  const companion = JSON.stringify({ filename: "around.txt", type: "text/plain", metadata: {} });
  const named = { "Content-Disposition": 'attachment; filename="around.txt"' };
  const doors: [string, Record<string, string>, string][] = [
    ["/upload/init", json, direct],
    ["/s3/multipart", json, companion],
    ["/files", { ...named, "Upload-Complete": "?0" }, "draft"],
    ["/files", { ...named, "Upload-Complete": "?1" }, "the draft, whole"],
    ["/upload?name=around.txt", { "Content-Type": "text/plain" }, "plain"],
    ["/upload/storage/v1/b/photos/o?uploadType=resumable&name=around.txt", {}, ""],
    ["/upload/storage/v1/b/photos/o?uploadType=media&name=around.txt", { "Content-Type": "text/plain" }, "media"],
  ];
  for (const [path, headers, body] of doors) {
    const asked = hook.of("around.txt").length;
    const reply = await past.client.request("POST", path, { headers, body });
    assert.equal(reply.status, 403, `${path}: ${reply.body.toString()}`);
    assert.ok(reply.body.toString().includes(NO_DETAIL), `${path}: ${reply.body.toString()}`);
    assert.equal(hook.of("around.txt").length, asked + 1, path);
  }
  assert.deepEqual(await past.client.openUploads(), []);
});

test("of a form each file is asked about, and one may be refused", async () => {
  const parts = ["yes.txt", "no.txt"].map((fileName) => {
    return { name: "file", fileName, bytes: fileBytes(fileName, 5), type: "text/plain" };
  });
  hook.says("no.txt", NO);
  const asked = hook.of("no.txt").length;
  const reply = await client.request("POST", "/upload", {
    headers: { ...alice, ...formHeaders() },
    body: formBody(parts),
  });
  const text = reply.body.toString();
  assert.ok(text.includes(NO_DETAIL), text);
  assert.ok(text.includes("refused-by-application"), text);
  assert.equal(hook.of("no.txt").length, asked + 1);
  const { uploadId } = hook.single("yes.txt").data;
  assert.ok(text.includes(uploadId), text);
  await origin.waitForEvent(uploadId, "upload.completed");
});

test("a field behind a file that was asked about does not change what was asked", async () => {
  const before = await open();
  const parts = [
    { name: "album", value: "7" },
    ...["first.txt", "second.txt"].map((fileName) => ({
      name: "file",
      fileName,
      bytes: fileBytes(fileName, 5),
      type: "text/plain",
    })),
    { name: "album", value: "secret" },
  ];
  const headers = { ...alice, ...formHeaders() };
  const reply = await client.request("POST", "/upload", { headers, body: formBody(parts) });
  const text = reply.body.toString();
  assert.ok(text.includes("before the first file"), text);
  assert.equal(hook.single("first.txt").data.metadata.album, "7");
  assert.deepEqual(await open(), before);
});

test("pieces of one file, in forms, are asked about once", async () => {
  const pieces = dropzone.pieces(fileBytes("pieces", 3000), 1000, randomUUID());
  const fileName = pieces[0]?.fileName ?? "";
  for (const piece of pieces) {
    const reply = await sendPiece(client, piece, { headers: alice });
    assert.ok(reply.status < 300, reply.body.toString());
  }
  assert.equal(hook.single(fileName).data.fileSize, 3000);
});

test("partial uploads are not asked about, and what is put together from them is", async () => {
  const asked = hook.questions.length;
  const partials = [await tus.partial(fileBytes("a", 10), alice), await tus.partial(fileBytes("b", 10), alice)];
  assert.equal(hook.questions.length, asked);
  hook.says("whole.txt", NO);
  const metadata = { "Upload-Metadata": `filename ${encoded("whole.txt")},filetype ${encoded("text/plain")}` };
  assertRefused(await tus.final(partials, { ...alice, ...metadata }), 403, "refused-by-application");
  assert.equal(hook.single("whole.txt").data.fileSize, 20);
  hook.says("whole.txt", {});
  await tus.composed(partials, { ...alice, ...metadata });
});

test("a repeated creation is asked about again, under its key, and the upload of the first stays", async () => {
  const again = () => init("again.txt", {}, { "Idempotency-Key": "again" });
  const first = await created(await again());
  assert.equal((await created(await again())).uploadId, first.uploadId);
  const keys = hook.of("again.txt").map(({ data }) => data.idempotencyKey);
  assert.deepEqual(keys, ["again", "again"]);
  assert.equal(new Set(hook.of("again.txt").map(({ id }) => id)).size, 2);
  hook.says("again.txt", NO);
  assertRefused(await again(), 403, "refused-by-application");
  assert.equal((await client.request("GET", `/upload/${first.uploadId}`, { headers: alice })).status, 200);
});

test("bytes that are known already are asked about like any", async () => {
  const file = fileBytes("known", 1000);
  const fields = { sha256: sha256(file) };
  const { uploadId } = await created(await init("known.txt", fields));
  await client.put(uploadId, 0, file, alice);
  await waitFor("the bytes to be known", async () => (await init("known too.txt", fields)).status === 200);
  hook.says("known too.txt", NO);
  assertRefused(await init("known too.txt", fields), 403, "refused-by-application");
});

/** An answer that is none; what is logged of it: the status, and why; and how long the client is to wait. */
const failures: [string, HookAnswer, number | undefined, RegExp, string?][] = [
  ["does not answer", "hang", undefined, /in time/],
  ["cuts the connection", { raw: "" }, undefined, /connection/i],
  ["answers as a receiver of events does", { status: 204, text: "" }, 204, /no JSON/],
  ["has no such page", { status: 404, body: { detail: "Not Found" } }, 404, /status/],
  ["refuses without a reason", { status: 422, body: { detail: [{ loc: ["body"] }] } }, 422, /neither a detail/],
  ["answers 500", { status: 500, body: {} }, 500, /status/],
  ["is down for a while", { status: 503, headers: { "Retry-After": "17" } }, 503, /status/, "17"],
  ["is asked too often", { status: 429, headers: { "Retry-After": "86400" }, body: {} }, 429, /status/, "3600"],
  ["does not believe the signature", { status: 401, body: { detail: "who?" } }, 401, /status/],
  ["sends elsewhere", { status: 307, headers: { Location: `${hook.url}/elsewhere` } }, 307, /status/],
  ["has a page for it", { status: 403, headers: { "Content-Type": "text/html" }, text: "<h1>?</h1>" }, 403, /no JSON/],
  ["says too much", { text: `{"metadata":{"a":"${"x".repeat(10 * 1024 * 1024)}"}}` }, 200, /too long/],
  ["says too much of a refusal", { status: 403, text: `"${"x".repeat(70_000)}"` }, 403, /too long/],
  ["is cut short", { raw: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}" }, 200, /cut short/],
  ["says OK", { text: "OK" }, 200, /no JSON/],
  ["has a word for it that nobody knows", { body: { allowed: false } }, 200, /unknown field/],
  ["attaches what is no text", { body: { metadata: { a: 1 } } }, 200, /not of its type/],
  ["would choose the key", { body: { keyPrefix: "bob/" } }, 200, /only a token/],
];

for (const [what, answer, status, why, retryAfter = "5"] of failures) {
  test(`an application that ${what} has nothing created`, async () => {
    const fileName = `${what}.txt`;
    hook.says(fileName, answer);
    const before = await open();
    const reply = await init(fileName);
    const problem = assertRefused(reply, 503, "accept-hook-failed");
    assert.match(problem.detail, /application/);
    assert.equal(reply.header("Retry-After"), retryAfter);
    const { uploadId } = hook.single(fileName).data;
    const line = await waitFor("its log line", () => stack.log.of(uploadId, "accept_failed")[0]);
    assert.equal(line.status, status);
    assert.match(String(line.detail), why);
    assert.equal(typeof line.durationMs, "number");
    if (answer === "hang") {
      assert.ok(Number(line.durationMs) >= 4_900, JSON.stringify(line));
    }
    assert.deepEqual(await open(), before);
    assert.equal((await client.request("GET", `/upload/${uploadId}`, { headers: alice })).status, 404);
  });
}

test("what was refused, or not answered, takes nothing of a quota", async (t) => {
  const small = await Stack.start({
    vars: { ORIGIN_WEBHOOK_URL: "", ACCEPT_HOOK: hook.url, QUOTA_BYTES_PER_DAY: 1000 },
  });
  t.after(() => small.stop());
  hook.says("refused", NO);
  hook.says("unanswered", { status: 500 });
  for (const [fileName, status] of [
    ["refused", 403],
    ["unanswered", 503],
  ] as const) {
    assert.equal((await small.client.init({ fileName, fileSize: 1000 })).status, status);
  }
  await small.client.create(fileBytes("all of it", 1000));
});

test("where nobody listens, nothing is created", async (t) => {
  const gone = await AcceptHook.start();
  const url = gone.url;
  await gone.stop();
  const alone = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", ACCEPT_HOOK: url } });
  t.after(() => alone.stop());
  assertRefused(await alone.client.init({ fileName: "a", fileSize: 1 }), 503, "accept-hook-failed");
  assert.deepEqual(await alone.client.openUploads(), []);
});

test("the binding ACCEPT is asked in the place of an address", async (t) => {
  // It is this Worker itself, which has nothing at that address and says so.
  const itself = '\n[[services]]\nbinding = "ACCEPT"\nservice = "quayside"\n';
  const bound = await Stack.start({
    vars: { ORIGIN_WEBHOOK_URL: "", ACCEPT_HOOK: hook.url },
    configuration: (toml) => toml.replace("\n[vars]\n", `${itself}\n[vars]\n`),
  });
  t.after(() => bound.stop());
  assertRefused(await bound.client.init({ fileName: "bound", fileSize: 1 }), 503, "accept-hook-failed");
  const line = await waitFor("its log line", () => bound.log.lines.find(({ event }) => event === "accept_failed"));
  assert.equal(line.status, 404);
  assert.deepEqual(hook.of("bound"), []);
});

test("the guide's receiver decides, and believes nobody else", async (t) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const asking = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", ACCEPT_HOOK: url } });
  t.after(() => asking.stop());
  const folder = mkdtempSync(join(repositoryRoot, "target", "accept-"));
  const path = join(folder, "receiver.ts");
  writeFileSync(path, codeBlock("docs/guides/accept-hook.md", "A receiver", "ts"));
  const env = { ...process.env, WEBHOOK_SECRET: asking.secrets.WEBHOOK_SECRET, PORT: String(port) };
  const receiver = spawn(process.execPath, [path], { env, stdio: "inherit" });
  t.after(() => {
    receiver.kill();
    rmSync(folder, { recursive: true });
  });
  await waitFor("the receiver to listen", async () => (await send(url, "POST", "/", { body: "{}" })).status === 401);
  const init = (album: string) => {
    const headers = bearer(mint(asking, claimsOf("bob", { quayside: { metadata: { album } } })));
    return asking.client.init({ fileName: "a", fileSize: 1 }, headers);
  };
  const full = assertRefused(await init("2025"), 403, "refused-by-application", { applicationCode: "album-full" });
  assert.equal(full.detail, "Album 2025 is full.");
  assert.equal((await created(await init("2026"))).limits.maxUploadBytes, 50_000_000);
});
