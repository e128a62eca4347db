// Uploads without trouble, and the ways to stop and to go on: which requests are sent, in which order, and what is told.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { createUpload } from "../../client/src/index.ts";
import type { Hasher, UploadOptions } from "../../client/src/interfaces.ts";
import {
  created,
  Dialogue,
  ENDPOINT,
  fileOf,
  hasher,
  ID,
  MemoryStore,
  OBJECT,
  offset,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const sequential = { parallel: false };

async function sha256Of(file: Blob): Promise<string> {
  return createHash("sha256")
    .update(Buffer.from(await file.arrayBuffer()))
    .digest("hex");
}

test("a file goes up chunk by chunk, each with its checksum, until the server has the whole object", async () => {
  const file = fileOf(25);
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-10", taken(10, 25)],
    ["PUT /upload/{id} 10-20", taken(20, 25)],
    ["PUT /upload/{id} 20-25", taken(25, 25)],
    ["GET /upload/{id}/status", status("completing", 25, 25)],
    ["GET /upload/{id}/status", status("completed", 25, 25)],
  );
  const metadata = { album: "2026" };
  const scene = new Scene(file, talk, { ...sequential, metadata, headers: () => ({ Authorization: "Bearer t" }) });
  assert.deepEqual(await scene.upload.start(), { uploadId: ID, duplicate: false, object: OBJECT });
  talk.end();
  const { metadata: told, ...rest } = talk.json(0);
  assert.match(JSON.stringify(told), /^\{"album":"2026","quayside.fingerprint":"[0-9a-f]{64}"\}$/);
  assert.deepEqual(rest, {
    fileName: "film.mp4",
    fileSize: 25,
    contentType: "video/mp4",
    chunkSize: 10,
    parallel: false,
  });
  assert.match(talk.header(0, "Idempotency-Key") ?? "", /^[0-9a-f]{32}$/);
  assert.equal(talk.header(2, "X-Chunk-Checksum"), `sha256=${await sha256Of(file.slice(10, 20))}`);
  assert.ok(talk.requests.every(({ headers }) => headers.Authorization === "Bearer t"));
  assert.deepEqual(scene.states, ["starting", "uploading", "completing", "completed"]);
  assert.deepEqual(scene.progress, [0, 10, 20, 25]);
  assert.equal(scene.store.records.size, 0, "nothing is left to resume");
});

test("a file of no bytes is completed by asking for it", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["POST /upload/{id}/complete", { status: 202, body: {} }],
    ["GET /upload/{id}/status", status("completed", 0, 0)],
  );
  await new Scene(fileOf(0), talk).upload.start();
  talk.end();
});

test("a name may have emoji", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-3", taken(3, 3)],
    ["GET /upload/{id}/status", status("completed", 3, 3)],
  );
  await new Scene(fileOf(3, "🏖️ Ferien.mp4"), talk).upload.start();
  assert.equal(talk.json(0).fileName, "🏖️ Ferien.mp4");
});

test("pause stops what is on its way; resume asks for the truth and goes on from there", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-10", taken(10, 25)],
    [
      "PUT /upload/{id} 10-20",
      () => {
        queueMicrotask(() => scene.upload.pause());
        return "hangs";
      },
    ],
    ["GET /upload/{id}/status", status("open", 10, 25)],
    ["HEAD /upload/{id}", offset(13)],
    ["PUT /upload/{id} 13-20", taken(20, 25)],
    ["PUT /upload/{id} 20-25", taken(25, 25)],
    ["GET /upload/{id}/status", status("completed", 25, 25)],
  );
  const scene: Scene = new Scene(fileOf(25), talk, sequential);
  const paused = scene.state("paused");
  const done = scene.upload.start();
  await paused;
  assert.equal(talk.requests.length, 3, "nothing is asked while paused");
  assert.equal(scene.store.records.size, 1, "and a reload could go on");
  scene.upload.resume();
  await done;
  talk.end();
  const expected = ["starting", "uploading", "paused", "starting", "uploading from 13", "completing", "completed"];
  assert.deepEqual(scene.states, expected);
});

test("a pause right after the start keeps even the first request back", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    ["GET /upload/{id}/status", status("completed", 5, 5)],
  );
  const scene = new Scene(fileOf(5), talk);
  const paused = scene.state("paused");
  const done = scene.upload.start();
  scene.upload.pause();
  await paused;
  assert.equal(talk.requests.length, 0);
  scene.upload.resume();
  await done;
  talk.end();
});

