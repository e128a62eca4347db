// What a client may get wrong while it talks to an upload. Each refusal has its own status and type, names what was
// wrong, and changes nothing. What may be wrong with the upload's creation is in bad_init.test.ts.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { PendingRequest } from "./support/http.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertBadRequest, assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
after(() => stack.stop());

const file = fileBytes("bad input", 20 * MIB);

/** An upload with its first part counted: what every refusal must leave as it is. */
async function begunUpload(): Promise<Created & { partBytes: number }> {
  const upload = await client.create(file);
  const { partBytes } = upload.limits;
  assert.equal((await client.put(upload.uploadId, 0, file.subarray(0, partBytes))).status, 200);
  return { ...upload, partBytes };
}

const begun = await begunUpload();
const rest = file.subarray(begun.partBytes);

const strangers = [
  randomUUID(),
  randomUUID().toUpperCase(),
  "00000000-0000-0000-0000-000000000000",
  "nobody",
  "..%2f..%2fetc%2fpasswd",
  "%00",
  "%ff",
  "a%20b",
  `${randomUUID()}%2fstatus`,
  "x".repeat(2000),
  "%C3%A9",
];

for (const stranger of strangers) {
  test(`an upload nobody knows is 404 in every way: ${stranger.slice(0, 60)}`, async () => {
    assertRefused(await client.request("GET", `/upload/${stranger}`), 404, "upload-not-found");
    assertRefused(await client.status(stranger), 404, "upload-not-found");
    assert.equal((await client.head(stranger)).status, 404);
    assertRefused(await client.put(stranger, 0, Buffer.from("bytes")), 404, "upload-not-found");
    assertRefused(await client.complete(stranger), 404, "upload-not-found");
    assertRefused(await client.redeliver(stranger), 404, "upload-not-found");
    assertRefused(await client.abort(stranger), 404, "upload-not-found");
  });
}

test("a path that does not exist is 404", async () => {
  for (const path of [
    "/nowhere",
    "/upload",
    "/upload/",
    `/upload/${begun.uploadId}/nothing`,
    "/uploads/x",
    "/up%2Fload/init",
  ]) {
    const reply = await client.request("GET", path);
    assert.equal(reply.status, 404, path);
    assert.equal(reply.header("Content-Type")?.split(";")[0], "application/problem+json", path);
  }
});

test("a chunk at the wrong offset is refused with the true one", async () => {
  const { uploadId, partBytes } = begun;
  await assertNothingCounted(client, uploadId, async () => {
    const members = { uploadId, uploadedBytes: partBytes };
    assertRefused(await client.put(uploadId, 0, file), 409, "offset-mismatch", members);
    assertRefused(
      await client.put(uploadId, 2 * partBytes, file.subarray(2 * partBytes)),
      409,
      "offset-mismatch",
      members,
    );
    assertRefused(await client.putRaw(uploadId, file), 409, "offset-mismatch", members);
  });
});

test("the last chunk sent once more is told that everything is there", async () => {
  const { uploadId } = await client.upload(file);
  const reply = await client.put(uploadId, begun.partBytes, rest);
  const { detail } = assertRefused(reply, 409, "offset-mismatch", { uploadedBytes: file.length });
  assert.equal(detail, `All ${file.length} bytes of the file have been accepted; nothing is missing.`);
});

test("bytes that count already, named by their range, are no conflict", async () => {
  const repeat = (id: string, from: number, to: number) =>
    client.putRaw(id, file.subarray(from, to), { "Content-Range": `bytes ${from}-${to - 1}/${file.length}` });
  await assertNothingCounted(client, begun.uploadId, async () => {
    for (const [from, to] of [
      [0, begun.partBytes],
      [7, 1_000],
    ] as const) {
      const reply = await repeat(begun.uploadId, from, to);
      assert.equal(reply.status, 200, reply.body.toString());
      assert.equal(reply.json<{ uploadedBytes: number }>().uploadedBytes, begun.partBytes);
    }
    assertRefused(await repeat(begun.uploadId, 7, begun.partBytes + 1), 409, "offset-mismatch");
  });
  const { uploadId } = await client.upload(file);
  const last = await repeat(uploadId, begun.partBytes, file.length);
  assert.equal(last.status, 200, last.body.toString());
  assert.equal(last.json<{ state: string }>().state, "completed");
});

