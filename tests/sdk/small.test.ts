// A small file goes along with the creation of its upload: one request. Nothing is remembered, and nothing claimed.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import type { Claims, HttpRequest } from "../../client/src/interfaces.ts";
import {
  assertSays,
  created,
  Dialogue,
  failing,
  fileOf,
  ID,
  type Line,
  MemoryStore,
  offset,
  problem,
  type Reply,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const WITH_FILE = "POST /files";
const ONE = { oneRequest: true };
const noClaim = () => assert.fail("claimed");
const noRecord = () => assert.fail("remembered");
const completed: Line = ["GET /upload/{id}/status", status("completed", 5, 5)];

function along(uploadedBytes: number): Reply {
  const headers = { Location: `https://upload.example.com/files/${ID}`, "Upload-Offset": String(uploadedBytes) };
  return { status: 201, headers };
}

/** `Upload-Metadata` as the server reads it. */
function said({ headers }: HttpRequest): Record<string, string> {
  const pairs = headers["Upload-Metadata"]?.split(",").map((pair) => pair.split(" ")) ?? [];
  return Object.fromEntries(pairs.map(([key, value]) => [key, Buffer.from(String(value), "base64").toString()]));
}

test("the file, its name, type, metadata and checksum go in one request, and no channel is opened", async () => {
  const talk = new Dialogue([WITH_FILE, along(5)]);
  const file = fileOf(5, "Über\r.mp4");
  const claims: Claims = { claim: noClaim, takeOver: noClaim, leave: () => {} };
  const scene = new Scene(file, talk, { ...ONE, claims, metadata: { album: "é" } });
  scene.store.set = noRecord;
  assert.deepEqual(await scene.upload.start(), { uploadId: ID, duplicate: false, object: null });
  talk.end();
  const [request] = talk.requests as [HttpRequest];
  const { "quayside.fingerprint": fingerprint, ...rest } = said(request);
  assert.deepEqual(rest, { filename: "Über.mp4", filetype: "video/mp4", album: "é" });
  assert.match(String(fingerprint), /^[0-9a-f]{64}$/);
  const bytes = Buffer.from(await file.arrayBuffer());
  assert.deepEqual(Buffer.from(request.body as Uint8Array), bytes);
  assert.equal(request.headers["Upload-Length"], "5");
  const digest = createHash("sha256").update(bytes).digest("base64");
  assert.equal(request.headers["Upload-Checksum"], `sha256 ${digest}`);
  assert.deepEqual(scene.states, ["starting", "uploading", "completed"]);
  assert.deepEqual(scene.progress, [0, 5]);
  assert.equal(scene.live.opened.length, 0);
  assert.equal(scene.store.records.size, 0);
});

test("an answer that was lost is asked for again, under the same key", async () => {
  const talk = new Dialogue([WITH_FILE, "no answer"], [WITH_FILE, along(5)]);
  await new Scene(fileOf(5), talk, ONE).upload.start();
  talk.end();
  assert.equal(talk.header(0, "Idempotency-Key"), talk.header(1, "Idempotency-Key"));
  assert.deepEqual(talk.requests[0]?.headers, talk.requests[1]?.headers);
});

test("bytes that were damaged on their way end that upload, and another is asked for", async () => {
  const talk = new Dialogue([WITH_FILE, problem(460, "checksum-mismatch")], [WITH_FILE, along(5)]);
  let turn = 0;
  const random = () => ++turn / 1000;
  await new Scene(fileOf(5), talk, { ...ONE, runtime: { random } }).upload.start();
  talk.end();
  assert.notEqual(talk.header(0, "Idempotency-Key"), talk.header(1, "Idempotency-Key"));
});

test("what was cut short goes on as the server says", async () => {
  const talk = new Dialogue(
    [WITH_FILE, along(0)],
    ["GET /upload/{id}/status", status("open", 0, 5)],
    ["HEAD /upload/{id}", offset(0)],
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    completed,
  );
  await new Scene(fileOf(5), talk, ONE).upload.start();
  talk.end();
});

test("an object that is not there yet is waited for as ever", async () => {
  const notYet = { status: 201, headers: { "Tus-Resumable": "1.0.0", Location: `/files/${ID}`, "Retry-After": "1" } };
  const asked: Line = ["GET /upload/{id}/status", status("completing", 5, 5)];
  const talk = new Dialogue([WITH_FILE, notYet], asked, asked, completed);
  const scene = new Scene(fileOf(5), talk, ONE);
  await scene.upload.start();
  talk.end();
  assert.equal(scene.live.opened.length, 1);
});

test("where something in front lets only the JSON API through, it goes that way", async () => {
  for (const refused of [{ status: 404 }, { status: 405, body: "<html>" }, { status: 403 }]) {
    const talk = new Dialogue(
      [WITH_FILE, refused],
      ["POST /upload/init", created()],
      ["PUT /upload/{id} 0-5", taken(5, 5)],
      completed,
    );
    await new Scene(fileOf(5), talk, ONE).upload.start();
    talk.end();
  }
});

test("what the server refuses is an error like any other", async () => {
  const refused = problem(415, "type-not-allowed");
  const scene = new Scene(fileOf(5), new Dialogue([WITH_FILE, refused]), ONE);
  assertSays(await failing(scene), "rejected", "none", /Title of type-not-allowed/);
  const failed = problem(410, "upload-gone", { state: "failed", detail: "It has another type." });
  const other = new Scene(fileOf(5), new Dialogue([WITH_FILE, failed]), ONE);
  assertSays(await failing(other), "failed", "start-over", /It has another type/);
});

test("cancelled before there was an answer, it is found by its key and removed", async () => {
  const aborting: Promise<void>[] = [];
  const talk = new Dialogue(
    [
      WITH_FILE,
      () => {
        queueMicrotask(() => aborting.push(scene.upload.abort()));
        return "hangs";
      },
    ],
    [WITH_FILE, along(5)],
    ["DELETE /upload/{id}", { status: 204 }],
  );
  const scene: Scene = new Scene(fileOf(5), talk, ONE);
  await assert.rejects(scene.upload.start(), { code: "aborted" });
  await Promise.all(aborting);
  talk.end();
  assert.equal(talk.header(0, "Idempotency-Key"), talk.header(1, "Idempotency-Key"));
});

test("what tus cannot say, or what is wanted otherwise, goes by the JSON API", async () => {
  const json = ["POST /upload/init", problem(400, "bad-request")] as const;
  for (const options of [
    { metadata: { "with space": "" } },
    { metadata: { name: "another name" } },
    { metadata: { long: "x".repeat(3000) } },
    { direct: true },
    { parallel: true },
    { dedup: true },
    { chunkBytes: 4, parallel: false },
  ]) {
    const talk = new Dialogue(json);
    await failing(new Scene(fileOf(5), talk, { ...ONE, ...options }));
    talk.end();
  }
  const empty = new Dialogue(json);
  await failing(new Scene(fileOf(0), empty, ONE));
  empty.end();
});

test("read once: what is sent is what was hashed, also when it is sent again and the file has gone meanwhile", async () => {
  const file = fileOf(5);
  const bytes = Buffer.from(await file.arrayBuffer());
  let reads = 0;
  file.arrayBuffer = async () => {
    reads += 1;
    return Uint8Array.from(bytes).buffer;
  };
  file.slice = () => assert.fail("a piece was read");
  const talk = new Dialogue([WITH_FILE, "no answer"], [WITH_FILE, { status: 503 }], [WITH_FILE, along(5)]);
  await new Scene(file, talk, ONE).upload.start();
  talk.end();
  assert.equal(reads, 1);
  assert.deepEqual(
    talk.requests.map(({ body }) => Buffer.from(body as Uint8Array)),
    [bytes, bytes, bytes],
  );
});

test("one that was cut short is remembered, and after a reload goes on", async () => {
  const store = new MemoryStore();
  const open: Line = ["GET /upload/{id}/status", status("open", 2, 5)];
  const more = new Dialogue([WITH_FILE, along(2)], open, ["HEAD /upload/{id}", { status: 401 }]);
  await failing(new Scene(fileOf(5), more, { ...ONE, store }));
  assert.deepEqual([...store.records.values()], [{ uploadId: ID }]);
  const rest = new Dialogue(open, ["HEAD /upload/{id}", offset(2)], ["PUT /upload/{id} 2-5", taken(5, 5)], completed);
  await new Scene(fileOf(5), rest, { ...ONE, store }).upload.start();
  rest.end();
  assert.equal(store.records.size, 0);
});

test("paused on its way and resumed, it is the same upload; with another content by then, it says so", async () => {
  const file = fileOf(5);
  const talk = new Dialogue([WITH_FILE, "hangs"], [WITH_FILE, along(5)]);
  const scene = new Scene(file, talk, ONE);
  const done = scene.upload.start();
  await scene.state("uploading");
  scene.upload.pause();
  scene.upload.resume();
  await done;
  talk.end();
  assert.equal(talk.header(0, "Idempotency-Key"), talk.header(1, "Idempotency-Key"));

  const changed = fileOf(5);
  const other = new Scene(changed, new Dialogue([WITH_FILE, "hangs"]), ONE);
  const failed = failing(other);
  await other.state("uploading");
  other.upload.pause();
  changed.arrayBuffer = async () => new Uint8Array(5).buffer;
  other.upload.resume();
  assertSays(await failed, "file-changed", "start-over", /content/);
});
