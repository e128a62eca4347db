// Writers that stop sending and keep the connection: they are ended and told so, what counted stays, and whoever comes
// next goes on there.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";

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
  assertRefused(await stalled.reply, 408, "body-stalled", { uploadId, uploadedBytes: 2 * PART_BYTES });
  stalled.cut();

  assert.deepEqual((await client.state(uploadId)).missing, [[PART_BYTES, 2 * PART_BYTES]]);
  assert.equal((await client.put(uploadId, PART_BYTES, file.subarray(PART_BYTES, 2 * PART_BYTES))).status, 200);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});
