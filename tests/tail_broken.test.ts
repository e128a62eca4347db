// Chunks of any length that break: a cut keeps whole parts, and of a small rest what arrived; a checksum makes it all or
// nothing. And uploads that end while they have segments, or while somebody still writes one: nothing of them stays.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import type { PendingRequest } from "./support/http.ts";
import { segmentsOf, waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
after(() => stack.stop());

const PART_BYTES = 5 * MIB;
const file = fileBytes("a broken tail", 2 * PART_BYTES + 1000);
const garbage = fileBytes("garbage", file.length);

function create(): Promise<Created> {
  return client.create(file, { chunkSize: PART_BYTES });
}

/** Resolves when the Worker has given up this many chunks of the upload: what it kept of them counts by then. */
function waitUntilBroken(id: string, times = 1): Promise<unknown> {
  const broken = () => stack.log.of(id, "chunk_broken").length >= times;
  return waitFor(`${times} broken chunks of ${id}`, broken, { lastSeen: () => stack.log.of(id) });
}

/** A chunk of one part and a rest of so many bytes: the part counts already, and of the rest a half is on its way. */
async function beginRest(id: string, restBytes: number): Promise<PendingRequest> {
  const pending = client.putSlowly(id, 0, PART_BYTES + restBytes);
  await pending.writeThrough(file.subarray(0, PART_BYTES));
  await client.waitUntilCounted(id, PART_BYTES);
  await pending.writeThrough(file.subarray(PART_BYTES, PART_BYTES + restBytes / 2));
  return pending;
}

async function assertCompletes(id: string, from: number): Promise<void> {
  await client.putPiece(id, file, from, file.length);
  const { object } = await client.waitUntilState(id, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
  await waitUntilOnlyObjectLeft(stack.persistDir, id);
}

test("a cut in a rest of up to 128 KiB keeps what arrived, and goes on there", async () => {
  const { uploadId } = await create();
  const restBytes = 100_000;
  let cuts = 0;
  let kept = PART_BYTES;
  (await beginRest(uploadId, restBytes)).cut();
  // How much of a cut connection's last bytes arrives is not in our hands: cut until something of a rest has.
  while (true) {
    await waitUntilBroken(uploadId, ++cuts);
    kept = await client.offset(uploadId);
    assert.ok(kept >= PART_BYTES && kept <= PART_BYTES + restBytes / 2, `${kept}`);
    if (kept > PART_BYTES) {
      break;
    }
    const again = client.putSlowly(uploadId, kept, restBytes);
    await again.writeThrough(file.subarray(kept, kept + restBytes / 2));
    await client.state(uploadId);
    again.cut();
  }
  assert.equal((await client.state(uploadId)).uploadedBytes, kept);
  await assertCompletes(uploadId, kept);
});

test("a cut in a rest above 128 KiB keeps the whole parts before it and nothing of the rest", async () => {
  const { uploadId } = await create();
  (await beginRest(uploadId, 2 * MIB)).cut();
  await waitUntilBroken(uploadId);
  assert.equal(await client.offset(uploadId), PART_BYTES);
  assert.deepEqual(segmentsOf(stack.persistDir, uploadId), []);
  await assertCompletes(uploadId, PART_BYTES);
});

for (const restBytes of [1000, 2 * MIB]) {
  const chunk = file.subarray(0, PART_BYTES + restBytes);
  const headers = { "X-Chunk-Checksum": `sha256=${sha256(chunk)}` };

  test(`a checksummed chunk that is cut in its rest of ${restBytes} bytes counts for nothing`, async () => {
    const { uploadId } = await create();
    const pending = client.putSlowly(uploadId, 0, chunk.length, headers);
    await pending.writeThrough(chunk.subarray(0, chunk.length - 1));
    pending.cut();
    await waitUntilBroken(uploadId);
    assert.equal(await client.offset(uploadId), 0);
    await assertCompletes(uploadId, 0);
  });

  test(`a checksummed chunk with a rest of ${restBytes} bytes counts for nothing when damaged, and then whole`, async () => {
    const { uploadId } = await create();
    await assertNothingCounted(client, uploadId, async () => {
      for (const damagedAt of [0, PART_BYTES, chunk.length - 1]) {
        const damaged = Buffer.from(chunk);
        damaged.writeUInt8(damaged.readUInt8(damagedAt) ^ 1, damagedAt);
        const reply = await client.put(uploadId, 0, damaged, headers);
        assertRefused(reply, 422, "checksum-mismatch", { uploadedBytes: 0 });
      }
    });
    await client.putPiece(uploadId, file, 0, chunk.length, headers);
    await assertCompletes(uploadId, chunk.length);
  });
}

test("a checksummed chunk behind a tail is checked without the tail", async () => {
  const { uploadId } = await create();
  await client.putPiece(uploadId, file, 0, 200_001);
  const rest = file.subarray(200_001);
  const headers = { "Content-Digest": `sha-256=:${sha256(rest, "base64")}:` };
  await assertNothingCounted(client, uploadId, async () => {
    const reply = await client.put(uploadId, 200_001, garbage.subarray(200_001), headers);
    assertRefused(reply, 422, "checksum-mismatch", { uploadedBytes: 200_001 });
  });
  assert.equal((await client.put(uploadId, 200_001, rest, headers)).status, 200);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});

test("a writer that is taken over in its rest adds nothing, and its segment does not stay", async () => {
  const { uploadId } = await create();
  const stale = await beginRest(uploadId, MIB);
  await client.putPiece(uploadId, file, PART_BYTES, PART_BYTES + 10);
  stale.write(garbage.subarray(PART_BYTES + MIB / 2, PART_BYTES + MIB));
  assertRefused(await stale.finish(), 409, "superseded", { uploadedBytes: PART_BYTES + 10 });
  await assertCompletes(uploadId, PART_BYTES + 10);
});

test("an upload aborted with segments in its object and in R2 leaves nothing", async () => {
  const { uploadId } = await create();
  await client.putPiece(uploadId, file, 0, PART_BYTES + 300_000);
  await client.putPiece(uploadId, file, PART_BYTES + 300_000, PART_BYTES + 300_001);
  assert.equal(segmentsOf(stack.persistDir, uploadId).length, 1);
  assert.equal((await client.abort(uploadId)).status, 204);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("an upload aborted while a large rest is written leaves nothing, when that is written to its end", async () => {
  const { uploadId } = await create();
  const late = await beginRest(uploadId, MIB);
  assert.equal((await client.abort(uploadId)).status, 204);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  late.write(file.subarray(PART_BYTES + MIB / 2, PART_BYTES + MIB));
  assertRefused(await late.finish(), 410, "upload-gone");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("an upload completed by another leaves no segment of a writer that comes to its end later", async () => {
  const { uploadId } = await create();
  const late = await beginRest(uploadId, MIB);
  await assertCompletes(uploadId, PART_BYTES);
  late.write(file.subarray(PART_BYTES + MIB / 2, PART_BYTES + MIB));
  assert.equal((await late.finish()).status, 409);
  await waitUntilOnlyObjectLeft(stack.persistDir, uploadId);
});
