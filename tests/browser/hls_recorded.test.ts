// What a page records live, where nobody says how, can be played by others while it is made: a browser that has MP4 makes that, which has a
// playlist with places to come in.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";

import { Playlist, withMediaTools } from "../support/hls.ts";
import { decodingErrors, durationSeconds } from "../support/media.ts";
import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import { FAKE_DEVICES, type InPage, type RecordingPage, RecordingPages } from "./recording_page.ts";

/** A machine that has other things to do is not given up. */
const GIVE_UP_MS = 120_000;
/** Some fragments. */
const SOME_BYTES = 256 * 1024;

const skip = { skip: inBrowser.skip || withMediaTools.skip };

let harbour: Harbour;
let pages: RecordingPages;
if (!skip.skip) {
  before(async () => {
    harbour = await Harbour.open({}, FAKE_DEVICES);
    pages = await RecordingPages.open(harbour.stack.baseUrl);
  });
  after(async () => {
    pages.close();
    await harbour.close();
  });
}

/** A page that records its camera live, as nobody has said how. Undefined where the browser has no MP4. */
async function recordingMp4(t: TestContext): Promise<RecordingPage | undefined> {
  const context = await harbour.newContext();
  t.after(() => context.close());
  const page = await pages.visit(context);
  const isMp4 = await page.page.evaluate(() => MediaRecorder.isTypeSupported("video/mp4"));
  if (!isMp4) {
    t.skip("this browser records no MP4");
    return undefined;
  }
  await page.page.evaluate(async () => {
    const world = globalThis as unknown as InPage;
    const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    world.recording = world.recordings.createRecording(stream, { endpoint: world.endpoint, live: true });
    world.done = world.recording.start();
    world.done.catch(() => {});
  });
  const { contentType } = await page.until("a type", ({ contentType }) => contentType !== "");
  assert.equal(contentType, "video/mp4");
  return page;
}

test("a camera that a page records live has a playlist while it is recorded", skip, async (t) => {
  const page = await recordingMp4(t);
  if (page === undefined) {
    return;
  }
  const { client } = harbour.stack;
  const { uploadId = "" } = await page.until("an upload", ({ uploadId }) => uploadId !== undefined);
  const address = `/upload/${uploadId}/index.m3u8`;
  const looked = async (is: (playlist: Playlist) => boolean) => {
    const reply = await client.request("GET", address);
    assert.equal(reply.status, 200, reply.body.toString());
    const playlist = new Playlist(reply.body.toString());
    return is(playlist) ? playlist : undefined;
  };
  const until = (what: string, is: (playlist: Playlist) => boolean) =>
    waitFor(what, () => looked(is), { giveUpMs: GIVE_UP_MS });
  const some = await until("segments", ({ segments }) => segments.length >= 2);
  assert.ok(!some.hasEnded);
  await page.page.evaluate(() => (globalThis as unknown as InPage).recording.stop());
  await client.waitUntilState(uploadId, "completed");
  const whole = await until("the end", ({ hasEnded }) => hasEnded);
  whole.follows(some);
  assert.deepEqual(await decodingErrors(`${client.baseUrl}${address}`), []);
  const seconds = await durationSeconds(`${client.baseUrl}${address}`);
  assert.ok(Math.abs(seconds - whole.seconds) < 1, `${seconds} s of ${whole.seconds}`);
});

test("a tab that is killed while it records live leaves what plays", skip, async (t) => {
  const page = await recordingMp4(t);
  if (page === undefined) {
    return;
  }
  await page.until("some of it", ({ safeHereBytes }) => safeHereBytes > SOME_BYTES);
  await page.kill();
  const next = await pages.visit(page.page.context());
  const { uploadId, bytes } = await next.resume();
  assert.ok(bytes > SOME_BYTES);
  const { client } = harbour.stack;
  await client.waitUntilState(uploadId, "completed");
  const { body } = await client.request("GET", `/upload/${uploadId}/content`);
  assert.equal(body.length, bytes);
  const folder = mkdtempSync(join(tmpdir(), "quayside-recording-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "recording.mp4");
  writeFileSync(path, body);
  assert.deepEqual(await decodingErrors(path), []);
});
