// A short torture run: a few uploads of every kind with disconnects, faults, kills and a flaky origin. The long one is
// `cargo xtask torture`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { torture } from "./torture/run.ts";

test("uploads that are cut, taken over, faulted and killed lose no byte and leave nothing behind", async () => {
  const { figures, differences } = await torture({ uploads: 25, seed: "1", interruptions: 40, ttlSeconds: 90 });
  console.log(figures.lines().join("\n"));
  assert.deepEqual(differences, []);
});
