// A live recording that silence has ended when its first bytes were no longer here: what was recorded after that goes in an upload of its own,
// which says where it begins. Nothing stays here for ever, and no byte is in neither.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Recording, RecordingOptions, RecordingRestart } from "../../client/src/recording/index.ts";
import { pieceNamed } from "../../client/src/recording/pieces.ts";
import { RecordingWorld, Tap, until } from "./recording_scene.ts";
import type { StoredUpload } from "./recording_server.ts";

/** Then the source has no more. */
const MOST_WRITES = 300;

/** Its server has 2,000 bytes, of which so many are still here, and has ended it. */
async function cutShort(options: Partial<RecordingOptions>) {
  const [world, tap] = [new RecordingWorld(), new Tap()];
  const page = world.page();
  const recording = page.record(tap, { live: true, metadata: { room: "7" }, ...options });
  const done = recording.start();
  done.catch(() => {});
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 2000);
  const [first] = [...world.server.uploads.values()];
  assert.ok(first !== undefined);
  return { world, tap, page, recording, done, first };
}

function restartsOf(recording: Recording): RecordingRestart[] {
  const restarts: RecordingRestart[] = [];
  recording.on("restart", (restart) => restarts.push(restart));
  return restarts;
}

function bytesOf(upload: StoredUpload | undefined): Buffer {
  return Buffer.concat(upload?.bytes ?? []);
}

function secondOf(world: RecordingWorld): StoredUpload | undefined {
  return [...world.server.uploads.values()][1];
}

for (const [where, options] of [
  ["on the device", { keepUntilComplete: false }],
  ["in memory alone", { storage: null }],
] as const) {
  test(`the next upload begins with what is still here: ${where}`, async () => {
    const { world, tap, page, recording, done, first } = await cutShort(options);
    if (options.storage !== null) {
      await until(recording, ({ spooledBytes }) => spooledBytes === 1000);
    }
    const restarts = restartsOf(recording);
    const fromBytes = 2000;
    world.server.endSilent(first.id);
    tap.give(500);
    await until(recording, ({ safeThereBytes }) => safeThereBytes === 2500);
    assert.equal(recording.status.state, "recording");
    tap.give(300);
    tap.end();
    const result = await done;
    const second = secondOf(world);
    assert.deepEqual(
      restarts.map(({ uploadId, error, fromBytes }) => [uploadId, error.code, fromBytes]),
      [[first.id, "expired", fromBytes]],
    );
    assert.deepEqual([result.uploadId, result.bytes, result.fromBytes], [second?.id, 2800, fromBytes]);
    assert.deepEqual(result.earlierUploadIds, [first.id]);
    assert.deepEqual([second?.length, second?.createdAt], [2800 - fromBytes, "/files?live"]);
    assert.deepEqual([first.metadata.fromBytes, second?.metadata.fromBytes], [undefined, "2000"]);
    assert.deepEqual([first.metadata.room, second?.metadata.room], ["7", "7"]);
    assert.deepEqual(Buffer.concat([bytesOf(first).subarray(0, result.fromBytes), bytesOf(second)]), tap.bytes);
    assert.deepEqual(await page.left(), []);
  });
}

test("the same by the page that finds it, and by the one that finds the second upload half sent", async () => {
  const { world, tap, page, recording, first } = await cutShort({ keepUntilComplete: false });
  await until(recording, ({ spooledBytes }) => spooledBytes === 1000);
  world.server.fate = () => "lost";
  tap.give(500);
  await until(recording, ({ safeHereBytes }) => safeHereBytes === 2500);
  page.kill();
  world.server.endSilent(first.id);
  // All goes well until the length is declared.
  world.server.fate = ({ method }) => (method === "PATCH" ? "lost" : "arrives");
  const next = world.page();
  const [left] = await next.left();
  const resumed = left?.resume({ keepUntilComplete: false });
  assert.ok(resumed !== undefined);
  const restarts = restartsOf(resumed);
  resumed.start().catch(() => {});
  await until(resumed, ({ safeThereBytes }) => safeThereBytes === 2500);
  assert.deepEqual(
    restarts.map(({ uploadId, fromBytes }) => [uploadId, fromBytes]),
    [[first.id, 2000]],
  );
  next.kill();
  world.server.fate = () => "arrives";
  const [again] = await world.page().left();
  const result = await again?.resume().start();
  assert.deepEqual([result?.fromBytes, result?.bytes, result?.earlierUploadIds], [2000, 2500, [first.id]]);
  assert.deepEqual(bytesOf(secondOf(world)), tap.bytes.subarray(2000));
  assert.equal(world.server.uploads.size, 2);
});

