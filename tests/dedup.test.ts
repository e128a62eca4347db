// Bytes that are stored already: whoever declares the SHA-256 of a verified upload is told at once, and uploads nothing;
// but only of what is whole, verified and still there.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created, Duplicate, InitFields } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import type { Answer } from "./support/scripted_origin.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin();

function declared(file: Uint8Array): InitFields {
  return { fileName: "again.bin", fileSize: file.length, sha256: sha256(file) };
}

/** The duplicate that a creation of these bytes is told of; the owner hears of it a moment after completion. */
async function waitForDuplicate(file: Uint8Array): Promise<Duplicate> {
  return await waitFor(`${sha256(file)} to be known`, async () => {
    const reply = await client.init(declared(file));
    if (reply.status === 200) {
      return reply.json<Duplicate>();
    }
    assert.equal(reply.status, 201, reply.body.toString());
    assert.equal((await client.abort(reply.json<Created>().uploadId)).status, 204);
    return undefined;
  });
}

/** An upload of these bytes, completed and known. */
async function uploadKnown(file: Uint8Array): Promise<string> {
  const { uploadId } = await client.upload(file, declared(file));
  assert.equal((await waitForDuplicate(file)).object.uploadId, uploadId);
  return uploadId;
}

async function assertNotKnown(file: Uint8Array, fields: InitFields = declared(file)): Promise<Created> {
  const reply = await client.init(fields);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Created>();
}

test("bytes that are stored already are not uploaded again: the answer names the object", async () => {
  const file = fileBytes("known", 9 * MIB);
  const { uploadId } = await client.upload(file, declared(file));
  const { object } = await client.state(uploadId);
  const open = (await client.openUploads()).length;
  assert.deepEqual(await waitForDuplicate(file), {
    duplicate: true,
    object: {
      sha256: sha256(file),
      uploadId,
      key: `uploads/${uploadId}`,
      etag: object?.etag,
      crc64nvme: crc64nvme(file),
      fileSize: file.length,
    },
  });
  const upperCase = await client.init({ ...declared(file), fileName: "other.bin", sha256: sha256(file).toUpperCase() });
  assert.ok(upperCase.status === 200 || upperCase.status === 400, "the same digest in other letters, or none");
  assert.ok((await client.openUploads()).length <= open, "no upload was opened for it");
});

test("it is still known after a power cut", async () => {
  const file = fileBytes("known across a power cut", 1000);
  const uploadId = await uploadKnown(file);
  await stack.kill();
  await stack.restart();
  const reply = await client.init(declared(file));
  assert.equal(reply.status, 200, reply.body.toString());
  assert.equal(reply.json<Duplicate>().object.uploadId, uploadId);
});

test("the same digest with another size is another file", async () => {
  const file = fileBytes("sized", 1000);
  await uploadKnown(file);
  await assertNotKnown(file, { ...declared(file), fileSize: 999 });
});

test("without a declared digest nothing is a duplicate, and what came without one is not known", async () => {
  const file = fileBytes("undeclared", 1000);
  const { uploadId } = await client.upload(file);
  await client.waitUntilDelivery(uploadId, "delivered");
  await assertNotKnown(file, { fileName: "again.bin", fileSize: file.length });
  await assertNotKnown(file);
});

test("what is only open, or complete but for a byte, is not known", async () => {
  const file = fileBytes("open", 1000);
  const { uploadId } = await client.create(file, declared(file));
  await assertNotKnown(file);
  await client.putPiece(uploadId, file, 0, 999);
  await assertNotKnown(file);
});

test("an upload that did not have its digest is not known, neither by that nor by its true one", async () => {
  const file = fileBytes("claimed", 1000);
  const trueBytes = fileBytes("true", 1000);
  const { uploadId } = await client.create(trueBytes, declared(file));
  assertRefused(await client.put(uploadId, 0, trueBytes), 422, "digest-mismatch");
  await origin.waitForEvent(uploadId, "upload.failed");
  await assertNotKnown(file);
  await assertNotKnown(trueBytes);
});

