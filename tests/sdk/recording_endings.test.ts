// Whoever stops, pauses or discards, in whatever state, and twice: it ends, and what was to be removed is.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { createRecording, type RecordingOptions } from "../../client/src/recording/index.ts";
import { ENDPOINT } from "./dialogue.ts";
import { FakeRecorder } from "./fake_recorder.ts";
import { type RecordingPage, RecordingWorld, Tap, until } from "./recording_scene.ts";

before(() => Object.assign(globalThis, { MediaRecorder: FakeRecorder, MediaStream: class {} }));
after(() => {
  Reflect.deleteProperty(globalThis, "MediaRecorder");
  Reflect.deleteProperty(globalThis, "MediaStream");
});

function equal(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(Buffer.compare(Buffer.from(actual), Buffer.from(expected)), 0, `${actual.length}, ${expected.length}`);
}

function folders(world: RecordingWorld): string[] {
  return [...world.place.folders.keys()].filter((id) => id !== "probe");
}

/** Rejects where it does not settle. */
async function settles<T>(work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("it hangs")), 3_000).unref());
  return Promise.race([work, late]);
}

function recorded(page: RecordingPage, recorder = new FakeRecorder(), options: Partial<RecordingOptions> = {}) {
  return { recorder, recording: page.record(recorder as unknown as ReadableStream<Uint8Array>, options) };
}

/** One that is refused by the server after it has been stopped. */
async function failed() {
  const world = new RecordingWorld();
  const page = world.page();
  const tap = new Tap();
  const recording = page.record(tap);
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  world.server.fate = () => 403;
  tap.give(1000);
  tap.end();
  await assert.rejects(done, { code: "unauthorized" });
  world.server.fate = () => "arrives";
  return { world, page, recording };
}

test("discarded after it has failed, nothing of it remains", async () => {
  const { world, page, recording } = await failed();
  await settles(recording.discard());
  assert.deepEqual([folders(world), world.server.uploads.size], [[], 0]);
  assert.deepEqual(await page.left(), []);
  assert.equal(recording.status.state, "discarded");
});

test("failed here, and resumed by another page: it is not discarded under its feet", async () => {
  const { world, recording } = await failed();
  world.server.fate = () => "lost";
  const [left] = await world.page().left();
  const resumed = left?.resume();
  const done = resumed?.start();
  await new Promise<void>((resolve) => resumed?.on("retry", () => resolve()));
  await assert.rejects(recording.discard(), /another page/);
  world.server.fate = () => "arrives";
  resumed?.retry();
  assert.equal((await done)?.bytes, 2000);
});

test("failed here, and sent to its end by another page: what is complete is not deleted", async () => {
  const { world, page, recording } = await failed();
  world.server.fate = () => "arrives";
  const [left] = await world.page().left();
  assert.equal((await left?.resume().start())?.bytes, 2000);
  await assert.rejects(recording.discard(), /another page/i);
  assert.deepEqual([folders(world), world.server.uploads.size], [[], 1]);
  assert.deepEqual(await page.left(), []);
});

test("discarded before it began, nothing begins any more", async () => {
  const world = new RecordingWorld();
  const { recorder, recording } = recorded(world.page());
  await recording.discard();
  await assert.rejects(settles(recording.start()), { code: "aborted" });
  await assert.rejects(settles(recording.stop()), { code: "aborted" });
  assert.equal(recorder.state, "inactive");
  assert.deepEqual([folders(world), world.server.asked], [[], []]);
});

test("discarded twice: both settle when it is gone", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  void recording.discard();
  await settles(recording.discard());
  assert.deepEqual([folders(world), world.server.uploads.size], [[], 0]);
});

test("discarded by whoever hears of an error", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  world.server.fate = () => 400;
  let discarded: Promise<unknown> | undefined;
  const heard = new Promise<void>((resolve) =>
    recording.on("error", () => {
      discarded ??= recording.discard();
      resolve();
    }),
  );
  recording.start();
  tap.give(1000);
  await heard;
  await settles(discarded ?? Promise.reject(new Error("not discarded")));
  assert.deepEqual(folders(world), []);
});

test("a recorder that cannot begin: it is said, and can be discarded", async () => {
  const world = new RecordingWorld();
  const recorder = new FakeRecorder();
  recorder.start = () => {
    throw new DOMException("all tracks have ended", "InvalidStateError");
  };
  const { recording } = recorded(world.page(), recorder);
  await assert.rejects(recording.start(), /could not begin: all tracks have ended/);
  await settles(recording.discard());
  assert.deepEqual(folders(world), []);
});

