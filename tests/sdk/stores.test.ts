// Records in IndexedDB: shared by whoever opens the same database, and still there afterwards.

import assert from "node:assert/strict";
import { test } from "node:test";

import { IDBFactory } from "fake-indexeddb";

import { indexedDbStore } from "../../client/src/index.ts";

test("what one page remembers, another finds, and forgets", async () => {
  const factory = new IDBFactory();
  const record = { uploadId: "id" };
  const here = indexedDbStore("quayside", () => factory);
  assert.equal(await here.get("a"), undefined);
  await here.set("a", record);
  const there = indexedDbStore("quayside", () => factory);
  assert.deepEqual(await there.get("a"), record);
  assert.equal(await there.get("b"), undefined);
  await there.remove("a");
  assert.equal(await here.get("a"), undefined);
});

test("where IndexedDB is forbidden, the store says so", async () => {
  const forbidden = () => {
    throw new DOMException("not here", "SecurityError");
  };
  await assert.rejects(indexedDbStore("quayside", forbidden).get("a"), { name: "SecurityError" });
});