test("bytes that count already and come again with a wrong checksum are refused, whatever their range", async () => {
  const repeat = (id: string, from: number, bytes: Uint8Array, claimed: Uint8Array) =>
    client.putRaw(id, bytes, {
      "Content-Range": `bytes ${from}-${from + bytes.length - 1}/${file.length}`,
      "X-Chunk-Checksum": `sha256=${sha256(claimed)}`,
    });
  const garbage = fileBytes("garbage", begun.partBytes);
  const part = file.subarray(0, begun.partBytes);
  const refusedAs = { uploadedBytes: begun.partBytes };
  await assertNothingCounted(client, begun.uploadId, async () => {
    assert.equal((await repeat(begun.uploadId, 0, part, part)).status, 200);
    assertRefused(await repeat(begun.uploadId, 0, part, garbage), 422, "checksum-mismatch", refusedAs);
    assertRefused(await repeat(begun.uploadId, 0, garbage, garbage), 409, "chunk-differs", refusedAs);
    // Less than a part: only the checksum can be looked at.
    const some = file.subarray(7, 1_000);
    assert.equal((await repeat(begun.uploadId, 7, some, some)).status, 200);
    assertRefused(await repeat(begun.uploadId, 7, some, part), 422, "checksum-mismatch", refusedAs);
  });
  const { uploadId } = await client.upload(file);
  const late = await repeat(uploadId, 0, part, garbage);
  assertRefused(late, 422, "checksum-mismatch", { uploadedBytes: file.length });
});

test("a chunk behind the end of a finished upload is beyond its length, and not asked for again", async () => {
  const { uploadId } = await client.upload(file);
  const members = { uploadedBytes: file.length, fileSize: file.length };
  assertRefused(await client.put(uploadId, file.length, rest), 413, "beyond-declared-length", members);
});

test("a byte beyond the declared size is refused", async () => {
  await assertNothingCounted(client, begun.uploadId, async () => {
    const tooMuch = Buffer.concat([rest, Buffer.from("!")]);
    const reply = await client.put(begun.uploadId, begun.partBytes, tooMuch);
    assertRefused(reply, 413, "beyond-declared-length", { uploadedBytes: begun.partBytes });
  });
});

test("a chunk above the limit is refused, with the limit and the reason for it", async () => {
  const upload = await client.create(Buffer.alloc(0), { fileSize: 1024 * MIB });
  const { maxChunkBytes, partBytes } = upload.limits;
  const whole = Math.ceil((maxChunkBytes + 1) / partBytes) * partBytes;
  await assertNothingCounted(client, upload.uploadId, async () => {
    const pending = client.putSlowly(upload.uploadId, 0, whole);
    // Under `wrangler dev` a refusal is only answered when the whole body has been taken in.
    pending.write(Buffer.alloc(whole));
    const problem = assertRefused(await pending.finish(), 413, "chunk-too-large", { limitBytes: 95 * MIB });
    assert.match(problem.detail, /100 MB|Cloudflare/);
  });
});

test("a chunk without Content-Length is refused", async () => {
  const { uploadId, partBytes } = begun;
  await assertNothingCounted(client, uploadId, async () => {
    const headers = { "Transfer-Encoding": "chunked", "X-Upload-Offset": partBytes };
    const pending = new PendingRequest(stack.baseUrl, "PUT", `/upload/${uploadId}`, headers);
    pending.write(rest);
    assertRefused(await pending.finish(), 411, "length-required");
  });
});

test("a chunk of no bytes changes nothing, and is refused at a wrong offset", async () => {
  const { uploadId, partBytes } = begun;
  await assertNothingCounted(client, uploadId, async () => {
    const empty = await client.put(uploadId, partBytes, Buffer.alloc(0));
    assert.equal(empty.status, 200, empty.body.toString());
    const taken = { uploadId, uploadedBytes: partBytes, fileSize: file.length, state: "open" };
    assert.deepEqual(empty.json(), taken);
    for (const offset of [0, partBytes - 1, file.length]) {
      const members = { uploadedBytes: partBytes };
      assertRefused(await client.put(uploadId, offset, Buffer.alloc(0)), 409, "offset-mismatch", members);
    }
  });
});

const badOffsets = [
  "abc",
  "-1",
  "+1",
  "1.5",
  "0x10",
  "1e3",
  " ",
  "1, 2",
  "9007199254740992",
  "99999999999999999999999",
];

for (const offset of badOffsets) {
  test(`X-Upload-Offset: ${offset} is refused`, async () => {
    await assertNothingCounted(client, begun.uploadId, async () => {
      const reply = await client.putRaw(begun.uploadId, rest, { "X-Upload-Offset": offset });
      assertBadRequest(reply, "X-Upload-Offset");
    });
  });
}

const first = begun.partBytes;
const last = file.length - 1;
const badRanges: [string, string][] = [
  ["its end before its start", `bytes ${last}-${first}/${file.length}`],
  ["a length that is not the body's", `bytes ${first}-${last - 1}/${file.length}`],
  ["its end beyond its total", `bytes ${first}-${last}/${last}`],
  ["no total", `bytes ${first}-${last}`],
  ["no range", `bytes */${file.length}`],
  ["another unit", `lines ${first}-${last}/${file.length}`],
  ["no unit", `${first}-${last}/${file.length}`],
  ["words for numbers", "bytes a-b/c"],
  ["negative numbers", `bytes -5-${last}/${file.length}`],
  ["numbers too large", `bytes 99999999999999999999-${last}/${file.length}`],
];

for (const [what, range] of badRanges) {
  test(`a Content-Range with ${what} is refused`, async () => {
    await assertNothingCounted(client, begun.uploadId, async () => {
      const reply = await client.putRaw(begun.uploadId, rest, { "Content-Range": range });
      assertBadRequest(reply, "Content-Range");
    });
  });
}