test("a stream whose end never comes when it is cancelled holds nothing up", async () => {
  const world = new RecordingWorld();
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(1000)),
    cancel: () => new Promise(() => {}),
  });
  const recording = world.page().record(stream);
  recording.start();
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  await settles(recording.discard());
  assert.deepEqual(folders(world), []);
});

test("discarded while a piece is being written: nothing comes back, and nobody is refused for it", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const { place } = world;
  const remove = place.remove.bind(place);
  place.remove = async (id) => {
    if (place.writingBytes > 0) {
      throw new DOMException("a file in it is being written", "NoModificationAllowedError");
    }
    await remove(id);
  };
  const recording = world.page().record(tap);
  recording.start();
  tap.give(1000);
  await until(recording, () => place.writingBytes >= 1000);
  await settles(recording.discard());
  assert.deepEqual(folders(world), []);
});

test("a piece that cannot be read ends it there: there is no hole", async () => {
  const world = new RecordingWorld();
  const { recorder, recording } = recorded(world.page());
  const done = recording.start();
  await until(recording, ({ state }) => state === "recording");
  recorder.give(1000);
  const data = { arrayBuffer: () => Promise.reject(new DOMException("out of memory", "NotReadableError")) };
  recorder.dispatchEvent(Object.assign(new Event("dataavailable"), { data }));
  recorder.give(1000);
  await settles(done);
  assert.equal(recorder.state, "inactive");
  assert.equal(recording.status.ending, "source-failed");
  equal(world.server.object(), recorder.bytes.subarray(0, 1000));
});

test("paused before it has begun, nothing is recorded until it is resumed", async () => {
  const world = new RecordingWorld();
  const { recorder, recording } = recorded(world.page());
  recording.start();
  recording.pause();
  await until(recording, ({ state }) => state === "paused");
  assert.equal(recorder.state, "paused");
  recording.resume();
  assert.equal(recorder.state, "recording");
  await recording.stop();
  equal(world.server.object(), recorder.bytes);
});

test("a stream of other views is their bytes, and what is no bytes breaks it", async () => {
  const world = new RecordingWorld();
  const bytes = Uint8Array.from({ length: 100 }, (_, at) => at);
  const views = (...given: unknown[]) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const one of given) {
          controller.enqueue(one as Uint8Array);
        }
        controller.close();
      },
    });
  const page = world.page();
  await page.record(views(new DataView(bytes.buffer, 10, 20), new Uint16Array(bytes.buffer, 30, 10))).start();
  equal(world.server.object(), bytes.subarray(10, 50));
  for (const none of [5, {}, null]) {
    const wrong = createRecording(views(none), { endpoint: ENDPOINT, storage: world.place, runtime: page.runtime });
    await assert.rejects(wrong.start(), /broke off/);
  }
});

test("failed while some of it is in memory alone: no other page ends it without that", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  world.place.failure = new DOMException("full", "QuotaExceededError");
  world.server.fate = () => 403;
  tap.give(1000);
  await until(recording, ({ error }) => error !== undefined);
  tap.end();
  await assert.rejects(done, { code: "unauthorized" });
  world.server.fate = () => "arrives";
  const other = world.page();
  const [left] = await other.left();
  assert.equal(left?.isInUse, true);
  world.place.failure = undefined;
  await until(recording, ({ memoryBytes }) => memoryBytes === 0);
  const [again] = await other.left();
  assert.equal(again?.isInUse, false);
  assert.equal((await again?.resume().start())?.bytes, 2000);
  equal(world.server.object(), tap.bytes);
});

test("the same, and it goes on here", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  world.place.failure = new DOMException("full", "QuotaExceededError");
  world.server.fate = () => 403;
  tap.give(1000);
  await until(recording, ({ error }) => error !== undefined);
  tap.end();
  await assert.rejects(done, { code: "unauthorized" });
  world.server.fate = () => "arrives";
  await recording.start();
  equal(world.server.object(), tap.bytes);
});

test("a recorder that tells of its last piece after its end", async () => {
  const world = new RecordingWorld();
  const recorder = new FakeRecorder();
  recorder.stop = () => {
    recorder.state = "inactive";
    recorder.dispatchEvent(new Event("stop"));
    queueMicrotask(() => recorder.give(10));
  };
  const { recording } = recorded(world.page(), recorder);
  recording.start();
  await until(recording, ({ state }) => state === "recording");
  recorder.give(1000);
  await recording.stop();
  equal(world.server.object(), recorder.bytes);
});
