// Partial uploads go when their time is over: not before what is put together from them is done with them, and never later than that.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";
import { leftovers } from "./torture/leftovers.ts";

const TTL_SECONDS = 6;

const { origin, stack } = await sceneWithOrigin({ OUTBOX_RESEND_SECONDS: 1, UPLOAD_TTL_SECONDS: TTL_SECONDS });
const tus = new Tus(stack.client);

/** Waits until an upload is answered like this. */
function answered(url: string, status: number): Promise<unknown> {
  return waitFor(`${url} to be answered ${status}`, async () => (await tus.head(url)).status === status);
}

test("partial uploads go when their time is over, and what was put together stays", async () => {
  const file = fileBytes("stays", 20 * MIB);
  const urls = [await tus.partial(file.subarray(0, 7)), await tus.partial(file.subarray(7))];
  const url = await tus.composed(urls);
  await tus.whole(url);
  for (const partial of urls) {
    await answered(partial, 404);
    await waitUntilNothingLeft(stack.persistDir, idOf(partial));
    assert.deepEqual(await origin.events(idOf(partial)), [], "of which the origin never heard");
  }
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
  await waitUntilOnlyObjectLeft(stack.persistDir, idOf(url));
  await waitFor("the ledger to be empty", () => leftovers(stack.persistDir).ledgerEntries.length === 0);
});

test("a partial upload that somebody waits with outlives its own time, and is used", async () => {
  const file = fileBytes("outlives", 10 * MIB);
  const early = await tus.partial(file.subarray(0, 9 * MIB));
  const orphan = await tus.partial(Buffer.from("nobody names it"));
  const expires = new Date((await stack.client.state(idOf(orphan))).expiresAt).getTime();
  await waitFor("half of its time to pass", () => Date.now() > expires - (TTL_SECONDS * 1000) / 2);
  const late = await tus.create({ "Upload-Concat": "partial", "Upload-Length": MIB });
  const url = await tus.composed([early, late]);
  await answered(orphan, 404);
  assert.equal((await tus.head(early)).status, 200, "which is as old");
  assert.equal((await tus.patch(late, 0, file.subarray(9 * MIB))).status, 204);
  await tus.whole(url);
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
  await answered(early, 404);
  await waitUntilNothingLeft(stack.persistDir, idOf(early));
});

test("a partial upload that expires unfinished is told, and fails what waits for it", async () => {
  const unfinished = await tus.create({ "Upload-Concat": "partial", "Upload-Length": 100 });
  const expires = (await tus.head(unfinished)).header("Upload-Expires") ?? "";
  assert.equal(new Date(expires).toUTCString(), expires);
  await waitFor("most of its time to pass", () => Date.now() > new Date(expires).getTime() - 2_000);
  const url = await tus.composed([unfinished]);
  await answered(unfinished, 410);
  const { reason } = await stack.client.waitUntilState(idOf(url), "failed");
  assert.match(reason ?? "", new RegExp(`${idOf(unfinished)}.*not complete by`));
  assert.equal((await tus.head(url)).status, 410);
  assert.equal((await tus.final([unfinished])).status, 400);
  await waitUntilNothingLeft(stack.persistDir, idOf(unfinished));
  await waitUntilNothingLeft(stack.persistDir, idOf(url));
});
