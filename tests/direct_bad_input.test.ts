// What must not pass the direct door: URLs that are expired, altered, used for other bytes, too late or twice; records of parts that
// R2 does not have so; two doors for one upload.

import assert from "node:assert/strict";
import { test } from "node:test";

import { crc64nvme, fileBytes, MIB } from "./support/bytes.ts";
import { DirectClient } from "./support/direct.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertBadRequest, assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { putPart, S3 } from "./support/s3.ts";
import { sceneWithS3Alone } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const { client, s3 } = await sceneWithS3Alone();
const direct = new DirectClient(client);

const CHUNK_BYTES = 5 * MIB;
const file = fileBytes("direct, and badly", CHUNK_BYTES + 7);
const garbage = fileBytes("garbage", file.length);

async function create(): Promise<string> {
  return (await direct.create(file, { chunkSize: CHUNK_BYTES })).uploadId;
}

async function assertCompletedAsSent(id: string): Promise<void> {
  const { object } = await client.waitUntilState(id, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
}

test("an expired URL stores nothing", async () => {
  const hasty = await S3.withStack({ ORIGIN_WEBHOOK_URL: "", DIRECT_URL_TTL_SECONDS: 1 });
  try {
    const door = new DirectClient(hasty.stack.client);
    const { uploadId } = await door.create(file, { chunkSize: CHUNK_BYTES });
    const part = await door.signOne(uploadId, 1);
    assert.equal(part.validSeconds, 1);
    const refused = await waitFor("the URL to expire", async () => {
      const reply = await putPart(part.url, file.subarray(CHUNK_BYTES));
      return reply.status !== 200 && reply;
    });
    assert.equal(refused.status, 403);
    assert.match(refused.body.toString(), /ExpiredRequest/);
    assert.equal((await hasty.stack.client.state(uploadId)).uploadedBytes, 0);
  } finally {
    hasty.s3.stop();
    await hasty.stack.stop();
  }
});

test("an altered URL stores nothing: another part, upload, object, time or length", async () => {
  const id = await create();
  const other = await create();
  const part = await direct.signOne(id, 1);
  const tail = file.subarray(CHUNK_BYTES);
  const altered = (change: (url: URL) => void) => {
    const url = new URL(part.url);
    change(url);
    return url.href;
  };
  const foreign = new URL((await direct.signOne(other, 1)).url).searchParams.get("uploadId") ?? "";
  for (const url of [
    altered(({ searchParams }) => searchParams.set("partNumber", "1")),
    altered(({ searchParams }) => searchParams.set("uploadId", foreign)),
    altered(({ searchParams }) => searchParams.set("X-Amz-Expires", "604800")),
    altered(({ searchParams }) => searchParams.set("X-Amz-SignedHeaders", "host")),
    altered(({ searchParams }) => searchParams.set("X-Amz-Signature", "0".repeat(64))),
    altered((url) => {
      url.pathname = url.pathname.replace(id, other);
    }),
  ]) {
    const reply = await putPart(url, tail);
    assert.equal(reply.status, 403, `${url}: ${reply.body}`);
  }
  for (const length of [tail.length - 1, tail.length + 1, 0]) {
    const reply = await putPart(part.url, garbage.subarray(0, length));
    assert.equal(reply.status, 403, `${length} bytes: ${reply.body}`);
  }
  assertRefused(await direct.askToRecord(id, [{ partNumber: part.partNumber }]), 409, "part-not-stored");
});

test("a URL that is used again before the record: R2's last answer is what counts", async () => {
  const id = await create();
  const part = await direct.signOne(id, 0);
  const wrong = await direct.store(part, garbage);
  const right = await direct.store(part, file);
  assertRefused(await direct.askToRecord(id, [wrong]), 409, "part-not-stored", { uploadedBytes: 0 });
  await direct.record(id, right);
  await direct.putChunks(id, file, 1);
  await assertCompletedAsSent(id);
});

test("a URL that is used again after the record: nothing wrong is put together, and only that part is sent again", async () => {
  const id = await create();
  const [first, second] = await direct.sign(id, 0, 1);
  assert.ok(first && second);
  const good = await direct.store(first, file);
  await direct.record(id, good);
  await direct.store(first, garbage);
  const last = await direct.store(second, file);
  await direct.record(id, last);
  const reopened = await client.waitUntilState(id, "open");
  assert.match(reopened.reason ?? "", /10025/);
  assert.deepEqual([reopened.uploadedBytes, reopened.missing], [0, [[0, file.length]]]);
  assertRefused(await direct.askToRecord(id, [good]), 409, "part-not-stored");
  await direct.record(id, last);
  const again = await direct.signOne(id, 0);
  assert.equal(again.partNumber, first.partNumber);
  await direct.record(id, await direct.store(again, file));
  await assertCompletedAsSent(id);
});

test("a chunk that is signed again and again has one part, and what counts is what R2 has when it is recorded", async () => {
  const id = await create();
  const old = await direct.signOne(id, 0);
  for (let time = 0; time < 50; time += 1) {
    assert.equal((await direct.signOne(id, 0)).partNumber, old.partNumber);
  }
  const anew = await direct.signOne(id, 0);
  const late = await direct.store(old, garbage);
  const good = await direct.store(anew, file);
  assertRefused(await direct.askToRecord(id, [late]), 409, "part-not-stored");
  await direct.record(id, good);
  await direct.putChunks(id, file, 1);
  await assertCompletedAsSent(id);
});

test("a batch of which one chunk is refused signs none, and says which", async () => {
  const id = await create();
  await direct.putChunks(id, file, 0);
  const before = (await client.request("GET", `/upload/${id}/log`)).body.toString();
  assertRefused(await direct.askForUrls(id, [1, 0]), 409, "chunk-already-stored", { chunk: 0 });
  assert.match(String(assertRefused(await direct.askForUrls(id, [1, 77]), 400, "bad-request").detail), /77/);
  const { entries } = (await client.request("GET", `/upload/${id}/log`)).json<{
    entries: { event: string; times: number }[];
  }>();
  const signed = entries.filter(({ event }) => event === "signed");
  assert.deepEqual(
    signed.map(({ times }) => times),
    [1],
    before,
  );
  await direct.putChunks(id, file, 1);
  await assertCompletedAsSent(id);
});

test("a part that R2 does not have, has with another ETag or another size, or that was never signed", async () => {
  const id = await create();
  const part = await direct.signOne(id, 0);
  await assertNothingCounted(client, id, async () => {
    const missing = await direct.askToRecord(id, [{ partNumber: part.partNumber, etag: "made up" }]);
    assertRefused(missing, 409, "part-not-stored", { uploadedBytes: 0, uploadId: id });
    const stored = await direct.store(part, file);
    const other = await direct.askToRecord(id, [{ ...stored, etag: "made up" }]);
    assertRefused(other, 409, "part-not-stored");
    s3.addedBytes = 1;
    assertRefused(await direct.askToRecord(id, [stored]), 409, "part-size-mismatch");
    s3.addedBytes = 0;
    const together = await direct.askToRecord(id, [stored, { partNumber: 9_999 }]);
    assertRefused(together, 409, "part-not-stored");
  });
  await direct.putChunks(id, file, 1, 0);
  await assertCompletedAsSent(id);
});

test("direct and proxied parts in one upload: each door refuses what belongs to the other", async () => {
  const id = await create();
  await assertNothingCounted(client, id, async () => {
    assertRefused(await client.put(id, 0, file.subarray(0, CHUNK_BYTES)), 409, "direct-only");
  });
  for (const fields of [{}, { parallel: true }]) {
    const proxied = await client.create(file, { chunkSize: CHUNK_BYTES, ...fields });
    await assertNothingCounted(client, proxied.uploadId, async () => {
      assertRefused(await direct.askForUrls(proxied.uploadId, [0]), 409, "not-direct");
      assertRefused(await direct.askToRecord(proxied.uploadId, [{ partNumber: 1 }]), 409, "not-direct");
    });
  }
});

test("bytes that are not of the declared type, where there is a list of types: failed, and nothing stays", async () => {
  const picky = await S3.withStack({ ORIGIN_WEBHOOK_URL: "", ALLOWED_TYPES: "image/png" });
  try {
    const door = new DirectClient(picky.stack.client);
    const page = Buffer.from("<!DOCTYPE html><html><script>alert(1)</script>".padEnd(CHUNK_BYTES));
    const { uploadId } = await door.create(page, { chunkSize: CHUNK_BYTES, contentType: "image/png" });
    await door.putChunks(uploadId, page, 0);
    const { reason } = await picky.stack.client.waitUntilState(uploadId, "failed");
    assert.match(reason ?? "", /text\/html/);
    await waitUntilNothingLeft(picky.stack.persistDir, uploadId);
  } finally {
    picky.s3.stop();
    await picky.stack.stop();
  }
});

test("malformed wishes name what is wrong", async () => {
  const id = await create();
  for (const chunks of [[], [0, 0], [2], Array.from({ length: 101 }, (_, chunk) => chunk)]) {
    assertBadRequest(await direct.askForUrls(id, chunks), "chunks");
  }
  for (const chunks of ["0", [-1], [0.5], null]) {
    assertBadRequest(await direct.askForUrls(id, chunks), "body");
  }
  assertBadRequest(await direct.askToRecord(id, []), "parts");
  assertBadRequest(await direct.askToRecord(id, [{ partNumber: 70_000 }]), "body");
  assertBadRequest(await client.init({ fileName: "a", fileSize: 1, direct: "yes" }), "direct");
});
