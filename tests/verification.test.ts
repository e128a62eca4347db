// A parallel upload whose SHA-256 was declared: its object is read back before anybody hears that it is complete. A crash in
// between costs a slice; wrong bytes fail the upload and leave nothing, where they are not kept for a repair (`repair.test.ts`).

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithOrigin(
  { OUTBOX_RESEND_SECONDS: 1, REPAIR_TTL_SECONDS: 0 },
  { connections: 6 },
);

const CHUNK_BYTES = 32 * MIB;
/** What is read back at once. */
const SLICE_BYTES = 256 * MIB;

/** Puts all chunks, the last one first. */
async function putBackwards(file: Uint8Array, declared: string): Promise<Created> {
  const upload = await client.create(file, { parallel: true, chunkSize: CHUNK_BYTES, sha256: declared });
  for (let offset = file.length - (file.length % CHUNK_BYTES || CHUNK_BYTES); offset >= 0; offset -= CHUNK_BYTES) {
    const reply = await client.put(upload.uploadId, offset, file.subarray(offset, offset + CHUNK_BYTES));
    assert.equal(reply.status, 200, reply.body.toString());
  }
  return upload;
}

const slicesOf = (id: string) => stack.log.of(id).filter(({ event }) => event === "slice_hashed");

test("chunks in reverse order, the SHA-256 declared: read back, complete, and known by it from then on", async () => {
  const file = fileBytes("read back", 2 * CHUNK_BYTES + 7);
  const { uploadId } = await putBackwards(file, sha256(file));
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.sha256, sha256(file));
  assert.equal((await origin.waitForStored(uploadId)).sha256, sha256(file));
  await waitFor("the ledger to know the object", async () => {
    const reply = await client.init({ fileName: "again", fileSize: file.length, sha256: sha256(file) });
    return reply.status === 200 && reply.json<{ duplicate: boolean }>().duplicate;
  });
});

test("bytes with another SHA-256 than the declared one: failed, said so, and nothing stays", async () => {
  const file = fileBytes("not what was declared", CHUNK_BYTES + 7);
  const { uploadId } = await putBackwards(file, sha256(file.subarray(1)));
  const { reason, object } = await client.waitUntilState(uploadId, "failed");
  assert.match(reason ?? "", new RegExp(sha256(file)));
  assert.equal(object, null);
  await client.waitUntilDelivery(uploadId, "delivered");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("killed between two slices: the first is not read again", async () => {
  const file = fileBytes("killed between slices", SLICE_BYTES + CHUNK_BYTES);
  const { uploadId } = await putBackwards(file, sha256(file));
  await waitFor("the first slice to have been read", () => slicesOf(uploadId).length > 0, {
    lastSeen: () => stack.log.of(uploadId),
  });
  await stack.kill();
  await stack.restart();
  await client.waitUntilState(uploadId, "completed");
  assert.equal((await origin.waitForStored(uploadId)).sha256, sha256(file));
  const whole = slicesOf(uploadId).filter(({ bytes }) => bytes === SLICE_BYTES);
  assert.equal(whole.length, 1, "the hasher's state survived the kill");
});