test("a Content-Range with another total than the file's size is refused, however well formed", async () => {
  await assertNothingCounted(client, begun.uploadId, async () => {
    const reply = await client.putRaw(begun.uploadId, rest, {
      "Content-Range": `bytes ${first}-${last}/${file.length + 1}`,
    });
    assertBadRequest(reply, "Content-Range", "inconsistent-length");
  });
});

test("X-Upload-Offset and Content-Range that disagree are refused, and taken when they agree", async () => {
  const { uploadId, partBytes } = await begunUpload();
  const range = { "Content-Range": `bytes ${partBytes}-${last}/${file.length}` };
  await assertNothingCounted(client, uploadId, async () => {
    assertRefused(await client.put(uploadId, 0, rest, range), 400, "bad-request");
  });
  assert.equal((await client.put(uploadId, partBytes, rest, range)).status, 200);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});

const badChecksums: [string, string][] = [
  ["X-Chunk-Checksum", "sha256="],
  ["X-Chunk-Checksum", "sha256"],
  ["X-Chunk-Checksum", sha256(rest)],
  ["X-Chunk-Checksum", "sha256=zz"],
  ["X-Chunk-Checksum", `sha256=${sha256(rest).slice(1)}`],
  ["X-Chunk-Checksum", `sha256=${sha256(rest)}00`],
  ["X-Chunk-Checksum", "sha3=d41d8cd98f00b204e9800998ecf8427e"],
  ["Content-Digest", `sha-256=${sha256(rest, "base64")}`],
  ["Content-Digest", `sha-256=:${sha256(rest, "base64").slice(4)}:`],
  ["Content-Digest", "sha-256=:!!!!:"],
  ["Content-Digest", "sha-256"],
  ["Content-Digest", "unixsum=:AAAA:"],
];

for (const [header, value] of badChecksums) {
  test(`${header}: ${value.slice(0, 40)} is refused, not skipped`, async () => {
    await assertNothingCounted(client, begun.uploadId, async () => {
      const reply = await client.put(begun.uploadId, begun.partBytes, rest, { [header]: value });
      assertBadRequest(reply, header);
    });
  });
}

test("completing with bytes missing is refused and tells how many", async () => {
  await assertNothingCounted(client, begun.uploadId, async () => {
    const members = { uploadId: begun.uploadId, uploadedBytes: begun.partBytes, missingBytes: rest.length };
    assertRefused(await client.complete(begun.uploadId), 409, "incomplete", members);
  });
});

const wrongMethods: [string, string, string[]][] = [
  ["GET", "/upload/init", ["POST"]],
  ["POST", "/uploads", ["GET"]],
  ["PUT", "/upload/init", ["POST"]],
  ["POST", `/upload/${begun.uploadId}`, ["DELETE", "GET", "HEAD", "PATCH", "PUT"]],
  ["GET", `/upload/${begun.uploadId}/complete`, ["POST"]],
  ["PUT", `/upload/${begun.uploadId}/status`, ["GET"]],
  ["GET", `/upload/${begun.uploadId}/redeliver`, ["POST"]],
];

for (const [method, path, allowed] of wrongMethods) {
  test(`${method} ${path.replace(begun.uploadId, "{id}")} is no method of it`, async () => {
    const reply = await client.request(method, path);
    assertRefused(reply, 405, "method-not-allowed");
    const named = (reply.header("Allow") ?? "").split(/, */);
    assert.deepEqual(
      named.filter((name) => name !== "OPTIONS" && (name !== "HEAD" || allowed.includes(name))).sort(),
      allowed,
    );
  });
}

test("an aborted upload is gone in every way and leaves nothing behind", async () => {
  const { uploadId, partBytes } = await begunUpload();
  assert.equal((await client.abort(uploadId)).status, 204);
  assertRefused(await client.status(uploadId), 410, "upload-gone", { uploadId, state: "aborted" });
  assertRefused(await client.request("GET", `/upload/${uploadId}`), 410, "upload-gone", { state: "aborted" });
  assert.equal((await client.head(uploadId)).status, 410);
  assertRefused(await client.put(uploadId, partBytes, rest), 410, "upload-gone");
  assertRefused(await client.complete(uploadId), 410, "upload-gone");
  assert.equal((await client.abort(uploadId)).status, 204, "aborted once more, since the answer was lost");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("an upload aborted under a running writer leaves nothing behind either", async () => {
  const { uploadId, partBytes } = await begunUpload();
  const running = client.putSlowly(uploadId, partBytes, rest.length);
  running.write(rest.subarray(0, 1000));
  assert.equal((await client.abort(uploadId)).status, 204);
  running.write(rest.subarray(1000));
  assertRefused(await running.finish(), 410, "upload-gone");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("after all that, the upload that was refused so often still completes with the right bytes", async () => {
  await client.putRest(begun, file, begun.partBytes);
  const { object } = await client.waitUntilState(begun.uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});
