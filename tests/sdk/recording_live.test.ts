// A recording that can be watched while it is made: that it is said where it is created, also by the page that goes on after a crash, and what
// happens where the server has ended it meanwhile.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { RecordingOptions } from "../../client/src/recording/index.ts";
import { RecordingWorld, Tap, until } from "./recording_scene.ts";
import type { StoredUpload } from "./recording_server.ts";

const MIB = 1024 * 1024;

/** The uploads, in the order in which they were created. */
function uploadsOf(world: RecordingWorld): StoredUpload[] {
  return [...world.server.uploads.values()];
}

/** A live recording of which the server has some bytes. */
async function begun(live: RecordingOptions["live"], options: Partial<RecordingOptions> = {}) {
  const [world, tap] = [new RecordingWorld(), new Tap()];
  const page = world.page();
  const recording = page.record(tap, { ...(live === undefined ? {} : { live }), ...options });
  const done = recording.start();
  done.catch(() => {});
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  const [upload] = uploadsOf(world);
  assert.ok(upload !== undefined);
  return { world, tap, page, recording, done, upload };
}

/** What was to be noted is. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise(setImmediate);
  }
}

for (const [live, address] of [
  [undefined, "/files"],
  [false, "/files"],
  [true, "/files?live"],
  [{}, "/files?live"],
  [{ tellEveryBytes: 8 * MIB }, "/files?live&tellEveryBytes=8388608"],
  [{ tellEveryBytes: 9 * MIB, endAfterSeconds: 60 }, "/files?live&tellEveryBytes=9437184&endAfterSeconds=60"],
] as const) {
  test(`live: ${JSON.stringify(live)} is created at ${address}`, async () => {
    const { world, tap, done, upload } = await begun(live);
    assert.equal(upload.createdAt, address);
    tap.end();
    await done;
    assert.deepEqual(Buffer.from(world.server.object()), tap.bytes);
  });
}

test("metadata that the server would take for an option, or anybody for a part's, is refused before anything is sent", () => {
  const world = new RecordingWorld();
  for (const name of ["live", "endAfterSeconds", "tellEveryBytes", "fromBytes"]) {
    for (const live of [true, false]) {
      assert.throws(() => world.page().record(new Tap(), { live, metadata: { [name]: "true" } }), {
        name: "TypeError",
        message:
          /^metadata of a recording has names .* other than live, endAfterSeconds, tellEveryBytes, fromBytes, and/,
      });
    }
  }
  world.page().record(new Tap(), { metadata: { alive: "true", Live: "true" } });
  assert.deepEqual(world.server.asked, []);
});

test("what the server would refuse is said at once", () => {
  const page = new RecordingWorld().page();
  for (const [live, complaint, others] of [
    [{ tellEveryBytes: 8 * MIB - 1 }, /live.tellEveryBytes is a whole number from 8388608/],
    [{ tellEveryBytes: 8.5 * MIB + 0.5 }, /live.tellEveryBytes/],
    [{ tellEveryBytes: 0 }, /live.tellEveryBytes/],
    [{ endAfterSeconds: 0 }, /live.endAfterSeconds is a whole number from 2 to 86400/],
    [{ endAfterSeconds: 86_401 }, /live.endAfterSeconds/],
    [{ endAfterSeconds: 1 }, /live.endAfterSeconds is a whole number from 2/],
    [{ endAfterSeconds: 60 }, /live.endAfterSeconds is a whole number from 61/, { pieceMs: 60_000 }],
    [{ tellEvery: 8 * MIB }, /there is no option live.tellEvery/],
    ["yes", /live/],
  ] as const) {
    const options = { ...others, live } as Partial<RecordingOptions>;
    assert.throws(
      () => page.record(new Tap(), options),
      { name: "TypeError", message: complaint },
      JSON.stringify(live),
    );
  }
});

test("a page that goes on after a crash creates it live again, where the first upload is gone", async () => {
  const { world, tap, page, upload } = await begun({ tellEveryBytes: 8 * MIB });
  page.kill();
  world.server.end(upload.id, "expired");
  const [left] = await world.page().left();
  await left?.resume().start();
  assert.equal(uploadsOf(world)[0]?.createdAt, "/files?live&tellEveryBytes=8388608");
  assert.deepEqual(Buffer.from(world.server.object()), tap.bytes);
});

test("a page that is killed before the upload was asked for leaves a recording that is live", async () => {
  const [world, tap] = [new RecordingWorld(), new Tap()];
  world.server.fate = () => "lost";
  const page = world.page();
  const recording = page.record(tap, { live: true });
  recording.start().catch(() => {});
  tap.give(1000);
  await until(recording, ({ safeHereBytes }) => safeHereBytes === 1000);
  page.kill();
  world.server.fate = () => "arrives";
  const [left] = await world.page().left();
  await left?.resume().start();
  assert.equal(uploadsOf(world)[0]?.createdAt, "/files?live");
});

/** What `MediaRecorder` is told, in a browser that has these types. */
function encodedAs(types: readonly string[], kind: "video" | "audio", options: Partial<RecordingOptions>): object {
  const told: object[] = [];
  class Stream {
    getVideoTracks() {
      return kind === "video" ? [{}] : [];
    }
  }
  class Recorder {
    static isTypeSupported(type: string) {
      return types.includes(type);
    }

    constructor(_: Stream, options: object) {
      told.push(JSON.parse(JSON.stringify(options)));
    }
  }
  Object.assign(globalThis, { MediaRecorder: Recorder, MediaStream: Stream });
  try {
    new RecordingWorld().page().record(new Stream() as unknown as ReadableStream<Uint8Array>, options);
  } finally {
    Reflect.deleteProperty(globalThis, "MediaRecorder");
    Reflect.deleteProperty(globalThis, "MediaStream");
  }
  return told[0] ?? {};
}

