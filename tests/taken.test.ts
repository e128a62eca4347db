// Success stays success: once the origin has taken the object over (`disposition: delete`), the upload is as complete as before, in
// every protocol. Only the bytes are gone.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created, Duplicate, Status } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import type { Reply } from "./support/http.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";
import { Watcher } from "./support/watcher.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin();
const tus = new Tus(client);
const file = fileBytes("taken", 9 * MIB);

const DRAFT = { "Upload-Draft-Interop-Version": "8" };

/** The origin takes this upload's object when it hears of it. Call before the last byte. */
function take(uploadId: string): void {
  origin.script(uploadId, { status: 200, body: { disposition: "delete" } });
}

async function waitUntilTaken(uploadId: string): Promise<Status> {
  const status = await waitFor(`${uploadId} to be taken`, async () => {
    const now = await client.state(uploadId);
    return now.deletedAt !== null && now.delivery === "delivered" && now;
  });
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  return status;
}

function draft(method: string, url: string, headers: Record<string, string | number> = {}, body?: Uint8Array) {
  const options = body === undefined ? {} : { body };
  return client.request(method, url, { headers: { ...DRAFT, ...headers }, ...options });
}

/** What an answer says, without what is another each time. */
function said({ status, headers, body }: Reply): unknown {
  const { date, "server-timing": _timing, ...rest } = headers;
  return { status, headers: rest, body: body.toString() };
}

test("JSON: the status keeps what the object was, and says since when its bytes are gone", async () => {
  const upload = await client.create(file, { sha256: sha256(file) });
  const { uploadId } = upload;
  take(uploadId);
  await client.putPiece(uploadId, file, 0, 8 * MIB);
  const watcher = new Watcher(stack.baseUrl, uploadId);
  await client.putPiece(uploadId, file, 8 * MIB, file.length);
  const status = await waitUntilTaken(uploadId);
  assert.equal(status.state, "completed");
  assert.equal(status.uploadedBytes, file.length);
  assert.equal(status.object?.sha256, sha256(file));
  assert.ok(Math.abs(Date.parse(status.deletedAt ?? "") - Date.now()) < 60_000);

  assert.equal(await client.offset(uploadId), file.length);
  assert.equal((await client.complete(uploadId)).status, 202);
  const kept = await client.upload(file);
  for (const [offset, end] of [
    [0, 1000],
    [file.length - 1, file.length],
  ] as const) {
    const put = (id: string) => client.put(id, offset, file.subarray(offset, end));
    const [toKept, toTaken] = [said(await put(kept.uploadId)), said(await put(uploadId))].map((reply) =>
      JSON.stringify(reply).replaceAll(kept.uploadId, uploadId),
    );
    assert.equal(toTaken, toKept, "a chunk that is there is answered as for any completed upload");
  }
  assertRefused(await client.redeliver(uploadId), 410, "upload-gone", { state: "completed" });

  await watcher.untilClosed();
  const told = watcher.told.at(-1);
  assert.deepEqual([told?.state, told?.delivery, told?.object?.etag], ["completed", "delivered", status.object?.etag]);
  const log = (await client.request("GET", `/upload/${uploadId}/log`)).json<{ entries: { event: string }[] }>();
  assert.ok(log.entries.some(({ event }) => event === "taken"));
});

test("JSON: a chunk that names its range, and whose answer was lost, is told that all is there", async () => {
  for (const parallel of [false, true]) {
    const upload = await client.create(file, { parallel });
    const { uploadId, chunkSize } = upload;
    take(uploadId);
    const range = (from: number) => {
      const to = Math.min(from + chunkSize, file.length);
      return { headers: { "Content-Range": `bytes ${from}-${to - 1}/${file.length}` }, body: file.subarray(from, to) };
    };
    const last = Math.floor((file.length - 1) / chunkSize) * chunkSize;
    for (let from = 0; from < file.length; from += chunkSize) {
      assert.equal((await client.request("PUT", `/upload/${uploadId}`, range(from))).status, 200);
    }
    await waitUntilTaken(uploadId);
    const repeated = await client.request("PUT", `/upload/${uploadId}`, range(last));
    assert.equal(repeated.status, 200, repeated.body.toString());
    const { state, uploadedBytes } = repeated.json<Status>();
    assert.deepEqual([state, uploadedBytes], ["completed", file.length]);
  }
});

