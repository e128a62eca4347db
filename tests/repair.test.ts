// A file that arrives whole and does not have the digest that its client declared: what arrived is kept, the client compares it with
// what it has and sends again only what differs, and the rest is copied. Nobody hears of it before it is right.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Manifest } from "./support/api.ts";
import { crc64nvme, sha256 } from "./support/bytes.ts";
import { chunkOf, DamagedFile, PART_BYTES } from "./support/damaged_file.ts";
import { bucketStateOf, waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithOrigin } from "./support/scene.ts";

const { origin, stack, client } = await sceneWithOrigin({ OUTBOX_RESEND_SECONDS: 3 }, { connections: 6 });

async function assertGood(id: string, { good }: DamagedFile): Promise<void> {
  const { object } = await client.waitUntilState(id, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(good));
  assert.equal((await origin.waitForStored(id)).sha256, sha256(good));
  await waitUntilOnlyObjectLeft(stack.persistDir, id);
}

test("sequential, one byte wrong: the last chunk says so, and only the part that differs is sent again", async () => {
  const file = new DamagedFile(client, "sequential");
  const bad = file.wrongAt(PART_BYTES + 5);
  const { uploadId } = await file.create();
  const last = await file.sendAll(uploadId, bad);
  assert.equal(assertRefused(last, 422, "digest-mismatch", { uploadId }).repairable, true);
  const { reason, object, uploadedBytes, delivery } = await client.waitUntilState(uploadId, "damaged");
  assert.match(reason ?? "", new RegExp(sha256(bad)));
  assert.deepEqual([object, uploadedBytes, delivery], [null, file.good.length, "none"]);
  assert.ok((await client.openUploads()).some((open) => open.uploadId === uploadId));

  const ranges = await file.differing(uploadId);
  assert.deepEqual(ranges, [{ offset: PART_BYTES, length: PART_BYTES }]);
  const now = await file.repair(uploadId, ranges);
  assert.deepEqual([now.state, now.mode, now.chunkSize], ["open", "parallel", PART_BYTES]);
  assert.deepEqual(now.missing, [[PART_BYTES, 2 * PART_BYTES]], "what is copied is not the client's to send");
  await file.sendGood(uploadId, 1);
  await assertGood(uploadId, file);
  const copied = stack.log.of(uploadId, "batch_copied").reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  assert.equal(copied, file.good.length - PART_BYTES);
});

test("parallel, found by reading back: the same", async () => {
  const file = new DamagedFile(client, "parallel");
  const id = await file.damaged(file.wrongAt(0, file.good.length - 1), { parallel: true });
  const ranges = await file.differing(id);
  assert.deepEqual(
    ranges.map(({ offset }) => offset),
    [0, 3 * PART_BYTES],
  );
  const now = await file.repair(id, ranges);
  assert.deepEqual(now.missing, [
    [0, PART_BYTES],
    [3 * PART_BYTES, file.good.length],
  ]);
  await file.sendGood(id, 0, 3);
  await assertGood(id, file);
});

test("with a declared CRC, and chunks with checksums, which the manifest shows", async () => {
  const file = new DamagedFile(client, "by its CRC");
  const bad = file.wrongAt(7);
  const { uploadId } = await file.create({ sha256: undefined, crc64nvme: crc64nvme(file.good) });
  const checksums = [0, 1, 2, 3].map((chunk) => sha256(chunkOf(bad, chunk)));
  for (const [chunk, checksum] of checksums.entries()) {
    const headers = { "X-Chunk-Checksum": `sha256=${checksum}` };
    assert.equal((await client.put(uploadId, chunk * PART_BYTES, chunkOf(bad, chunk), headers)).status, 200);
  }
  await client.waitUntilState(uploadId, "damaged");
  const { parts } = (await client.manifest(uploadId)).json<Manifest>();
  assert.deepEqual(
    parts.map((part) => part.sha256),
    checksums,
  );
  await file.repair(uploadId, await file.differing(uploadId));
  await file.sendGood(uploadId, 0);
  await assertGood(uploadId, file);
});

