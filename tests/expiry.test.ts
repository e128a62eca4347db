// What ends by time: an abandoned upload gives everything back and is remembered for a while, and a download link closes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fileBytes, MIB } from "./support/bytes.ts";
import { bucketStateOf, waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin({
  UPLOAD_TTL_SECONDS: 2,
  TOMBSTONE_TTL_SECONDS: 6,
  DOWNLOAD_URL_TTL_SECONDS: 2,
});

test("an abandoned upload expires, leaves nothing in R2, and the origin hears of it", async () => {
  const file = fileBytes("abandoned", 20 * MIB);
  const { uploadId, limits } = await client.create(file);
  const begun = limits.partBytes + 200_000;
  assert.equal((await client.put(uploadId, 0, file.subarray(0, begun))).status, 200);
  const { unfinished, objects } = bucketStateOf(stack.persistDir, uploadId);
  assert.deepEqual(unfinished, [`uploads/${uploadId}`]);
  assert.equal(objects.length, 1, "the rest behind the last whole part");

  const expired = await waitFor("the upload to expire", async () => {
    const reply = await client.status(uploadId);
    return reply.status !== 200 && reply;
  });
  assertRefused(expired, 410, "upload-gone", { uploadId, state: "expired" });
  assert.equal((await client.head(uploadId)).status, 410);
  assertRefused(await client.put(uploadId, begun, file.subarray(begun)), 410, "upload-gone");
  assertRefused(await client.complete(uploadId), 410, "upload-gone");

  const { data } = await origin.waitForEvent(uploadId, "upload.expired");
  assert.ok(data.reason);
  assert.equal(data.downloadUrl, undefined);
  await waitUntilNothingLeft(stack.persistDir, uploadId);

  const forgotten = await waitFor("the tombstone to go", async () => {
    const reply = await client.status(uploadId);
    return reply.status !== 410 && reply;
  });
  assertRefused(forgotten, 404, "upload-not-found");
});

test("an upload that expires while nothing was ever put leaves nothing either", async () => {
  for (const fileSize of [1000, 20 * MIB]) {
    const { uploadId } = await client.create(fileBytes("never begun", fileSize));
    await origin.waitForEvent(uploadId, "upload.expired");
    await waitUntilNothingLeft(stack.persistDir, uploadId);
  }
});

test("a download link closes when its time is over", async () => {
  const { uploadId } = await client.upload(fileBytes("short-lived link", 1000));
  const path = await origin.waitForDownloadPath(uploadId);
  assert.equal((await client.request("GET", path)).status, 200);
  await waitFor("the link to close", async () => (await client.request("GET", path)).status === 403);
});
