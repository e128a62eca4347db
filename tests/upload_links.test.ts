// Links that take one file: an owner makes one and gives it away, and whoever has it uploads that file with any client and without a token.
// The link is the endpoint of every protocol.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { createUpload } from "../client/src/index.ts";
import type { Created, Problem, UploadEvent } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Client } from "./support/client.ts";
import { curl, noCurl } from "./support/curl.ts";
import { formBody, formHeaders } from "./support/form.ts";
import { type Headers, PendingRequest, type Reply } from "./support/http.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { freshSecrets, Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { encoded, Tus } from "./support/tus.ts";
import { finished, libraries } from "./support/tus_js.ts";
import { waitFor } from "./support/wait.ts";

const DAY_SECONDS = 86_400;
const { stack, client, origin } = await sceneWithScriptedOrigin({ AUTH: "token", MAX_OPEN_UPLOADS: 100 });

const terms = { maxBytes: 20 * MIB, types: ["image/*", "text/*"], metadata: { by: "token" }, keyPrefix: "alice/" };
const alice = bearer(mint(stack, claimsOf("alice", { quayside: terms })));
const mallory = bearer(mint(stack, claimsOf("mallory")));
const text = { "Content-Type": "text/plain" };
const file = fileBytes("by link", 100_000);

type Link = { linkId: string; url: string; expiresAt: string };
type Whole = Created & { fileName: string; state: string };

async function ask(wanted?: unknown, headers: Headers = alice, at = client): Promise<Reply> {
  return await at.request("POST", "/upload/links", {
    headers,
    body: wanted === undefined ? "" : JSON.stringify(wanted),
  });
}

async function link(wanted?: unknown, headers: Headers = alice, at = client): Promise<Link> {
  const reply = await ask(wanted, headers, at);
  assert.equal(reply.status, 201, reply.body.toString());
  assert.equal(reply.header("Cache-Control"), "no-store");
  return reply.json<Link>();
}

/** Whoever has a link, and nothing else. */
const holder = ({ url }: Link) => new Client(url);

/** A small file in one request, at the link itself. */
function post(to: Link, name: string, headers: Headers = {}, body: Uint8Array = file): Promise<Reply> {
  return holder(to).request("POST", `/upload?name=${name}`, { headers: { ...text, ...headers }, body });
}

async function created(reply: Reply): Promise<Whole> {
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Whole>();
}

async function told(uploadId: string): Promise<UploadEvent["data"]> {
  return (await origin.waitForEvent(uploadId, "upload.completed")).data;
}

test("curl -T, curl -F and a bare body: the file is its owner's, and the event names the link", {
  skip: noCurl,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "quayside-links-"));
  after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "cat.txt");
  writeFileSync(path, file);
  for (const [args, name] of [
    [(url: string) => ["-T", path, "-H", "Content-Type: text/plain", `${url}/`], "cat.txt"],
    [(url: string) => ["-T", path, "-H", "Content-Type: text/plain", `${url}?name=dog.txt`], "dog.txt"],
    [(url: string) => ["-F", `file=@${path};type=text/plain`, url], "cat.txt"],
    [(url: string) => ["--data-binary", `@${path}`, "-H", "Content-Type: text/plain", `${url}?name=b.txt`], "b.txt"],
  ] as const) {
    const mine = await link({ metadata: { form: "7", by: "link" } });
    const reply = await curl(...args(mine.url));
    assert.equal(reply.status, 201, reply.body.toString());
    const said = reply.json<Whole & { files?: Whole[] }>();
    const { uploadId, fileName } = said.files?.[0] ?? said;
    assert.equal(fileName, name);
    const data = await told(uploadId);
    assert.deepEqual([data.owner, data.fileSize], ["alice", file.length]);
    // What her token says is her application's word, and what the link says is hers.
    assert.deepEqual(data.attached, { by: "token" });
    assert.deepEqual(data.link, { id: mine.linkId, metadata: { form: "7", by: "link" } });
    assert.match(data.key, /^uploads\/alice\//);
  }
});

