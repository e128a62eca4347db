// Writers that stop sending, or send next to nothing, and keep the connection: they are ended and told so, what counted stays, and
// whoever comes next goes on there.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { PendingRequest, type Reply } from "./support/http.ts";
import { waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { openPatch } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", STALLED_BODY_SECONDS: 2 } });
const { client } = stack;
after(() => stack.stop());

const PART_BYTES = 5 * MIB;
const file = fileBytes("stalled", 3 * PART_BYTES);

/** What a writer announces and how much of it comes; how much of that counts, and whether it comes with a checksum. */
const writers: [string, { announced: number; sent: number; counted: number; checksum?: boolean }][] = [
  ["before the first byte", { announced: PART_BYTES, sent: 0, counted: 0 }],
  ["in its second part", { announced: 2 * PART_BYTES, sent: PART_BYTES + 100_000, counted: PART_BYTES }],
  [
    "in a rest of up to 128 KiB",
    { announced: PART_BYTES + 100_000, sent: PART_BYTES + 4321, counted: PART_BYTES + 4321 },
  ],
  ["in a chunk smaller than a part", { announced: 1000, sent: 999, counted: 999 }],
  ["in a rest above 128 KiB", { announced: PART_BYTES + 2 * MIB, sent: PART_BYTES + MIB, counted: PART_BYTES }],
  ["in a checksummed chunk", { announced: 2 * PART_BYTES, sent: PART_BYTES + 100_000, counted: 0, checksum: true }],
  ["in a checksummed rest", { announced: PART_BYTES + 1000, sent: PART_BYTES + 999, counted: 0, checksum: true }],
];

describe("a writer that stops", { concurrency: true }, () => {
  for (const [where, { announced, sent, counted, checksum }] of writers) {
    test(`${where} is told so, and ${counted} of its ${sent} bytes stay`, {
      concurrency: true,
    }, async () => {
      const { uploadId } = await client.create(file, { chunkSize: PART_BYTES });
      const headers = { "X-Chunk-Checksum": `sha256=${sha256(file.subarray(0, announced))}` };
      const stalled = client.putSlowly(uploadId, 0, announced, checksum ? headers : {});
      stalled.write(file.subarray(0, sent));
      assertRefused(await stalled.reply, 408, "body-stalled", { uploadId, uploadedBytes: counted });
      stalled.cut();

      assert.equal((await client.state(uploadId)).uploadedBytes, counted);
      assert.equal(await client.offset(uploadId), counted);
      await client.putPiece(uploadId, file, counted, file.length);
      const { object } = await client.waitUntilState(uploadId, "completed");
      assert.equal(object?.crc64nvme, crc64nvme(file));
      await waitUntilOnlyObjectLeft(stack.persistDir, uploadId);
    });
  }
});

test("a chunk of a parallel upload that stalls leaves the others alone", async () => {
  const { uploadId } = await client.create(file, { chunkSize: PART_BYTES, parallel: true });
  const stalled = client.putSlowly(uploadId, PART_BYTES, PART_BYTES);
  stalled.write(file.subarray(PART_BYTES, PART_BYTES + MIB));
  for (const offset of [2 * PART_BYTES, 0]) {
    assert.equal((await client.put(uploadId, offset, file.subarray(offset, offset + PART_BYTES))).status, 200);
  }
  // Told as it was when it stalled: of the others, what counted by then.
  const { uploadedBytes } = assertRefused(await stalled.reply, 408, "body-stalled", { uploadId });
  assert.ok([0, PART_BYTES, 2 * PART_BYTES].includes(Number(uploadedBytes)), String(uploadedBytes));
  stalled.cut();

  assert.deepEqual((await client.state(uploadId)).missing, [[PART_BYTES, 2 * PART_BYTES]]);
  assert.equal((await client.put(uploadId, PART_BYTES, file.subarray(PART_BYTES, 2 * PART_BYTES))).status, 200);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});

/** A byte now and then, until there is an answer. */
async function drip(pending: PendingRequest): Promise<Reply> {
  let isAnswered = false;
  const answered = pending.reply.finally(() => {
    isAnswered = true;
  });
  while (!isAnswered) {
    pending.write("x");
    await Promise.race([answered, sleep(100)]);
  }
  return await answered;
}

describe("a byte now and then is no body", { concurrency: true }, () => {
  const sized = (uploadId: string, bytes: number) => client.putSlowly(uploadId, 0, bytes);
  const unsized = (uploadId: string) => openPatch(stack.baseUrl, uploadId, 0);

  test("of a chunk larger than a row", { concurrency: true }, async () => {
    const { uploadId } = await client.create(file, { chunkSize: PART_BYTES });
    assertRefused(await drip(sized(uploadId, PART_BYTES)), 408, "body-stalled", { uploadId, uploadedBytes: 0 });
  });

  test("of a row, of which what came counts", { concurrency: true }, async () => {
    const { uploadId } = await client.create(file, { chunkSize: PART_BYTES });
    const reply = await drip(sized(uploadId, 1000));
    const counted = await client.offset(uploadId);
    assert.ok(counted > 0 && counted < 1000);
    assertRefused(reply, 408, "body-stalled", { uploadId, uploadedBytes: counted });
  });

  test("of a body without length, of which what came counts", { concurrency: true }, async () => {
    const { uploadId } = await client.create(file, { chunkSize: PART_BYTES });
    const reply = await drip(unsized(uploadId));
    assert.equal(reply.status, 409, reply.body.toString());
    assert.match(reply.body.toString(), /body-stalled/);
    const counted = await client.offset(uploadId);
    assert.ok(counted > 0 && counted < 1000);
    assert.equal(reply.header("Upload-Offset"), String(counted));
  });

  test("of a document, whoever sends it", { concurrency: true }, async () => {
    const head = { "Content-Type": "application/json", "Content-Length": 10_000 };
    assertRefused(await drip(new PendingRequest(stack.baseUrl, "POST", "/upload/init", head)), 408, "body-stalled");
  });
});

test("a client that goes away in its document is no fault of ours", async () => {
  const head = { "Content-Type": "application/json", "Content-Length": 1000 };
  const cut = new PendingRequest(stack.baseUrl, "POST", "/upload/init", head);
  await cut.writeThrough(Buffer.from('{"fileName": "half'));
  cut.cut();
  await waitFor("it to be refused", () =>
    stack.log.lines.some(({ event, code }) => event === "refused" && code === "body-cut-short"),
  );
});
