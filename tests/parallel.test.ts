// Chunks in any order, several at once: every chunk is a part of its own, may be tried again at any time, and harms no
// other. What is missing is told as ranges and as a bitmap; the origin gets the same bytes.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import type { Created, Status } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, randomNumbers, sha256, shuffled } from "./support/bytes.ts";
import { waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithOrigin({}, { connections: 6 });

const CHUNK_BYTES = 5 * MIB;
const AT_ONCE = 4;

/** Three chunks, the last of them short. */
const small = fileBytes("three chunks", 2 * CHUNK_BYTES + MIB);
const garbage = fileBytes("garbage", small.length);

async function create(file: Uint8Array, fields = {}): Promise<Created> {
  const upload = await client.create(file, { parallel: true, chunkSize: CHUNK_BYTES, ...fields });
  assert.equal(upload.chunkSize, CHUNK_BYTES);
  return upload;
}

function chunkOf(file: Uint8Array, chunk: number): Uint8Array {
  return file.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
}

async function putChunk(id: string, file: Uint8Array, chunk: number): Promise<void> {
  const reply = await client.put(id, chunk * CHUNK_BYTES, chunkOf(file, chunk));
  assert.equal(reply.status, 200, `chunk ${chunk}: ${reply.body}`);
}

/** Puts these chunks, a few at once. */
async function putChunks(id: string, file: Uint8Array, chunks: number[]): Promise<void> {
  const waiting = [...chunks];
  const writers = Array.from({ length: AT_ONCE }, async () => {
    for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
      await putChunk(id, file, chunk);
    }
  });
  await Promise.all(writers);
}

/** The chunks that a status says are missing. */
function missingChunks(status: Status): number[] {
  const all = Array.from({ length: Math.ceil(status.fileSize / CHUNK_BYTES) }, (_, chunk) => chunk);
  const isMissing = (chunk: number) =>
    status.missing.some(([from, to]) => from <= chunk * CHUNK_BYTES && chunk * CHUNK_BYTES < to);
  return all.filter(isMissing);
}

