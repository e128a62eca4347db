// Checksums that a client declares: of a chunk, checked while it streams, and of the whole file, checked before anybody
// hears that the upload is complete.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { bucketStateOf, NOTHING_LEFT } from "./support/r2_state.ts";
import { assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const origin = await ScriptedOrigin.start();
const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl } });
origin.trust(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  await origin.stop();
  await stack.stop();
});

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

for (const declared of [{ sha256: sha256(wrong) }, { crc64nvme: crc64nvme(wrong) }]) {
  const [algorithm] = Object.keys(declared);
  test(`a whole-file ${algorithm} that does not match fails the upload, and the origin hears why`, async () => {
    const upload = await client.create(file, declared);
    const { partBytes } = upload.limits;
    assert.equal((await client.put(upload.uploadId, 0, file.subarray(0, partBytes))).status, 200);
    const last = await client.put(upload.uploadId, partBytes, file.subarray(partBytes));
    assertRefused(last, 422, "digest-mismatch", { uploadId: upload.uploadId });
    const status = await client.state(upload.uploadId);
    assert.equal(status.state, "failed");
    assert.ok(status.reason);

    const { data } = await origin.waitForEvent(upload.uploadId, "upload.failed");
    assert.ok(data.reason);
    assert.equal(data.etag, undefined);
    assert.equal(data.digests, undefined);
    assert.equal(data.downloadUrl, undefined);
    await waitFor("R2 to be empty", () => {
      assert.deepEqual(bucketStateOf(stack.persistDir, upload.uploadId), NOTHING_LEFT);
      return true;
    });
  });
}

test("a resumed upload still verifies the SHA-256 of the whole file", async () => {
  const upload = await client.create(file, { sha256: sha256(file) });
  await client.putCut(upload, file, 0);
  await client.putRest(upload, file, await client.offset(upload.uploadId));
  await client.waitUntilState(upload.uploadId, "completed");
  const event = await origin.waitForEvent(upload.uploadId, "upload.completed");
  assert.equal(event.data.digests?.sha256, sha256(file));
});