test("the JSON protocol: every address in the answers is below the link, and needs no token", async () => {
  const mine = await link();
  const upload = await created(
    await holder(mine).init({ fileName: "a.txt", fileSize: file.length, contentType: "text/plain" }),
  );
  assert.ok(upload.uploadUrl.startsWith(`${mine.url}/upload/`), upload.uploadUrl);
  assert.ok(!("uploadToken" in upload), "which would open more of it than a link does");
  const half = file.length / 2;
  const first = await holder(mine).request("PUT", upload.uploadUrl, { body: file.subarray(0, half) });
  assert.equal(first.status, 200, first.body.toString());
  const at = await holder(mine).request("HEAD", upload.uploadUrl);
  assert.equal(at.header("Upload-Offset"), String(half));
  const second = await holder(mine).put(upload.uploadId, half, file.subarray(half));
  assert.equal(second.status, 200, second.body.toString());
  await holder(mine).waitUntilState(upload.uploadId, "completed");
  assert.equal((await told(upload.uploadId)).link?.id, mine.linkId);
  const whole = await client.request("GET", `/upload/${upload.uploadId}/content`, { headers: alice });
  assert.equal(sha256(whole.body), sha256(file), "its owner has it");
});

for (const [version, library] of Object.entries(libraries)) {
  test(`tus-js-client ${version} with the link as its endpoint`, async () => {
    const mine = await link();
    const big = Buffer.from(fileBytes("tus by link", 11 * MIB));
    const metadata = { filename: "t.txt", filetype: "text/plain" };
    const { url } = await finished(library, big, { endpoint: mine.url, metadata, chunkSize: 5 * MIB });
    assert.ok(url?.startsWith(`${mine.url}/files/`), String(url));
    const data = await told(String(url).split("/").at(-1) ?? "");
    assert.deepEqual([data.fileSize, data.link?.id], [big.length, mine.linkId]);
  });
}

test("the IETF draft with the link as its endpoint", async () => {
  const mine = await link();
  const headers = { ...text, "Upload-Complete": "?1", "Upload-Draft-Interop-Version": 8 };
  const reply = await holder(mine).request("POST", "", { headers, body: file });
  assert.ok(reply.status === 200 || reply.status === 201, reply.body.toString());
  const url = String(reply.header("Location"));
  assert.ok(url.startsWith(`${mine.url}/files/`), url);
  assert.equal((await told(url.split("/").at(-1) ?? "")).link?.id, mine.linkId);
});

test("the SDK with the link as its endpoint, and what it says of a link that has its file", async () => {
  const mine = await link();
  const bytes = new Uint8Array(fileBytes("sdk by link", 12 * MIB));
  const picture = new File([bytes], "sdk.txt", { type: "text/plain" });
  const options = { endpoint: mine.url, chunkBytes: 5 * MIB, store: null };
  const upload = createUpload(picture, options);
  const { uploadId } = await upload.start();
  const data = await told(uploadId);
  assert.deepEqual([data.fileName, data.link?.id], ["sdk.txt", mine.linkId]);
  const again = createUpload(new File([bytes], "other.txt", { type: "text/plain" }), options);
  await assert.rejects(again.start(), /takes one file, and has it/);
});

test("a link that has its file takes no other, in any protocol", async () => {
  const mine = await link();
  await created(await post(mine, "one.txt"));
  const other = holder(mine);
  const tus = new Tus(other);
  const metadata = `filename ${encoded("x.txt")},filetype ${encoded("text/plain")}`;
  const parts = [{ name: "file", fileName: "x.txt", bytes: file, type: "text/plain" }];
  assertRefused(await post(mine, "two.txt"), 422, "link-used");
  assertRefused(await post(mine, "one.txt"), 422, "link-used");
  assertRefused(await other.init({ fileName: "x", fileSize: 1, contentType: "text/plain" }), 422, "link-used");
  assertRefused(await other.request("POST", "", { headers: formHeaders(), body: formBody(parts) }), 422, "link-used");
  const refused = await tus.post({ "Upload-Length": 5, "Upload-Metadata": metadata });
  assert.equal(refused.status, 422, refused.body.toString());
});

