// When an upload of the IETF draft is complete: once its client says so. Not because it has its length, nor because a content whose
// length nobody has said was cut off.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { curl, noCurl } from "./support/curl.ts";
import { PendingRequest } from "./support/http.ts";
import { APPEND, Draft, headers, idOf, says } from "./support/ietf.ts";
import { sceneWithOrigin } from "./support/scene.ts";

const skip = noCurl;
const { origin, stack } = await sceneWithOrigin();
const draft = new Draft(stack);
const CHUNKED = headers("Transfer-Encoding: chunked");

/** A content that is sent by hand, and does not say how long it is. */
function pending(method: string, path: string, more: Record<string, string>): PendingRequest {
  return new PendingRequest(stack.baseUrl, method, path, { "Transfer-Encoding": "chunked", ...more });
}

/** The length is reached, and nobody has said that this is all: it stays so until an append without content says it. */
async function staysOpenUntilTold(url: string, file: Uint8Array): Promise<void> {
  const size = String(file.length);
  const open = { "Upload-Complete": "?0", "Upload-Offset": size, "Upload-Length": size };
  says(await curl("--head", url), 204, open);
  assert.equal((await stack.client.state(idOf(url))).state, "open");
  says(await draft.append(url, file.length, "?0", Buffer.alloc(0)), 204, open);
  says(await curl("--head", url), 204, open);
  says(await draft.append(url, file.length, "?1", Buffer.alloc(0)), 200, { "Upload-Complete": "?1" });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
}

for (const [what, bytes] of [
  ["in whole parts", 16 * MIB],
  ["that end within a part", 9 * MIB + 7],
  ["that are few", 7],
] as const) {
  test(`all bytes of a file, ${what}, and "?0": acknowledged with "?0", until "?1" comes`, { skip }, async () => {
    const file = fileBytes(`ietf told ${bytes}`, bytes);
    const url = await draft.create(`Upload-Length: ${file.length}`);
    says(await draft.append(url, 0, "?0", file), 204, { "Upload-Complete": "?0", "Upload-Offset": String(bytes) });
    await staysOpenUntilTold(url, file);
  });
}

for (const bytes of [5000, 16 * MIB, 8 * MIB + 100]) {
  test(`all ${bytes} bytes with the creation, and "?0"`, { skip }, async () => {
    const file = fileBytes("ietf told at creation", bytes);
    const said = headers("Upload-Complete: ?0", `Upload-Length: ${file.length}`);
    const created = await curl("-X", "POST", ...said, ...draft.content(file), draft.files);
    says(created, 201, { "Upload-Complete": "?0", "Upload-Offset": String(bytes) });
    await staysOpenUntilTold(draft.locationOf(created), file);
  });
}

test("a declared digest is compared when it is told", { skip }, async () => {
  const file = fileBytes("ietf told digest", 5000);
  const digest = (bytes: Uint8Array) => `sha-256=:${Buffer.from(sha256(bytes), "hex").toString("base64")}:`;
  const right = await draft.create(`Upload-Length: ${file.length}`, `Repr-Digest: ${digest(file)}`);
  await draft.append(right, 0, "?0", file);
  await staysOpenUntilTold(right, file);
  const wrong = await draft.create(`Upload-Length: ${file.length}`, `Repr-Digest: ${digest(Buffer.from("else"))}`);
  await draft.append(wrong, 0, "?0", file);
  const told = await draft.append(wrong, file.length, "?1", Buffer.alloc(0));
  assert.ok(told.status >= 400 && told.status < 500, `${told.status} ${told.body.toString()}`);
  assert.equal((await stack.client.state(idOf(wrong))).state, "failed");
});

test("one byte behind the last: the upload is invalid from then on", { skip }, async () => {
  const url = await draft.create("Upload-Length: 5");
  says(await draft.append(url, 0, "?0", Buffer.from("12345")), 204, { "Upload-Complete": "?0" });
  says(await draft.append(url, 5, "?0", Buffer.from("6")), 400, { "Upload-Complete": "?0" });
  assert.equal((await curl("--head", url)).status, 410);
});