test("wrong again is damaged again, and repaired again; of the objects before nothing stays", async () => {
  const file = new DamagedFile(client, "wrong twice");
  const id = await file.damaged(file.wrongAt(1, PART_BYTES + 1));
  await file.repair(id, [{ offset: 0, length: 1 }]);
  await file.sendGood(id, 0);
  await client.waitUntilState(id, "damaged");
  const ranges = await file.differing(id);
  assert.deepEqual(ranges, [{ offset: PART_BYTES, length: PART_BYTES }]);
  await file.repair(id, ranges);
  await file.sendGood(id, 1);
  await assertGood(id, file);
});

test("asked again it adds what is named, and the client may send what would be copied", async () => {
  const file = new DamagedFile(client, "asked again");
  const id = await file.damaged(file.wrongAt(2, file.good.length - 2));
  await file.repair(id, [{ offset: 2, length: 1 }]);
  const { missing } = await file.repair(id, [{ offset: file.good.length - 2, length: 1 }]);
  assert.deepEqual(missing[0], [0, PART_BYTES]);
  await file.sendGood(id, 0, 2);
  if (missing.length === 1) {
    // The last part had been copied by the time it was named. That is found at the end, and repaired like anything else.
    await client.waitUntilState(id, "damaged");
    await file.repair(id, await file.differing(id));
  }
  await file.sendGood(id, 3);
  await assertGood(id, file);
});

test("nothing else can be had of a damaged upload", async () => {
  const file = new DamagedFile(client, "nothing else");
  const id = await file.damaged(file.wrongAt(3));
  assertRefused(await client.put(id, 1, Buffer.alloc(5)), 409, "damaged", { uploadId: id, state: "damaged" });
  assert.equal((await client.head(id)).status, 409);
  assertRefused(await client.complete(id), 409, "damaged");
  for (const headers of [{ "Tus-Resumable": "1.0.0" }, { "Upload-Draft-Interop-Version": "8" }]) {
    const reply = await client.request("HEAD", `/files/${id}`, { headers });
    assert.equal(reply.status, 410, "to protocols without a repair it has failed");
  }
  const { good } = file;
  const again = await client.init({ fileName: "again", fileSize: good.length, sha256: sha256(good) });
  assert.equal(again.status, 201, "it is no duplicate of anything");
});

test("what is no repair is refused and changes nothing", async () => {
  const file = new DamagedFile(client, "refused");
  const id = await file.damaged(file.wrongAt(4));
  assertRefused(await client.repairRaw(id, "{"), 400, "bad-request");
  for (const [offset, length] of [
    [file.good.length, 1],
    [0, file.good.length + 1],
    [5, 0],
  ] as const) {
    const reply = await client.repair(id, [{ offset, length }]);
    assert.equal(assertRefused(reply, 400, "bad-request").field, "ranges");
  }
  assertRefused(await client.repair(id, []), 400, "bad-request");
  assert.equal((await client.request("PUT", `/upload/${id}/repair`)).status, 405);
  assert.equal((await client.state(id)).state, "damaged");
  assert.deepEqual(bucketStateOf(stack.persistDir, id).unfinished, [], "nothing was opened for it");

  const open = await file.create();
  const range = { offset: 0, length: 1 };
  assertRefused(await client.manifest(open.uploadId), 409, "not-damaged", { state: "open" });
  assertRefused(await client.repair(open.uploadId, [range]), 409, "not-damaged", { state: "open" });
  assertRefused(await client.repair("067e6162-3b6f-4ae2-a171-2470b63dff00", [range]), 404, "upload-not-found");
});

test("deleted while damaged, and while it is repaired: nothing stays", async () => {
  const file = new DamagedFile(client, "deleted");
  const damagedId = await file.damaged(file.wrongAt(5));
  assert.equal((await client.abort(damagedId)).status, 204);
  const repairedId = await file.damaged(file.wrongAt(6));
  await file.repair(repairedId, [{ offset: 0, length: 1 }]);
  assert.equal((await client.abort(repairedId)).status, 204);
  for (const id of [damagedId, repairedId]) {
    await waitUntilNothingLeft(stack.persistDir, id);
    assertRefused(await client.repair(id, [{ offset: 0, length: 1 }]), 410, "upload-gone", { state: "aborted" });
  }
});