test("live, MP4 comes first, in fragments that are short; otherwise WebM, and always what is asked for", () => {
  const both = ["video/webm", "video/mp4", "audio/webm", "audio/mp4"];
  const short = { videoKeyFrameIntervalDuration: 2000 };
  for (const live of [true, {}, { endAfterSeconds: 60 }]) {
    assert.deepEqual(encodedAs(both, "video", { live }), { mimeType: "video/mp4", ...short });
    assert.deepEqual(encodedAs(both, "audio", { live }), { mimeType: "audio/mp4", ...short });
  }
  assert.deepEqual(encodedAs(["video/webm"], "video", { live: true }), { mimeType: "video/webm", ...short });
  assert.deepEqual(encodedAs([], "video", { live: true }), short);
  const counted = { videoKeyFrameIntervalCount: 60 } as MediaRecorderOptions;
  assert.deepEqual(encodedAs(both, "video", { live: true, recorder: counted }), { mimeType: "video/mp4", ...counted });
  const asked = { videoBitsPerSecond: 1e6, videoKeyFrameIntervalDuration: 5000 };
  assert.deepEqual(encodedAs(both, "video", { live: true, recorder: asked }), { mimeType: "video/mp4", ...asked });
  const recorder = { mimeType: "video/webm;codecs=vp9" };
  assert.deepEqual(encodedAs(both, "video", { live: true, recorder }), recorder);
  for (const live of [undefined, false]) {
    const options = live === undefined ? {} : { live };
    assert.deepEqual(encodedAs(both, "video", options), { mimeType: "video/webm" });
    assert.deepEqual(encodedAs(["audio/mp4"], "audio", options), { mimeType: "audio/mp4" });
    assert.deepEqual(encodedAs(both, "video", { ...options, recorder }), recorder);
  }
});

for (const [when, loses] of [
  ["hears of it from its next bytes", false],
  ["hears of it after a request that was lost", true],
] as const) {
  test(`silent for too long, the recording goes on in another upload with all its bytes: it ${when}`, async () => {
    const { world, tap, recording, done, upload } = await begun({ endAfterSeconds: 60 });
    const restarts: string[] = [];
    recording.on("restart", ({ uploadId, error }) => restarts.push(`${uploadId} ${error.code}`));
    world.server.endSilent(upload.id);
    let isFirst = loses;
    world.server.fate = ({ method }) => {
      const fate = isFirst && method === "PUT" ? "lost" : "arrives";
      isFirst &&= fate === "arrives";
      return fate;
    };
    tap.give(500);
    await until(recording, ({ safeThereBytes }) => safeThereBytes === 1500);
    assert.equal(recording.status.state, "recording");
    tap.end();
    const { uploadId } = await done;
    assert.deepEqual(restarts, [`${upload.id} expired`]);
    const [first, second] = uploadsOf(world);
    assert.deepEqual([first?.length, second?.length, second?.id], [1000, 1500, uploadId]);
    assert.deepEqual([first?.createdAt, second?.createdAt], ["/files?live&endAfterSeconds=60", "/files?live"]);
    assert.deepEqual(Buffer.concat(second?.bytes ?? []), tap.bytes);
  });
}

