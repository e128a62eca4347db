// An alarm that the platform has lost: whoever asks once the duty is overdue sets it again, and the duty is done. And one that
// would ring an hour later than anybody wants to wait.

import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { changeStored, loseAlarms, type Stored } from "./support/object_state.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";

const MINUTE_MS = 60_000;

const origin = await ScriptedOrigin.start();
const stack = await Stack.start({
  buildDir: "build-faults",
  // Nothing is handed over again by itself while a test looks.
  vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, OUTBOX_RESEND_SECONDS: 600 },
});
origin.trust(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  await origin.stop();
  await stack.stop();
});
beforeEach(() => plan());

function plan(...rules: { point: string; nth: number; kind: "hang" }[]) {
  return client.request("POST", "/faults", { body: JSON.stringify(rules) });
}

/** The power is cut, the platform forgets what was to ring, and time passes: `change` says how that shows. */
async function loseAlarm(uploadId: string, change: (stored: Stored) => void): Promise<void> {
  await stack.kill();
  loseAlarms(stack.persistDir);
  changeStored(stack.persistDir, uploadId, change);
  await stack.restart();
}

const file = fileBytes("alarm", 9 * MIB);

/** An upload whose bytes are all there, and whose object is not. */
async function completing(): Promise<Created> {
  const upload = await client.create(file);
  await plan({ point: "r2.complete", nth: 1, kind: "hang" });
  await client.putRest(upload, file);
  assert.equal((await client.state(upload.uploadId)).state, "completing");
  return upload;
}

function assertSetAgain(uploadId: string): void {
  assert.equal(stack.log.of(uploadId, "alarm_overdue").length, 1, "by whoever asked first");
}

test("of an upload that is being completed: one HEAD, and it is complete", async () => {
  const { uploadId } = await completing();
  await loseAlarm(uploadId, ({ progress }) => {
    progress.job_not_before = Date.now() - MINUTE_MS;
  });
  assert.equal((await client.head(uploadId)).status, 200);
  await client.waitUntilState(uploadId, "completed");
  assertSetAgain(uploadId);
});

test("of an upload whose event is still owed: one HEAD, and it is told", async () => {
  const upload = await client.create(file);
  const { uploadId } = upload;
  origin.script(uploadId, "hang");
  await client.putRest(upload, file);
  await origin.waitForDeliveries(uploadId, 1);
  await loseAlarm(uploadId, ({ outbox }) => {
    outbox?.forEach((delivery) => {
      delivery.next_send_at = Date.now() - MINUTE_MS;
    });
  });
  assert.equal((await client.head(uploadId)).status, 200);
  await client.waitUntilDelivery(uploadId, "delivered");
  assertSetAgain(uploadId);
});

test("of an upload whose time is over: one HEAD, and nothing of it is left", async () => {
  const { uploadId } = await client.create(file);
  await client.put(uploadId, 0, file.subarray(0, 8 * MIB));
  await loseAlarm(uploadId, ({ facts }) => {
    facts.policy = { ...(facts.policy as object), ttl_ms: 1 };
  });
  assert.equal((await client.head(uploadId)).status, 410);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  await origin.waitForEvent(uploadId, "upload.expired");
});

test("of an upload whose next try is an hour away: who asks does not wait for it", async () => {
  const { uploadId } = await completing();
  await loseAlarm(uploadId, ({ progress }) => {
    progress.job_failures = 13;
    progress.tried_at = Date.now() - MINUTE_MS;
    progress.job_not_before = Date.now() + 60 * MINUTE_MS;
  });
  assert.equal((await client.complete(uploadId)).status, 202);
  await client.waitUntilState(uploadId, "completed");
  assert.equal(stack.log.of(uploadId, "alarm_overdue").length, 0, "it was not late");
});
