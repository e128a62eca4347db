// The main job: a file goes up in chunks, is cut and resumed, and the origin holds the same bytes. Then the sizes at
// which part arithmetic goes wrong: nothing, less than a part, whole parts, and one byte more.

import assert from "node:assert/strict";
import { test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { sceneWithOrigin } from "./support/scene.ts";

const { origin, stack, client } = await sceneWithOrigin();

test("a new upload tells where to put chunks and how large they may be", async () => {
  const reply = await client.init({ fileName: "film.mp4", fileSize: 40 * MIB, chunkSize: 16 * MIB });
  assert.equal(reply.status, 201);
  const created = reply.json<Record<string, unknown>>();
  const id = String(created.uploadId);
  assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(created.uploadUrl, `${stack.baseUrl}/upload/${id}`);
  assert.equal(reply.header("Location"), created.uploadUrl);
  assert.equal(created.chunkSize, 16 * MIB);
  assert.equal(created.uploadedBytes, 0);
  assert.ok(Date.parse(String(created.expiresAt)) > Date.now());
  const limits = created.limits as Record<string, number>;
  assert.equal(limits.maxChunkBytes, 95 * MIB);
  assert.equal(limits.maxUploadBytes, 100 * 1024 * MIB);
  assert.equal((16 * MIB) % Number(limits.partBytes), 0, "a chunk ends where a part ends");
});

test("the status tells everything about an upload, and asking changes nothing", async () => {
  const file = fileBytes("status", 20 * MIB);
  const upload = await client.create(file, { fileName: "status.bin" });
  const { partBytes } = upload.limits;
  await client.put(upload.uploadId, 0, file.subarray(0, partBytes));

  const status = await client.state(upload.uploadId);
  const expected = {
    uploadId: upload.uploadId,
    state: "open",
    uploadedBytes: partBytes,
    fileSize: file.length,
    missing: [[partBytes, file.length]],
    mode: "sequential",
    receivedChunksBitmap: null,
    chunkSize: upload.chunkSize,
    partBytes,
    fileName: "status.bin",
    delivery: "none",
  };
  assert.ok(String(status.expiresAt) >= String(upload.expiresAt), "the end moves with the bytes");
  assert.deepEqual({ ...status, ...expected }, status, "these members, and perhaps more");
  const sameAtItsOtherUrl = await client.request("GET", upload.uploadUrl);
  assert.deepEqual(sameAtItsOtherUrl.json(), status);
});

test("a file of 40 MiB, cut in the middle of a chunk and resumed, reaches the origin whole", async () => {
  const file = fileBytes("main job", 40 * MIB);
  const fields = {
    fileName: "holiday.mp4",
    contentType: "video/mp4",
    chunkSize: 16 * MIB,
    metadata: { album: "2026" },
  };
  const upload = await client.create(file, fields);
  const { uploadId, chunkSize } = upload;
  const { partBytes } = upload.limits;
  const first = await client.put(uploadId, 0, file.subarray(0, chunkSize));
  assert.deepEqual(first.json(), { uploadId, uploadedBytes: chunkSize, fileSize: file.length, state: "open" });

  await client.putCut(upload, file, chunkSize);

  const head = await client.head(uploadId);
  assert.equal(head.status, 200);
  assert.equal(head.header("Upload-Length"), String(file.length));
  assert.equal(head.header("Cache-Control"), "no-store");
  const offset = Number(head.header("Upload-Offset"));
  assert.equal(offset, chunkSize + partBytes, "the part that arrived is kept, the half one is not");

  const last = await client.putRest(upload, file, offset);
  assert.notEqual(last.state, "open", "the last byte starts completion");
  const asked = await client.complete(uploadId);
  assert.equal(asked.status, 202);
  assert.equal(asked.json<{ statusUrl: string }>().statusUrl, `${stack.baseUrl}/upload/${uploadId}/status`);

  const completed = await client.waitUntilState(uploadId, "completed");
  assert.deepEqual(completed.missing, []);
  assert.equal(completed.object?.crc64nvme, crc64nvme(file));

  const record = await origin.waitForStored(uploadId);
  assert.equal(record.sha256, sha256(file));
  assert.equal(record.crc64nvme, crc64nvme(file));
  assert.equal(record.fileSize, file.length);
  assert.equal(record.fileName, "holiday.mp4");
  assert.equal(record.contentType, "video/mp4");
  assert.equal(record.owner, "anonymous");
  assert.equal(record.etag, completed.object?.etag);
  await client.waitUntilDelivery(uploadId, "delivered");
});

test("completing an upload that is complete already is no mistake", async () => {
  const { uploadId } = await client.upload(fileBytes("again", 1000));
  const reply = await client.complete(uploadId);
  assert.equal(reply.status, 202);
  assert.equal(reply.json<{ state: string }>().state, "completed");
});

test("a file of no bytes completes when asked to", async () => {
  const upload = await client.create(Buffer.alloc(0), { fileName: "empty.txt" });
  const asked = await client.complete(upload.uploadId);
  assert.equal(asked.status, 202, asked.body.toString());
  await client.waitUntilState(upload.uploadId, "completed");
  const record = await origin.waitForStored(upload.uploadId);
  assert.equal(record.fileSize, 0);
  assert.equal(record.sha256, sha256(Buffer.alloc(0)));
});

test("a file of no bytes completes when its empty chunk is put", async () => {
  const upload = await client.create(Buffer.alloc(0));
  await client.putRest(upload, Buffer.alloc(0));
  assert.equal((await origin.waitForStored(upload.uploadId)).sha256, sha256(Buffer.alloc(0)));
});

const sizesAroundAPart: [string, (partBytes: number) => number][] = [
  ["one byte", () => 1],
  ["one byte less than a part", (part) => part - 1],
  ["exactly one part", (part) => part],
  ["exactly two parts", (part) => 2 * part],
  ["two parts and one byte", (part) => 2 * part + 1],
];

for (const [name, sizeOf] of sizesAroundAPart) {
  test(`a file of ${name} reaches the origin whole`, async () => {
    const { limits } = await client.create(Buffer.alloc(1));
    const file = fileBytes(name, sizeOf(limits.partBytes));
    const upload = await client.create(file);
    assert.equal(upload.limits.partBytes, limits.partBytes, "small files have the same part size");
    await client.putRest(upload, file);
    assert.equal((await origin.waitForStored(upload.uploadId)).sha256, sha256(file));
  });
}
