// Speed and remaining time, by a clock that only goes forward.

import assert from "node:assert/strict";
import { test } from "node:test";

import { systemClock } from "../../client/src/platform.ts";
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

test("a clock on the wall that jumps by a day changes nothing", (t) => {
  const before = systemClock.nowMs();
  assert.ok(Math.abs(before - Date.now()) < 60_000, "it begins as the one on the wall");
  const tomorrow = Date.now() + 86_400_000;
  t.mock.method(Date, "now", () => tomorrow);
  assert.ok(systemClock.nowMs() - before < 60_000);
});
