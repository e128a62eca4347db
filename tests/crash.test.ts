// Power cuts: the Worker and its objects die by SIGKILL, or the origin is away. What was counted stays counted, and every
// completion reaches the origin, where it is recorded once.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { sceneWithSleepingOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithSleepingOrigin({
  DELIVERY_FIRST_DELAY_SECONDS: 1,
  OUTBOX_RESEND_SECONDS: 2,
});
beforeEach(() => origin.stop());

async function assertRecordedOnce(uploadId: string, file: Uint8Array): Promise<void> {
  const record = await origin.waitForStored(uploadId);
  assert.equal(record.sha256, sha256(file));
  await client.waitUntilDelivery(uploadId, "delivered");
  assert.equal((await origin.records(uploadId)).length, 1);
  const events = await origin.events(uploadId);
  assert.deepEqual(
    events.map(({ eventId, type }) => ({ eventId, type })),
    [{ eventId: record.eventId, type: "upload.completed" }],
  );
}

test("killed in the middle of a chunk: the upload goes on where it was counted, and completes", async () => {
  await origin.start(stack.secrets.WEBHOOK_SECRET);
  const file = fileBytes("killed in the middle", 40 * MIB);
  const upload = await client.create(file, { chunkSize: 16 * MIB });
  const { uploadId, chunkSize } = upload;
  const { partBytes } = upload.limits;
  await client.put(uploadId, 0, file.subarray(0, chunkSize));
  const running = client.putSlowly(uploadId, chunkSize, chunkSize);
  running.write(file.subarray(chunkSize, chunkSize + partBytes + 1000));
  await client.waitUntilCounted(uploadId, chunkSize + partBytes);

  await stack.kill();
  running.cut();
  await stack.restart();

  assert.equal(await client.offset(uploadId), chunkSize + partBytes);
  await client.putRest(upload, file, chunkSize + partBytes);
  await assertRecordedOnce(uploadId, file);
});

test("killed right after the last byte was acknowledged: the event still arrives, once", async () => {
  const file = fileBytes("killed at the end", 20 * MIB);
  const upload = await client.create(file);
  await client.putRest(upload, file);

  await stack.kill();
  await stack.restart();
  await origin.start(stack.secrets.WEBHOOK_SECRET);

  await assertRecordedOnce(upload.uploadId, file);
});

test("killed between completion and webhook: the queue's memory is gone, the outbox's is not", async () => {
  const file = fileBytes("killed before the webhook", 1000);
  const { uploadId } = await client.upload(file);
  await client.waitUntilDelivery(uploadId, "queued");

  await stack.kill();
  await stack.restart();
  await origin.start(stack.secrets.WEBHOOK_SECRET);

  await assertRecordedOnce(uploadId, file);
});

test("killed after the origin took the event: it stays delivered", async () => {
  await origin.start(stack.secrets.WEBHOOK_SECRET);
  const file = fileBytes("killed after the webhook", 1000);
  const { uploadId } = await client.upload(file);
  await client.waitUntilDelivery(uploadId, "delivered");

  await stack.kill();
  await stack.restart();

  assert.equal((await client.state(uploadId)).delivery, "delivered");
  await assertRecordedOnce(uploadId, file);
});

test("the origin is down while an upload completes: told once it is back, recorded once", async () => {
  const file = fileBytes("origin down", 20 * MIB);
  const { uploadId } = await client.upload(file);
  const attempts = () => stack.log.of(uploadId).filter(({ event }) => event === "not_delivered");
  await waitFor("two attempts to have failed", () => attempts().length >= 2, {
    lastSeen: () => stack.log.of(uploadId),
  });
  assert.equal((await client.state(uploadId)).delivery, "queued");

  await origin.start(stack.secrets.WEBHOOK_SECRET);

  await assertRecordedOnce(uploadId, file);
});