test("while a file is on its way by it, another is refused; the same one takes its place", async () => {
  const mine = await link();
  const begin = (fileName: string, fileSize: number) =>
    holder(mine).init({ fileName, fileSize, contentType: "text/plain" });
  const first = await created(await begin("a.txt", 1000));
  await holder(mine).put(first.uploadId, 0, file.subarray(0, 500));
  for (const [name, size] of [
    ["b.txt", 1000],
    ["a.txt", 999],
  ] as const) {
    const problem = assertRefused(await begin(name, size), 409, "link-in-use", {
      openUpload: first.uploadId,
    } as Partial<Problem>);
    assert.ok(problem.detail.includes(first.uploadId));
  }
  assert.equal((await client.request("GET", `/upload/${first.uploadId}/status`, { headers: alice })).status, 200);
  const second = await created(
    await waitFor("the first try to be an old one", async () => {
      const reply = await begin("a.txt", 1000);
      return reply.status !== 409 && reply;
    }),
  );
  assert.notEqual(second.uploadId, first.uploadId);
  assert.equal((await holder(mine).put(first.uploadId, 500, file.subarray(500, 1000))).status, 410);
  const put = await holder(mine).put(second.uploadId, 0, file.subarray(0, 1000));
  assert.equal(put.status, 200, put.body.toString());
  await holder(mine).waitUntilState(second.uploadId, "completed");
  const open = await client.request("GET", "/uploads", { headers: alice });
  assert.ok(!open.body.toString().includes(first.uploadId), "what was left does not count any more");
});

test("what was cancelled, and what failed, leaves the link free", async () => {
  const mine = await link();
  const first = await created(await holder(mine).init({ fileName: "a", fileSize: 5, contentType: "text/plain" }));
  assert.equal((await holder(mine).request("DELETE", first.uploadUrl)).status, 204);
  const wrong = await post(mine, "b", { "Repr-Digest": `sha-256=:${Buffer.alloc(32).toString("base64")}:` });
  assert.ok(wrong.status >= 400 && wrong.status < 500, wrong.body.toString());
  await created(await post(mine, "c.txt"));
});

for (const [what, nameOf] of [
  ["different files", (index: number) => `${index}.txt`],
  ["the same file", () => "same.txt"],
] as const) {
  test(`of ten that come at once with ${what} one is let in, and its file is whole`, async () => {
    const mine = await link();
    const replies = await Promise.all(Array.from({ length: 10 }, (_, index) => post(mine, nameOf(index))));
    const [won, ...more] = replies.filter(({ status }) => status === 201);
    assert.ok(won && more.length === 0, replies.map(({ status }) => status).join(" "));
    for (const reply of replies.filter((reply) => reply !== won)) {
      const { code } = reply.json<Problem>();
      assert.ok(["link-in-use", "link-used", "upload-gone"].includes(code), reply.body.toString());
    }
    assert.equal((await told(won.json<Whole>().uploadId)).fileSize, file.length);
  });
}

test("what was ended for another try of the same file does not count for what it would have been", async () => {
  const small = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", QUOTA_BYTES_PER_DAY: 3000 } });
  try {
    const token = bearer(mint(small, claimsOf("alice")));
    const mine = await link({}, token, small.client);
    const begin = (fileSize: number) => holder(mine).init({ fileName: "a.txt", fileSize });
    const first = await created(await begin(1400));
    const tooLarge = await begin(3001);
    assertRefused(tooLarge, 429, "quota-exceeded");
    const still = await holder(mine).request("GET", `/upload/${first.uploadId}/status`);
    assert.equal(still.status, 200, "nothing was ended for what has no room");
    for (let times = 0; times < 2; times++) {
      await created(
        await waitFor("the try before to be an old one", async () => {
          const reply = await begin(1400);
          return reply.status !== 409 && reply;
        }),
      );
    }
    const { bytesToday } = (await small.client.request("GET", "/usage", { headers: token })).json<{
      bytesToday: { used: number };
    }>();
    assert.equal(bytesToday.used, 1400);
  } finally {
    await small.stop();
  }
});

test("a body without length that is too long is told so, and leaves the link free", async () => {
  const mine = await link({ maxBytes: 500_000 });
  const posting = new PendingRequest(mine.url, "POST", "/upload?name=pipe.txt", text);
  posting.write(fileBytes("pipe", MIB));
  assertRefused(await posting.finish(), 413, "upload-too-large");
  await created(await post(mine, "small.txt"));
});

