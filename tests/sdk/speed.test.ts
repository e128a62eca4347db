// Speed and remaining time, by a clock that only goes forward.

import assert from "node:assert/strict";
import { test } from "node:test";

import { systemClock } from "../../client/src/platform.ts";
import { Speed } from "../../client/src/speed.ts";

const SIZE = 1_000_000_000;

test("speed is what has left in the last ten seconds, and gives the remaining time", () => {
  const speed = new Speed(0, 1000);
  assert.deepEqual(speed.confirmed(0, 1000, 10_000), {
    uploadedBytes: 1000,
    sentBytes: 1000,
    fileBytes: 10_000,
    bytesPerSecond: null,
    remainingMs: null,
  });
  const first = speed.confirmed(1000, 2000, 10_000);
  assert.deepEqual([first.bytesPerSecond, first.remainingMs], [1000, 8000]);
});

test("confirmations that come in a burst say nothing yet", () => {
  const speed = new Speed(0, 0);
  assert.equal(speed.confirmed(1, 1000, 10_000).bytesPerSecond, null);
  assert.equal(speed.confirmed(2, 2000, 10_000).bytesPerSecond, null);
  assert.equal(speed.confirmed(1000, 3000, 10_000).bytesPerSecond, 3000);
});

test("after ten seconds the time left is within a quarter of the truth, whatever the buffers have swallowed before", () => {
  for (const [buffersBytes, rate] of [
    [4_000_000, 250_000],
    [0, 250_000],
    [1_000_000, 2_000_000],
  ] as const) {
    const speed = new Speed(0, 0);
    for (let atMs = 50; atMs <= 60_000; atMs += 50) {
      const sentBytes = buffersBytes + (rate * atMs) / 1000;
      const { remainingMs } = speed.confirmed(atMs, 0, SIZE, sentBytes);
      const trueMs = ((SIZE - sentBytes) / rate) * 1000;
      if (atMs >= 10_000) {
        const share = Number(remainingMs) / trueMs;
        assert.ok(share > 0.75 && share < 1.25, `${share} of the truth after ${atMs} ms at ${rate} B/s`);
      }
    }
  }
});

test("a line that has become slower is believed ten seconds later", () => {
  const speed = new Speed(0, 0);
  let sentBytes = 0;
  let told: number | null = null;
  for (let atMs = 250; atMs <= 42_000; atMs += 250) {
    sentBytes += (atMs <= 30_000 ? 1_000_000 : 100_000) / 4;
    told = speed.confirmed(atMs, 0, SIZE, sentBytes).bytesPerSecond;
  }
  assert.ok(Number(told) < 125_000, String(told));
});

test("a clock on the wall that jumps by a day changes nothing", (t) => {
  const before = systemClock.nowMs();
  assert.ok(Math.abs(before - Date.now()) < 60_000, "it begins as the one on the wall");
  const tomorrow = Date.now() + 86_400_000;
  t.mock.method(Date, "now", () => tomorrow);
  assert.ok(systemClock.nowMs() - before < 60_000);
});

test("of a file that is all there nothing is left, however short it took", () => {
  const { bytesPerSecond, remainingMs } = new Speed(0, 0).confirmed(500, SIZE, SIZE);
  assert.deepEqual([bytesPerSecond, remainingMs], [null, 0]);
});
