// Live state: whoever opens the WebSocket of an upload is told the truth at once, its progress at most twice a second, and
// every change of its state up to the delivery. Watching keeps no chunk waiting.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Status } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { Origin } from "./support/origin.ts";
import { Stack } from "./support/stack.ts";
import { Watcher } from "./support/watcher.ts";

const PART_BYTES = 5 * MIB;
/** More than this are not told, as `MAX_WATCHERS` in durable-objects/src/upload/watchers.rs says. */
const MAX_WATCHERS = 32;
const HANDSHAKE = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": 13,
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

const origin = await Origin.prepare();
const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1 } });
await origin.start(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  await origin.remove();
  await stack.stop();
});

function watch(uploadId: string, protocols?: string[]): Watcher {
  return new Watcher(stack.baseUrl, uploadId, protocols);
}

/** How it stands but for its cost: asking has one, too. */
function free(status: object | undefined): object {
  return { ...status, cost: undefined };
}

test("a watcher is told the truth at once, every change after it, and then nothing follows", async () => {
  const file = fileBytes("watched", 3 * PART_BYTES);
  const upload = await client.create(file, { chunkSize: PART_BYTES });
  await client.putPiece(upload.uploadId, file, 0, PART_BYTES);
  const watcher = watch(upload.uploadId);
  const first = await watcher.until("anything", () => true);
  assert.deepEqual(free(first), free(await client.state(upload.uploadId)), "the same as asking for the status");
  await client.putPiece(upload.uploadId, file, PART_BYTES, 2 * PART_BYTES);
  await watcher.until("the second chunk", ({ uploadedBytes }) => uploadedBytes === 2 * PART_BYTES);
  await client.putPiece(upload.uploadId, file, 2 * PART_BYTES, file.length);
  assert.deepEqual(await watcher.untilClosed(), { code: 1000, reason: "nothing more to tell" });
  const turns = watcher.told.map(({ state, delivery }) => `${state} ${delivery}`);
  const order = ["open none", "completing none", "completed queued", "completed delivered"];
  assert.deepEqual([...new Set(turns)], order);
  assert.deepEqual(free(watcher.told.at(-1)), free(await client.state(upload.uploadId)));
  const counted = watcher.told.map(({ uploadedBytes }) => uploadedBytes);
  assert.deepEqual(
    counted,
    [...counted].sort((a, b) => a - b),
    "bytes only grow",
  );
});

test("whoever comes late is told how it ended, and no more", async () => {
  const { uploadId } = await client.upload(fileBytes("late", 1000));
  await client.waitUntilDelivery(uploadId, "delivered");
  const watcher = watch(uploadId);
  await watcher.untilClosing();
  assert.deepEqual(
    watcher.told.map(({ state, delivery }) => [state, delivery]),
    [["completed", "delivered"]],
  );
});

test("a cancelled upload is told as such", async () => {
  const { uploadId } = await client.create(fileBytes("cancelled", 1000));
  const watcher = watch(uploadId);
  await watcher.until("the truth", () => true);
  await client.abort(uploadId);
  await watcher.until("the end", ({ state }) => state === "aborted");
  await watcher.untilClosing();
});

test("progress is told at most twice a second, and the last of it always", async () => {
  const file = fileBytes("paced", 64 * 1024);
  const { uploadId } = await client.create(file, { chunkSize: 1024 });
  const watcher = watch(uploadId);
  await watcher.until("the truth", () => true);
  const sent = file.length - 1024;
  for (let from = 0; from < sent; from += 1024) {
    await client.putPiece(uploadId, file, from, from + 1024);
  }
  await watcher.until("the last chunk", ({ uploadedBytes }) => uploadedBytes === sent);
  const tookMs = Number(watcher.toldAtMs.at(-1)) - Number(watcher.toldAtMs[0]);
  const most = 2 * (tookMs / 1000) + 2;
  assert.ok(watcher.told.length <= most, `told ${watcher.told.length} times of 63 chunks in ${tookMs} ms`);
  watcher.close();
});

test("many watchers are told, too many are refused, and the chunks go on", async () => {
  const file = fileBytes("crowd", 2000);
  const { uploadId } = await client.create(file, { chunkSize: 1000 });
  const watchers = Array.from({ length: MAX_WATCHERS }, () => watch(uploadId));
  await Promise.all(watchers.map((watcher) => watcher.until("the truth", () => true)));
  const refused = await client.request("GET", `/upload/${uploadId}/events`, { headers: HANDSHAKE });
  assert.deepEqual([refused.status, refused.json<{ title: string }>().title.slice(0, 8)], [503, "Too many"]);
  await client.putPiece(uploadId, file, 0, 1000);
  await client.putPiece(uploadId, file, 1000, 2000);
  await Promise.all(watchers.map((watcher) => watcher.untilClosing()));
});

test("one of the subprotocols that a browser offers is chosen", async () => {
  const { uploadId } = await client.upload(fileBytes("subprotocol", 10));
  const watcher = watch(uploadId, ["quayside", "bearer.a-token"]);
  await watcher.until("the truth", () => true);
  assert.equal(watcher.socket.protocol, "quayside");
});

test("what is no WebSocket is told so, and what is no upload too", async () => {
  const { uploadId } = await client.create(fileBytes("plain", 10));
  const plain = await client.request("GET", `/upload/${uploadId}/events`);
  assert.equal(plain.status, 426);
  assert.equal(plain.header("Content-Type"), "application/problem+json");
  assert.equal(plain.json<{ type: string }>().type.split("/").at(-1), "upgrade-required");
  const posted = await client.request("POST", `/upload/${uploadId}/events`);
  assert.equal(posted.status, 405);
  const nobody = "00000000-0000-4000-8000-000000000000";
  const unknown = await client.request("GET", `/upload/${nobody}/events`, { headers: HANDSHAKE });
  assert.equal(unknown.status, 404);
});

test("after a crash a watcher is told where the upload is", async () => {
  const file = fileBytes("crash", 2 * PART_BYTES);
  const { uploadId } = await client.create(file, { chunkSize: PART_BYTES });
  const before = watch(uploadId);
  await before.until("the truth", () => true);
  await client.putPiece(uploadId, file, 0, PART_BYTES);
  await stack.kill();
  assert.notEqual((await before.untilClosed()).code, 1000);
  await stack.restart();
  const again = watch(uploadId);
  const told: Status = await again.until("the truth", () => true);
  assert.deepEqual([told.state, told.uploadedBytes], ["open", PART_BYTES]);
  again.close();
});
