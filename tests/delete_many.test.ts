// `POST /uploads/delete`: many uploads at once. Each is deleted or refused for itself, and the answer says which.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, beforeEach, test } from "node:test";

import type { Created, DeletedMany } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import type { Headers } from "./support/http.ts";
import { Listing } from "./support/listing.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";

const stack = await Stack.start({ buildDir: "build-faults", vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "" } });
after(() => stack.stop());
const { client } = stack;
const plan = (...rules: object[]) => client.request("POST", "/faults", { body: JSON.stringify(rules) });
beforeEach(() => plan());

const mayDelete = bearer(mint(stack, claimsOf("alice", { quayside: { delete: true } })));
const mayNot = bearer(mint(stack, claimsOf("alice")));
const bob = bearer(mint(stack, claimsOf("bob")));
const list = new Listing(client, mayDelete);
const file = fileBytes("many", 1_000);

async function upload(bytes: number, headers: Headers = mayDelete): Promise<Created & { uploadToken: string }> {
  const created = (await client.init({ fileName: "a", fileSize: file.length }, headers)).json<
    Created & { uploadToken: string }
  >();
  if (bytes > 0) {
    assert.equal((await client.put(created.uploadId, 0, file.subarray(0, bytes), headers)).status, 200);
  }
  return created;
}

async function removeAll(uploadIds: unknown[], headers: Headers = mayDelete): Promise<DeletedMany> {
  const reply = await client.request("POST", "/uploads/delete", { headers, body: JSON.stringify({ uploadIds }) });
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json<DeletedMany>();
}

/** Why each was not, in short. */
const whyNot = ({ refused }: DeletedMany) => refused.map(({ uploadId, code, status }) => [uploadId, code, status]);

test("open and finished ones go, each once, in the order in which they were named; and again it is answered so", async () => {
  const ids = [];
  for (const bytes of [0, 600, 1_000, 1_000]) {
    ids.push((await upload(bytes)).uploadId);
  }
  await list.waitForStored(2_000, 2);
  for (const _ of [1, 2]) {
    const answer = await removeAll([...ids, ...ids.toReversed()]);
    assert.deepEqual(answer, { deleted: ids, refused: [] });
  }
  await list.waitFor({ state: "all" }, []);
  await list.waitForStored(0, 0);
  assert.deepEqual(await removeAll([]), { deleted: [], refused: [] });
});

test("another owner's are not there, word for word as those that never were, and stay as they are", async () => {
  const [open, done] = [await upload(10, bob), await upload(1_000, bob)];
  const mine = await upload(1_000);
  const never = randomUUID();
  const answer = await removeAll([open.uploadId, mine.uploadId, never, done.uploadId]);
  assert.deepEqual(answer.deleted, [mine.uploadId]);
  const told = answer.refused.map(({ uploadId: _, ...rest }) => rest);
  assert.deepEqual(whyNot(answer)[1], [never, "upload-not-found", 404]);
  assert.deepEqual(told, [told[1], told[1], told[1]]);
  await new Listing(client, bob).waitFor({ state: "all" }, [done.uploadId, open.uploadId]);
});

test("what is complete goes only for whom the application allows it", async () => {
  const [open, done] = [await upload(10), await upload(1_000)];
  const answer = await removeAll([done.uploadId, open.uploadId], mayNot);
  assert.deepEqual([answer.deleted, whyNot(answer)], [[open.uploadId], [[done.uploadId, "not-permitted", 403]]]);
  assert.deepEqual((await removeAll([done.uploadId])).deleted, [done.uploadId]);
});

test("what is being finished is refused, and goes when it is asked for again", async () => {
  const large = fileBytes("being finished", 9 * MIB);
  const created = await client.init({ fileName: "large", fileSize: large.length }, mayDelete);
  const { uploadId } = created.json<Created>();
  await client.put(uploadId, 0, large.subarray(0, 8 * MIB), mayDelete);
  await plan({ point: "r2.complete", nth: 1, kind: "hang" });
  await client.put(uploadId, 8 * MIB, large.subarray(8 * MIB), mayDelete);
  const other = await upload(0);
  const answer = await removeAll([uploadId, other.uploadId]);
  assert.deepEqual([answer.deleted, whyNot(answer)], [[other.uploadId], [[uploadId, "completing", 409]]]);
  await stack.kill();
  await stack.restart();
  await list.waitForStored(large.length, 1);
  assert.deepEqual((await removeAll([uploadId])).deleted, [uploadId]);
  await list.waitForStored(0, 0);
});

test("one that cannot be asked keeps nobody from deleting the others", async () => {
  const uploads = [await upload(0), await upload(0), await upload(0)].map(({ uploadId }) => uploadId);
  await plan(...Array.from({ length: 8 }, (_, nth) => ({ point: "object.cancel", nth: nth + 1, kind: "before" })));
  const answer = await removeAll(uploads);
  assert.equal(answer.deleted.length + answer.refused.length, 3);
  assert.ok(answer.refused.every(({ code, status }) => code === "fault" && status === 500));
  await plan();
  assert.deepEqual(await removeAll(uploads), { deleted: uploads, refused: [] });
});

test("a thousand at once, and not one more; what is no id deletes nothing", async () => {
  const { uploadId } = await upload(0);
  const unknown = Array.from({ length: 999 }, () => randomUUID());
  const answer = await removeAll([...unknown, uploadId]);
  assert.deepEqual([answer.deleted, answer.refused.length], [[uploadId], 999]);

  const kept = await upload(0);
  const body = (uploadIds: unknown) => ({ headers: mayDelete, body: JSON.stringify({ uploadIds }) });
  const many = Array.from({ length: 10_000 }, () => kept.uploadId);
  for (const ids of [many, many.slice(0, 1_001), [kept.uploadId, "all"], [kept.uploadId, null], kept.uploadId, {}]) {
    assertBadRequest(await client.request("POST", "/uploads/delete", body(ids)), "uploadIds");
  }
  assertRefused(await client.request("GET", "/uploads/delete", { headers: mayDelete }), 405, "method-not-allowed");
  assert.equal((await removeAll([kept.uploadId])).deleted.length, 1);
});

test("a token of one upload is for that one alone", async () => {
  const { uploadId, uploadToken } = await upload(0);
  const options = { headers: bearer(uploadToken), body: JSON.stringify({ uploadIds: [uploadId] }) };
  assertRefused(await client.request("POST", "/uploads/delete", options), 403, "not-permitted");
});
