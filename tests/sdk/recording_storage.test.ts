// Storage that is full, that fails, that is not there: said before it hurts, and nothing is lost as long as there is any place for it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { FakeRecorder } from "./fake_recorder.ts";
import { RecordingWorld, Tap, until } from "./recording_scene.ts";

const MIB = 1024 * 1024;

before(() => Object.assign(globalThis, { MediaRecorder: FakeRecorder, MediaStream: class {} }));
after(() => {
  Reflect.deleteProperty(globalThis, "MediaRecorder");
  Reflect.deleteProperty(globalThis, "MediaStream");
});

function recorded(world: RecordingWorld, options: object = {}) {
  const recorder = new FakeRecorder();
  const recording = world.page().record(recorder as unknown as ReadableStream<Uint8Array>, options);
  return { recorder, recording };
}

function assertArrived(world: RecordingWorld, recorder: FakeRecorder): void {
  assert.equal(Buffer.compare(Buffer.from(world.server.object()), recorder.bytes), 0);
}

test("a recorder's pieces are taken in their order, its last one too, under its type", async () => {
  const world = new RecordingWorld();
  const { recorder, recording } = recorded(world);
  recording.start();
  await until(recording, ({ state }) => state === "recording");
  for (let turn = 0; turn < 10; turn++) {
    recorder.give(100 * (10 - turn));
  }
  await recording.stop();
  assertArrived(world, recorder);
  const [upload] = [...world.server.uploads.values()];
  assert.equal(upload?.metadata.filetype, "video/webm");
  assert.match(String(upload?.metadata.filename), /^recording \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.webm$/);
});

test("an encoder that fails ends it; what it gave is sent, and it is said why", async () => {
  const world = new RecordingWorld();
  const { recorder, recording } = recorded(world);
  const done = recording.start();
  await until(recording, ({ state }) => state === "recording");
  recorder.give(1000);
  recorder.fail(new Error("out of memory"));
  await done;
  assertArrived(world, recorder);
  assert.equal(recording.status.ending, "source-failed");
});

test("stopped at once, it is still a recording", async () => {
  const world = new RecordingWorld();
  const { recorder, recording } = recorded(world);
  await recording.stop();
  assertArrived(world, recorder);
});

test("room that gets short is said before it is gone, and what is confirmed goes at once", async () => {
  const world = new RecordingWorld();
  world.place.quotaBytes = 100 * MIB;
  world.place.isPersistent = false;
  const { recorder, recording } = recorded(world);
  const done = recording.start();
  await until(recording, ({ state }) => state === "recording");
  recorder.give(2 * MIB);
  recorder.give(2 * MIB);
  const status = await until(recording, ({ warnings }) => warnings.length === 2);
  assert.deepEqual([...status.warnings].sort(), ["not-persistent", "storage-low"]);
  assert.ok(Number(status.freeBytes) > 0 && Number(status.freeBytes) < 100 * MIB);
  await until(recording, ({ safeThereBytes, spooledBytes }) => safeThereBytes === 4 * MIB && spooledBytes <= MIB);
  recorder.stop();
  await done;
  assertArrived(world, recorder);
});

test("full, and no network: it goes on in memory and says so; then the network is back", async () => {
  const world = new RecordingWorld();
  world.place.quotaBytes = 3 * MIB;
  world.server.fate = () => "lost";
  const { recorder, recording } = recorded(world);
  const done = recording.start();
  await until(recording, ({ state }) => state === "recording");
  for (let turn = 0; turn < 5; turn++) {
    recorder.give(MIB);
  }
  const full = await until(recording, ({ warnings }) => warnings.includes("storage-full"));
  await until(recording, ({ recordedBytes }) => recordedBytes === 5 * MIB);
  assert.ok(full.safeHereBytes <= 3 * MIB);
  assert.ok(recording.status.memoryBytes >= 2 * MIB);
  world.server.fate = () => "arrives";
  recording.retry();
  await until(recording, ({ memoryBytes, safeThereBytes }) => memoryBytes === 0 && safeThereBytes === 5 * MIB);
  recorder.give(MIB);
  await until(recording, ({ warnings, safeHereBytes }) => {
    return !warnings.includes("storage-full") && safeHereBytes === 6 * MIB;
  });
  recorder.stop();
  await done;
  assertArrived(world, recorder);
});