test("a piece that goes just as the upload turns out to have ended is not counted on", async () => {
  const { world, tap, recording, done, first } = await cutShort({ keepUntilComplete: false });
  await until(recording, ({ spooledBytes }) => spooledBytes === 1000);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  world.place.onRemove = () => released;
  world.server.fate = ({ method }) => {
    // The server has refused what comes behind the end by the time that the piece before it has gone.
    if (method === "PUT") {
      world.clock.fallAsleep();
      void turns(20).then(() => {
        release();
        world.clock.wake();
      });
    }
    return "arrives";
  };
  world.server.endSilent(first.id);
  tap.give(500);
  tap.end();
  const { fromBytes } = await done;
  assert.equal(fromBytes, 2000);
  assert.deepEqual(bytesOf(secondOf(world)), tap.bytes.subarray(2000));
});

for (const keepUntilComplete of [true, false]) {
  const what = keepUntilComplete ? "stays" : "goes once it is confirmed";
  test(`storage that is never idle does not hold it up, where what was sent ${what}`, async () => {
    const { world, tap, recording, done, first } = await cutShort({ keepUntilComplete });
    let writes = 0;
    world.place.onWrite = (name) => {
      // The next bytes come before the last ones are written.
      if (pieceNamed(name) !== undefined && writes++ < MOST_WRITES) {
        world.clock.now += 100;
        tap.give(100);
      }
      return undefined;
    };
    let writesBefore: number | undefined;
    recording.on("restart", () => {
      writesBefore = writes;
    });
    world.server.endSilent(first.id);
    tap.give(500);
    await until(recording, () => writes > MOST_WRITES);
    tap.end();
    const { fromBytes } = await done;
    assert.ok(writesBefore !== undefined && writesBefore < MOST_WRITES, `restarted after ${writesBefore} writes`);
    assert.equal(fromBytes, keepUntilComplete ? 0 : 2000);
    assert.deepEqual(Buffer.concat([bytesOf(first).subarray(0, fromBytes), bytesOf(secondOf(world))]), tap.bytes);
    assert.equal(world.server.uploads.size, 2);
  });
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise(setImmediate);
  }
}

test("all bytes are here: the next upload has all of them, from 0", async () => {
  const { world, tap, recording, done, first } = await cutShort({});
  const restarts = restartsOf(recording);
  world.server.endSilent(first.id);
  tap.give(500);
  tap.end();
  const { fromBytes, earlierUploadIds } = await done;
  assert.deepEqual([restarts[0]?.fromBytes, fromBytes, earlierUploadIds], [0, 0, [first.id]]);
  assert.deepEqual(bytesOf(secondOf(world)), tap.bytes);
  assert.equal(secondOf(world)?.metadata.fromBytes, undefined);
});

test("thrown away, and not ended, the beginning is nowhere: it does not begin in the middle", async () => {
  const { world, tap, recording, done, first } = await cutShort({ keepUntilComplete: false });
  await until(recording, ({ spooledBytes }) => spooledBytes === 1000);
  world.server.end(first.id, "expired");
  tap.give(500);
  tap.end();
  await assert.rejects(done, { code: "expired", message: /cannot begin anew: its first 2000 bytes are no longer/ });
});
