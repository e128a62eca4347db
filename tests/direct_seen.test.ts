// What an operator sees of bytes that never pass the Worker: their cost, their history and their lines are as true as those of relayed
// bytes, also when the upload's object has slept in between, which is what it does while a large part is under way.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Cost } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { DirectClient } from "./support/direct.ts";
import { sceneWithS3Alone } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const { client, stack } = await sceneWithS3Alone();
const direct = new DirectClient(client);

const CHUNK_BYTES = 5 * MIB;
const chunkSize = CHUNK_BYTES;
const file = fileBytes("direct, and seen", 2 * CHUNK_BYTES + 9);

type Entry = { event: string; times: number; uploadedBytes: number; detail: string | null };

const costOf = async (id: string): Promise<Cost> => (await client.state(id)).cost;

/** What of the cost has come since. */
async function spentSince(before: Cost, id: string): Promise<Partial<Cost>> {
  const now = await costOf(id);
  const { rowsRead: _, ...spent } = now;
  return Object.fromEntries(Object.entries(spent).map(([kind, count]) => [kind, count - before[kind as keyof Cost]]));
}

async function historyOf(id: string): Promise<[string, number][]> {
  const { entries } = (await client.request("GET", `/upload/${id}/log`)).json<{ entries: Entry[] }>();
  return entries.map(({ event, times }) => [event, times]);
}

async function asleep(): Promise<void> {
  await stack.kill();
  await stack.restart();
}

test("signing costs a request and a row for each part, and storing a part what R2 charges, whoever sent it", async () => {
  const { uploadId } = await direct.create(file, { chunkSize });
  let before = await costOf(uploadId);
  const none = { queueOperations: 0, r2ClassB: 0 };
  const [first, second, third] = await direct.sign(uploadId, 0, 1, 2);
  assert.ok(first && second && third);
  // Three rows of numbers, and one of how far the upload is.
  const signed = { workerRequests: 1, objectRequests: 1, rowsWritten: 4, r2ClassA: 0, ...none };
  assert.deepEqual(await spentSince(before, uploadId), signed);

  before = await costOf(uploadId);
  const stored = await direct.store(first, file);
  assert.deepEqual(await spentSince(before, uploadId), {
    ...signed,
    workerRequests: 0,
    objectRequests: 0,
    rowsWritten: 0,
  });
  await direct.record(uploadId, stored);
  // UploadPart and ListParts.
  const recorded = { workerRequests: 1, objectRequests: 2, rowsWritten: 2, r2ClassA: 2, ...none };
  assert.deepEqual(await spentSince(before, uploadId), recorded);

  before = await costOf(uploadId);
  await direct.record(uploadId, stored);
  assert.deepEqual(await spentSince(before, uploadId), { ...recorded, rowsWritten: 0, r2ClassA: 1 }, "the same again");

  before = await costOf(uploadId);
  await asleep();
  assert.deepEqual(
    (await costOf(uploadId)).objectRequests,
    before.objectRequests - 2,
    "only what changed nothing is lost",
  );
  await direct.record(uploadId, await direct.store(second, file));
  const late = await costOf(uploadId);
  await asleep();
  assert.equal((await costOf(uploadId)).r2ClassA, late.r2ClassA);
  assert.deepEqual(await historyOf(uploadId), [
    ["created", 1],
    ["signed", 3],
    ["recorded", 2],
  ]);

  await direct.record(uploadId, await direct.store(third, file));
  const { cost } = await client.waitUntilState(uploadId, "completed");
  const line = await waitFor("the line completed", () => stack.log.of(uploadId, "completed")[0]);
  const told = line.cost as Cost;
  for (const [kind, count] of Object.entries(told)) {
    assert.ok(count <= cost[kind as keyof Cost], `${kind}: ${count} of ${cost[kind as keyof Cost]}`);
  }
  // Created, three parts, a list for each of them and for the repeated record, put together. That record was forgotten in between.
  assert.equal(told.r2ClassA, 1 + 3 + 3 + 1);
  assert.ok(told.r2ClassB >= 1 && told.queueOperations === 3, "read back, by one message");
  const counted = stack.log.of(uploadId, "parts_recorded").map(({ bytes, parts }) => [bytes, parts]);
  assert.deepEqual(counted, [
    [CHUNK_BYTES, 1],
    [CHUNK_BYTES, 1],
    [9, 1],
  ]);
  assert.deepEqual(
    stack.log.of(uploadId, "parts_signed").map(({ parts }) => parts),
    [3],
  );
});

test("a recorded part that was overwritten: the history says that the upload was reopened, and why", async () => {
  const { uploadId } = await direct.create(file, { chunkSize });
  const parts = await direct.sign(uploadId, 0, 1, 2);
  const stored = await Promise.all(parts.map((part) => direct.store(part, file)));
  const [first] = parts;
  assert.ok(first);
  await direct.record(uploadId, ...stored.slice(0, 2));
  await direct.store(first, fileBytes("other bytes", file.length));
  await direct.record(uploadId, ...stored.slice(2));
  await client.waitUntilState(uploadId, "open");
  await direct.record(uploadId, ...stored.slice(1));
  await direct.putChunks(uploadId, file, 0);
  await client.waitUntilState(uploadId, "completed");
  const { entries } = (await client.request("GET", `/upload/${uploadId}/log`)).json<{ entries: Entry[] }>();
  assert.deepEqual(
    entries.map(({ event, times }) => [event, times]),
    [
      ["created", 1],
      ["signed", 3],
      ["recorded", 3],
      ["completing", 1],
      ["reopened", 1],
      ["recorded", 3],
      ["signed", 1],
      ["completing", 1],
      ["verifying", 1],
      ["completed", 1],
    ],
  );
  assert.match(entries.find(({ event }) => event === "reopened")?.detail ?? "", /parts as they were counted/);
});

test("an upload that ends without an object leaves its cost in its last line as well", async () => {
  const { uploadId } = await direct.create(file, { chunkSize });
  await direct.putChunks(uploadId, file, 0);
  assert.equal((await client.abort(uploadId)).status, 204);
  const line = await waitFor("the line aborted", () => stack.log.of(uploadId, "aborted")[0]);
  const { workerRequests, r2ClassA } = line.cost as Cost;
  // Created, signed, recorded, cancelled; created, a part, a list.
  assert.deepEqual([workerRequests, r2ClassA], [4, 3]);
});
