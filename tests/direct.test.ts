// Parts that never pass the Worker: signed one by one, stored in R2 by the client, counted when R2 has said so too, read back
// before anybody hears that the upload is complete. The origin gets the same bytes as through any other door.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { DirectClient } from "./support/direct.ts";
import { Origin } from "./support/origin.ts";
import { waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { putPart, S3 } from "./support/s3.ts";

const origin = await Origin.prepare();
const { s3, stack } = await S3.withStack({ ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1 });
await origin.start(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
const direct = new DirectClient(client);
after(async () => {
  s3.stop();
  await origin.remove();
  await stack.stop();
});

const CHUNK_BYTES = 5 * MIB;
const chunkSize = CHUNK_BYTES;

/** Three chunks, the last of them short. */
const file = fileBytes("three direct chunks", 2 * CHUNK_BYTES + 12_345);

async function assertCompletedAs(id: string, bytes: Uint8Array): Promise<void> {
  const { object, uploadedBytes, missing } = await client.waitUntilState(id, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(bytes));
  assert.equal(uploadedBytes, bytes.length);
  assert.deepEqual(missing, []);
  await waitUntilOnlyObjectLeft(stack.persistDir, id);
  const record = await origin.waitForStored(id);
  assert.equal(record.sha256, sha256(bytes));
  assert.equal(record.crc64nvme, crc64nvme(bytes));
}

test("chunks in any order, signed and recorded together: read back, complete, at the origin", async () => {
  const { uploadId, ...created } = await direct.create(file, { chunkSize });
  assert.deepEqual([created.chunkSize, created.limits.maxChunkBytes], [CHUNK_BYTES, 5_114 * MIB]);
  const parts = await direct.sign(uploadId, 2, 0, 1);
  assert.deepEqual(
    parts.map(({ chunk, offset, bytes, method }) => ({ chunk, offset, bytes, method })),
    [
      { chunk: 2, offset: 2 * CHUNK_BYTES, bytes: 12_345, method: "PUT" },
      { chunk: 0, offset: 0, bytes: CHUNK_BYTES, method: "PUT" },
      { chunk: 1, offset: CHUNK_BYTES, bytes: CHUNK_BYTES, method: "PUT" },
    ],
  );
  const stored = await Promise.all(parts.map((part) => direct.store(part, file)));
  assert.equal((await client.state(uploadId)).uploadedBytes, 0, "what nobody has recorded counts for nothing");
  const first = await direct.record(uploadId, ...stored.slice(0, 2));
  assert.deepEqual([first.uploadedBytes, first.state], [CHUNK_BYTES + 12_345, "open"]);
  assert.deepEqual((await client.state(uploadId)).missing, [[CHUNK_BYTES, 2 * CHUNK_BYTES]]);
  const last = await direct.record(uploadId, ...stored.slice(2));
  assert.equal(last.uploadedBytes, file.length);
  assert.equal(
    (await direct.record(uploadId, ...stored)).uploadedBytes,
    file.length,
    "said again, since the answer was lost",
  );
  await assertCompletedAs(uploadId, file);
  assert.ok(stack.log.of(uploadId, "slice_hashed").length > 0);
});

test("a chunk of 101 MiB, beyond what any request to the Worker may carry; R2's ETags alone need not be said", async () => {
  const large = fileBytes("a large direct chunk", 101 * MIB + 7);
  const { uploadId, chunkSize: chunk } = await direct.create(large, { chunkSize: 101 * MIB });
  assert.equal(chunk, 101 * MIB);
  for (const part of await direct.sign(uploadId, 0, 1)) {
    const { partNumber } = await direct.store(part, large);
    await direct.record(uploadId, { partNumber });
  }
  await assertCompletedAs(uploadId, large);
});

test("both declared digests are verified, and the object is known by its SHA-256 from then on", async () => {
  const declared = { sha256: sha256(file), crc64nvme: crc64nvme(file), chunkSize };
  const { uploadId } = await direct.create(file, declared);
  await direct.putChunks(uploadId, file, 0, 1, 2);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.sha256, sha256(file));
  await client.waitUntilDelivery(uploadId, "delivered");
  const again = await client.init({ fileName: "again", fileSize: file.length, direct: true, sha256: sha256(file) });
  assert.deepEqual([again.status, again.json<{ duplicate?: boolean }>().duplicate], [200, true]);
});

for (const digest of ["sha256", "crc64nvme"] as const) {
  test(`bytes with another ${digest} than the declared one: failed, said so, and nothing stays`, async () => {
    const other = fileBytes("not these", 9);
    const { uploadId } = await direct.create(file, {
      chunkSize,
      [digest]: digest === "sha256" ? sha256(other) : crc64nvme(other),
    });
    await direct.putChunks(uploadId, file, 0, 1, 2);
    const { reason } = await client.waitUntilState(uploadId, "failed");
    assert.match(reason ?? "", new RegExp(digest));
    await waitUntilNothingLeft(stack.persistDir, uploadId);
  });
}

test("killed in the middle: what was recorded counts, and what was stored can still be recorded", async () => {
  const { uploadId } = await direct.create(file, { chunkSize });
  await direct.putChunks(uploadId, file, 1);
  const stored = await direct.store(await direct.signOne(uploadId, 0), file);
  await stack.kill();
  await stack.restart();
  assert.deepEqual((await client.state(uploadId)).missing, [
    [0, CHUNK_BYTES],
    [2 * CHUNK_BYTES, file.length],
  ]);
  await direct.record(uploadId, stored);
  await direct.putChunks(uploadId, file, 2);
  await assertCompletedAs(uploadId, file);
});

test("a direct upload of no bytes is complete at once", async () => {
  const { uploadId } = await direct.create(Buffer.alloc(0));
  await client.waitUntilState(uploadId, "completed");
  assert.equal((await origin.waitForStored(uploadId)).fileSize, 0);
});

test("a cancelled upload leaves nothing, and its URLs store nothing", async () => {
  const { uploadId } = await direct.create(file, { chunkSize });
  await direct.putChunks(uploadId, file, 0);
  const part = await direct.signOne(uploadId, 1);
  assert.equal((await client.abort(uploadId)).status, 204);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  const late = await putPart(part.url, file.subarray(part.offset, part.offset + part.bytes));
  assert.equal(late.status, 404, late.body.toString());
  assertRefused(await direct.askForUrls(uploadId, [1]), 410, "upload-gone");
  assertRefused(await direct.askToRecord(uploadId, [{ partNumber: part.partNumber }]), 410, "upload-gone");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("an endpoint that lists no parts, as R2's simulator: the ETag is needed, and completion is the proof", async () => {
  s3.listsParts = false;
  try {
    const { uploadId } = await direct.create(file, { chunkSize });
    const parts = await direct.sign(uploadId, 0, 1, 2);
    const [first, ...others] = await Promise.all(parts.map((part) => direct.store(part, file)));
    assert.ok(first);
    const unnamed = await direct.askToRecord(uploadId, [{ partNumber: first.partNumber }]);
    assert.equal(assertRefused(unnamed, 400, "bad-request").field, "etag");
    await direct.record(uploadId, { ...first, etag: "a false one" }, ...others);
    const reopened = await client.waitUntilState(uploadId, "open");
    assert.match(reopened.reason ?? "", /10025/);
    assert.equal(reopened.uploadedBytes, 0);
    await direct.record(uploadId, first, ...others);
    await assertCompletedAs(uploadId, file);
  } finally {
    s3.listsParts = true;
  }
});