test("a request that does not listen to its cancellation does not keep a pause from being one", async () => {
  const talk = new Dialogue(
    [
      "POST /upload/init",
      () => {
        queueMicrotask(() => scene.upload.pause());
        return "deaf";
      },
    ],
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    ["GET /upload/{id}/status", status("completed", 5, 5)],
  );
  const scene: Scene = new Scene(fileOf(5), talk);
  const paused = scene.state("paused");
  const done = scene.upload.start();
  await paused;
  scene.upload.resume();
  await done;
  talk.end();
});

test("losing the network shows, ends nothing, and its return is noticed at once", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-10", taken(10, 15)],
    [
      "PUT /upload/{id} 10-15",
      () => {
        queueMicrotask(() => scene.connectivity.become(false));
        return "hangs";
      },
    ],
    ["HEAD /upload/{id}", "no answer"],
    ["HEAD /upload/{id}", offset(10)],
    ["PUT /upload/{id} 10-15", taken(15, 15)],
    ["GET /upload/{id}/status", status("completed", 15, 15)],
  );
  const scene: Scene = new Scene(fileOf(15), talk, {
    ...sequential,
    retry: { firstDelayMs: 1e6, longestDelayMs: 1e6 },
  });
  const offline = scene.state("offline");
  const done = scene.upload.start();
  await offline;
  assert.equal(scene.clock.now, 1_005_000, "what was on its way is given up soon");
  setImmediate(() => scene.connectivity.become(true));
  await done;
  talk.end();
  assert.ok(scene.clock.now < 1_600_000, "the long pause is cut short");
  const expected = ["starting", "uploading", "offline", "uploading from 10", "completing", "completed"];
  assert.deepEqual(scene.states, expected);
});

test("a browser that says there is no network is not believed while requests get through", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    ["GET /upload/{id}/status", status("completed", 5, 5)],
  );
  const scene = new Scene(fileOf(5), talk);
  scene.connectivity.become(false);
  await scene.upload.start();
  talk.end();
  assert.deepEqual(scene.states, ["starting", "uploading", "completing", "completed"]);
});

test("after a reload, the record says where to ask, and only what is missing is sent", async () => {
  const store = new MemoryStore();
  const before = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-10", problem(401, "unauthorized")],
  );
  await assert.rejects(new Scene(fileOf(25), before, { ...sequential, store }).upload.start());
  const talk = new Dialogue(
    ["GET /upload/{id}/status", status("open", 10, 25)],
    ["HEAD /upload/{id}", offset(12)],
    ["PUT /upload/{id} 12-20", taken(20, 25)],
    ["PUT /upload/{id} 20-25", taken(25, 25)],
    ["GET /upload/{id}/status", status("completed", 25, 25)],
  );
  const scene = new Scene(fileOf(25), talk, { ...sequential, store });
  await scene.upload.start();
  talk.end();
  assert.deepEqual(scene.progress, [12, 20, 25]);
});

test("another file of another size or date is another upload", async () => {
  const store = new MemoryStore();
  const refused = () => new Dialogue(["POST /upload/init", created()], ["PUT /upload/{id} 0-5", problem(401, "x")]);
  await assert.rejects(new Scene(fileOf(5), refused(), { store }).upload.start());
  const later = new File([await fileOf(5).arrayBuffer()], "film.mp4", { lastModified: 1_800_000_000_000 });
  const talk = refused();
  await assert.rejects(new Scene(later, talk, { store }).upload.start());
  talk.end();
  assert.equal(store.records.size, 2);
});

test("bytes that the server has already are not sent: the file is hashed first, and the answer is the object", async () => {
  const file = fileOf(25);
  const object = { ...OBJECT, uploadId: "earlier" };
  const talk = new Dialogue(["POST /upload/init", { status: 200, body: { duplicate: true, object } }]);
  const scene = new Scene(file, talk, { dedup: true });
  const told: unknown[] = [];
  scene.upload.on("duplicate", (event) => told.push(event.object));
  assert.deepEqual(await scene.upload.start(), { uploadId: "earlier", duplicate: true, object });
  talk.end();
  assert.equal(talk.json(0).sha256, await sha256Of(file));
  assert.equal(talk.json(0).parallel, true, "the server verifies the hash of a parallel upload too");
  assert.deepEqual(told, [object]);
  assert.deepEqual(scene.states, ["starting", "hashing", "completed"]);
});