test("a program that reads it is told what it takes", async () => {
  const mine = await link();
  for (const method of ["GET", "HEAD"]) {
    const reply = await holder(mine).request(method, "", { headers: { Accept: "*/*" } });
    assert.deepEqual([reply.status, reply.header("Allow")], [405, "PUT, POST, OPTIONS"]);
  }
  await created(await post(mine, "a.txt"));
});

test("a creation that is repeated under its key is the same upload, and no other link's", async () => {
  const [mine, other] = [await link(), await link()];
  const key = { "Idempotency-Key": "the same" };
  const begin = (by: Link) => holder(by).init({ fileName: "k.txt", fileSize: 9, contentType: "text/plain" }, key);
  const first = await created(await begin(mine));
  assert.equal((await created(await begin(mine))).uploadId, first.uploadId);
  assert.notEqual((await created(await begin(other))).uploadId, first.uploadId);
});

test("a link is held to what it says and to what its owner may, and never to less", async () => {
  const narrow = await link({ maxBytes: 10, types: ["text/plain"] });
  assertRefused(await post(narrow, "a.txt"), 413, "upload-too-large");
  assertRefused(
    await post(narrow, "a.csv", { "Content-Type": "text/csv" }, file.subarray(0, 5)),
    415,
    "type-not-allowed",
  );
  await created(await post(narrow, "a.txt", {}, file.subarray(0, 10)));
  const wide = await link({ maxBytes: 100 * MIB, types: ["application/pdf", "text/html"] });
  const declare = (fileSize: number, contentType: string) =>
    holder(wide).init({ fileName: "a", fileSize, contentType });
  assertRefused(await declare(21 * MIB, "text/html"), 413, "upload-too-large");
  assertRefused(await declare(1, "application/pdf"), 415, "type-not-allowed");
  assertRefused(await declare(1, "text/plain"), 415, "type-not-allowed");
  await created(await declare(20 * MIB, "text/html"));
});

test("it opens nothing else", async () => {
  const mine = await link();
  const { uploadId } = await created(await post(mine, "mine.txt"));
  const { uploadId: hers } = await created(
    await client.request("POST", "/upload?name=hers.txt", { headers: { ...alice, ...text }, body: file }),
  );
  const token = bearer(mine.url.split("/").at(-1) ?? "");
  const at = [
    (path: string, method: string) => holder(mine).request(method, path, method === "POST" ? { body: "" } : {}),
    (path: string, method: string) =>
      client.request(method, path, { headers: token, ...(method === "POST" ? { body: "" } : {}) }),
  ];
  for (const request of at) {
    for (const path of [`/upload/${hers}`, `/upload/${hers}/status`, `/upload/${hers}/manifest`]) {
      assertRefused(await request(path, "GET"), 404, "upload-not-found");
    }
    assertRefused(await request(`/upload/${hers}`, "DELETE"), 404, "upload-not-found");
    for (const [path, method] of [
      [`/upload/${uploadId}/content`, "GET"],
      [`/upload/${uploadId}/log`, "GET"],
      [`/upload/${uploadId}/links`, "POST"],
      [`/upload/${uploadId}/redeliver`, "POST"],
      ["/upload/links", "POST"],
      [`/upload/links/${mine.linkId}`, "DELETE"],
    ] as const) {
      assertRefused(await request(path, method), 403, "not-permitted");
    }
  }
  for (const path of ["/uploads", "/usage"]) {
    assertRefused(await client.request("GET", path, { headers: token }), 403, "not-permitted");
    assertRefused(await holder(mine).request("GET", path), 404, "no-such-route");
  }
  // What is complete is its owner's.
  assertRefused(await holder(mine).request("DELETE", `/upload/${uploadId}`), 403, "not-permitted");
  const partial = { "Upload-Concat": "partial", "Upload-Length": 5 };
  assert.equal((await new Tus(holder(await link())).post(partial)).status, 403);
});

test("a link that has expired takes no new file, and lets what was begun be finished", async () => {
  const [begun, late] = [await link({ expiresInSeconds: 15 }), await link({ expiresInSeconds: 1 })];
  const upload = await created(
    await holder(begun).init({ fileName: "a.txt", fileSize: 1000, contentType: "text/plain" }),
  );
  await new Promise((resolve) => setTimeout(resolve, Date.parse(begun.expiresAt) - Date.now() + 50));
  assertRefused(await post(late, "a.txt"), 422, "link-expired");
  assertRefused(await post(begun, "b.txt"), 422, "link-expired");
  assertRefused(await holder(late).request("GET", `/upload/${upload.uploadId}/status`), 404, "upload-not-found");
  const put = await holder(begun).put(upload.uploadId, 0, file.subarray(0, 1000));
  assert.equal(put.status, 200, put.body.toString());
  await holder(begun).waitUntilState(upload.uploadId, "completed");
});

