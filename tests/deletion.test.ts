// Deleting what is complete: it is gone in every protocol, the origin hears of it under an id of its own, and never of a completion
// whose link leads nowhere.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithOrigin, sceneWithScriptedOrigin } from "./support/scene.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";
import { Watcher } from "./support/watcher.ts";

const MAX_ATTEMPTS = 2;

const { origin, stack, client } = await sceneWithScriptedOrigin({
  WEBHOOK_TIMEOUT_SECONDS: 4,
  DELIVERY_FIRST_DELAY_SECONDS: 1,
  DELIVERY_MAX_ATTEMPTS: MAX_ATTEMPTS,
});
const tus = new Tus(client);
const file = fileBytes("deleted", 9 * MIB);
const DRAFT = { headers: { "Upload-Draft-Interop-Version": "8" } };

/** What the origin was told of, in order; each once, however often that was. */
function told(uploadId: string): string[] {
  return [...new Set(origin.of(uploadId).map(({ event }) => event.type))];
}

async function waitUntilToldOfDeletion(uploadId: string) {
  const delivery = await waitFor(
    "the deletion to be told",
    () => origin.of(uploadId).find(({ event }) => event.type === "upload.deleted"),
    { lastSeen: () => told(uploadId) },
  );
  assert.ok(delivery.genuine);
  return delivery;
}

async function uploadDelivered(): Promise<Created> {
  const upload = await client.upload(file, { sha256: sha256(file), fileName: "holiday.mp4" });
  await client.waitUntilDelivery(upload.uploadId, "delivered");
  return upload;
}

