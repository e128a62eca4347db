// A file that fits one request, but has several parts. Where it comes as a whole with a checksum it is put into R2 as one object: one
// class A operation, in whatever protocol. Any other chunk has R2's multipart upload opened first, and the upload has it from then on.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created, Status } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { bucketStateOf, NOTHING_LEFT, waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({
  vars: { ORIGIN_WEBHOOK_URL: "", TOMBSTONE_TTL_SECONDS: 15 },
  buildDir: "build-faults",
});
after(() => stack.stop());
const { client } = stack;
const tus = new Tus(client);

const file = fileBytes("fits a request", 20 * MIB + 5);
const garbage = fileBytes("what somebody else sends", file.length);
const CHUNK_BYTES = 8 * MIB;

const plan = (...rules: object[]) => client.request("POST", "/faults", { body: JSON.stringify(rules) });
const idOf = (url: string) => url.slice(url.lastIndexOf("/") + 1);
const checksumOf = (bytes: Uint8Array) => ({ "X-Chunk-Checksum": `sha256=${sha256(bytes)}` });
const tusChecksum = { "Upload-Checksum": `sha256 ${Buffer.from(sha256(file), "hex").toString("base64")}` };
const keyOf = (uploadId: string) => `uploads/${uploadId}`;

/** The upload is complete, the file is what was sent, and R2 has nothing else of it. */
async function assertIsObject(uploadId: string, key: string): Promise<Status> {
  const status = await client.waitUntilState(uploadId, "completed");
  assert.equal(status.object?.key, key);
  assert.equal(status.object?.crc64nvme, crc64nvme(file));
  const reply = await client.request("GET", `/files/${uploadId}`);
  assert.equal(sha256(reply.body), sha256(file));
  await waitUntilOnlyObjectLeft(stack.persistDir, uploadId);
  assert.deepEqual(bucketStateOf(stack.persistDir, uploadId).objects, [key]);
  return status;
}

const create = () => client.create(file, { chunkSize: CHUNK_BYTES });
const putChunks = (upload: Created, from = 0) => client.putRest(upload, file, from);
const hasBegun = (uploadId: string) =>
  waitFor("it to have begun", async () => (await client.state(uploadId)).cost.workerRequests >= 2);

/** A whole file with its checksum that stops coming on the way. */
async function beginWhole(uploadId: string) {
  const pending = client.putSlowly(uploadId, 0, file.length, checksumOf(file));
  pending.write(file.subarray(0, 2 * MIB));
  await hasBegun(uploadId);
  return pending;
}

const ways: [string, () => Promise<string>][] = [
  [
    "JSON, init and one PUT",
    async () => {
      const { uploadId } = await create();
      assert.deepEqual(bucketStateOf(stack.persistDir, uploadId), NOTHING_LEFT, "nothing is opened with the upload");
      const taken = await client.putPiece(uploadId, file, 0, file.length, checksumOf(file));
      assert.equal(taken.state, "completed", "with the answer");
      return uploadId;
    },
  ],
  [
    "JSON, with the file's SHA-256 and CRC",
    async () => {
      const { uploadId } = await client.create(file, { sha256: sha256(file), crc64nvme: crc64nvme(file) });
      await client.putPiece(uploadId, file, 0, file.length, checksumOf(file));
      return uploadId;
    },
  ],
  [
    "tus, creation with upload",
    async () => {
      const reply = await tus.post({ "Upload-Length": file.length, ...tusChecksum }, file);
      assert.equal(reply.header("Upload-Offset"), String(file.length), reply.body.toString());
      return idOf(reply.header("Location") ?? "");
    },
  ],
  [
    "tus, creation and one PATCH",
    async () => {
      const url = await tus.create({ "Upload-Length": file.length });
      const reply = await tus.patch(url, 0, file, tusChecksum);
      assert.equal(reply.status, 204, reply.body.toString());
      return idOf(url);
    },
  ],
];

for (const [way, upload] of ways) {
  test(`${way}, with a checksum: one class A operation, and the object is the file`, async () => {
    const uploadId = await upload();
    const { cost } = await client.state(uploadId);
    assert.deepEqual([cost.r2ClassA, cost.r2ClassB], [1, 0]);
    await assertIsObject(uploadId, `${keyOf(uploadId)}-1`);
    assert.equal((await client.abort(uploadId)).status, 204);
    await waitUntilNothingLeft(stack.persistDir, uploadId);
  });
}

test("in chunks, or whole without a checksum: opened by the first, three parts, one object", async () => {
  const inChunks = await create();
  await client.putPiece(inChunks.uploadId, file, 0, CHUNK_BYTES);
  assert.deepEqual(bucketStateOf(stack.persistDir, inChunks.uploadId).unfinished, [keyOf(inChunks.uploadId)]);
  await putChunks(inChunks, CHUNK_BYTES);
  const whole = await create();
  await client.putPiece(whole.uploadId, file, 0, file.length);
  for (const { uploadId } of [inChunks, whole]) {
    const { cost } = await assertIsObject(uploadId, keyOf(uploadId));
    assert.equal(cost.r2ClassA, 1 + 3 + 1);
  }
});

test("the whole is cut, then chunks come: in parts of the size that was told", async () => {
  const upload = await create();
  const { uploadId } = upload;
  (await beginWhole(uploadId)).cut();
  assert.equal(await client.offset(uploadId), 0);
  assert.equal((await putChunks(upload)).uploadedBytes, file.length);
  await assertIsObject(uploadId, keyOf(uploadId));
});