test("one that others have made live goes on in another upload as well", async () => {
  const { world, tap, recording, done, upload } = await begun(false);
  world.server.permitsLiveAlone = true;
  world.server.endSilent(upload.id);
  tap.give(500);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1500);
  tap.end();
  assert.equal((await done).bytes, 1500);
  assert.deepEqual(uploadsOf(world)[1]?.createdAt, "/files");
});

test("left behind and ended by silence with all that is here, it is complete; with less, it begins anew", async () => {
  for (const unsent of [0, 500]) {
    const { world, tap, page, recording, upload } = await begun(true);
    if (unsent > 0) {
      world.server.fate = () => "lost";
      tap.give(unsent);
      await until(recording, ({ safeHereBytes }) => safeHereBytes === 1000 + unsent);
    }
    page.kill();
    world.server.fate = () => "arrives";
    world.server.endSilent(upload.id);
    const [left] = await world.page().left();
    const result = await left?.resume().start();
    assert.equal(result?.bytes, 1000 + unsent);
    assert.equal(uploadsOf(world).length, unsent > 0 ? 2 : 1);
    assert.deepEqual(Buffer.concat(uploadsOf(world).at(-1)?.bytes ?? []), tap.bytes);
  }
});

test("stopped after it was ended by silence with all its bytes, it is complete", async () => {
  const { world, recording, upload } = await begun(true);
  world.server.endSilent(upload.id);
  const { uploadId, bytes } = await recording.stop();
  assert.deepEqual([uploadId, bytes], [upload.id, 1000]);
});

/** Its next bytes are refused, as more than the server takes. */
async function refusedAsTooLarge({ world, tap, recording }: Awaited<ReturnType<typeof begun>>): Promise<void> {
  const tooLarge = { code: "upload-too-large", title: "Too large", detail: "1000 bytes at most." };
  world.server.refuse = ({ method }) => (method === "PUT" ? { status: 413, body: tooLarge } : undefined);
  tap.give(500);
  await until(recording, ({ error }) => error?.code === "too-large");
}

test("what is more than the server takes does not begin anew for ever", async () => {
  const it = await begun({ endAfterSeconds: 60 });
  const { world, tap, recording, done, upload } = it;
  await refusedAsTooLarge(it);
  world.server.refuse = () => undefined;
  world.server.endSilent(upload.id);
  recording.retry();
  await until(recording, ({ error }) => error === undefined);
  const { error } = await until(recording, ({ error }) => error !== undefined);
  assert.equal(error?.code, "too-large");
  assert.equal(uploadsOf(world).length, 1);
  tap.end();
  await assert.rejects(done, { code: "too-large" });
});

test("what is more than the server takes is remembered by the next page: it is not sent again to be refused again", async () => {
  const it = await begun({ endAfterSeconds: 60 });
  const { world, page, upload } = it;
  await refusedAsTooLarge(it);
  await settled();
  page.kill();
  world.server.endSilent(upload.id);
  world.server.refuse = () => undefined;
  for (let turn = 0; turn < 2; turn++) {
    const [left] = await world.page().left();
    const again = left?.resume().start();
    const said = { code: "too-large", remedy: "none", status: 413, message: /Too large. 1000 bytes at most/ };
    await assert.rejects(again ?? Promise.resolve(), said);
  }
  assert.equal(uploadsOf(world).length, 1);
  assert.deepEqual(world.server.asked.filter((line) => line.startsWith("POST")).length, 1);
});

test("the same, and it may be larger meanwhile: it goes on where it is, and nothing of that is remembered", async () => {
  const it = await begun(true);
  const { world, page, tap } = it;
  await refusedAsTooLarge(it);
  await settled();
  page.kill();
  world.server.refuse = () => undefined;
  // The last request is refused, so that what was noted is not removed with the rest.
  world.server.fate = ({ method }) => (method === "PATCH" ? 403 : "arrives");
  const next = world.page();
  const [left] = await next.left();
  await assert.rejects(left?.resume().start() ?? Promise.resolve(), { code: "unauthorized" });
  await settled();
  world.server.fate = () => "arrives";
  const [upload] = uploadsOf(world);
  world.server.end(upload?.id ?? "", "expired");
  const [again] = await next.left();
  await again?.resume().start();
  assert.deepEqual(Buffer.from(world.server.object()), tap.bytes);
});
