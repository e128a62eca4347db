// The quota of what is stored: what is open is to be stored and counts; beyond the soft limit its client and the application are warned,
// beyond the hard one nothing is created, and a deletion gives room back.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import { Listing } from "./support/listing.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const LIMITS = { QUOTA_STORED_BYTES: 10_000, QUOTA_STORED_BYTES_SOFT: 6_000 };
const { origin, stack, client } = await sceneWithScriptedOrigin(LIMITS);
const list = new Listing(client);
const file = fileBytes("stored", 4_000);

function eventOf(uploadId: string) {
  return waitFor(
    "its event",
    () => origin.deliveries.find(({ event }) => event.data.uploadId === uploadId)?.event.data,
  );
}

test("up to the soft limit nobody is warned, and beyond it everybody is", async () => {
  const first = await client.upload(file);
  assert.equal(first.quotaWarning, undefined);
  assert.equal((await client.state(first.uploadId)).quotaWarning, undefined);
  assert.equal((await eventOf(first.uploadId)).quotaWarning, undefined);
  await list.waitForStored(4_000, 1);

  const second = await client.upload(file);
  const warning = { used: 8_000, limit: 10_000, softLimit: 6_000 };
  assert.deepEqual(second.quotaWarning, warning);
  assert.deepEqual((await client.state(second.uploadId)).quotaWarning, warning);
  assert.deepEqual((await eventOf(second.uploadId)).quotaWarning, warning);
  await list.waitForStored(8_000, 2);
  assert.deepEqual((await list.usage()).storedBytes, { used: 8_000, limit: 10_000, softLimit: 6_000 });
});

test("beyond the hard limit nothing is created, in no protocol, also after a power cut", async () => {
  for (const restarts of [false, true]) {
    if (restarts) {
      await stack.kill();
      await stack.restart();
    }
    const refused = assertRefused(await client.init({ fileName: "a", fileSize: 2_001 }), 429, "quota-exceeded");
    assert.match(refused.detail, /stored/);
    assert.equal((await new Tus(client).post({ "Upload-Length": 2_001 })).status, 429);
    assertRefused(await client.request("POST", "/upload", { body: Buffer.alloc(2_001) }), 429, "quota-exceeded");
  }
});

test("what is open is to be stored, and what grows is refused where it would be too much", async () => {
  const open = await client.create(file.subarray(0, 1_500));
  assertRefused(await client.init({ fileName: "a", fileSize: 501 }), 429, "quota-exceeded");
  const growing = (await client.init({ fileName: "grows", fileSize: null })).json<Created>();
  assertRefused(await client.put(growing.uploadId, 0, file.subarray(0, 501)), 429, "quota-exceeded");
  assert.equal((await client.put(growing.uploadId, 0, file.subarray(0, 500))).status, 200);
  for (const { uploadId } of [open, growing]) {
    assert.equal((await client.abort(uploadId)).status, 204);
  }
});

test("a deletion gives room back", async () => {
  const [newest] = await list.ids({ state: "completed" });
  await waitFor("room for as much as is left", async () => {
    const { openBytes } = await list.usage();
    return openBytes.used === 0;
  });
  assertRefused(await client.init({ fileName: "a", fileSize: 6_000 }), 429, "quota-exceeded");
  assert.equal((await client.abort(String(newest))).status, 204);
  await list.waitForStored(4_000, 1);
  const { quotaWarning } = await client.create(fileBytes("larger", 6_000));
  assert.equal(quotaWarning?.used, 10_000);
});
