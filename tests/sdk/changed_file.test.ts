// Files that are no longer what was picked: changed, shrunk, or not readable any more.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { HttpRequest } from "../../client/src/interfaces.ts";
import {
  assertSays,
  created,
  Dialogue,
  failing,
  fileOf,
  hasher,
  type Line,
  MemoryStore,
  offset,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const sequential = { parallel: false };
const init: Line = ["POST /upload/init", created()];
const completed: Line = ["GET /upload/{id}/status", status("completed", 5, 5)];

test("another content under the same name, size and date is another upload, and the first can still go on", async () => {
  const store = new MemoryStore();
  await failing(new Scene(fileOf(5), new Dialogue(init, ["PUT /upload/{id} 0-5", problem(401, "x")]), { store }));
  const other = new Dialogue(init, ["PUT /upload/{id} 0-5", taken(5, 5)], completed);
  await new Scene(fileOf(5, "film.mp4", 2), other, { store }).upload.start();
  other.end();
  assert.equal(store.records.size, 1);
  const again = new Dialogue(completed);
  await new Scene(fileOf(5), again, { store }).upload.start();
  again.end();
});

test("a file that is another one when the upload goes on ends before a byte of it is sent", async () => {
  const { file, change } = changingFile(() => fileOf(25, "film.mp4", 2));
  const talk = new Dialogue(init, [
    "PUT /upload/{id} 0-10",
    () => {
      queueMicrotask(() => scene.upload.pause());
      return "hangs";
    },
  ]);
  const scene: Scene = new Scene(file, talk, sequential);
  const paused = scene.state("paused");
  const failed = failing(scene);
  await paused;
  change();
  scene.upload.resume();
  assertSays(await failed, "file-changed", "start-over", /has changed/);
  talk.end();
});

test("a file whose drive does not answer can be paused all the same", async () => {
  const { file, change } = changingFile(() => ({ arrayBuffer: () => new Promise(() => {}) }));
  const talk = new Dialogue(init, [
    "PUT /upload/{id} 0-10",
    () => {
      change();
      setTimeout(() => scene.upload.pause(), 10);
      return taken(10, 25);
    },
  ]);
  const scene: Scene = new Scene(file, talk, sequential);
  const paused = scene.state("paused");
  scene.upload.start();
  await paused;
  talk.end();
});

/** A file that is another one from the moment `change` is called. */
function changingFile(slice: (bytes: File, from: number, to: number) => { arrayBuffer(): Promise<ArrayBuffer> }) {
  const bytes = fileOf(25);
  let isChanged = false;
  const file = {
    name: bytes.name,
    size: bytes.size,
    type: bytes.type,
    lastModified: bytes.lastModified,
    slice: (from: number, to: number) => (isChanged ? slice(bytes, from, to) : bytes.slice(from, to)),
  };
  const change = () => {
    isChanged = true;
  };
  return { file: file as unknown as File, change };
}

test("a file that shrinks while it goes up ends before the short chunk is sent", async () => {
  const { file, change } = changingFile((bytes, from, to) => bytes.slice(from, Math.min(to, 14)));
  const talk = new Dialogue(init, [
    "PUT /upload/{id} 0-10",
    () => {
      change();
      return taken(10, 25);
    },
  ]);
  assertSays(await failing(new Scene(file, talk, sequential)), "file-changed", "start-over", /ends after 14 bytes/);
  talk.end();
});

test("a file that cannot be read any more ends at once and asks to be picked again", async () => {
  const gone = new DOMException("The requested file could not be read.", "NotReadableError");
  const { file, change } = changingFile(() => ({ arrayBuffer: () => Promise.reject(gone) }));
  const talk = new Dialogue(init, [
    "PUT /upload/{id} 0-10",
    () => {
      change();
      return taken(10, 25);
    },
  ]);
  const scene = new Scene(file, talk, sequential);
  const error = await failing(scene);
  talk.end();
  assertSays(error, "file-unreadable", "pick-file", /pick it again/);
  assert.equal(error.cause, gone);
  assert.deepEqual(scene.clock.slept, []);
  assert.equal(scene.store.records.size, 1, "the same file, picked again, goes on");
});

test("a chunk is sent as a piece of the file; hashed, one is in memory at a time", async () => {
  const bodies: unknown[] = [];
  let [hashing, most] = [0, 0];
  const slow = async (bytes: Uint8Array<ArrayBuffer>) => {
    most = Math.max(most, ++hashing);
    await new Promise(setImmediate);
    hashing -= 1;
    return hasher.chunk(bytes);
  };
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-10", taken(10, 25)],
    ["PUT /upload/{id} 10-20", taken(20, 25)],
    ["PUT /upload/{id} 20-25", taken(25, 25)],
    ["GET /upload/{id}/status", status("completed", 25, 25, { mode: "parallel" })],
  );
  const http = {
    send: (request: HttpRequest) => {
      bodies.push(request.body);
      return talk.send(request);
    },
  };
  await new Scene(fileOf(25), http, { runtime: { hasher: { ...hasher, chunk: slow } } }).upload.start();
  talk.end();
  assert.ok(bodies.slice(1, 4).every((body) => body instanceof Blob));
  // The samples of the file are hashed too, before.
  assert.equal(most, 1);
});

test("a file that goes while a chunk of it is sent, which a browser shows as a broken connection, is to be picked again", async () => {
  const { file, change } = changingFile(() => ({
    arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")),
  }));
  const gone: Line = [
    "PUT /upload/{id} 0-10",
    () => {
      change();
      return "no answer";
    },
  ];
  const scene = new Scene(file, new Dialogue(init, gone), sequential);
  assertSays(await failing(scene), "file-unreadable", "pick-file", /pick it again/);
  const back = new Dialogue(
    ["GET /upload/{id}/status", status("open", 0, 25)],
    ["HEAD /upload/{id}", offset(0)],
    ["PUT /upload/{id} 0-10", taken(10, 25)],
    ["PUT /upload/{id} 10-20", taken(20, 25)],
    ["PUT /upload/{id} 20-25", taken(25, 25)],
    ["GET /upload/{id}/status", status("completed", 25, 25)],
  );
  const { store } = scene;
  await new Scene(fileOf(25), back, { ...sequential, store }).upload.start();
  back.end();
});
