// A recording from its first byte to the object: what is safe where, in which order things happen, and what the page is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { UploadError } from "../../client/src/errors.ts";
import { createRecording } from "../../client/src/recording/index.ts";
import { ENDPOINT } from "./dialogue.ts";
import { RecordingWorld, Tap, until } from "./recording_scene.ts";

const MIB = 1024 * 1024;

function equal(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(Buffer.compare(Buffer.from(actual), Buffer.from(expected)), 0, `${actual.length}, ${expected.length}`);
}

test("what was recorded is the object, and nothing stays here", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world
    .page()
    .record(tap, { fileName: "a.webm", contentType: "video/webm", metadata: { show: "7" } });
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  assert.equal(recording.status.state, "recording");
  tap.give(500);
  tap.end();
  const result = await done;
  equal(world.server.object(), tap.bytes);
  const [upload] = [...world.server.uploads.values()];
  assert.deepEqual(upload?.metadata, { filename: "a.webm", filetype: "video/webm", show: "7" });
  assert.deepEqual([result.uploadId, result.bytes], [upload?.id, 1500]);
  assert.equal(result.object?.crc64nvme.length, 16);
  const { state, safeHereBytes, safeThereBytes, memoryBytes, ending } = recording.status;
  assert.deepEqual([state, safeHereBytes, safeThereBytes, memoryBytes], ["completed", 1500, 1500, 0]);
  assert.equal(ending, "source-ended");
  assert.deepEqual(
    [...world.place.folders.keys()].filter((id) => id !== "probe"),
    [],
  );
});

test("no byte is sent before it lies in a whole piece", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  world.server.fate = ({ method, headers, body }) => {
    if (method === "PUT") {
      const to = Number(headers["X-Upload-Offset"]) + (body as Uint8Array).length;
      assert.ok(
        world.place.pieces.some((piece) => piece.to >= to),
        `${to} was sent and is not here`,
      );
    }
    return "arrives";
  };
  const recording = world.page().record(tap);
  const done = recording.start();
  for (let turn = 0; turn < 20; turn++) {
    tap.give(10_000 + turn);
    await until(recording, ({ recordedBytes }) => recordedBytes === tap.bytes.length);
  }
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
});

test("live, one request a second; what has piled up goes several MiB at once", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  world.server.fate = () => "lost";
  for (let turn = 0; turn < 60; turn++) {
    tap.give(MIB / 2);
  }
  await until(recording, ({ safeHereBytes }) => safeHereBytes === 30 * MIB);
  assert.equal(recording.status.safeThereBytes, 0);
  world.server.fate = () => "arrives";
  recording.retry();
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 30 * MIB);
  const puts = world.server.asked.filter((asked) => asked.startsWith("PUT")).length;
  assert.ok(puts < 10, `${puts} requests for 30 MiB`);
  assert.equal(world.server.mostAtOnceBytes, 8 * MIB);
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
});

test("where requests are dear, less often, and as much", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap, { sendEveryMs: 10_000 });
  const done = recording.start();
  for (let turn = 1; turn <= 40; turn++) {
    tap.give(1000);
    await until(recording, ({ safeHereBytes }) => safeHereBytes === 1000 * turn);
    await world.clock.sleep(500, new AbortController().signal);
  }
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
  const puts = world.server.asked.filter((asked) => asked.startsWith("PUT")).length;
  assert.ok(puts <= 4, `${puts} requests in 20 seconds`);
});

test("answers that are lost, requests that are lost: nothing is sent twice into the object", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  world.server.fate = (_, turn) => (["arrives", "late", "lost"] as const)[turn % 3] ?? "arrives";
  const recording = world.page().record(tap);
  const done = recording.start();
  for (let turn = 0; turn < 12; turn++) {
    tap.give(100_000);
    await until(recording, ({ safeThereBytes }) => safeThereBytes === tap.bytes.length);
  }
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
});

test("offline is said while it is so, and no longer", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  // One request breaks, and the next one gets through.
  let isFirst = true;
  world.server.fate = () => {
    const fate = isFirst ? "lost" : "arrives";
    isFirst = false;
    return fate;
  };
  world.connectivity.become(false);
  tap.give(1000);
  await until(recording, ({ isOffline }) => isOffline);
  await until(recording, ({ isOffline, safeThereBytes }) => !isOffline && safeThereBytes === 2000);
  world.connectivity.become(true);
  tap.end();
  await done;
});

test("refused while it is being stopped: it has failed once nothing more comes, and goes on when it may", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  world.server.fate = () => 403;
  tap.give(1000);
  await until(recording, ({ error }) => error?.code === "unauthorized");
  assert.equal(recording.status.state, "recording");
  recording.stop().catch(() => {});
  await assert.rejects(done, { code: "unauthorized", remedy: "resume" });
  const { state, safeHereBytes, safeThereBytes } = recording.status;
  assert.deepEqual([state, safeHereBytes, safeThereBytes], ["failed", 2000, 1000]);
  world.server.fate = () => "arrives";
  await recording.start();
  equal(world.server.object(), tap.bytes);
});

test("discarded while its place is looked for, nothing begins", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const page = world.page();
  const recording = page.record(tap);
  const done = recording.start();
  await Promise.all([assert.rejects(done, { code: "aborted" }), recording.discard()]);
  assert.deepEqual(await page.left(), []);
  assert.deepEqual(
    [...world.place.folders.keys()].filter((id) => id !== "probe"),
    [],
  );
  assert.deepEqual(world.server.asked, []);
});

