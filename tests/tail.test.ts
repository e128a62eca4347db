// Chunks of any length: what does not fill a part is kept as a segment, small ones in the upload's object and large ones
// in R2, and put in front of the next part. Whatever the lengths, the origin gets the same bytes, and no segment stays.
//
// What a break in the middle of such a chunk leaves is in tail_broken.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, randomNumbers, sha256, shuffled } from "./support/bytes.ts";
import { segmentsOf, waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithOrigin } from "./support/scene.ts";

const { origin, stack, client } = await sceneWithOrigin();

/** The smallest part that R2 takes, so that files with several parts stay small. */
const PART_BYTES = 5 * MIB;

/** The largest rest that is kept in the upload's object; a longer one is an R2 object. */
const ROW_BYTES = 128 * 1024;

async function createWithSmallParts(file: Uint8Array, fields = {}): Promise<Created> {
  const upload = await client.create(file, { chunkSize: PART_BYTES, ...fields });
  assert.equal(upload.limits.partBytes, PART_BYTES);
  return upload;
}

/** Puts the file from `from` on in chunks of these lengths, and what is then left in one more. */
async function putInPieces(id: string, file: Uint8Array, lengths: number[], from = 0): Promise<void> {
  let offset = from;
  for (const length of lengths) {
    await client.putPiece(id, file, offset, offset + length);
    offset += length;
  }
  if (offset < file.length) {
    await client.putPiece(id, file, offset, file.length);
  }
}

/** The origin has the same bytes, and R2 has the object and no segment. */
async function assertArrivedWhole(id: string, file: Uint8Array): Promise<void> {
  const record = await origin.waitForStored(id);
  assert.equal(record.fileSize, file.length);
  assert.equal(record.sha256, sha256(file));
  assert.equal(record.crc64nvme, crc64nvme(file));
  await waitUntilOnlyObjectLeft(stack.persistDir, id);
}

const awkwardLengths = [
  1,
  2,
  1000,
  65_537,
  ROW_BYTES - 1,
  ROW_BYTES,
  ROW_BYTES + 1,
  MIB + 7,
  3 * MIB - 1,
  PART_BYTES - 1,
  PART_BYTES,
  PART_BYTES + 1,
  2 * PART_BYTES + 12_345,
];

for (const order of ["first", "second"]) {
  test(`chunks of odd lengths reach the origin whole, in a ${order} random order`, async () => {
    const file = fileBytes(`odd lengths, ${order}`, 34 * MIB + 321);
    const lengths = shuffled(awkwardLengths, randomNumbers(`odd lengths, ${order}`));
    const { uploadId } = await createWithSmallParts(file);
    await putInPieces(uploadId, file, lengths);
    await assertArrivedWhole(uploadId, file);
  });
}

test("a file that comes byte by byte reaches the origin whole", async () => {
  const file = fileBytes("byte by byte", 30);
  const upload = await client.create(file, { chunkSize: 1 });
  await client.putRest(upload, file);
  await assertArrivedWhole(upload.uploadId, file);
});

test("a part and a thousand tiny appends to the next reach the origin whole", async () => {
  const appends = 1000;
  const file = fileBytes("tiny appends", PART_BYTES + appends * 1024 + 2 * PART_BYTES);
  const { uploadId } = await createWithSmallParts(file);
  const lengths = [PART_BYTES, ...Array.from({ length: appends }, () => 1024)];
  await putInPieces(uploadId, file, lengths);
  await assertArrivedWhole(uploadId, file);
});

test("a rest is counted at once, in the object up to 128 KiB and above that in R2", async () => {
  for (const [restBytes, segments] of [
    [ROW_BYTES, 0],
    [ROW_BYTES + 1, 1],
  ] as const) {
    const file = fileBytes(`rest of ${restBytes}`, 2 * PART_BYTES);
    const { uploadId } = await createWithSmallParts(file);
    await client.putPiece(uploadId, file, 0, PART_BYTES + restBytes);
    assert.equal(segmentsOf(stack.persistDir, uploadId).length, segments, `${restBytes} bytes`);
    const status = await client.state(uploadId);
    assert.deepEqual(status.missing, [[PART_BYTES + restBytes, file.length]]);
    assert.equal(await client.offset(uploadId), PART_BYTES + restBytes);

    await client.putPiece(uploadId, file, PART_BYTES + restBytes, file.length);
    await assertArrivedWhole(uploadId, file);
  }
});

test("a tail of rows and R2 objects in turn is put in front of the next part in order", async () => {
  const file = fileBytes("mixed tail", 2 * PART_BYTES);
  const { uploadId } = await createWithSmallParts(file);
  // More than a hundred rows, so that they are read in several goes.
  const rows = Array.from({ length: 70 }, (_, index) => index + 1);
  const lengths = [...rows, 300_000, ...rows, ROW_BYTES, 700_001, 400_000, 5];
  await putInPieces(uploadId, file, lengths);
  await assertArrivedWhole(uploadId, file);
});

test("a tail alone can be the whole of a small file", async () => {
  const file = fileBytes("only a tail", 700_000);
  const { uploadId } = await createWithSmallParts(file);
  await putInPieces(uploadId, file, [200_000, 1, 99_999, 399_999]);
  await assertArrivedWhole(uploadId, file);
});

test("a declared SHA-256 is verified across odd chunks", async () => {
  const file = fileBytes("odd and declared", 12 * MIB + 5);
  const { uploadId } = await createWithSmallParts(file, { sha256: sha256(file) });
  await putInPieces(uploadId, file, [1, 63, 65, 200_000, PART_BYTES, 100, 3 * MIB + 1]);
  await assertArrivedWhole(uploadId, file);
});

test("a declared SHA-256 that odd chunks do not have is refused with the last one", async () => {
  const file = fileBytes("odd and not as declared", 6 * MIB);
  const { uploadId } = await createWithSmallParts(file, { sha256: sha256(fileBytes("another", 6 * MIB)) });
  await client.putPiece(uploadId, file, 0, 300_001);
  const reply = await client.put(uploadId, 300_001, file.subarray(300_001));
  assertRefused(reply, 422, "digest-mismatch", { uploadId });
  await client.waitUntilState(uploadId, "damaged");
  assert.equal((await client.abort(uploadId)).status, 204);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("killed between odd chunks: rows and R2 segments are still there, and so is the running SHA-256", async () => {
  const file = fileBytes("killed between odd chunks", 14 * MIB + 77);
  const { uploadId } = await createWithSmallParts(file, { sha256: sha256(file) });
  const before = [PART_BYTES + 1000, 1, 500_000, 77];
  let offset = 0;
  for (const length of before) {
    await client.putPiece(uploadId, file, offset, offset + length);
    offset += length;
  }

  await stack.kill();
  await stack.restart();

  assert.equal(await client.offset(uploadId), offset);
  await putInPieces(uploadId, file, [3, PART_BYTES - 1], offset);
  await assertArrivedWhole(uploadId, file);
});
