// Pieces of a file in forms where something is in the way: a ledger that does not hear that an upload has ended, and a sender who is slow.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import type { ChunkTaken, Created } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { dropzone, formOf, type Library, type Piece, ranged, resumable, sendPiece } from "./support/chunked_form.ts";
import type { Client } from "./support/client.ts";
import { PendingRequest, type Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const STALLED_MS = 2_000;

async function started(vars: Record<string, number> = {}): Promise<Client> {
  const stack = await Stack.start({
    buildDir: "build-faults",
    vars: { ORIGIN_WEBHOOK_URL: "", STALLED_BODY_SECONDS: STALLED_MS / 1_000, QUOTA_OPEN_UPLOADS: 1, ...vars },
  });
  after(() => stack.stop());
  return stack.client;
}

const client = await started();

type Answer = ChunkTaken & { uploadId: string };

function assertTaken(reply: Reply): Answer {
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json<Answer>();
}

/** From now on no upload can tell its ledger that it has ended. */
async function keepLedgerFromHearing(client: Client): Promise<void> {
  const rules = Array.from({ length: 200 }, (_, index) => ({ point: "object.settle", nth: index + 1, kind: "before" }));
  assert.equal((await client.request("POST", "/faults", { body: JSON.stringify(rules) })).status, 200);
}

async function stopFailing(client: Client): Promise<void> {
  await client.request("POST", "/faults", { body: "[]" });
  const { uploadId } = await waitFor("the ledger to have heard of all", async () => {
    const reply = await client.init({ fileName: "room.bin", fileSize: 1 });
    return reply.status === 201 && reply.json<Created>();
  });
  assert.equal((await client.abort(uploadId)).status, 204);
}

/** A file of which one piece is there, when its upload ends: `end` does that, and the ledger does not hear of it. */
async function assertBeginsAnew(client: Client, library: Library, end: (uploadId: string) => Promise<unknown>) {
  const file = fileBytes(`${library.name}, ended`, 2 * MIB);
  const [first, last] = library.pieces(file, MIB, randomUUID());
  assert.ok(first && last);
  await keepLedgerFromHearing(client);
  try {
    const { uploadId } = assertTaken(await sendPiece(client, first));
    await end(uploadId);
    assertRefused(await client.init({ fileName: "other.bin", fileSize: 1 }), 429, "quota-exceeded");
    assert.notEqual(assertTaken(await sendPiece(client, first)).uploadId, uploadId);
    const whole = assertTaken(await sendPiece(client, last));
    assert.deepEqual([whole.state, whole.uploadedBytes], ["completed", file.length]);
  } finally {
    await stopFailing(client);
  }
}

for (const library of [resumable, ranged]) {
  test(`${library.name}: what was given up begins anew before the ledger has heard of its end`, async () => {
    await assertBeginsAnew(client, library, async (uploadId) => {
      assert.equal((await client.abort(uploadId)).status, 204);
    });
  });
}

test("what has expired begins anew before the ledger has heard of its end", async () => {
  const client = await started({ UPLOAD_TTL_SECONDS: 6 });
  await assertBeginsAnew(client, resumable, (uploadId) => client.waitUntilState(uploadId, "expired"));
});

test("a piece waits for one in front of it that is sent slowly, and not for one that is not sent", async () => {
  const pieces = dropzone.pieces(fileBytes("slowly", 4 * MIB), 2 * MIB, randomUUID());
  const [first, last] = pieces as [Piece, Piece];
  const { type, body } = await formOf(first);
  const slow = new PendingRequest(client.baseUrl, "POST", "/upload", {
    "Content-Type": type,
    "Content-Length": body.length,
  });
  const waiting = sendPiece(client, last);
  // Longer than it waits where nobody sends, and faster than what counts as stalled.
  const strokes = 25;
  for (let stroke = 0; stroke < strokes; stroke++) {
    slow.write(body.subarray((body.length * stroke) / strokes, (body.length * (stroke + 1)) / strokes));
    await sleep((4 * STALLED_MS) / strokes);
  }
  assertTaken(await slow.finish());
  const whole = assertTaken(await waiting);
  assert.deepEqual([whole.state, whole.uploadedBytes], ["completed", 4 * MIB]);

  const [, alone] = dropzone.pieces(fileBytes("alone", 4 * MIB), 2 * MIB, randomUUID()) as [Piece, Piece];
  assertRefused(await sendPiece(client, alone), 503, "chunk-too-early", { uploadedBytes: 0 });
});
