// What an upload owes after its end is owed to three, and none of them waits for another: the owner gets room back while R2 deletes
// nothing, R2 deletes while the owner's ledger does not answer, and both while the queue takes no event.

import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { Origin } from "./support/origin.ts";
import { bucketStateOf, NOTHING_LEFT, waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const origin = await Origin.prepare();
const stack = await Stack.start({
  buildDir: "build-faults",
  vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, OUTBOX_RESEND_SECONDS: 2, QUOTA_OPEN_UPLOADS: 1 },
});
await origin.start(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  await origin.remove();
  await stack.stop();
});
beforeEach(stopFailing);

/** From now on every such call fails. */
async function keepFailing(...points: string[]): Promise<void> {
  const nths = Array.from({ length: 200 }, (_, index) => index + 1);
  const rules = points.flatMap((point) => nths.map((nth) => ({ point, nth, kind: "before" })));
  assert.equal((await client.request("POST", "/faults", { body: JSON.stringify(rules) })).status, 200);
}

async function stopFailing(): Promise<void> {
  await client.request("POST", "/faults", { body: "[]" });
}

const init = () => client.init({ fileName: "next.bin", fileSize: 12 * MIB });

/** The one upload for which there is room, begun: R2 has a part of it. */
async function begun(): Promise<Created> {
  const upload = await waitFor("room for an upload", async () => {
    const reply = await init();
    return reply.status === 201 && reply.json<Created>();
  });
  const file = fileBytes(upload.uploadId, upload.limits.partBytes);
  assert.equal((await client.put(upload.uploadId, 0, file)).status, 200);
  return upload;
}

function originHears(uploadId: string): Promise<unknown> {
  return waitFor("the origin to hear of it", async () => {
    const events = await origin.events(uploadId);
    return events.some(({ type }) => type === "upload.aborted");
  });
}

const isLeft = (id: string) => JSON.stringify(bucketStateOf(stack.persistDir, id)) !== JSON.stringify(NOTHING_LEFT);

test("an R2 that deletes nothing keeps neither the owner's room nor the origin's event", async () => {
  const { uploadId } = await begun();
  await keepFailing("r2.abort", "r2.delete", "r2.list");
  assert.equal((await client.abort(uploadId)).status, 204);
  const next = await begun();
  await originHears(uploadId);
  assert.ok(isLeft(uploadId), "R2 has deleted nothing all the while");
  await stopFailing();
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  await client.abort(next.uploadId);
});

test("a ledger that does not answer keeps nothing in R2, and hears in the end", async () => {
  const { uploadId } = await begun();
  await keepFailing("object.settle");
  assert.equal((await client.abort(uploadId)).status, 204);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  assertRefused(await init(), 429, "quota-exceeded");
  await stopFailing();
  const { uploadId: next } = await begun();
  await client.abort(next);
});

test("a queue that takes no event keeps neither R2 nor the owner waiting, and the origin hears in the end", async () => {
  const { uploadId } = await begun();
  await keepFailing("queue.send");
  assert.equal((await client.abort(uploadId)).status, 204);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  const { uploadId: next } = await begun();
  await stopFailing();
  await originHears(uploadId);
  await client.abort(next);
});
