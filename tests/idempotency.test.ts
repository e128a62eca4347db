// `Idempotency-Key`: a client that does not know whether its creation was heard says it again, and gets the same upload.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import type { Created, InitFields } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import type { Reply } from "./support/http.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
after(() => stack.stop());

const file = fileBytes("idempotent", 10 * MIB);
const fields: InitFields = { fileName: "holiday.mp4", fileSize: file.length, metadata: { album: "2026" } };

function init(key: string, asked: InitFields = fields): Promise<Reply> {
  return client.init(asked, { "Idempotency-Key": key });
}

async function created(key: string, asked: InitFields = fields): Promise<Created> {
  const reply = await init(key, asked);
  assert.equal(reply.status, 201, reply.body.toString());
  assert.equal(reply.header("Location"), reply.json<Created>().uploadUrl);
  return reply.json<Created>();
}

test("the same creation again is the same upload, with all that it was told before", async () => {
  const key = randomUUID();
  const first = await created(key);
  assert.deepEqual(await created(key), first);
  const listed = (await client.openUploads()).filter(({ uploadId }) => uploadId === first.uploadId);
  assert.equal(listed.length, 1);
});

test("the repetition tells how far the upload has come, to its end", async () => {
  const key = randomUUID();
  const { uploadId } = await created(key);
  await client.putPiece(uploadId, file, 0, 1000);
  assert.equal((await created(key)).uploadedBytes, 1000);
  await client.putPiece(uploadId, file, 1000, file.length);
  await client.waitUntilState(uploadId, "completed");
  const again = await created(key);
  assert.equal(again.uploadId, uploadId);
  assert.equal(again.uploadedBytes, file.length);
});

test("the same creation several times at once is one upload", async () => {
  for (let round = 0; round < 5; round++) {
    const key = randomUUID();
    const replies = await Promise.all(Array.from({ length: 8 }, () => init(key)));
    for (const reply of replies) {
      assert.equal(reply.status, 201, reply.body.toString());
    }
    const ids = new Set(replies.map((reply) => reply.json<Created>().uploadId));
    assert.equal(ids.size, 1);
    const [uploadId = ""] = ids;
    assert.equal((await client.abort(uploadId)).status, 204);
    await waitUntilNothingLeft(stack.persistDir, uploadId);
  }
});

test("a key is remembered across a power cut", async () => {
  const key = randomUUID();
  const first = await created(key);
  await client.putPiece(first.uploadId, file, 0, 77);
  await stack.kill();
  await stack.restart();
  const again = await created(key);
  assert.deepEqual(again, { ...first, uploadedBytes: 77, expiresAt: again.expiresAt });
  assert.ok(again.expiresAt >= first.expiresAt, "the end has moved with the bytes");
});

test("another creation under the same key is refused and creates nothing", async () => {
  const key = randomUUID();
  const first = await created(key);
  const before = await client.openUploads();
  for (const other of [
    { ...fields, fileSize: 1 },
    { ...fields, fileName: "another.mp4" },
    { ...fields, metadata: { album: "2027" } },
    { ...fields, parallel: true },
  ]) {
    assertRefused(await init(key, other), 422, "idempotency-mismatch");
  }
  assert.deepEqual(await client.openUploads(), before);
  assert.equal((await created(key)).uploadId, first.uploadId);
});

test("other keys and no key are other uploads", async () => {
  const key = randomUUID();
  const ids = [
    (await created(key)).uploadId,
    (await created(`${key}.`)).uploadId,
    (await created(key.toUpperCase())).uploadId,
    (await client.create(file, fields)).uploadId,
    (await client.create(file, fields)).uploadId,
  ];
  assert.equal(new Set(ids).size, ids.length);
});

test("a key in quotes, as the standard has it, is the same as without", async () => {
  const key = randomUUID();
  assert.equal((await created(`"${key}"`)).uploadId, (await created(key)).uploadId);
});

const badKeys: [string, string][] = [
  ["nothing", ""],
  ["two quotes", '""'],
  ["256 characters", "k".repeat(256)],
  ["letters that are not ASCII", "\u00e9t\u00e9"],
];

for (const [what, key] of badKeys) {
  test(`a key of ${what} is refused`, async () => {
    assertBadRequest(await init(key), "Idempotency-Key");
  });
}

test("a key of 255 characters is the longest", async () => {
  const key = randomUUID().padEnd(255, "k");
  assert.equal((await created(key)).uploadId, (await created(key)).uploadId);
});

test("a creation that was refused is refused again, and the key is free for the right one", async () => {
  const key = randomUUID();
  const malformed = { ...fields, fileSize: -1 };
  assertBadRequest(await init(key, malformed), "fileSize");
  assertBadRequest(await init(key, malformed), "fileSize");
  await created(key);

  const impossible = { fileName: "empty.txt", fileSize: 0, sha256: sha256(file) };
  const another = randomUUID();
  assertRefused(await init(another, impossible), 422, "digest-mismatch");
  assertRefused(await init(another, impossible), 422, "digest-mismatch");
});

test("what is forgotten is not taken for what never was: its id is never used again", async () => {
  const { origin, client } = await sceneWithScriptedOrigin({ TOMBSTONE_TTL_SECONDS: 1, DOWNLOAD_URL_TTL_SECONDS: 1 });
  const key = { "Idempotency-Key": randomUUID() };
  const bytes = fileBytes("forgotten", 100);
  const asked = { fileName: "small.bin", fileSize: bytes.length };
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    const reply = await client.init(asked, key);
    assert.equal(reply.status, 201, reply.body.toString());
    const { uploadId, uploadedBytes } = reply.json<Created>();
    assert.equal(uploadedBytes, 0);
    assert.equal(
      (await client.init(asked, key)).json<Created>().uploadId,
      uploadId,
      "while it is there it is the same",
    );
    assert.equal((await client.put(uploadId, 0, bytes)).status, 200);
    await origin.waitForEvent(uploadId, "upload.completed");
    await waitFor("it to be forgotten", async () => (await client.status(uploadId)).status === 404);
    ids.push(uploadId);
  }
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(new Set(origin.deliveries.map(({ webhookId }) => webhookId)).size, ids.length);
});

test("what was created under a key and aborted is said to be gone", async () => {
  const key = randomUUID();
  const { uploadId } = await created(key);
  assert.equal((await client.abort(uploadId)).status, 204);
  assertRefused(await init(key), 410, "upload-gone", { state: "aborted" });
});