test("full, no network, and memory is full too: it ends, whole up to there", async () => {
  const world = new RecordingWorld();
  world.place.quotaBytes = MIB;
  world.server.fate = () => "lost";
  const { recorder, recording } = recorded(world, { mostMemoryBytes: 2 * MIB });
  const done = recording.start();
  await until(recording, ({ state }) => state === "recording");
  for (let turn = 0; turn < 4; turn++) {
    recorder.give(MIB);
  }
  await until(recording, ({ ending }) => ending === "memory-full");
  world.server.fate = () => "arrives";
  recording.retry();
  await done;
  assertArrived(world, recorder);
});

test("storage that fails: what is recorded is sent from memory, and what was spooled with it, in order", async () => {
  const world = new RecordingWorld();
  const { recorder, recording } = recorded(world);
  const done = recording.start();
  await until(recording, ({ state }) => state === "recording");
  recorder.give(1000);
  await until(recording, ({ safeHereBytes }) => safeHereBytes === 1000);
  world.place.failure = new DOMException("the disk is gone", "InvalidStateError");
  recorder.give(1000);
  await until(recording, ({ warnings }) => warnings.includes("storage-failing"));
  recorder.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 3000);
  world.place.failure = undefined;
  recorder.give(1000);
  await until(recording, ({ warnings, safeHereBytes }) => warnings.length === 0 && safeHereBytes === 4000);
  recorder.stop();
  await done;
  assertArrived(world, recorder);
});

test("storage that was full while memory was sent, and then a crash: the server knows what is not here", async () => {
  const world = new RecordingWorld();
  const page = world.page();
  const recorder = new FakeRecorder();
  const recording = page.record(recorder as unknown as ReadableStream<Uint8Array>);
  recording.start();
  await until(recording, ({ state }) => state === "recording");
  recorder.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  world.place.failure = new DOMException("full", "QuotaExceededError");
  recorder.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 2000);
  world.place.failure = undefined;
  recorder.give(1000);
  await until(recording, ({ safeHereBytes, memoryBytes }) => safeHereBytes === 3000 && memoryBytes === 0);
  page.kill();
  const [left] = await world.page().left();
  const { bytes } = (await left?.resume().start()) ?? {};
  assert.equal(bytes, 3000);
  assertArrived(world, recorder);
});

test("no storage at all: memory alone, said at once; a stream waits for the network", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  world.server.fate = () => "lost";
  const recording = world.page().record(tap, { storage: null });
  const done = recording.start();
  for (let turn = 0; turn < 8; turn++) {
    tap.give(MIB / 2);
  }
  await until(recording, ({ recordedBytes }) => recordedBytes === MIB);
  assert.deepEqual([recording.status.storage, recording.status.warnings], ["memory", ["memory-only"]]);
  assert.equal(recording.status.safeHereBytes, 0);
  world.server.fate = () => "arrives";
  recording.retry();
  tap.end();
  await done;
  assert.equal(Buffer.compare(Buffer.from(world.server.object()), tap.bytes), 0);
});

test("the clock jumps, forward and back: it goes on", async () => {
  const world = new RecordingWorld();
  const { recorder, recording } = recorded(world);
  const done = recording.start();
  await until(recording, ({ state }) => state === "recording");
  for (const jumpMs of [0, 1_000_000, -2_000_000, 500]) {
    world.clock.now += jumpMs;
    recorder.give(1000);
    const { recordedBytes } = await until(recording, ({ safeHereBytes }) => safeHereBytes === recorder.bytes.length);
    await until(recording, ({ safeThereBytes }) => safeThereBytes === recordedBytes);
  }
  recorder.stop();
  await done;
  assertArrived(world, recorder);
});
