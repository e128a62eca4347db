// `PATCH /upload/{id}`: what is said of a file changes, before and after its end; the application hears what was said when it is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Status } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import type { Reply } from "./support/http.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin();
const file = fileBytes("described", 1_000);

function patch(id: string, metadata: unknown): Promise<Reply> {
  return client.request("PATCH", `/upload/${id}`, { body: JSON.stringify({ metadata }) });
}

function metadataOf(reply: Reply): Status["metadata"] {
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json<Status>().metadata;
}

function heard(uploadId: string) {
  const told = () => origin.deliveries.filter(({ event }) => event.data.uploadId === uploadId);
  return waitFor("the origin to hear of it", () => told().at(-1)?.event.data.metadata);
}

test("what is named is set, null takes out, the rest stays, and its application hears that", async () => {
  const upload = await client.create(file, { metadata: { album: "1", by: "me" } });
  assert.deepEqual(metadataOf(await patch(upload.uploadId, { album: "2", draft: "yes" })), {
    album: "2",
    by: "me",
    draft: "yes",
  });
  const wanted = { album: "2", by: "me" };
  assert.deepEqual(metadataOf(await patch(upload.uploadId, { draft: null, never: null })), wanted);
  await stack.kill();
  await stack.restart();
  assert.deepEqual((await client.state(upload.uploadId)).metadata, wanted);
  await client.putRest(upload, file);
  assert.deepEqual(await heard(upload.uploadId), wanted);

  await client.waitUntilDelivery(upload.uploadId, "delivered");
  const after = await patch(upload.uploadId, { by: "you" });
  assert.deepEqual(metadataOf(after), { album: "2", by: "you" });
  assert.equal(after.json<Status>().delivery, "delivered", "it says itself that the application has heard before");
  assert.equal((await client.redeliver(upload.uploadId)).status, 202);
  await waitFor("the application to hear it now", async () => (await heard(upload.uploadId)).by === "you");
});

test("whatever comes first of a change and the end, all that was said is there in the end", async () => {
  const large = fileBytes("put together", 9 * MIB);
  const upload = await client.create(large);
  await client.putPiece(upload.uploadId, large, 0, 8 * MIB);
  const changes = Array.from({ length: 10 }, (_, number) => patch(upload.uploadId, { [`n${number}`]: String(number) }));
  const end = client.putPiece(upload.uploadId, large, 8 * MIB, large.length);
  const late = Array.from({ length: 10 }, (_, number) => patch(upload.uploadId, { [`l${number}`]: String(number) }));
  await end;
  for (const reply of await Promise.all([...changes, ...late])) {
    metadataOf(reply);
  }
  const { metadata, state, uploadedBytes } = await client.waitUntilState(upload.uploadId, "completed");
  assert.deepEqual([Object.keys(metadata).length, state, uploadedBytes], [20, "completed", large.length]);
});

test("what is not there is not described, and what is malformed changes nothing", async () => {
  const { uploadId } = await client.create(file, { metadata: { a: "b" } });
  for (const metadata of [null, [], "a", { a: 1 }, { a: ["b"] }, { a: "x".repeat(8 * 1024) }]) {
    assertBadRequest(await patch(uploadId, metadata), "metadata");
  }
  assert.equal((await patch(uploadId, { half: "x".repeat(4_200) })).status, 200);
  assertBadRequest(await patch(uploadId, { more: "x".repeat(4_200) }), "metadata");
  const named = await client.request("PATCH", `/upload/${uploadId}`, { body: '{"fileName":"other"}' });
  assertBadRequest(named, "fileName");
  assert.deepEqual(Object.keys((await client.state(uploadId)).metadata), ["a", "half"]);
  assert.equal((await client.abort(uploadId)).status, 204);
  assertRefused(await patch(uploadId, { a: "c" }), 410, "upload-gone", { state: "aborted" });
  assertRefused(await patch("067e6162-3b6f-4ae2-a171-2470b63dff00", { a: "c" }), 404, "upload-not-found");
});
