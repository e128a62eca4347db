// Speed and remaining time, and the records that outlive a page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { sessionStore } from "../../client/src/index.ts";
import { Speed } from "../../client/src/speed.ts";

test("speed is an exponential moving average with a weight of a quarter, and gives the remaining time", () => {
  const speed = new Speed(0, 1000);
  assert.deepEqual(speed.confirmed(0, 1000, 10_000), {
    uploadedBytes: 1000,
    fileBytes: 10_000,
    bytesPerSecond: null,
    remainingMs: null,
  });
  const first = speed.confirmed(1000, 2000, 10_000);
  assert.deepEqual([first.bytesPerSecond, first.remainingMs], [1000, 8000]);
  const second = speed.confirmed(2000, 5000, 10_000);
  assert.deepEqual([second.bytesPerSecond, Math.round(second.remainingMs ?? 0)], [1500, 3333]);
});

test("confirmations that come in a burst count together", () => {
  const speed = new Speed(0, 0);
  assert.equal(speed.confirmed(1, 1000, 10_000).bytesPerSecond, null);
  assert.equal(speed.confirmed(2, 2000, 10_000).bytesPerSecond, null);
  assert.equal(speed.confirmed(500, 3000, 10_000).bytesPerSecond, 6000);
});

test("a session's store keeps text, and forgets", async () => {
  const kept = new Map<string, string>();
  const store = sessionStore(() => ({
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  }));
  const record = { uploadId: "id", fingerprint: "print" };
  assert.equal(await store.get("a"), undefined);
  await store.set("a", record);
  assert.deepEqual(await store.get("a"), record);
  assert.equal(await store.get("b"), undefined);
  await store.remove("a");
  assert.equal(await store.get("a"), undefined);
});