test("JSON: only the bytes are 410", async () => {
  const upload = await client.create(file);
  take(upload.uploadId);
  await client.putRest(upload, file);
  const path = await origin.waitForDownloadPath(upload.uploadId);
  await waitUntilTaken(upload.uploadId);
  const { detail } = assertRefused(await client.request("GET", path), 410, "upload-gone", { state: "completed" });
  assert.match(detail, /taken/);
});

test("a repeated creation finds the upload, and the same bytes are no duplicate any more", async () => {
  const declared = { fileName: "again.bin", fileSize: file.length, sha256: sha256(file) };
  const key = { "Idempotency-Key": '"taken"' };
  const created = (await client.init(declared, key)).json<Created>();
  take(created.uploadId);
  await client.putRest(created, file);
  await waitUntilTaken(created.uploadId);
  const repeated = await client.init(declared, key);
  assert.equal(repeated.status, 201);
  const { uploadId, uploadedBytes } = repeated.json<Created>();
  assert.deepEqual([uploadId, uploadedBytes], [created.uploadId, file.length]);
  const anew = await waitFor("the ledger to have heard", async () => {
    const reply = await client.init(declared);
    return reply.status === 201 && reply;
  });
  assert.equal(anew.json<Partial<Duplicate>>().duplicate, undefined);
});

test("tus: a client whose last answer was lost finds all its bytes there", async () => {
  const url = await tus.create({ "Upload-Length": file.length });
  take(idOf(url));
  assert.equal((await tus.patch(url, 0, file)).status, 204);
  const before = await tus.head(url);
  await waitUntilTaken(idOf(url));
  const after = await tus.head(url);
  assert.deepEqual(said(after), said(before));
  assert.equal(after.header("Upload-Offset"), String(file.length));
  const replayed = await tus.patch(url, file.length, new Uint8Array(0));
  assert.deepEqual([replayed.status, replayed.header("Upload-Offset")], [204, String(file.length)]);
  assert.equal((await tus.send("GET", url)).status, 410);
});

test("draft: offset and final response are what they were", async () => {
  const headers = { "Upload-Complete": "?0", "Upload-Length": file.length, "Content-Length": 0 };
  const created = await draft("POST", "/files", headers);
  assert.equal(created.status, 201, created.body.toString());
  const url = new URL(created.header("Location") ?? "", stack.baseUrl).pathname;
  take(idOf(url));
  const last = { "Content-Type": "application/partial-upload", "Upload-Complete": "?1" };
  const final = await draft("PATCH", url, { ...last, "Upload-Offset": 0 }, file);
  assert.deepEqual([final.status, final.header("Upload-Complete")], [200, "?1"], final.body.toString());
  await waitUntilTaken(idOf(url));
  const head = await draft("HEAD", url);
  assert.deepEqual(
    [head.status, head.header("Upload-Complete"), head.header("Upload-Offset")],
    [204, "?1", String(file.length)],
  );
  const replayed = await draft("PATCH", url, { ...last, "Upload-Offset": file.length }, new Uint8Array(0));
  assert.deepEqual([replayed.status, replayed.body.toString()], [final.status, final.body.toString()]);
  const bytes = await draft("GET", url);
  assert.deepEqual([bytes.status, bytes.header("Upload-Complete")], [410, "?1"]);
});

test("it stays so after a power cut", async () => {
  const upload = await client.create(file);
  take(upload.uploadId);
  await client.putRest(upload, file);
  const status = await waitUntilTaken(upload.uploadId);
  await stack.kill();
  await stack.restart();
  const later = await client.state(upload.uploadId);
  assert.deepEqual([later.state, later.object, later.deletedAt], ["completed", status.object, status.deletedAt]);
});