test("a recording of zero bytes creates nothing, and leaves nothing", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  tap.end();
  await assert.rejects(done, { code: "rejected", remedy: "none", message: "Nothing was recorded." });
  assert.deepEqual(world.server.asked, []);
  assert.deepEqual(await world.page().left(), []);
});

test("a stream that breaks is not taken for the whole; started again, what there is of it goes", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  tap.give(5000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 5000);
  tap.break(new Error("the disk is gone"));
  await assert.rejects(done, { code: "file-unreadable", message: /broke off: the disk is gone/ });
  assert.equal([...world.server.uploads.values()][0]?.length, undefined);
  assert.equal((await world.page().left()).length, 1);
  await recording.start();
  equal(world.server.object(), tap.bytes);
});

test("a token that has run out: asked anew once, then said while the recording goes on, and tried again", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  let token = "hour 1";
  let isKnown = true;
  const asks: boolean[] = [];
  const headers = ({ isRefused }: { isRefused: boolean }) => {
    asks.push(isRefused);
    return { Authorization: token };
  };
  world.server.fate = ({ headers }) => (headers.Authorization === "hour 1" && isKnown ? "arrives" : 401);
  const recording = world.page().record(tap, { headers });
  const errors: UploadError[] = [];
  recording.on("error", (error) => errors.push(error));
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  isKnown = false;
  tap.give(1000);
  const held = await until(recording, ({ error }) => error !== undefined);
  assert.deepEqual([held.error?.code, held.state], ["unauthorized", "recording"]);
  assert.ok(asks.includes(true), "fresh headers were asked for");
  tap.give(1000);
  await until(recording, ({ safeHereBytes }) => safeHereBytes === 3000);
  token = "hour 3";
  world.server.fate = ({ headers }) => (headers.Authorization === "hour 3" ? "arrives" : 401);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 3000);
  assert.equal(recording.status.error, undefined);
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
  assert.ok(errors.every((error) => error instanceof UploadError));
});

test("confirmed bytes stay until all is there, or go at once where that is wanted; the last piece stays", async () => {
  for (const keepUntilComplete of [true, false]) {
    const world = new RecordingWorld();
    const tap = new Tap();
    const recording = world.page().record(tap, { keepUntilComplete });
    const done = recording.start();
    for (let turn = 1; turn <= 5; turn++) {
      tap.give(1000);
      await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000 * turn);
    }
    await until(recording, ({ spooledBytes }) => spooledBytes === (keepUntilComplete ? 5000 : 1000));
    tap.end();
    await done;
    equal(world.server.object(), tap.bytes);
  }
});

test("discarded, nothing of it remains", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const page = world.page();
  const recording = page.record(tap);
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  await Promise.all([assert.rejects(done, { code: "aborted" }), recording.discard()]);
  assert.equal(recording.status.state, "discarded");
  assert.deepEqual(await page.left(), []);
  assert.equal(world.server.uploads.size, 0);
});

test("paused, nothing is read; resumed, it goes on; stopped, what there is goes", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  recording.pause();
  assert.equal(recording.status.state, "paused");
  recording.resume();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 2000);
  const { bytes } = await recording.stop();
  assert.equal(bytes, 2000);
  assert.equal(recording.status.ending, "stopped");
  equal(world.server.object(), tap.bytes);
});

test("a stream of 64 MiB while the network is away: memory holds two pieces, however much is spooled", async () => {
  const world = new RecordingWorld();
  const sizeBytes = 64 * MIB;
  const chunkBytes = 64 * 1024;
  let givenBytes = 0;
  let mostOutstandingBytes = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        // What was pulled, and is neither stored nor sent.
        const stored = world.place.pieces.reduce((most, { to }) => Math.max(most, to), 0);
        mostOutstandingBytes = Math.max(mostOutstandingBytes, givenBytes - stored);
        if (givenBytes === sizeBytes) {
          controller.close();
          return;
        }
        controller.enqueue(new Uint8Array(chunkBytes).fill(givenBytes / chunkBytes));
        givenBytes += chunkBytes;
      },
    },
    { highWaterMark: 0 },
  );
  world.server.fate = () => "lost";
  const recording = world.page().record(stream);
  const done = recording.start();
  const { memoryBytes } = await until(recording, ({ safeHereBytes }) => safeHereBytes === sizeBytes);
  assert.equal(memoryBytes, 0);
  assert.ok(mostOutstandingBytes <= 2 * MIB + chunkBytes, `${mostOutstandingBytes} bytes in memory`);
  assert.ok(world.place.mostWritingBytes <= MIB, "one piece is written at a time");
  world.server.fate = () => "arrives";
  recording.retry();
  assert.equal((await done).bytes, sizeBytes);
  assert.ok(world.server.mostAtOnceBytes <= 8 * MIB, "and 8 MiB are sent at a time");
});

test("mistakes of a program are said where they are made", () => {
  const stream = new ReadableStream<Uint8Array>();
  const wrong = (options: object, words: RegExp) =>
    assert.throws(() => createRecording(stream, { endpoint: ENDPOINT, ...options }), words);
  wrong({ endpoint: "upload.example.com" }, /endpoint/);
  wrong({ fileId: "x" }, /there is no option fileId/);
  wrong({ pieceMs: 0 }, /pieceMs/);
  wrong({ metadata: { "with space": "" } }, /metadata/);
  assert.throws(() => createRecording({} as MediaStream, { endpoint: ENDPOINT }), /no MediaStream/);
});