test("its owner takes it back, and nobody else can", async () => {
  const revoke = (linkId: string, headers: Headers) => client.request("DELETE", `/upload/links/${linkId}`, { headers });
  const [unused, used] = [await link(), await link()];
  const upload = await created(
    await holder(used).init({ fileName: "a.txt", fileSize: 1000, contentType: "text/plain" }),
  );
  for (const { linkId } of [unused, used]) {
    const answer = await revoke(linkId, mallory);
    assert.deepEqual([answer.status, answer.json()], [200, { linkId, uploadId: null }], "as of a link that never was");
  }
  const gone = await link();
  await created(await post(gone, "still.txt"));
  assert.deepEqual((await revoke(unused.linkId, alice)).json(), { linkId: unused.linkId, uploadId: null });
  for (let times = 0; times < 2; times++) {
    assert.deepEqual((await revoke(used.linkId, alice)).json(), { linkId: used.linkId, uploadId: upload.uploadId });
  }
  assertRefused(await post(unused, "a.txt"), 422, "link-revoked");
  assertRefused(await post(used, "b.txt"), 422, "link-revoked");
  const put = await holder(used).put(upload.uploadId, 0, file.subarray(0, 1000));
  assert.equal(put.status, 200, "what was begun is told, and its owner may delete it");
  assertRefused(await revoke("no-link", alice), 404, "no-such-route");
});

test("an address that was changed, or signed with another secret, is no link", async () => {
  const { url } = await link();
  const stranger = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "" }, secrets: freshSecrets() });
  try {
    for (const wrong of [url.slice(0, -1), `${url}A`, url.replace("qul_", "qul_A")]) {
      const reply = await new Client(wrong).request("POST", "/upload", { headers: text, body: file });
      assertRefused(reply, 422, "link-invalid");
    }
    const elsewhere = new Client(url.replace(stack.baseUrl, stranger.baseUrl));
    assertRefused(await elsewhere.request("POST", "/upload", { headers: text, body: file }), 422, "link-invalid");
    for (const token of [mint(stack, claimsOf("alice")), ""]) {
      const other = new Client(`${stack.baseUrl}/by/${token}`);
      const reply = await other.request("POST", "/upload", { headers: text, body: file });
      assertRefused(reply, 404, "no-such-route");
    }
  } finally {
    await stranger.stop();
  }
});

test("what is asked wrongly names its field, and a link that is too long is none", async () => {
  for (const [wanted, field] of [
    [{ expiresInSeconds: 0 }, "expiresInSeconds"],
    [{ expiresInSeconds: 7 * DAY_SECONDS + 1 }, "expiresInSeconds"],
    [{ maxBytes: "1" }, "maxBytes"],
    [{ types: [] }, "types"],
    [{ types: ["application/pdf"] }, "types"],
    [{ metadata: { a: "x".repeat(3500) } }, "metadata"],
    [{ uses: 2 }, "uses"],
  ] as const) {
    assertBadRequest(await ask(wanted), field);
  }
  assertRefused(await ask({}, {}), 401, "unauthorized");
  const day = await link();
  const ends = Date.parse(day.expiresAt) - Date.now();
  assert.ok(ends > (DAY_SECONDS - 60) * 1000 && ends <= DAY_SECONDS * 1000, day.expiresAt);
});

test("where anybody may upload, links work as they do elsewhere, below a BASE_PATH too", async () => {
  const open = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", BASE_PATH: "/api/files" } });
  try {
    const at = new Client(`${open.baseUrl}/api/files`);
    const mine = await link({ maxBytes: 200_000 }, {}, at);
    assert.ok(mine.url.startsWith(`${open.baseUrl}/api/files/by/qul_`), mine.url);
    await created(await post(mine, "a.txt"));
    assertRefused(await post(mine, "b.txt"), 422, "link-used");
  } finally {
    await open.stop();
  }
});
