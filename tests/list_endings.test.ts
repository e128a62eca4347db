// A finished upload leaves the list and what is stored when its file goes, however it goes, also where the power is cut or the ledger is
// away meanwhile.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { fileBytes } from "./support/bytes.ts";
import { Listing } from "./support/listing.ts";
import { bucketStateOf } from "./support/r2_state.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const file = fileBytes("to be gone", 1_000);

test("what the application takes is listed no longer", async () => {
  const { origin, client } = await sceneWithScriptedOrigin();
  const list = new Listing(client);
  const kept = await client.create(file);
  const taken = await client.create(file);
  origin.script(taken.uploadId, { status: 200, body: { disposition: "delete" } });
  await client.putRest(kept, file);
  await client.putRest(taken, file);
  await waitFor("it to be taken", async () => (await client.state(taken.uploadId)).deletedAt !== null);
  await list.waitFor({ state: "all" }, [kept.uploadId]);
  await list.waitForStored(1_000, 1);
});

/** What is remembered for four seconds, by a Worker that can be made to fail. */
async function forgetful(): Promise<Stack> {
  const vars = { ORIGIN_WEBHOOK_URL: "", PUBLIC_URL: "", TOMBSTONE_TTL_SECONDS: 4 };
  const stack = await Stack.start({ buildDir: "build-faults", vars });
  after(() => stack.stop());
  return stack;
}

test("what is forgotten is listed and counted no longer, also after a power cut, and its object stays", async () => {
  const stack = await forgetful();
  const { client } = stack;
  const list = new Listing(client);
  const { uploadId } = await client.upload(file);
  await list.waitFor({ state: "completed" }, [uploadId]);
  await list.waitForStored(1_000, 1);
  await stack.kill();
  await stack.restart();
  await waitFor("it to be forgotten", async () => (await client.status(uploadId)).status === 404);
  assert.deepEqual(await list.ids({ state: "all" }), []);
  await list.waitForStored(0, 0);
  assert.equal(bucketStateOf(stack.persistDir, uploadId).objects.length, 1);
});

test("nothing is forgotten before the ledger has heard of it", async () => {
  const stack = await forgetful();
  const { client } = stack;
  const list = new Listing(client);
  const { uploadId } = await client.upload(file);
  await list.waitForStored(1_000, 1);
  const rules = Array.from({ length: 200 }, (_, index) => ({ point: "object.settle", nth: index + 1, kind: "before" }));
  await client.request("POST", "/faults", { body: JSON.stringify(rules) });
  const { expiresAt: _, ...before } = await client.state(uploadId);
  await waitFor("its memory to be over", () => stack.log.texts.some((text) => text.includes("Purge")));
  const { expiresAt: __, ...now } = await client.state(uploadId);
  assert.deepEqual({ ...now, cost: {} }, { ...before, cost: {} });
  assert.equal((await list.usage()).storedObjects, 1);
  await client.request("POST", "/faults", { body: "[]" });
  await waitFor("it to be forgotten", async () => (await client.status(uploadId)).status === 404);
  await list.waitForStored(0, 0);
});

test("killed right behind the last byte: it is open or finished, and counted once", async () => {
  const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
  after(() => stack.stop());
  const { client } = stack;
  const list = new Listing(client);
  for (let number = 1; number <= 3; number++) {
    const upload = await client.create(file);
    await client.putPiece(upload.uploadId, file, 0, file.length);
    await stack.kill();
    await stack.restart();
    await list.waitForStored(number * 1_000, number);
    const usage = await list.usage();
    assert.deepEqual([usage.openUploads.used, usage.openBytes.used], [0, 0]);
  }
  const ids = await list.ids({ state: "completed" });
  const last = String(ids[0]);
  assert.equal((await client.abort(last)).status, 204);
  await stack.kill();
  await stack.restart();
  await list.waitFor({ state: "all" }, ids.slice(1));
  await list.waitForStored(2_000, 2);
});
