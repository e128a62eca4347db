// What is there: an owner's uploads, open and finished, newest first. A finished one is listed and counted until its file is deleted, and
// never twice, whatever it came from.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created, Duplicate } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Listing } from "./support/listing.ts";
import { assertBadRequest } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { Tus } from "./support/tus.ts";

const stack = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", DELETE_COMPLETED: "owner" } });
after(() => stack.stop());
const { client } = stack;

/** Somebody with a ledger of their own. */
function newOwner(name: string) {
  const headers = bearer(mint(stack, claimsOf(name)));
  const create = async (file: Uint8Array, fields: object = {}) => {
    const reply = await client.init({ fileName: "a", fileSize: file.length, ...fields }, headers);
    assert.equal(reply.status, 201, reply.body.toString());
    return reply.json<Created>();
  };
  const upload = async (file: Uint8Array, fields: object = {}) => {
    const { uploadId } = await create(file, fields);
    assert.equal((await client.put(uploadId, 0, file, headers)).status, 200);
    return uploadId;
  };
  const remove = (id: string) => client.request("DELETE", `/upload/${id}`, { headers });
  return { headers, create, upload, remove, list: new Listing(client, headers) };
}

const file = fileBytes("listed", 1_000);

test("open and finished are one list, and each can be had alone, until a file is deleted", async () => {
  const { headers, create, upload, remove, list } = newOwner("alice");
  assert.deepEqual(await list.all({ state: "all" }), [], "before anything was ever created");
  const done = await upload(file, { fileName: "done.txt", contentType: "text/plain", metadata: { a: "b" } });
  const open = await create(file, { fileName: "open.txt" });
  await client.put(open.uploadId, 0, file.subarray(0, 600), headers);
  await list.waitFor({ state: "completed" }, [done]);
  await list.waitFor({ state: "all" }, [open.uploadId, done]);
  await list.waitFor({}, [open.uploadId]);

  const [ofOpen, ofDone] = await list.all({ state: "all" });
  assert.deepEqual([ofOpen?.state, ofOpen?.uploadedBytes, ofOpen?.fileSize], ["open", 600, 1_000]);
  assert.deepEqual([ofDone?.state, ofDone?.uploadedBytes, ofDone?.fileSize], ["completed", 1_000, 1_000]);
  assert.deepEqual([ofDone?.fileName, ofDone?.contentType, ofDone?.metadata], ["done.txt", "text/plain", { a: "b" }]);
  await list.waitForStored(1_000, 1);

  assert.equal((await remove(done)).status, 204);
  await list.waitFor({ state: "all" }, [open.uploadId]);
  await list.waitForStored(0, 0);
});

test("pages have a hundred, none is left out, and a cursor is a place and nothing else", async () => {
  const { upload, remove, list } = newOwner("many");
  const made: string[] = [];
  for (let number = 0; number < 103; number++) {
    made.unshift(await upload(file.subarray(0, 10)));
  }
  await list.waitForStored(1_030, 103);
  const first = await list.page({ state: "completed" });
  assert.equal(first.uploads.length, 100);
  const second = await list.page({ state: "completed", cursor: String(first.next) });
  assert.deepEqual(
    [...first.uploads, ...second.uploads].map(({ uploadId }) => uploadId),
    made,
  );
  assert.equal(second.next, undefined);

  // What it names has gone since: the place is there all the same.
  assert.equal((await remove(String(made[99]))).status, 204);
  const stale = await list.page({ state: "completed", cursor: String(first.next) });
  assert.deepEqual(stale, second);
  // Made up, or somebody else's: a place in the list of whoever asks.
  const bob = newOwner("bob");
  const [hers, after] = [String(first.next), "9007199254740991.067e6162-3b6f-4ae2-a171-2470b63dff00"];
  for (const cursor of [hers, after, hers.replace(/^\d+/, "0")]) {
    assert.deepEqual(await bob.list.page({ state: "all", cursor }), { uploads: [] });
  }
  assert.equal((await list.page({ state: "completed", cursor: after })).uploads[0]?.uploadId, made[0]);
  for (const cursor of ["", "1", `${hers}x`, hers.toUpperCase(), "-1.067e6162-3b6f-4ae2-a171-2470b63dff00", "%00"]) {
    assertBadRequest(await list.ask({ cursor }), "cursor");
  }
  for (const state of ["", "finished", "OPEN", "open,completed"]) {
    assertBadRequest(await list.ask({ state }), "state");
  }
});

