// How long an unfinished upload lives: as long as bytes come in, and then for the time that every answer says. And how long the link
// to a finished one does: as long as it says.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { PendingRequest } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { BYTES, idOf, Tus, VERSION } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const TTL_SECONDS = 4;

const { origin, client } = await sceneWithScriptedOrigin({ UPLOAD_TTL_SECONDS: TTL_SECONDS });
const tus = new Tus(client);

const until = (what: string, ms: number) => waitFor(what, () => Date.now() > ms);

async function expiresAt(id: string): Promise<number> {
  return Date.parse((await client.state(id)).expiresAt);
}

test("bytes that come in move the end, in every answer that says it", async () => {
  const file = fileBytes("busy", 50);
  const url = await tus.create({ "Upload-Length": file.length });
  const first = await expiresAt(idOf(url));
  for (let at = 0, last = first; at < file.length - 10; at += 10) {
    await until("some time to pass", last - 3_000);
    const patched = await tus.patch(url, at, file.subarray(at, at + 10));
    assert.equal(patched.status, 204);
    const now = await expiresAt(idOf(url));
    assert.ok(now > last, "the status moves along");
    const seconds = (reply: { header(name: string): string | undefined }) =>
      Date.parse(reply.header("Upload-Expires") ?? "");
    const whole = Math.floor(now / 1000) * 1000;
    assert.deepEqual([seconds(patched), seconds(await tus.head(url))], [whole, whole], "and so do tus' answers");
    const draft = await client.request("HEAD", url, { headers: { "Upload-Draft-Interop-Version": "8" } });
    const age = Number(/max-age=(\d+)/.exec(draft.header("Upload-Limit") ?? "")?.[1]);
    assert.ok(Math.abs(age - TTL_SECONDS) <= 1, `and the draft's: ${age}`);
    last = now;
  }
  assert.ok(Date.now() > first, "it has outlived the end that it was created with");
  assert.equal((await tus.patch(url, file.length - 10, file.subarray(-10))).status, 204);
  await client.waitUntilState(idOf(url), "completed");
});

test("a PATCH under way at the old end goes on", async () => {
  const file = fileBytes("under way", 300_000);
  const url = await tus.create({ "Upload-Length": file.length });
  const end = await expiresAt(idOf(url));
  await until("the end to come near", end - 1_500);
  const patch = new PendingRequest(client.baseUrl, "PATCH", url, {
    ...{ "Tus-Resumable": VERSION, "Content-Type": BYTES, "Upload-Offset": 0, "Content-Length": file.length },
  });
  patch.write(file.subarray(0, 150_000));
  await until("the old end to pass", end + 500);
  patch.write(file.subarray(150_000));
  assert.equal((await patch.finish()).status, 204);
  await client.waitUntilState(idOf(url), "completed");
});

test("so does a chunk of a parallel upload", async () => {
  const file = fileBytes("under way beside others", 10 * MIB);
  const upload = await client.create(file, { parallel: true, chunkSize: 5 * MIB });
  const end = Date.parse(upload.expiresAt);
  await until("the end to come near", end - 1_500);
  const chunk = client.putSlowly(upload.uploadId, 0, 5 * MIB);
  chunk.write(file.subarray(0, MIB));
  await until("the old end to pass", end + 500);
  chunk.write(file.subarray(MIB, 5 * MIB));
  assert.equal((await chunk.finish()).status, 200);
  assert.equal((await client.put(upload.uploadId, 5 * MIB, file.subarray(5 * MIB))).status, 200);
  await client.waitUntilState(upload.uploadId, "completed");
});

test("what nobody goes on with ends when the last answer said", async () => {
  const file = fileBytes("abandoned", 100);
  const { uploadId } = await client.create(file);
  const first = await expiresAt(uploadId);
  await until("half of its time to pass", first - 2_000);
  await client.putPiece(uploadId, file, 0, 10);
  const last = await expiresAt(uploadId);
  await until("the first end to pass", first + 200);
  assert.equal((await client.status(uploadId)).status, 200);
  await origin.waitForEvent(uploadId, "upload.expired");
  assert.ok(Date.now() >= last);
  assertRefused(await client.status(uploadId), 410, "upload-gone", { state: "expired" });
});

/** Ended uploads are forgotten after a second here, unless a link to them is good. */
test("a link lives as long as it says, also one that was handed out late", async () => {
  const DOWNLOAD_URL_TTL_SECONDS = 6;
  const scene = await sceneWithScriptedOrigin({ TOMBSTONE_TTL_SECONDS: 1, DOWNLOAD_URL_TTL_SECONDS });
  const { uploadId } = await scene.client.upload(fileBytes("linked", 1000));
  const link = async (nth: number) => {
    const deliveries = await scene.origin.waitForDeliveries(uploadId, nth);
    const url = new URL(deliveries[nth - 1]?.event.data.downloadUrl ?? "");
    return { path: url.pathname + url.search, endsAtMs: Number(url.searchParams.get("expires")) * 1000 };
  };
  const first = await link(1);
  await until("most of the first link's time to pass", first.endsAtMs - 2_000);
  assert.equal((await scene.client.redeliver(uploadId)).status, 202);
  const second = await link(2);
  for (const { path, endsAtMs } of [first, second]) {
    await until("the link to be near its end", endsAtMs - 1_000);
    assert.equal((await scene.client.request("GET", path)).status, 200);
  }
  await waitFor("the upload to be forgotten", async () => (await scene.client.status(uploadId)).status === 404);
  assert.ok(Date.now() > second.endsAtMs);
});

test("settings that cannot hold are refused, saying why", async () => {
  const tooLong = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", UPLOAD_TTL_SECONDS: 561_601 } });
  const tooShort = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", TOMBSTONE_TTL_SECONDS: 86_399 } });
  try {
    const refused = await tooLong.client.init({ fileName: "a", fileSize: 1 });
    const { detail } = assertRefused(refused, 503, "not-configured");
    assert.match(detail, /UPLOAD_TTL_SECONDS is above 561600 \(6\.5 days\): R2 drops unfinished uploads/);
    for (const [stack, name] of [
      [tooLong, /UPLOAD_TTL_SECONDS is above/],
      [tooShort, /TOMBSTONE_TTL_SECONDS is below 86400, a day/],
    ] as const) {
      const ready = await stack.client.request("GET", "/readyz");
      assert.equal(ready.status, 503);
      assert.match(ready.json<{ checks: { settings: string } }>().checks.settings, name);
    }
    assert.equal((await tooShort.client.init({ fileName: "a", fileSize: 1 })).json<Created>().uploadedBytes, 0);
  } finally {
    await tooLong.stop();
    await tooShort.stop();
  }
});