test("the whole is put and nobody hears of it, then chunks come: what was put is deleted", async () => {
  const upload = await create();
  const { uploadId } = upload;
  await plan({ point: "r2.put", nth: 1, kind: "after" });
  assertRefused(await client.put(uploadId, 0, file, checksumOf(file)), 503, "storage-unavailable");
  assert.deepEqual(bucketStateOf(stack.persistDir, uploadId).objects, [`${keyOf(uploadId)}-1`]);
  await putChunks(upload);
  await assertIsObject(uploadId, keyOf(uploadId));
});

test("whoever puts the whole is taken over by a chunk: it counts for nothing, however late it ends", async () => {
  for (const isCancelled of [false, true]) {
    const upload = await create();
    const { uploadId } = upload;
    const stale = await beginWhole(uploadId);
    await client.putPiece(uploadId, file, 0, CHUNK_BYTES);
    stale.write(file.subarray(2 * MIB, 19 * MIB));
    if (isCancelled) {
      assert.equal((await client.abort(uploadId)).status, 204);
    }
    stale.write(file.subarray(19 * MIB));
    const reply = await stale.finish();
    assertRefused(reply, isCancelled ? 410 : 409, isCancelled ? "upload-gone" : "superseded");
    if (isCancelled) {
      await waitUntilNothingLeft(stack.persistDir, uploadId);
    } else {
      await putChunks(upload, CHUNK_BYTES);
      await assertIsObject(uploadId, keyOf(uploadId));
    }
  }
});

test("first chunks at the same time: the upload has one multipart upload, and only that is left", async () => {
  for (let round = 0; round < 5; round++) {
    const upload = await create();
    const { uploadId } = upload;
    const bodies = [file.subarray(0, CHUNK_BYTES), file.subarray(0, 1000), file];
    const replies = await Promise.all(bodies.map((body) => client.put(uploadId, 0, body)));
    for (const reply of replies.filter(({ status }) => status !== 200)) {
      assert.equal(reply.status, 409, reply.body.toString());
    }
    const { state, uploadedBytes } = await client.state(uploadId);
    if (state === "open") {
      assert.deepEqual(bucketStateOf(stack.persistDir, uploadId).unfinished, [keyOf(uploadId)]);
      await putChunks(upload, uploadedBytes);
    }
    await assertIsObject(uploadId, keyOf(uploadId));
  }
});

for (const [who, overtake] of [
  ["is told an offset", async (uploadId: string) => assert.equal(await client.offset(uploadId), 0)],
  ["brings a chunk", (uploadId: string) => client.putPiece(uploadId, file, 0, CHUNK_BYTES)],
] as const) {
  test(`while it is opened, somebody else ${who}: the chunk that waits for it has lost`, async () => {
    const upload = await create();
    const { uploadId } = upload;
    await plan({ point: "r2.create", nth: 1, kind: "slow" });
    const waiting = client.put(uploadId, 0, file.subarray(0, 1000));
    await waitFor("R2 to be asked", async () => (await client.state(uploadId)).cost.r2ClassA > 0);
    await overtake(uploadId);
    assertRefused(await waiting, 409, "superseded");
    const { uploadedBytes } = await client.state(uploadId);
    await putChunks(upload, uploadedBytes);
    await assertIsObject(uploadId, keyOf(uploadId));
  });
}

test("R2 does not open it: nothing has happened, and the next attempt has it opened", async () => {
  for (const kind of ["before", "after"]) {
    const upload = await create();
    const { uploadId } = upload;
    await plan({ point: "r2.create", nth: 1, kind });
    assertRefused(await client.put(uploadId, 0, file.subarray(0, CHUNK_BYTES)), 503, "storage-unavailable");
    assert.equal(await client.offset(uploadId), 0);
    await putChunks(upload);
    const { object } = await client.waitUntilState(uploadId, "completed");
    assert.equal(object?.crc64nvme, crc64nvme(file));
    const { objects, unfinished } = bucketStateOf(stack.persistDir, uploadId);
    assert.deepEqual(objects, [keyOf(uploadId)]);
    // One that was opened without anybody's knowing is empty. R2 drops it after 7 days.
    assert.deepEqual(unfinished, kind === "before" ? [] : [keyOf(uploadId)]);
  }
});

test("killed after it was opened: it is known again", async () => {
  const upload = await create();
  const { uploadId } = upload;
  await client.putPiece(uploadId, file, 0, CHUNK_BYTES + 1000);
  await stack.kill();
  await stack.restart();
  assert.equal(await client.offset(uploadId), CHUNK_BYTES + 1000);
  await putChunks(upload, CHUNK_BYTES + 1000);
  await assertIsObject(uploadId, keyOf(uploadId));
});

test("a checksum that is wrong leaves nothing, and does not stand in the way of chunks", async () => {
  const upload = await create();
  const { uploadId } = upload;
  assertRefused(await client.put(uploadId, 0, garbage, checksumOf(file)), 422, "checksum-mismatch");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  await putChunks(upload);
  await assertIsObject(uploadId, keyOf(uploadId));
});

test("cancelled before anything began, and after a chunk: nothing is left", async () => {
  const untouched = await create();
  const begun = await create();
  await client.putPiece(begun.uploadId, file, 0, CHUNK_BYTES + 200_000);
  for (const { uploadId } of [untouched, begun]) {
    assert.equal((await client.abort(uploadId)).status, 204);
    await waitUntilNothingLeft(stack.persistDir, uploadId);
    assertRefused(await client.put(uploadId, 0, file), 410, "upload-gone");
    assert.deepEqual(bucketStateOf(stack.persistDir, uploadId), NOTHING_LEFT);
  }
});
