// The list of all that is held, whosever it is: oldest first, with what its owner's list says of it; and it is right in the end, whatever became
// of what its register was told.

import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import { Admin } from "./support/admin.ts";
import type { Created } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import type { Headers } from "./support/http.ts";
import { Listing } from "./support/listing.ts";
import { rowsOfRegister } from "./support/object_state.ts";
import { assertBadRequest } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({
  buildDir: "build-faults",
  vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", TOMBSTONE_TTL_SECONDS: 86_400 },
});
after(() => stack.stop());
beforeEach(() => fail());
const { client } = stack;
const admin = new Admin(stack);
const file = fileBytes("to be looked at", 500);

type HeldFile = { id: string; owner: string; headers: Headers };

/** From now on these calls fail, before they have happened or behind that; all others do not. */
async function fail(...points: [point: string, kind: "before" | "after"][]): Promise<void> {
  const nths = Array.from({ length: 200 }, (_, index) => index + 1);
  const rules = points.flatMap(([point, kind]) => nths.map((nth) => ({ point, nth, kind })));
  for (const plan of [[], rules]) {
    assert.equal((await client.request("POST", "/faults", { body: JSON.stringify(plan) })).status, 200);
  }
}

async function upload(owner: string, fileName = `${owner}.bin`): Promise<HeldFile> {
  const headers = bearer(mint(stack, claimsOf(owner, { quayside: { hold: true } })));
  const created = await client.init({ fileName, fileSize: file.length }, headers);
  assert.equal(created.status, 201, created.body.toString());
  const id = created.json<Created>().uploadId;
  assert.equal((await client.put(id, 0, file, headers)).status, 200);
  await waitFor("it to be whole", async () => (await admin.show(id)).status.held);
  return { id, owner, headers };
}

const release = async ({ id }: HeldFile) =>
  assert.equal((await admin.send("POST", `uploads/${id}/release`)).status, 200);
const reject = async ({ id }: HeldFile) => assert.equal((await admin.send("POST", `uploads/${id}/reject`)).status, 200);
const remove = async ({ id, headers }: HeldFile) =>
  assert.equal((await client.request("DELETE", `/upload/${id}`, { headers })).status, 204);

const listed = async () => (await admin.held()).uploads.map(({ uploadId }) => uploadId);
const known = () => rowsOfRegister(stack.persistDir, "held_upload").map((row) => String(row.upload_id));

/** Until the register knows so much, without anybody's asking for the list, which would mend it. */
function knows(what: string, files: HeldFile[]): Promise<unknown> {
  const ids = files.map(({ id }) => id).toSorted();
  return waitFor(what, () => known().toSorted().join() === ids.join(), { lastSeen: known });
}

test("what three owners have is listed, and what is released, rejected or deleted is not", async () => {
  const files = [await upload("alice"), await upload("bob"), await upload("carol")];
  const open = bearer(mint(stack, claimsOf("dora", { quayside: { hold: true } })));
  assert.equal((await client.init({ fileName: "open.bin", fileSize: 5 }, open)).status, 201);
  await knows("the register to know the three", files);
  const { uploads, next } = await admin.held();
  assert.deepEqual(
    uploads.map(({ uploadId, owner, held }) => [uploadId, owner, held]),
    files.map(({ id, owner }) => [id, owner, true]),
  );
  assert.equal(next, undefined);
  const [first] = uploads;
  const [her] = files;
  assert.ok(first && her);
  const [own] = await new Listing(client, her.headers).all({ state: "completed" });
  assert.deepEqual(first, { ...own, owner: "alice", reason: null }, "as her own list says it, and whose it is");
  const behind = await admin.held(`${Date.parse(first.createdAt)}.${first.uploadId}`);
  assert.deepEqual(
    behind.uploads.map(({ owner }) => owner),
    ["bob", "carol"],
  );
  const [alices, bobs, carols] = files as [HeldFile, HeldFile, HeldFile];
  await release(alices);
  assert.deepEqual(await listed(), [bobs.id, carols.id], "at once");
  await reject(bobs);
  await remove(carols);
  await knows("the register to know none", []);
  assert.deepEqual(await listed(), []);
});

test("a register that does not answer hears it all in the end, and the list says nothing that is not so", async () => {
  await fail(["object.held", "before"]);
  const files = [await upload("alice"), await upload("bob"), await upload("carol"), await upload("dora")];
  assert.deepEqual(known(), []);
  await fail(["object.held", "after"]);
  await knows("it to hear what its answer was lost of", files);
  await fail(["object.held", "before"]);
  const [alices, bobs, carols, doras] = files as [HeldFile, HeldFile, HeldFile, HeldFile];
  await release(alices);
  await reject(bobs);
  await remove(carols);
  assert.equal(known().length, 4, "nobody has told it");
  await fail();
  await knows("it to hear that they are not held any more", [doras]);
  assert.deepEqual(await listed(), [doras.id]);
  await release(doras);
  await knows("it to hear of the last", []);
});

test("what a late call has put back is taken out by whoever lists", async () => {
  await fail(["object.held", "after"]);
  const one = await upload("erin");
  await knows("the register to have it", [one]);
  // Its object tells its ledger first, and so comes to tell nobody.
  await fail(["object.settle", "before"]);
  await release(one);
  assert.deepEqual(await listed(), []);
  assert.deepEqual(known(), []);
});

test("a hundred are a page", async () => {
  const files: HeldFile[] = [];
  for (let number = 0; number < 102; number++) {
    files.push(await upload("frank", `${number}`));
  }
  await knows("the register to know all of them", files);
  const first = await admin.held();
  const second = await admin.held(first.next);
  assert.deepEqual([first.uploads.length, second.uploads.length, second.next], [100, 2, undefined]);
  assert.deepEqual(
    [...first.uploads, ...second.uploads].map(({ uploadId }) => uploadId),
    files.map(({ id }) => id),
    "oldest first",
  );
});

test("what is no place in the list is named", async () => {
  for (const cursor of ["", "1", "alice"]) {
    assertBadRequest(await admin.get(`held-uploads?cursor=${cursor}`), "cursor");
  }
});
