// What a browser's own recorder makes, as MP4, can be played by others while it is made: it has a playlist with places to come in.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Playlist, withMediaTools } from "../support/hls.ts";
import { decodingErrors, durationSeconds } from "../support/media.ts";
import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import { FAKE_DEVICES, type InPage, RecordingPages } from "./recording_page.ts";

/** A machine that has other things to do is not given up. */
const GIVE_UP_MS = 120_000;

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

test("a camera that a page records as MP4 has a playlist while it is recorded", skip, async (t) => {
  const context = await harbour.newContext();
  t.after(() => context.close());
  const page = await pages.visit(context);
  const isMp4 = await page.page.evaluate(() => MediaRecorder.isTypeSupported("video/mp4"));
  if (!isMp4) {
    t.skip("this browser records no MP4");
    return;
  }
  await page.page.evaluate(async () => {
    const world = globalThis as unknown as InPage;
    const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    const recorder = { mimeType: "video/mp4", videoKeyFrameIntervalDuration: 2000 };
    world.recording = world.recordings.createRecording(stream, { endpoint: world.endpoint, live: true, recorder });
    world.done = world.recording.start();
    world.done.catch(() => {});
  });
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
