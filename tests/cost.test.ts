// The bill: an upload shows what it has cost, and a chunk of one part costs two requests to its object, two rows and one
// write to R2, in order or in parallel, however many there were before.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Cost } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { Stack } from "./support/stack.ts";

const CHUNK_BYTES = 5 * MIB;
const CHUNKS = 6;

const file = fileBytes("cost", CHUNKS * CHUNK_BYTES);
let stack: Stack;

before(async () => {
  stack = await Stack.start();
});

after(() => stack.stop());

for (const parallel of [false, true]) {
  test(`each chunk of a ${parallel ? "parallel" : "sequential"} upload costs the same`, async () => {
    const { client } = stack;
    const { uploadId } = await client.create(file, { chunkSize: CHUNK_BYTES, parallel });
    const costs: Cost[] = [(await client.state(uploadId)).cost];
    // The last chunk is followed by the assembling.
    for (let chunk = 0; chunk < CHUNKS - 1; chunk++) {
      await client.putPiece(uploadId, file, chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
      costs.push((await client.state(uploadId)).cost);
    }
    for (const [index, cost] of costs.slice(1).entries()) {
      const spent = (kind: keyof Cost) => cost[kind] - (costs[index]?.[kind] ?? 0);
      assert.equal(spent("workerRequests"), 1);
      assert.equal(spent("objectRequests"), 2);
      assert.equal(spent("rowsWritten"), 2);
      // The first of a file that could have come as a whole has the multipart upload opened.
      assert.equal(spent("r2ClassA"), index === 0 && !parallel ? 2 : 1);
      assert.equal(spent("r2ClassB"), 0);
      assert.ok(spent("rowsRead") <= 6, `${spent("rowsRead")} rows read`);
    }
  });
}

test("what was counted is still there after a crash, but for what no row was written for", async () => {
  const { client } = stack;
  const { uploadId } = await client.create(file, { chunkSize: CHUNK_BYTES });
  await client.putPiece(uploadId, file, 0, CHUNK_BYTES);
  await client.putPiece(uploadId, file, CHUNK_BYTES, 2 * CHUNK_BYTES);
  const { cost } = await client.state(uploadId);
  await stack.kill();
  await stack.restart();
  const later = (await client.state(uploadId)).cost;
  // The second chunk's begin was stored with its row; its commit stores a part and not how far the upload is.
  assert.equal(later.objectRequests, cost.objectRequests - 1);
  assert.equal(later.r2ClassA, cost.r2ClassA - 1);
});

test("asking for the cost costs the upload nothing", async () => {
  const { client } = stack;
  const { uploadId } = await client.create(file);
  const { cost } = await client.state(uploadId);
  assert.deepEqual((await client.state(uploadId)).cost, cost);
});