test("the origin hears of it, under an id of its own, with all but a link", async () => {
  const { uploadId } = await uploadDelivered();
  const { object } = await client.state(uploadId);
  const watcher = new Watcher(stack.baseUrl, uploadId);
  await watcher.until("completion", ({ state }) => state === "completed");
  assert.equal((await client.abort(uploadId)).status, 204);
  const { webhookId, event } = await waitUntilToldOfDeletion(uploadId);
  const id = uploadId.replaceAll("-", "");
  assert.deepEqual([origin.of(uploadId)[0]?.webhookId, webhookId], [`evt_${id}_completed`, `evt_${id}_deleted`]);
  const { data } = event;
  assert.deepEqual(
    [data.key, data.etag, data.fileName, data.fileSize],
    [object?.key, object?.etag, "holiday.mp4", file.length],
  );
  assert.equal(data.digests?.sha256, sha256(file));
  assert.equal(data.downloadUrl, undefined);
  assert.ok(Date.parse(data.endedAt) <= Date.parse(data.deletedAt ?? ""));
  assert.equal(event.timestamp, data.deletedAt);
  assert.deepEqual(told(uploadId), ["upload.completed", "upload.deleted"]);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("afterwards it is gone: 410 in JSON and the draft, 404 in tus, and whoever watches is told", async () => {
  const { uploadId } = await uploadDelivered();
  const path = await origin.waitForDownloadPath(uploadId);
  assert.equal((await client.abort(uploadId)).status, 204);
  for (const reply of [
    await client.status(uploadId),
    await client.put(uploadId, 0, file.subarray(0, 1000)),
    await client.complete(uploadId),
    await client.redeliver(uploadId),
    await client.request("GET", path),
    await client.request("GET", `/files/${uploadId}`, DRAFT),
    await client.request("DELETE", `/files/${uploadId}`, DRAFT),
  ]) {
    assertRefused(reply, 410, "upload-gone", { state: "deleted" });
  }
  assert.equal((await client.abort(uploadId)).status, 204, "deleted once more, since the answer was lost");
  assert.equal((await client.head(uploadId)).status, 410);
  assert.equal((await client.request("HEAD", `/files/${uploadId}`, DRAFT)).status, 410);
  const url = `/files/${uploadId}`;
  for (const reply of [
    await tus.head(url),
    await tus.patch(url, file.length, new Uint8Array(0)),
    await tus.send("GET", url),
    await tus.send("DELETE", url),
  ]) {
    assert.equal(reply.status, 404);
    assert.equal(reply.header("Upload-Offset"), undefined);
  }
});

test("deleted before it was told, only the deletion is told", async () => {
  const upload = await client.create(file);
  const { uploadId } = upload;
  // Never acknowledged: each attempt is refused.
  origin.script(uploadId, { status: 503, headers: { "Retry-After": "2" } });
  await client.putRest(upload, file);
  await origin.waitForDeliveries(uploadId, 1);
  assert.equal((await client.abort(uploadId)).status, 204);
  await waitUntilToldOfDeletion(uploadId);
  // What the queue still had for the completion finds nothing to do.
  await waitFor("the deletion to be all that is left to tell", async () => {
    const log = stack.log.of(uploadId, "delivered");
    return log.length === 1;
  });
  assert.deepEqual(told(uploadId), ["upload.completed", "upload.deleted"]);
  assert.ok(origin.of(uploadId)[0]?.event.data.downloadUrl, "what went out before had its link");
});

test("deleted while it is being told, the deletion comes after it", async () => {
  const upload = await client.create(file);
  const { uploadId } = upload;
  origin.script(uploadId, "hang");
  await client.putRest(upload, file);
  await origin.waitForDeliveries(uploadId, 1);
  const deletedAtMs = Date.now();
  assert.equal((await client.abort(uploadId)).status, 204);
  const { receivedAtMs } = await waitUntilToldOfDeletion(uploadId);
  assert.ok(receivedAtMs - deletedAtMs > 1_000, "not before the attempt that was under way had ended");
  assert.deepEqual(told(uploadId), ["upload.completed", "upload.deleted"]);
});

test("given up and then deleted: what the origin never took is not told any more, its deletion is", async () => {
  const upload = await client.create(file);
  const { uploadId } = upload;
  origin.script(uploadId, ...Array.from({ length: 2 * MAX_ATTEMPTS }, () => ({ status: 500 })));
  await client.putRest(upload, file);
  await client.waitUntilDelivery(uploadId, "failed");
  assert.equal((await client.abort(uploadId)).status, 204);
  await waitFor("the deletion to be given up", () => stack.log.of(uploadId, "delivery_failed").length === 2);
  assert.equal((await client.redeliver(uploadId)).status, 202, "a deletion that nobody took can be told again");
  await waitFor("the deletion to be taken", () => stack.log.of(uploadId, "delivered").length === 1);
  assert.deepEqual(told(uploadId), ["upload.completed", "upload.deleted"]);
  const completions = origin.of(uploadId).filter(({ event }) => event.type === "upload.completed");
  assert.equal(completions.length, MAX_ATTEMPTS, "none of them after the deletion");
  assertRefused(await client.redeliver(uploadId), 410, "upload-gone");
});

test("it survives a power cut right behind the answer", async () => {
  const { uploadId } = await uploadDelivered();
  assert.equal((await client.abort(uploadId)).status, 204);
  await stack.kill();
  await stack.restart();
  await waitUntilToldOfDeletion(uploadId);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  assertRefused(await client.status(uploadId), 410, "upload-gone", { state: "deleted" });
});

test("tus terminates what is complete, and partial uploads that are", async () => {
  const url = await tus.create({ "Upload-Length": file.length });
  await tus.patch(url, 0, file);
  assert.equal((await tus.send("DELETE", url)).status, 204);
  assert.equal((await tus.head(url)).status, 404);
  await waitUntilToldOfDeletion(idOf(url));
  const partial = await tus.partial(Buffer.from("a partial upload"));
  assert.equal((await tus.send("DELETE", partial)).status, 204);
  assert.equal((await tus.head(partial)).status, 404);
  await waitUntilNothingLeft(stack.persistDir, idOf(partial));
  assert.deepEqual(told(idOf(partial)), []);
});

test("an append of too many bytes ends what is unfinished, and never what is complete", async () => {
  const append = { "Content-Type": "application/partial-upload", "Upload-Complete": "?0" };
  const appended = (id: string, offset: number, body: Uint8Array) => {
    const headers = { ...DRAFT.headers, ...append, "Upload-Offset": offset };
    return client.request("PATCH", `/files/${id}`, { headers, body });
  };
  const small = file.subarray(0, 1000);
  const { uploadId } = await client.upload(small);
  const refused = await appended(uploadId, small.length, Buffer.from("more"));
  assert.ok(refused.status >= 400 && refused.status < 500, `${refused.status}`);
  assert.equal((await client.state(uploadId)).state, "completed");
  const unfinished = await client.create(small);
  assert.equal((await appended(unfinished.uploadId, 0, file.subarray(0, 1001))).status, 400);
  assertRefused(await client.status(unfinished.uploadId), 410, "upload-gone", { state: "aborted" });
});

test("the example origin removes its copy", async () => {
  const scene = await sceneWithOrigin();
  const { uploadId } = await scene.client.upload(file);
  await scene.origin.waitForStored(uploadId);
  await scene.client.waitUntilDelivery(uploadId, "delivered");
  assert.equal((await scene.client.abort(uploadId)).status, 204);
  const record = await waitFor("the origin to have removed it", async () => {
    const [found] = await scene.origin.records(uploadId);
    return found?.state === "deleted" && found;
  });
  assert.equal(record.file, null);
  const types = (await scene.origin.events(uploadId)).map(({ type }) => type);
  assert.deepEqual(types.toSorted(), ["upload.completed", "upload.deleted"]);
});
