// A file that is stored already: its client sends nothing, and the origin hears of it all the same, once and for certain, with what is
// said of it this time. What it answers costs nobody the object.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Duplicate, InitFields, UploadEvent } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import type { Headers } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import type { Delivery } from "./support/scripted_origin.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin({ OUTBOX_RESEND_SECONDS: 2 });

/** An upload of these bytes that its origin has acknowledged, and the owner's ledger knows. */
async function uploadKnown(file: Uint8Array, fields: InitFields = {}, by = client): Promise<string> {
  const declared = { fileName: "first.bin", fileSize: file.length, sha256: sha256(file), ...fields };
  const { uploadId } = await by.upload(file, declared);
  await by.waitUntilDelivery(uploadId, "delivered");
  await waitFor("the bytes to be known", async () => (await by.init(declared)).status === 200);
  return uploadId;
}

async function createAgain(file: Uint8Array, fields: InitFields, headers: Headers = {}): Promise<Duplicate> {
  const reply = await client.init({ fileSize: file.length, sha256: sha256(file), ...fields }, headers);
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json<Duplicate>();
}

async function told(uploadId: string, fileName: string, times = 1): Promise<Delivery[]> {
  const of = () => origin.duplicatesOf(uploadId, fileName);
  await waitFor(`${times} events about ${fileName}`, () => of().length >= times, { lastSeen: of });
  return of();
}

function dataOf([delivery]: Delivery[]): UploadEvent["data"] {
  return delivery?.event.data ?? assert.fail("nothing was told");
}

test("the origin is told of a duplicate by its new name, with the key of the object and a link to it", async () => {
  const file = fileBytes("again", 9 * MIB);
  const uploadId = await uploadKnown(file);
  const { object } = await createAgain(file, { fileName: "second.bin", metadata: { album: "2026" }, parallel: true });
  const deliveries = await told(uploadId, "second.bin");
  const data = dataOf(deliveries);
  assert.ok(deliveries[0]?.genuine);
  assert.notEqual(data.uploadId, uploadId);
  assert.equal(deliveries[0]?.webhookId, `evt_${data.uploadId.replaceAll("-", "")}_duplicate`);
  assert.deepEqual([data.key, data.etag, data.fileSize], [object.key, object.etag, file.length]);
  assert.deepEqual([data.metadata, data.owner], [{ album: "2026" }, "anonymous"]);
  assert.deepEqual(data.digests, { crc64nvme: crc64nvme(file), sha256: sha256(file) });
  const linked = await client.request("GET", data.downloadUrl ?? "");
  assert.equal(sha256(linked.body), sha256(file));

  const status = await client.state(data.uploadId);
  assert.deepEqual([status.state, status.uploadedBytes, status.missing], ["completed", file.length, []]);
  await client.waitUntilDelivery(data.uploadId, "delivered");
});

test("a creation that is repeated under its key is told once, and another one is another", async () => {
  const file = fileBytes("repeated", 1000);
  const uploadId = await uploadKnown(file);
  const [one, other] = [{ "Idempotency-Key": "one" }, { "Idempotency-Key": "other" }];
  for (const key of [one, one, one, other]) {
    await createAgain(file, { fileName: "again.bin" }, key);
  }
  const ids = (await told(uploadId, "again.bin", 2)).map(({ webhookId }) => webhookId);
  assert.equal(new Set(ids).size, 2);
  await createAgain(file, { fileName: "last.bin" });
  await told(uploadId, "last.bin");
  assert.deepEqual(
    origin.duplicatesOf(uploadId, "again.bin").map(({ webhookId }) => webhookId),
    ids,
  );
});

test("what an origin did not take is told again after a power cut, under the same id", async () => {
  const file = fileBytes("cut", 1000);
  const uploadId = await uploadKnown(file);
  await waitFor("quiet", () => origin.duplicatesOf(uploadId, "first.bin").length > 0);
  origin.script(uploadId, { status: 503 });
  await createAgain(file, { fileName: "cut.bin" });
  const { uploadId: id } = dataOf(await told(uploadId, "cut.bin"));
  await waitFor("the refusal to be heard", () => stack.log.of(id, "not_delivered").length > 0);
  await stack.kill();
  await stack.restart();
  const deliveries = await told(uploadId, "cut.bin", 2);
  assert.equal(new Set(deliveries.map(({ webhookId }) => webhookId)).size, 1);
  await client.waitUntilDelivery(id, "delivered");
});

test("an origin that wants a duplicate deleted deletes nothing: the object is another upload's", async () => {
  const file = fileBytes("wanted", 1000);
  const uploadId = await uploadKnown(file);
  await waitFor("quiet", () => origin.duplicatesOf(uploadId, "first.bin").length > 0);
  origin.script(uploadId, { status: 200, body: { disposition: "delete" } });
  await createAgain(file, { fileName: "unwanted.bin" });
  const data = dataOf(await told(uploadId, "unwanted.bin"));
  await client.waitUntilDelivery(data.uploadId, "delivered");
  assert.equal((await client.state(data.uploadId)).deletedAt, null);
  assert.equal((await createAgain(file, { fileName: "third.bin" })).object.uploadId, uploadId, "it is known still");
  const linked = await client.request("GET", data.downloadUrl ?? "");
  assert.equal(sha256(linked.body), sha256(file));
});

test("deleting a duplicate takes nothing from the upload whose object it shares, and the origin hears of it", async () => {
  const file = fileBytes("deleted", 1000);
  const uploadId = await uploadKnown(file);
  await createAgain(file, { fileName: "deleted.bin" });
  const { uploadId: id } = dataOf(await told(uploadId, "deleted.bin"));
  await client.waitUntilDelivery(id, "delivered");
  assert.equal((await client.abort(id)).status, 204);
  const [, deletion] = await origin.waitForDeliveries(id, 2);
  assert.deepEqual([deletion?.event.type, deletion?.event.data.duplicateOf], ["upload.deleted", uploadId]);
  assert.equal((await createAgain(file, { fileName: "fourth.bin" })).object.uploadId, uploadId);
});

test("of a list of types, bytes that are not of the type they are declared as now are no duplicate", async () => {
  const picky = await sceneWithScriptedOrigin({ ALLOWED_TYPES: "image/png, text/plain" });
  for (const bytes of ["some words", ""]) {
    const file = Buffer.from(bytes);
    const uploadId = await uploadKnown(file, { contentType: "text/plain" }, picky.client);
    const again = (contentType: string) => {
      const fields = { fileName: contentType, fileSize: file.length, sha256: sha256(file), contentType };
      return picky.client.init(fields);
    };
    assertRefused(await again("image/png"), 415, "type-not-allowed");
    assert.equal((await again("text/plain; charset=utf-8")).status, 200);
    const ofType = (type: string) => picky.origin.duplicatesOf(uploadId, type).length;
    await waitFor("the origin to be told of what is allowed", () => ofType("text/plain; charset=utf-8") > 0);
    assert.equal(ofType("image/png"), 0);
  }
});