test("an object that its client has deleted is not known from that moment on", async () => {
  for (let round = 0; round < 5; round++) {
    const file = fileBytes(`deleted ${round}`, 1000);
    const uploadId = await uploadKnown(file);
    assert.equal((await client.abort(uploadId)).status, 204);
    await assertNotKnown(file);
    await waitUntilNothingLeft(stack.persistDir, uploadId);
    await assertNotKnown(file);
  }
});

test("an object that the origin has taken over and deleted is not known", async () => {
  const file = fileBytes("taken over", 1000);
  const upload = await client.create(file, declared(file));
  origin.script(upload.uploadId, { status: 200, body: { disposition: "delete" } });
  await client.putRest(upload, file);
  await client.waitUntilDelivery(upload.uploadId, "delivered");
  await waitUntilNothingLeft(stack.persistDir, upload.uploadId);
  const again = await assertNotKnown(file);
  await client.putRest(again, file);
  assert.equal((await waitForDuplicate(file)).object.uploadId, again.uploadId, "brought again, it is known again");
});

test("bytes whose origin has not acknowledged them are sent again: what it answers takes nothing from the second upload", async () => {
  const file = fileBytes("not acknowledged", 1000);
  const uploadId = await uploadKnown(file);
  // The script below is for what is told of duplicates, too.
  await waitFor("the duplicate to be told", () => origin.duplicatesOf(uploadId, "again.bin").length > 0);
  const answer = Promise.withResolvers<Answer>();
  // Whatever it answers, it can have the object deleted by it: the first time, and whenever it is told again.
  origin.script(uploadId, answer.promise);
  assert.equal((await client.redeliver(uploadId)).status, 202);
  await origin.waitForDeliveries(uploadId, 2);
  const second = await assertNotKnown(file);
  await client.putRest(second, file);
  answer.resolve({ status: 200, body: { disposition: "delete" } });
  await client.waitUntilDelivery(uploadId, "delivered");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  assert.equal((await waitForDuplicate(file)).object.uploadId, second.uploadId);
});

test("an upload right behind another one of the same bytes is one of its own until the origin has the first", async () => {
  const file = fileBytes("right behind", 1000);
  const first = await client.create(file, declared(file));
  const answer = Promise.withResolvers<Answer>();
  origin.script(first.uploadId, answer.promise);
  await client.putRest(first, file);
  await origin.waitForDeliveries(first.uploadId, 1);
  const key = { "Idempotency-Key": "right behind" };
  const reply = await client.init(declared(file), key);
  assert.equal(reply.status, 201, reply.body.toString());
  const second = reply.json<Created>();
  answer.resolve({ status: 200 });
  await client.waitUntilDelivery(first.uploadId, "delivered");
  const again = await client.init(declared(file), key);
  assert.deepEqual([again.status, again.json<Created>().uploadId], [201, second.uploadId], "its key has it still");
  assert.equal((await client.abort(second.uploadId)).status, 204);
  assert.equal((await waitForDuplicate(file)).object.uploadId, first.uploadId);
});

test("of two uploads of the same bytes one can be deleted, and the other is whole", async () => {
  const file = fileBytes("twice", 1000);
  const [first, second] = [await client.create(file, declared(file)), await client.create(file, declared(file))];
  for (const upload of [first, second]) {
    await client.putRest(upload, file);
    await client.waitUntilState(upload.uploadId, "completed");
  }
  const { object } = await waitForDuplicate(file);
  const [named, other] = object.uploadId === first.uploadId ? [first, second] : [second, first];
  assert.equal((await client.abort(named.uploadId)).status, 204);
  await waitUntilNothingLeft(stack.persistDir, named.uploadId);
  const reply = await client.init(declared(file));
  assert.ok(reply.status === 201 || reply.json<Duplicate>().object.uploadId === other.uploadId, reply.body.toString());
  assert.equal((await client.state(other.uploadId)).object?.crc64nvme, crc64nvme(file));
});