test("a prefix is what names begin with, character by character", async () => {
  const { create, upload, list } = newOwner("prefix");
  const names = ["100%.txt", "100_.txt", "'; DROP TABLE finished_upload; --", "ünï/🏖.jpg", "../a+b c&d=e#f?"];
  const ids = new Map<string, string>();
  for (const fileName of names) {
    ids.set(fileName, await upload(file, { fileName }));
  }
  const { uploadId: open } = await create(file, { fileName: "100 open" });
  await list.waitForStored(5_000, 5);
  const idsOf = (...found: string[]) => found.map((name) => String(ids.get(name))).toReversed();
  assert.deepEqual(await list.ids({ state: "all", prefix: "" }), [open, ...idsOf(...names)]);
  assert.deepEqual(await list.ids({ state: "all", prefix: "100" }), [open, ...idsOf("100%.txt", "100_.txt")]);
  assert.deepEqual(await list.ids({ prefix: "100%" }), []);
  for (const name of names) {
    for (const prefix of [name, [...name].slice(0, 4).join("")]) {
      assert.deepEqual(await list.ids({ state: "completed", prefix }), idsOf(name), prefix);
    }
    assert.deepEqual(await list.ids({ state: "all", prefix: `${name}x` }), [], name);
  }
  for (const prefix of ["\0", "a\nb", "n".repeat(1025)]) {
    assertBadRequest(await list.ask({ prefix }), "prefix");
  }
  // What is no UTF-8 is no name's beginning.
  const broken = await client.request("GET", "/uploads?prefix=%FF", { headers: newOwner("prefix").headers });
  assert.deepEqual([broken.status, broken.json<{ uploads: [] }>().uploads], [200, []]);
});

test("bytes that are stored already are one file: listed once, counted once", async () => {
  const { headers, upload, remove, list } = newOwner("twice");
  const declared = { sha256: sha256(file) };
  const first = await upload(file, declared);
  await list.waitForStored(1_000, 1);
  const again = await client.init({ fileName: "again", fileSize: file.length, ...declared }, headers);
  assert.equal(again.json<Duplicate>().object.uploadId, first);
  assert.deepEqual(await list.ids({ state: "all" }), [first]);
  await list.waitForStored(1_000, 1);
  assert.equal((await remove(first)).status, 204);
  await list.waitForStored(0, 0);
});

test("pieces are no files: what is put together from them is", async () => {
  const { headers, list } = newOwner("pieces");
  const tus = new Tus(client);
  const pieces = await Promise.all([5 * MIB, 1_000].map((size) => tus.partial(fileBytes("piece", size), headers)));
  assert.deepEqual(await list.all({ state: "all" }), []);
  const whole = await tus.composed(pieces, headers);
  const id = whole.slice(whole.lastIndexOf("/") + 1);
  await list.waitForStored(5 * MIB + 1_000, 1);
  await list.waitFor({ state: "completed" }, [id]);
});

test("what comes by a link is its owner's, and whoever has the link sees no list", async () => {
  const { headers, list } = newOwner("by link");
  const made = await client.request("POST", "/upload/links", { headers, body: "" });
  const byLink = bearer(made.json<{ url: string }>().url.split("/").at(-1) ?? "");
  const created = await client.init({ fileName: "from outside", fileSize: file.length }, byLink);
  const { uploadId } = created.json<Created>();
  assert.equal((await client.put(uploadId, 0, file, byLink)).status, 200);
  await list.waitFor({ state: "completed", prefix: "from" }, [uploadId]);
  await list.waitForStored(1_000, 1);
  for (const query of ["", "?state=all", "?state=completed"]) {
    assert.equal((await client.request("GET", `/uploads${query}`, { headers: byLink })).status, 403);
  }
});
