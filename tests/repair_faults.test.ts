// Repairing a damaged file while things go wrong: the Worker is killed while it copies, a copy hangs, storage refuses, answers are
// lost, the damaged object is lost. What counts stays, the rest follows, and the bytes are right; or it fails, and says so.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, beforeEach, test } from "node:test";

import { sha256 } from "./support/bytes.ts";
import { DamagedFile, PART_BYTES } from "./support/damaged_file.ts";
import { Origin } from "./support/origin.ts";
import { bucketStateOf, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const origin = await Origin.prepare();
const stack = await Stack.start({
  buildDir: "build-faults",
  // A hanging call hangs for 5 s: longer than it takes to believe whoever copies dead.
  vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1, OUTBOX_RESEND_SECONDS: 3 },
});
await origin.start(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  await origin.remove();
  await stack.stop();
});
beforeEach(() => plan([]));

async function plan(rules: { point: string; nth: number; kind: "before" | "after" | "hang" }[]) {
  await client.request("POST", "/faults", { body: JSON.stringify(rules) });
}

/** Wrong in its first part. */
async function damaged(name: string): Promise<{ file: DamagedFile; id: string }> {
  const file = new DamagedFile(client, name);
  return { file, id: await file.damaged(file.wrongAt(9), { parallel: true }) };
}

async function assertGood(id: string, { good }: DamagedFile): Promise<void> {
  await client.waitUntilState(id, "completed");
  assert.equal((await origin.waitForStored(id)).sha256, sha256(good));
  await waitUntilOnlyObjectLeft(stack.persistDir, id);
}

const copies = (id: string) => stack.log.of(id, "batch_copied");

test("killed while it copies: what counted is not copied again", async () => {
  const { file, id } = await damaged("killed while it is repaired");
  await plan([{ point: "r2.upload_part", nth: 2, kind: "hang" }]);
  await file.repair(id, await file.differing(id));
  await waitFor("a part to be copied", () => copies(id).length > 0, { lastSeen: () => stack.log.of(id) });
  await stack.kill();
  await stack.restart();
  await file.sendGood(id, 0);
  await assertGood(id, file);
  const bytes = copies(id).reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  assert.equal(bytes, file.good.length - PART_BYTES);
});

test("a copy that hangs: somebody else goes on, and what comes late counts nowhere", async () => {
  const { file, id } = await damaged("hanging while it is repaired");
  await plan([{ point: "r2.upload_part", nth: 1, kind: "hang" }]);
  await file.repair(id, await file.differing(id));
  await waitFor("all but the client's part to be there", async () => {
    return (await client.state(id)).uploadedBytes === file.good.length - PART_BYTES;
  });
  await file.sendGood(id, 0);
  await assertGood(id, file);
});

test("failures in passing and lost answers cost time and nothing else", async () => {
  const { file, id } = await damaged("failing in passing while it is repaired");
  await plan([{ point: "r2.create", nth: 1, kind: "before" }]);
  assertRefused(await client.repair(id, [{ offset: 9, length: 1 }]), 503, "storage-unavailable");
  assert.equal((await client.state(id)).state, "damaged");
  await plan([
    { point: "object.repair", nth: 1, kind: "after" },
    { point: "queue.send", nth: 1, kind: "before" },
    { point: "object.begin-copy", nth: 1, kind: "after" },
    { point: "r2.get", nth: 1, kind: "before" },
    { point: "r2.upload_part", nth: 2, kind: "after" },
    { point: "object.commit", nth: 1, kind: "after" },
    { point: "r2.complete", nth: 1, kind: "after" },
    { point: "r2.delete", nth: 1, kind: "before" },
  ]);
  const { missing } = await file.repair(id, await file.differing(id));
  assert.deepEqual(missing, [[0, PART_BYTES]]);
  await waitFor("the client's part to be taken", async () => {
    const reply = await client.put(id, 0, file.good.subarray(0, PART_BYTES));
    return reply.status === 200;
  });
  await assertGood(id, file);
});

test("a damaged object that storage has lost fails it, and nothing stays", async () => {
  const { file, id } = await damaged("lost while it is repaired");
  loseObject(`uploads/${id}`);
  await file.repair(id, [{ offset: 9, length: 1 }]);
  const { reason } = await client.waitUntilState(id, "failed");
  assert.match(reason ?? "", /lost/);
  await client.waitUntilDelivery(id, "delivered");
  // The simulator keeps rows of the parts of an object that was taken out of it behind its back.
  await waitFor("nothing to be left", () => {
    const { objects, unfinished } = bucketStateOf(stack.persistDir, id);
    return objects.length + unfinished.length === 0;
  });
});

/** Takes an object out of the simulated bucket, behind everybody's back. */
function loseObject(key: string): void {
  const dir = join(stack.persistDir, "v3/r2/miniflare-R2BucketObject");
  for (const name of readdirSync(dir).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite")) {
    const database = new DatabaseSync(join(dir, name), { enableForeignKeyConstraints: false });
    database.prepare("DELETE FROM _mf_objects WHERE key = ?").run(key);
    database.close();
  }
}
