// Checksums that a client declares: of a chunk, checked while it streams, and of the whole file, checked before anybody
// hears that the upload is complete.

import assert from "node:assert/strict";
import { test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin({ REPAIR_TTL_SECONDS: 0 });

const file = fileBytes("checksums", 20 * MIB);
const wrong = fileBytes("something else", 20 * MIB);

/** The spellings of one chunk's SHA-256. */
const spellings: [string, (chunk: Uint8Array) => Record<string, string>][] = [
  ["X-Chunk-Checksum in hex", (chunk) => ({ "X-Chunk-Checksum": `sha256=${sha256(chunk)}` })],
  ["X-Chunk-Checksum in upper-case hex", (chunk) => ({ "X-Chunk-Checksum": `sha256=${sha256(chunk).toUpperCase()}` })],
  ["X-Chunk-Checksum in base64", (chunk) => ({ "X-Chunk-Checksum": `sha256=${sha256(chunk, "base64")}` })],
  ["Content-Digest", (chunk) => ({ "Content-Digest": `sha-256=:${sha256(chunk, "base64")}:` })],
  [
    "Content-Digest beside an algorithm nobody knows",
    (chunk) => ({ "Content-Digest": `unixsum=:AAAA:, sha-256=:${sha256(chunk, "base64")}:` }),
  ],
];

for (const [name, headersFor] of spellings) {
  test(`a chunk with ${name} is taken when it matches, and counts for nothing when it does not`, async () => {
    const { uploadId, limits } = await client.create(file);
    const chunk = file.subarray(0, 2 * limits.partBytes);

    await assertNothingCounted(client, uploadId, async () => {
      const reply = await client.put(uploadId, 0, chunk, headersFor(wrong.subarray(0, chunk.length)));
      assertRefused(reply, 422, "checksum-mismatch");
    });

    const good = await client.put(uploadId, 0, chunk, headersFor(chunk));
    assert.equal(good.status, 200, good.body.toString());
    const rest = file.subarray(chunk.length);
    assert.equal((await client.put(uploadId, chunk.length, rest, headersFor(rest))).status, 200);
    const { object } = await client.waitUntilState(uploadId, "completed");
    assert.equal(object?.crc64nvme, crc64nvme(file));
  });
}

test("a checksummed chunk that is cut short counts for nothing, not even its whole parts", async () => {
  const upload = await client.create(file);
  const { partBytes } = upload.limits;
  const chunk = file.subarray(0, 2 * partBytes);
  const headers = { "X-Chunk-Checksum": `sha256=${sha256(chunk)}` };
  const pending = client.putSlowly(upload.uploadId, 0, chunk.length, headers);
  pending.write(chunk.subarray(0, chunk.length - 1));
  pending.cut();

  assert.equal(await client.offset(upload.uploadId), 0);
  assert.equal((await client.state(upload.uploadId)).uploadedBytes, 0);
  await client.putRest(upload, file);
  const { object } = await client.waitUntilState(upload.uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});

test("a whole-file SHA-256 and CRC-64 that match are carried in the event", async () => {
  const declared = { sha256: sha256(file), crc64nvme: crc64nvme(file) };
  const { uploadId } = await client.upload(file, declared);
  const event = await origin.waitForEvent(uploadId, "upload.completed");
  assert.deepEqual(event.data.digests, declared);
});

/** The upload has failed: the status says why, the origin hears it without any object, and R2 holds nothing. */
async function assertFailed(uploadId: string, algorithm: RegExp): Promise<void> {
  const status = await client.waitUntilState(uploadId, "failed");
  assert.match(status.reason ?? "", algorithm);
  assert.equal(status.object, null);
  const { data } = await origin.waitForEvent(uploadId, "upload.failed");
  assert.match(data.reason ?? "", algorithm);
  assert.equal(data.etag, undefined);
  assert.equal(data.digests, undefined);
  assert.equal(data.downloadUrl, undefined);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  assert.equal((await client.head(uploadId)).status, 410);
}

test("a whole-file SHA-256 that does not match is refused with the last chunk, and fails the upload", async () => {
  const { uploadId, limits } = await client.create(file, { sha256: sha256(wrong) });
  await client.putPiece(uploadId, file, 0, limits.partBytes);
  const last = await client.put(uploadId, limits.partBytes, file.subarray(limits.partBytes));
  assertRefused(last, 422, "digest-mismatch", { uploadId });
  await assertFailed(uploadId, /sha-?256/i);
});

test("a whole-file CRC-64 that does not match fails the upload at completion", async () => {
  const upload = await client.create(file, { crc64nvme: crc64nvme(wrong) });
  await client.putRest(upload, file);
  await assertFailed(upload.uploadId, /crc-?64-?nvme/i);
});

test("a resumed upload still verifies the SHA-256 of the whole file", async () => {
  const resumed = fileBytes("resumed", 20 * MIB);
  const upload = await client.create(resumed, { sha256: sha256(resumed) });
  await client.putCut(upload, resumed, 0);
  await client.putRest(upload, resumed, await client.offset(upload.uploadId));
  await client.waitUntilState(upload.uploadId, "completed");
  const event = await origin.waitForEvent(upload.uploadId, "upload.completed");
  assert.equal(event.data.digests?.sha256, sha256(resumed));
});
