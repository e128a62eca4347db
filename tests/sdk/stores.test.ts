// Where it is remembered how to go on: in a tab, in a database that tabs share, or nowhere.

import assert from "node:assert/strict";
import { test } from "node:test";

import { IDBFactory } from "fake-indexeddb";

import { indexedDbStore, sessionStore } from "../../client/src/index.ts";

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

function storage(kept = new Map<string, string>()) {
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

test("a session's store keeps text, and forgets", async () => {
  const store = sessionStore(() => storage(kept));
  const kept = new Map<string, string>();
  const record = { uploadId: "id" };
  assert.equal(await store.get("a"), undefined);
  await store.set("a", record);
  assert.deepEqual(await store.get("a"), record);
  assert.equal(await store.get("b"), undefined);
  await store.remove("a");
  assert.equal(await store.get("a"), undefined);
});

test("a tab's records are its own: tabs have names, which a reload keeps, and a duplicate takes along", () => {
  const kept = new Map<string, string>();
  const scope = (kept: Map<string, string>) => sessionStore(() => storage(kept)).scope?.();
  const name = scope(kept);
  assert.equal(scope(kept), name);
  assert.equal(scope(new Map(kept)), name);
  assert.notEqual(scope(new Map()), name);
});
