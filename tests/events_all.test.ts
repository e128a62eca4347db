// Live state of all of an owner's uploads in one answer: those that are open, and those that are created meanwhile.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { fileBytes } from "./support/bytes.ts";
import { EVENTS, events, type StatusEvent } from "./support/event_stream.ts";
import { Origin } from "./support/origin.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";

const origin = await Origin.prepare();
const vars = { AUTH: "token", ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1 };
const stack = await Stack.start({ vars });
await origin.start(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
const url = `${stack.baseUrl}/uploads/events`;
after(async () => {
  await origin.remove();
  await stack.stop();
});

const as = (owner: string) => bearer(mint(stack, claimsOf(owner)));

async function create(owner: string, file: Uint8Array, name: string): Promise<string> {
  const answer = await client.init({ fileName: name, fileSize: file.length }, as(owner));
  assert.equal(answer.status, 201, answer.body.toString());
  return answer.json<{ uploadId: string }>().uploadId;
}

/** What is told next that fits. */
async function until(feed: AsyncGenerator<StatusEvent>, fits: (status: StatusEvent["status"]) => boolean) {
  for (let next = await feed.next(); !next.done; next = await feed.next()) {
    if (fits(next.value.status)) {
      return next.value.status;
    }
  }
  throw new Error("the answer ended");
}

test("what is open is told at once, what is created later as it comes, and each until the origin has it", async () => {
  const file = fileBytes("one of many", 2000);
  const before = await create("alice", file, "before.bin");
  const feed = events(url, { ...EVENTS, ...as("alice") });
  assert.deepEqual((await feed.next()).value?.status.uploadId, before);

  const later = await create("alice", file, "later.bin");
  const told = await until(feed, ({ uploadId }) => uploadId === later);
  assert.deepEqual([told.state, told.uploadedBytes, told.fileName], ["open", 0, "later.bin"]);

  for (const uploadId of [before, later]) {
    assert.equal((await client.put(uploadId, 0, file, as("alice"))).status, 200);
    await until(feed, (status) => status.uploadId === uploadId && status.delivery === "delivered");
  }
  const third = await create("alice", file, "third.bin");
  await until(feed, ({ uploadId }) => uploadId === third);
  await feed.return(undefined);
});

test("an upload that is created with all its bytes in one request is told too", async () => {
  const feed = events(url, { ...EVENTS, ...as("dora") });
  // Whether the first that is told is that it is open, or that it is delivered already, depends on who is faster.
  const delivered = until(feed, ({ delivery }) => delivery === "delivered");
  const headers = { ...as("dora"), "Content-Type": "application/octet-stream" };
  const answer = await client.request("POST", "/upload?name=whole.bin", { headers, body: fileBytes("whole", 3000) });
  assert.equal(answer.status, 201, answer.body.toString());
  assert.equal((await delivered).fileName, "whole.bin");
  await feed.return(undefined);
});

test("nobody hears of another owner's uploads", async () => {
  const feed = events(url, { ...EVENTS, ...as("bob") });
  const next = feed.next();
  const file = fileBytes("hers", 10);
  await create("alice", file, "hers.bin");
  const his = await create("bob", file, "his.bin");
  assert.equal((await next).value?.status.uploadId, his);
  await feed.return(undefined);
});

test("without a token, with one for another thing, and by another method it is refused", async () => {
  assert.equal((await client.request("GET", "/uploads/events", { headers: EVENTS })).status, 401);
  assert.equal((await client.request("POST", "/uploads/events", { headers: as("alice") })).status, 405);
  const created = await client.init({ fileName: "bound.bin", fileSize: 1 }, as("alice"));
  const { uploadToken } = created.json<{ uploadToken: string }>();
  assert.equal((await client.request("GET", "/uploads/events", { headers: bearer(uploadToken) })).status, 403);
});