test("a hash that was computed once is not computed again: not when the network goes, nor for another upload of the file", async () => {
  const file = fileOf(25);
  let hashed = 0;
  const counting: Hasher = {
    ...hasher,
    file(...args) {
      hashed += 1;
      // The network goes in the middle of it.
      scene.connectivity.become(false);
      return hasher.file(...args);
    },
  };
  const away = () => new Dialogue(...Array.from({ length: 5 }, () => ["POST /upload/init", "no answer"] as const));
  const options = { dedup: true, runtime: { hasher: counting }, retry: { giveUpAfterMs: 10_000 } };
  let scene = new Scene(file, away(), options);
  await assert.rejects(scene.upload.start(), { code: "network" });
  assert.equal(scene.states.filter((state) => state === "hashing").length, 1);
  await assert.rejects(scene.upload.start());
  scene = new Scene(file, away(), options);
  await assert.rejects(scene.upload.start(), { code: "network" });
  assert.equal(hashed, 1);
});

test("abort leaves nothing, neither there nor here", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    [
      "PUT /upload/{id} 0-5",
      () => {
        queueMicrotask(() => aborting.push(scene.upload.abort()));
        return "hangs";
      },
    ],
    ["DELETE /upload/{id}", { status: 204 }],
  );
  const aborting: Promise<void>[] = [];
  const scene: Scene = new Scene(fileOf(5), talk);
  await assert.rejects(scene.upload.start(), { name: "UploadError", code: "aborted" });
  await Promise.all(aborting);
  talk.end();
  assert.equal(scene.upload.state, "aborted");
  assert.deepEqual(scene.errors, [], "to be cancelled is no error");
  assert.equal(scene.store.records.size, 0);
});

test("abort before the creation was answered asks for the same upload again, to remove it", async () => {
  const aborting: Promise<void>[] = [];
  const talk = new Dialogue(
    [
      "POST /upload/init",
      () => {
        queueMicrotask(() => aborting.push(scene.upload.abort()));
        return "hangs";
      },
    ],
    ["POST /upload/init", created()],
    ["DELETE /upload/{id}", { status: 204 }],
  );
  const scene: Scene = new Scene(fileOf(5), talk);
  await assert.rejects(scene.upload.start(), { code: "aborted" });
  await Promise.all(aborting);
  talk.end();
  assert.equal(talk.header(0, "Idempotency-Key"), talk.header(1, "Idempotency-Key"));
  assert.equal(talk.requests[0]?.body, talk.requests[1]?.body);
});

test("start while it runs, and after it has ended, is the same upload", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    ["GET /upload/{id}/status", status("completed", 5, 5)],
  );
  const { upload } = new Scene(fileOf(5), talk);
  const first = upload.start();
  assert.equal(upload.start(), first);
  await first;
  assert.equal(upload.start(), first);
  talk.end();
});

test("options that make no sense are refused at once", () => {
  const wrong = [
    { chunkBytes: 0 },
    { chunkBytes: 1.5 },
    { retry: { firstDelayMs: 0 } },
    { headers: { "not a name": "" } },
    { chunkSize: 10 },
  ];
  for (const options of wrong) {
    assert.throws(() => createUpload(fileOf(1), { endpoint: ENDPOINT, ...options }), TypeError);
  }
});

test("an endpoint that no browser would find is refused at once, and what is missing is named", () => {
  const none = undefined as unknown as string;
  for (const endpoint of ["upload.example.com", "localhost:8787", "ftp://a.example", "https://", "/on-no-page", none]) {
    assert.throws(() => createUpload(fileOf(1), { endpoint }), /^TypeError: endpoint is an address like https:/);
  }
  assert.throws(() => createUpload(fileOf(1), {} as UploadOptions), /endpoint is an address/);
  assert.throws(() => createUpload(fileOf(1), undefined as unknown as UploadOptions), /endpoint is an address/);
  assert.throws(() => createUpload(none as unknown as File, { endpoint: ENDPOINT }), /the first argument is no File/);
  assert.throws(
    () => createUpload(fileOf(1), { endpoint: ENDPOINT, chunkSize: 1 } as UploadOptions),
    /no option chunkSize/,
  );
});