async function assertCompletedAs(id: string, file: Uint8Array): Promise<void> {
  const { object, uploadedBytes, missing } = await client.waitUntilState(id, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
  assert.equal(uploadedBytes, file.length);
  assert.deepEqual(missing, []);
  await waitUntilOnlyObjectLeft(stack.persistDir, id);
}

test(`chunks in random order, ${AT_ONCE} at once, reach the origin whole`, async () => {
  const file = fileBytes("parallel", 8 * CHUNK_BYTES + 12_345);
  const { uploadId } = await create(file, { crc64nvme: crc64nvme(file) });
  await putChunks(uploadId, file, shuffled([...Array(9).keys()], randomNumbers("parallel")));
  await assertCompletedAs(uploadId, file);
  const record = await origin.waitForStored(uploadId);
  assert.equal(record.sha256, sha256(file));
  assert.equal(record.crc64nvme, crc64nvme(file));
});

test("the status tells what is missing as ranges and as a bitmap, and HEAD the first gap", async () => {
  const file = fileBytes("status on the way", 9 * CHUNK_BYTES + 1);
  const { uploadId, limits } = await create(file);
  assert.equal(limits.partBytes, CHUNK_BYTES);
  const expect = async (uploadedBytes: number, firstGap: number, missing: string, bits: number[]) => {
    const status = await client.state(uploadId);
    assert.equal(status.mode, "parallel");
    assert.equal(status.uploadedBytes, uploadedBytes);
    const inChunks = status.missing.map(([from, to]) => `${from / CHUNK_BYTES}-${Math.ceil(to / CHUNK_BYTES)}`);
    assert.equal(inChunks.join(" "), missing);
    assert.deepEqual([...Buffer.from(status.receivedChunksBitmap ?? "", "base64")], bits);
    assert.equal(await client.offset(uploadId), firstGap * CHUNK_BYTES);
  };
  await expect(0, 0, "0-10", [0, 0]);
  assert.deepEqual((await client.state(uploadId)).missing, [[0, file.length]]);
  await putChunk(uploadId, file, 9);
  await expect(1, 0, "0-9", [0, 0b0100_0000]);
  await putChunk(uploadId, file, 3);
  await expect(CHUNK_BYTES + 1, 0, "0-3 4-9", [0b0001_0000, 0b0100_0000]);
  await putChunk(uploadId, file, 0);
  await expect(2 * CHUNK_BYTES + 1, 1, "1-3 4-9", [0b1001_0000, 0b0100_0000]);
  const early = await client.complete(uploadId);
  assertRefused(early, 409, "incomplete", { missingBytes: 7 * CHUNK_BYTES, uploadedBytes: 2 * CHUNK_BYTES + 1 });
  await putChunks(uploadId, file, [8, 7, 1, 2, 6, 5, 4]);
  await assertCompletedAs(uploadId, file);
});

test("a chunk that is there already is answered with the truth and stays what it is", async () => {
  const { uploadId } = await create(small);
  await putChunk(uploadId, small, 1);
  await assertNothingCounted(client, uploadId, async () => {
    const range = `bytes ${CHUNK_BYTES}-${2 * CHUNK_BYTES - 1}/${small.length}`;
    for (const headers of [{ "X-Upload-Offset": CHUNK_BYTES }, { "Content-Range": range }]) {
      const again = await client.request("PUT", `/upload/${uploadId}`, { headers, body: chunkOf(garbage, 1) });
      assert.equal(again.status, 200, again.body.toString());
      assert.equal(again.json<{ uploadedBytes: number }>().uploadedBytes, CHUNK_BYTES);
    }
  });
  await putChunks(uploadId, small, [0, 2]);
  await assertCompletedAs(uploadId, small);
  const late = await client.put(uploadId, 0, chunkOf(small, 0));
  assert.deepEqual([late.status, late.json<{ state: string }>().state], [200, "completed"]);
});

test("a chunk that comes again with its checksum is compared: the same is no conflict, another is", async () => {
  const { uploadId } = await create(small);
  const checked = (bytes: Uint8Array) => ({ "X-Chunk-Checksum": `sha256=${sha256(bytes)}` });
  await client.put(uploadId, CHUNK_BYTES, chunkOf(small, 1), checked(chunkOf(small, 1)));
  await assertNothingCounted(client, uploadId, async () => {
    const same = await client.put(uploadId, CHUNK_BYTES, chunkOf(small, 1), checked(chunkOf(small, 1)));
    assert.equal(same.status, 200, same.body.toString());
    const other = await client.put(uploadId, CHUNK_BYTES, chunkOf(garbage, 1), checked(chunkOf(garbage, 1)));
    assertRefused(other, 409, "chunk-differs", { uploadedBytes: CHUNK_BYTES });
    for (const [sent, claimed] of [
      [garbage, small],
      [small, garbage],
    ] as const) {
      const wrong = await client.put(uploadId, CHUNK_BYTES, chunkOf(sent, 1), checked(chunkOf(claimed, 1)));
      assertRefused(wrong, 422, "checksum-mismatch", { uploadedBytes: CHUNK_BYTES });
    }
  });
  await putChunks(uploadId, small, [0, 2]);
  await assertCompletedAs(uploadId, small);
});

test("a chunk that was stored without a checksum and comes again with one is compared with the bytes that are there", async () => {
  const { uploadId } = await create(small);
  await putChunk(uploadId, small, 2);
  const repeat = (bytes: Uint8Array, headers: Record<string, string>) =>
    client.put(uploadId, 2 * CHUNK_BYTES, chunkOf(bytes, 2), headers);
  const md5 = (bytes: Uint8Array) => createHash("md5").update(bytes).digest("hex");
  await assertNothingCounted(client, uploadId, async () => {
    const same = await repeat(small, { "X-Chunk-Checksum": `md5=${md5(chunkOf(small, 2))}` });
    assert.deepEqual([same.status, same.json<{ uploadedBytes: number }>().uploadedBytes], [200, MIB]);
    const other = await repeat(garbage, { "X-Chunk-Checksum": `md5=${md5(chunkOf(garbage, 2))}` });
    assertRefused(other, 409, "chunk-differs", { uploadedBytes: MIB });
    const wrong = await repeat(small, { "X-Chunk-Checksum": `md5=${md5(chunkOf(garbage, 2))}` });
    assertRefused(wrong, 422, "checksum-mismatch", { uploadedBytes: MIB });
  });
});

test("a chunk that comes again with its checksum and is cut is no harm", async () => {
  const { uploadId } = await create(small);
  await putChunk(uploadId, small, 0);
  await assertNothingCounted(client, uploadId, async () => {
    const checksum = { "X-Chunk-Checksum": `sha256=${sha256(chunkOf(small, 0))}` };
    const running = client.putSlowly(uploadId, 0, CHUNK_BYTES, checksum);
    await running.writeThrough(chunkOf(small, 0).subarray(0, MIB));
    running.cut();
    const same = await client.put(uploadId, 0, chunkOf(small, 0), checksum);
    assert.equal(same.status, 200, same.body.toString());
  });
});

test("a chunk that does not say where it begins is refused", async () => {
  const { uploadId } = await create(small);
  await assertNothingCounted(client, uploadId, async () => {
    const reply = await client.request("PUT", `/upload/${uploadId}`, { body: chunkOf(small, 0) });
    assert.equal(assertRefused(reply, 400, "bad-request").field, "X-Upload-Offset");
  });
});

test("a hundred interruptions of one chunk end nothing", async () => {
  const { uploadId } = await create(small);
  for (let time = 0; time < 100; time += 1) {
    const running = client.putSlowly(uploadId, 0, CHUNK_BYTES);
    await running.writeThrough(chunkOf(garbage, 0).subarray(0, 1_000 * (time % 7)));
    running.cut();
  }
  await waitFor("chunk 0 to be taken", async () => (await client.put(uploadId, 0, chunkOf(small, 0))).status === 200);
  await putChunks(uploadId, small, [1, 2]);
  await assertCompletedAs(uploadId, small);
});

test("while all earlier requests for a chunk may still reach storage it waits, is told so, and goes on when they have ended", async () => {
  const { uploadId } = await create(small);
  const hanging = Array.from({ length: 8 }, () => client.putSlowly(uploadId, 0, CHUNK_BYTES));
  type Log = { entries: { event: string; times: number }[] };
  await waitFor("eight attempts", async () => {
    const { entries } = (await client.request("GET", `/upload/${uploadId}/log`)).json<Log>();
    return entries.some(({ event, times }) => event === "attempt" && times === 8);
  });
  const ninth = await client.put(uploadId, 0, chunkOf(small, 0));
  assertRefused(ninth, 503, "writers-pending", { uploadedBytes: 0 });
  assert.ok(Number(ninth.header("Retry-After")) > 0);
  await putChunks(uploadId, small, [1, 2]);
  for (const running of hanging) {
    running.cut();
  }
  await waitFor("chunk 0 to be taken", async () => (await client.put(uploadId, 0, chunkOf(small, 0))).status === 200);
  await assertCompletedAs(uploadId, small);
});

test("bytes that are not one chunk are refused, and told what a chunk is", async () => {
  const { uploadId } = await create(small);
  await assertNothingCounted(client, uploadId, async () => {
    for (const [from, to] of [
      [0, CHUNK_BYTES - 1],
      [0, CHUNK_BYTES + 1],
      [0, 2 * CHUNK_BYTES],
      [1, CHUNK_BYTES + 1],
      [CHUNK_BYTES, small.length],
      [2 * CHUNK_BYTES, small.length - 1],
      [2 * CHUNK_BYTES + 1, small.length],
    ] as const) {
      const reply = await client.put(uploadId, from, small.subarray(from, to));
      const problem = assertRefused(reply, 400, "chunk-misaligned", { chunkSize: CHUNK_BYTES, uploadedBytes: 0 });
      assert.equal(problem.field, "X-Upload-Offset", `${from} to ${to}`);
    }
    const beyond = await client.put(uploadId, 2 * CHUNK_BYTES, Buffer.alloc(MIB + 1));
    assertRefused(beyond, 413, "beyond-declared-length");
  });
  await putChunks(uploadId, small, [0, 1, 2]);
  await assertCompletedAs(uploadId, small);
});

test("a chunk without bytes changes nothing, and is a mistake anywhere but at the first gap", async () => {
  const { uploadId } = await create(small);
  await putChunk(uploadId, small, 0);
  await assertNothingCounted(client, uploadId, async () => {
    assert.equal((await client.put(uploadId, CHUNK_BYTES, Buffer.alloc(0))).status, 200);
    assertRefused(await client.put(uploadId, 0, Buffer.alloc(0)), 409, "offset-mismatch");
  });
});

test("a chunk that is cut counts for nothing and leaves those that run beside it alone", async () => {
  const { uploadId } = await create(small);
  const [cut, lasting] = [0, 1].map((chunk) => client.putSlowly(uploadId, chunk * CHUNK_BYTES, CHUNK_BYTES));
  assert.ok(cut && lasting);
  await cut.writeThrough(chunkOf(small, 0).subarray(0, CHUNK_BYTES - 1));
  await lasting.writeThrough(chunkOf(small, 1).subarray(0, MIB));
  await putChunk(uploadId, small, 2);
  cut.cut();
  await waitFor("the cut to be noticed", () => stack.log.of(uploadId, "chunk_broken").length > 0);
  lasting.write(chunkOf(small, 1).subarray(MIB));
  assert.equal((await lasting.finish()).status, 200);
  assert.deepEqual(missingChunks(await client.state(uploadId)), [0]);
  await putChunk(uploadId, small, 0);
  await assertCompletedAs(uploadId, small);
});

test("asking for the offset or the status ends no running chunk", async () => {
  const { uploadId } = await create(small);
  const running = client.putSlowly(uploadId, 0, CHUNK_BYTES);
  await running.writeThrough(chunkOf(small, 0).subarray(0, MIB));
  await putChunk(uploadId, small, 1);
  assert.equal(await client.offset(uploadId), 0);
  running.write(chunkOf(small, 0).subarray(MIB));
  assert.equal((await running.finish()).status, 200);
});

for (const fate of ["stalls and is cut", "comes to its end later"]) {
  test(`of two writers of one chunk, one sends garbage and ${fate}: the object has the good bytes`, async () => {
    const { uploadId } = await create(small);
    await putChunks(uploadId, small, [0, 2]);
    const bad = client.putSlowly(uploadId, CHUNK_BYTES, CHUNK_BYTES);
    await bad.writeThrough(chunkOf(garbage, 1).subarray(0, CHUNK_BYTES - 1));
    // Nothing tells when the bad writer has begun. If it is the later one, the good one is told so and comes again.
    await waitFor("the good bytes to be taken", async () => {
      const good = await client.put(uploadId, CHUNK_BYTES, chunkOf(small, 1));
      assert.ok(good.status === 200 || good.status === 409, good.body.toString());
      return good.status === 200;
    });
    if (fate === "comes to its end later") {
      bad.write(chunkOf(garbage, 1).subarray(CHUNK_BYTES - 1));
      assert.equal((await bad.finish()).status, 409);
    } else {
      bad.cut();
    }
    await assertCompletedAs(uploadId, small);
  });
}

test("a checksummed chunk that is damaged counts for nothing, and then whole", async () => {
  const { uploadId } = await create(small);
  const headers = { "X-Chunk-Checksum": `sha256=${sha256(chunkOf(small, 1))}` };
  await assertNothingCounted(client, uploadId, async () => {
    const damaged = await client.put(uploadId, CHUNK_BYTES, chunkOf(garbage, 1), headers);
    assertRefused(damaged, 422, "checksum-mismatch");
  });
  assert.equal((await client.put(uploadId, CHUNK_BYTES, chunkOf(small, 1), headers)).status, 200);
  await putChunks(uploadId, small, [2, 0]);
  await assertCompletedAs(uploadId, small);
});

test("killed in the middle: what counted still counts, and only what is missing is sent again", async () => {
  const file = fileBytes("killed in parallel", 6 * CHUNK_BYTES + 5);
  const { uploadId } = await create(file);
  await putChunks(uploadId, file, [5, 2, 6]);
  const running = [0, 3].map((chunk) => client.putSlowly(uploadId, chunk * CHUNK_BYTES, CHUNK_BYTES));
  await Promise.all(running.map((pending) => pending.writeThrough(file.subarray(0, MIB))));

  await stack.kill();
  for (const pending of running) {
    pending.cut();
  }
  await stack.restart();

  const status = await client.state(uploadId);
  assert.equal(status.uploadedBytes, 2 * CHUNK_BYTES + 5);
  assert.deepEqual(missingChunks(status), [0, 1, 3, 4]);
  await putChunks(uploadId, file, missingChunks(status));
  await assertCompletedAs(uploadId, file);
  assert.equal((await origin.waitForStored(uploadId)).sha256, sha256(file));
});

test("a declared CRC-64 that the chunks do not have is found at completion", async () => {
  const { uploadId } = await create(small, { crc64nvme: crc64nvme(garbage) });
  await putChunks(uploadId, small, [1, 2, 0]);
  const status = await client.waitUntilState(uploadId, "damaged");
  assert.match(status.reason ?? "", /crc-?64-?nvme/i);
  assert.equal((await client.abort(uploadId)).status, 204);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("an upload aborted under several running chunks leaves nothing", async () => {
  const { uploadId } = await create(small);
  await putChunk(uploadId, small, 2);
  const running = [0, 1].map((chunk) => client.putSlowly(uploadId, chunk * CHUNK_BYTES, CHUNK_BYTES));
  await Promise.all(running.map((pending, chunk) => pending.writeThrough(chunkOf(small, chunk).subarray(0, MIB))));
  assert.equal((await client.abort(uploadId)).status, 204);
  for (const [chunk, pending] of running.entries()) {
    pending.write(chunkOf(small, chunk).subarray(MIB));
    assertRefused(await pending.finish(), 410, "upload-gone", { state: "aborted" });
  }
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("a parallel upload of no bytes completes when asked to", async () => {
  const { uploadId } = await create(Buffer.alloc(0));
  assert.equal((await client.complete(uploadId)).status, 202);
  await client.waitUntilState(uploadId, "completed");
  assert.equal((await origin.waitForStored(uploadId)).fileSize, 0);
});
