// A file of one part is put into R2 as one object: one class A operation, in whatever protocol it comes. Each attempt has a key of
// its own, so that whoever was believed dead can finish as late as it likes; and what does not count does not stay.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Status } from "./support/api.ts";
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

const file = fileBytes("put as one", 3 * MIB + 5);
const garbage = fileBytes("what somebody else sends", file.length);

const plan = (...rules: object[]) => client.request("POST", "/faults", { body: JSON.stringify(rules) });
const idOf = (url: string) => url.slice(url.lastIndexOf("/") + 1);
const checksumOf = (bytes: Uint8Array) => ({ "X-Chunk-Checksum": `sha256=${sha256(bytes)}` });

/** The upload is complete, by this attempt's object, and R2 has no other. */
async function assertIsObject(uploadId: string, attempt: number): Promise<Status> {
  const status = await client.waitUntilState(uploadId, "completed");
  assert.equal(status.object?.key, `uploads/${uploadId}-${attempt}`);
  assert.equal(status.object?.crc64nvme, crc64nvme(file));
  await waitUntilOnlyObjectLeft(stack.persistDir, uploadId);
  assert.deepEqual(bucketStateOf(stack.persistDir, uploadId), { ...NOTHING_LEFT, objects: [status.object?.key] });
  return status;
}

const ways: [string, () => Promise<string>][] = [
  [
    "JSON, init and one PUT",
    async () => {
      const { uploadId } = await client.create(file);
      const taken = await client.putPiece(uploadId, file, 0, file.length);
      assert.equal(taken.state, "completed", "with the answer");
      return uploadId;
    },
  ],
  [
    "JSON, with a checksum and the file's SHA-256",
    async () => {
      const { uploadId } = await client.create(file, { sha256: sha256(file) });
      await client.putPiece(uploadId, file, 0, file.length, checksumOf(file));
      return uploadId;
    },
  ],
  [
    "tus, creation with upload",
    async () => {
      const reply = await tus.post({ "Upload-Length": file.length }, file);
      assert.equal(reply.header("Upload-Offset"), String(file.length));
      return idOf(reply.header("Location") ?? "");
    },
  ],
  [
    "tus, creation and one PATCH",
    async () => {
      const url = await tus.create({ "Upload-Length": file.length });
      const reply = await tus.patch(url, 0, file);
      assert.equal(reply.status, 204, reply.body.toString());
      return idOf(url);
    },
  ],
  [
    "IETF, optimistic creation",
    async () => {
      const headers = { "Upload-Draft-Interop-Version": "8", "Upload-Complete": "?1" };
      const reply = await client.request("POST", "/files", { headers, body: file });
      assert.equal(reply.status, 200, reply.body.toString());
      return idOf(reply.header("Location") ?? "");
    },
  ],
];

for (const [way, upload] of ways) {
  test(`${way}: one class A operation, and the object is the file`, async () => {
    const uploadId = await upload();
    const { cost, object } = await assertIsObject(uploadId, 1);
    assert.deepEqual([cost.r2ClassA, cost.r2ClassB], [1, 0]);
    const reply = await client.request("GET", `/files/${uploadId}`);
    assert.equal(sha256(reply.body), sha256(file));
    assert.equal((await client.abort(uploadId)).status, 204);
    await waitUntilNothingLeft(stack.persistDir, uploadId);
    assert.ok(object);
  });
}

test("pieces that are too large for a row, then the rest: the tail goes in front of the put", async () => {
  const { uploadId } = await client.create(file);
  await client.putPiece(uploadId, file, 0, 1000);
  await client.putPiece(uploadId, file, 1000, MIB);
  await client.putPiece(uploadId, file, MIB, file.length);
  await assertIsObject(uploadId, 3);
});

test("a second writer takes over: the first one's object does not count and does not stay", async () => {
  const { uploadId } = await client.create(file);
  const stale = client.putSlowly(uploadId, 0, file.length);
  stale.write(garbage.subarray(0, MIB));
  await waitFor("the first to have begun", async () => (await client.state(uploadId)).cost.workerRequests >= 2);
  await client.putPiece(uploadId, file, 0, file.length);
  assert.equal((await client.state(uploadId)).object?.key, `uploads/${uploadId}-2`);

  stale.write(garbage.subarray(MIB));
  assertRefused(await stale.finish(), 409, "superseded");
  await assertIsObject(uploadId, 2);
});

test("a body that is cut short, and one with another checksum, change nothing and leave nothing", async () => {
  const { uploadId } = await client.create(file);
  const cut = client.putSlowly(uploadId, 0, file.length);
  cut.write(file.subarray(0, 2 * MIB));
  await waitFor("it to have begun", async () => (await client.state(uploadId)).cost.workerRequests >= 2);
  cut.cut();
  assert.equal(await client.offset(uploadId), 0);

  assertRefused(await client.put(uploadId, 0, garbage, checksumOf(file)), 422, "checksum-mismatch");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  assert.equal((await client.state(uploadId)).state, "open");

  await client.putPiece(uploadId, file, 0, file.length, checksumOf(file));
  await assertIsObject(uploadId, 3);
});

test("a file that is not the declared one fails, and is not kept", async () => {
  for (const declared of [{ sha256: sha256(file) }, { crc64nvme: crc64nvme(file) }]) {
    const { uploadId } = await client.create(file, declared);
    assertRefused(await client.put(uploadId, 0, garbage), 422, "digest-mismatch");
    assert.equal((await client.state(uploadId)).state, "failed");
    await waitUntilNothingLeft(stack.persistDir, uploadId);
  }
});

test("R2 has the object and nobody hears of it: the next attempt puts it once more, and the first is swept", async () => {
  const { uploadId } = await client.create(file);
  await plan({ point: "r2.put", nth: 1, kind: "after" });
  assertRefused(await client.put(uploadId, 0, file), 503, "storage-unavailable");
  assert.deepEqual(bucketStateOf(stack.persistDir, uploadId).objects, [`uploads/${uploadId}-1`]);
  assert.equal(await client.offset(uploadId), 0);
  await client.putPiece(uploadId, file, 0, file.length);
  await assertIsObject(uploadId, 2);
});

test("killed between the put and its commit: nothing counts, and the object that was put goes with the upload", async () => {
  const { uploadId } = await client.create(file);
  const other = await client.create(file);
  await plan({ point: "object.commit", nth: 1, kind: "hang" }, { point: "object.commit", nth: 2, kind: "hang" });
  const lost = Promise.allSettled([client.put(uploadId, 0, file), client.put(other.uploadId, 0, file)]);
  for (const id of [uploadId, other.uploadId]) {
    await waitFor("the put", () => bucketStateOf(stack.persistDir, id).objects.length === 1);
  }
  await stack.kill();
  await lost;
  await stack.restart();

  assert.equal(await client.offset(uploadId), 0);
  await client.putPiece(uploadId, file, 0, file.length);
  await assertIsObject(uploadId, 2);

  assert.equal((await client.abort(other.uploadId)).status, 204);
  await waitUntilNothingLeft(stack.persistDir, other.uploadId);
});

test("a put that arrives after the upload was cancelled is deleted", async () => {
  const { uploadId } = await client.create(file);
  const late = client.putSlowly(uploadId, 0, file.length);
  late.write(file.subarray(0, MIB));
  await waitFor("it to have begun", async () => (await client.state(uploadId)).cost.workerRequests >= 2);
  assert.equal((await client.abort(uploadId)).status, 204);
  late.write(file.subarray(MIB));
  assertRefused(await late.finish(), 410, "upload-gone");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});
