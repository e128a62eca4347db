// What a refusal says: it names the client's own header, in the client's own protocol, and what to do. It asserts no cause that nobody
// knows.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Problem } from "./support/api.ts";
import { sha256 } from "./support/bytes.ts";
import { type Headers, PendingRequest } from "./support/http.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { BYTES, Tus } from "./support/tus.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
const tus = new Tus(client);
after(() => stack.stop());

const ten = Buffer.alloc(10);
const draft = { "Content-Type": "application/partial-upload", "Upload-Complete": "?0", "Upload-Offset": 0 };

test("another length than was declared is named by the header that said it", async () => {
  const { uploadId } = await client.create(ten);
  const range = { "Content-Range": "bytes 0-9/11" };
  assertBadRequest(await client.putRaw(uploadId, ten, range), "Content-Range", "inconsistent-length");
  const url = await tus.create({ "Upload-Length": 10 });
  assertBadRequest(await tus.patch(url, 0, ten, { "Upload-Length": 11 }), "Upload-Length", "inconsistent-length");
  const appended = { headers: { ...draft, "Upload-Length": 11 }, body: ten };
  const refused = await client.request("PATCH", url, appended);
  assert.deepEqual([refused.status, refused.json<Problem>().field], [400, "Upload-Length"]);
});

test("a wrong offset is named by the header that said it", async () => {
  const { uploadId } = await client.create(ten);
  const one = ten.subarray(0, 1);
  const field = (headers: Headers) =>
    client.putRaw(uploadId, one, headers).then((reply) => reply.json<Problem>().field);
  assert.equal(await field({ "X-Upload-Offset": 5 }), "X-Upload-Offset");
  assert.equal(await field({ "Content-Range": "bytes 5-5/10" }), "Content-Range");
  const url = await tus.create({ "Upload-Length": 10 });
  assert.equal((await tus.patch(url, 5, one)).json<Problem>().field, "Upload-Offset");
});

test("tus's and the draft's offset, sent to the JSON API, is not overlooked", async () => {
  const { uploadId } = await client.create(ten);
  const reply = await client.putRaw(uploadId, ten, { "Upload-Offset": 0 });
  assert.match(assertBadRequest(reply, "Upload-Offset").detail, /X-Upload-Offset/);
  assert.equal(await client.offset(uploadId), 0);
});

test("an address that has no id in it says what one is", async () => {
  for (const path of ["/upload/nobody", "/files/nobody", "/upload/nobody/status", "/s3/multipart/nobody"]) {
    const { detail } = assertRefused(await client.request("GET", path), 404, "upload-not-found");
    assert.match(detail, /an id is a UUID/, path);
  }
  const unknown = await client.request("GET", "/upload/00000000-0000-4000-8000-000000000000");
  assert.doesNotMatch(assertRefused(unknown, 404, "upload-not-found").detail, /UUID/);
});

test("a body without a length says how to send it", async () => {
  const { uploadId } = await client.create(ten);
  const url = await tus.create({ "Upload-Length": 10 });
  const checked = { "Upload-Checksum": `sha256 ${sha256(ten, "base64")}`, "Content-Type": BYTES, "Upload-Offset": 0 };
  for (const [method, path, headers] of [
    ["PUT", `/upload/${uploadId}`, { "X-Upload-Offset": 0 }],
    ["POST", "/upload/init", {}],
    ["PATCH", url, { "Tus-Resumable": "1.0.0", ...checked }],
  ] as [string, string, Headers][]) {
    const pending = new PendingRequest(stack.baseUrl, method, path, { ...headers, "Transfer-Encoding": "chunked" });
    pending.write(ten);
    const { detail } = assertRefused(await pending.finish(), 411, "length-required");
    assert.match(detail, /^Send Content-Length, and no Transfer-Encoding/);
  }
});

test("a checksum that does not match names no culprit", async () => {
  const wrong = sha256(Buffer.from("else"));
  const { uploadId } = await client.create(ten);
  for (const [field, value] of [
    ["X-Chunk-Checksum", `sha256=${wrong}`],
    ["Content-Digest", `sha-256=:${Buffer.from(wrong, "hex").toString("base64")}:`],
  ] as const) {
    const reply = await client.put(uploadId, 0, ten, { [field]: value });
    const { detail } = assertRefused(reply, 422, "checksum-mismatch", { field, uploadedBytes: 0 });
    assert.doesNotMatch(detail, /damaged|corrupt/);
    assert.match(detail, /send it again at 0/);
  }
});