test("a content whose length nobody has said: its end is the file's where it says so", { skip }, async () => {
  const file = fileBytes("ietf chunked", 20 * MIB + 3);
  const [x, z] = [9 * MIB + 1, 17 * MIB];
  const said = headers("Upload-Complete: ?0");
  const created = await curl("-X", "POST", ...said, ...CHUNKED, ...draft.content(file.subarray(0, x)), draft.files);
  says(created, 201, { "Upload-Complete": "?0", "Upload-Offset": String(x), "Upload-Length": undefined });
  const url = draft.locationOf(created);
  const append = (offset: number, complete: string, bytes: Uint8Array) =>
    curl(...APPEND, ...headers(`Upload-Offset: ${offset}`, complete), ...CHUNKED, ...draft.content(bytes), url);
  says(await append(x, "Upload-Complete: ?0", file.subarray(x, z)), 204, {
    "Upload-Complete": "?0",
    "Upload-Offset": String(z),
  });
  const final = await append(z, "Upload-Complete: ?1", file.subarray(z));
  says(final, 200, { "Upload-Complete": "?1", "Upload-Offset": String(file.length) });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("a whole file whose length nobody has said, in one request", { skip }, async () => {
  for (const bytes of [10, 11 * MIB]) {
    const file = fileBytes(`ietf chunked whole ${bytes}`, bytes);
    const said = headers("Upload-Complete: ?1", ...(bytes === 10 ? ["Upload-Length: 10"] : []));
    const reply = await curl("-X", "POST", ...said, ...CHUNKED, ...draft.content(file), draft.files);
    says(reply, reply.status, { "Upload-Complete": "?1", "Upload-Offset": String(bytes) });
    assert.equal((await origin.waitForStored(idOf(draft.locationOf(reply)))).sha256, sha256(file));
  }
  const empty = await pending("POST", "/files", { "Upload-Complete": "?1" }).finish();
  says(empty, 200, { "Upload-Complete": "?1", "Upload-Offset": "0" });
});

test("one that has another length than was declared is refused, and leaves nothing", { skip }, async () => {
  for (const [length, complete] of [
    [9, "?1"],
    [11, "?1"],
    [9, "?0"],
  ]) {
    const said = headers(`Upload-Complete: ${complete}`, `Upload-Length: ${length}`);
    const content = draft.content(Buffer.alloc(10));
    const reply = await curl("-X", "POST", ...said, ...CHUNKED, ...content, draft.files);
    says(reply, 400, { "Upload-Complete": "?0", "Content-Type": "application/problem+json" });
    assert.match(reply.json<{ type: string }>().type, /#inconsistent-upload-length$/);
  }
});

test('one that is cut off is not complete, although it said "?1"', { skip }, async () => {
  const file = fileBytes("ietf chunked cut", 12 * MIB);
  const url = await draft.create();
  const said = { "Content-Type": "application/partial-upload", "Upload-Offset": "0", "Upload-Complete": "?1" };
  const cut = pending("PATCH", `/files/${idOf(url)}`, said);
  await cut.writeThrough(file.subarray(0, 9 * MIB));
  await stack.client.waitUntilCounted(idOf(url), 8 * MIB);
  cut.cut();
  const head = await curl("--head", url);
  says(head, 204, { "Upload-Complete": "?0", "Upload-Length": undefined });
  const offset = Number(head.header("Upload-Offset"));
  says(await draft.append(url, offset, "?1", file.subarray(offset)), 200, { "Upload-Complete": "?1" });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("published clients of interop versions up to 6 are done at the full length", { skip }, async () => {
  const file = fileBytes("ietf interop 6", 100);
  const said = headers("Upload-Draft-Interop-Version: 6");
  const create = headers("Upload-Complete: ?0", `Upload-Length: ${file.length}`, "Content-Length: 0");
  const url = draft.locationOf(await curl("-X", "POST", ...said, ...create, draft.files));
  const reply = await draft.append(url, 0, "?0", file, "Upload-Draft-Interop-Version: 6");
  assert.ok(reply.status < 300, reply.body.toString());
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});
