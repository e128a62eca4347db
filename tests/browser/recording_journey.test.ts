// A camera for a while, with all that happens to a recording meanwhile: networks that are cut, a server that is killed, a tab that is killed, a
// reload. What is at the origin in the end plays, and is what lay in the browser, byte for byte; and somebody who followed saw it grow, and
// has the same.
//
// It lasts twenty seconds of recording; QUAYSIDE_RECORD_SECONDS=600 makes it ten minutes, and it says what it has measured.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";

import { MIB, sha256 } from "../support/bytes.ts";
import { decodingErrors, durationSeconds, hasMediaTools } from "../support/media.ts";
import { PatientFollower } from "../support/patient_follower.ts";
import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import { FAKE_DEVICES, type InPage, memoryOf, type RecordingPage, RecordingPages } from "./recording_page.ts";

const SECONDS = Number(process.env.QUAYSIDE_RECORD_SECONDS ?? 20);
/** In each, the network is cut and the server killed. */
const ROUNDS = Math.max(1, Math.floor(SECONDS / 120));
/** The rounds are over, and the last cut begins. */
const LAST_CUT_MS = SECONDS * 850;
/** So much lies in the browser alone when the tab is killed; and so much of it is sent before the next is reloaded. */
const UNSENT_BYTES = MIB / 4;
const SENT_BYTES = MIB / 16;
/** A machine that has other things to do is not given up. */
const GIVE_UP_MS = 180_000;

let harbour: Harbour;
let pages: RecordingPages;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open({}, FAKE_DEVICES);
    pages = await RecordingPages.open(harbour.wire.url);
  });
  after(async () => {
    pages.close();
    await harbour.close();
  });
}

/** What the recorder had given, in all, and how long it had recorded by then. */
type Given = { readonly bytes: number; readonly ms: number };

/** The recorder, and what it has given so far. */
class Camera {
  readonly page: RecordingPage;
  readonly given: Given[] = [];

  constructor(page: RecordingPage) {
    this.page = page;
  }

  async begin(): Promise<void> {
    await this.page.page.exposeFunction("told", (bytes: number, ms: number) => this.given.push({ bytes, ms }));
    await this.page.page.evaluate(async () => {
      const world = globalThis as unknown as InPage & { told(bytes: number, ms: number): void };
      const { endpoint } = world;
      const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
      const recorder = new MediaRecorder(stream, { mimeType: "video/webm" });
      let [bytes, beganMs] = [0, 0];
      recorder.addEventListener("start", () => {
        beganMs = performance.now();
      });
      recorder.addEventListener("dataavailable", ({ data }) => {
        bytes += data.size;
        world.told(bytes, performance.now() - beganMs);
      });
      const options = { endpoint, live: { tellEveryBytes: 8 * 1024 * 1024 }, retry: { longestDelayMs: 2000 } };
      world.recording = world.recordings.createRecording(recorder, options);
      world.recording.start().catch(() => {});
    });
  }

  async until(ms: number): Promise<void> {
    const giveUpMs = ms + GIVE_UP_MS;
    await waitFor(`${ms} ms of recording`, () => (this.given.at(-1)?.ms ?? 0) >= ms, { giveUpMs });
  }

  /** How long it had recorded when it had given so much. */
  msAt(bytes: number): number {
    const found = this.given.find((given) => given.bytes === bytes);
    assert.ok(found !== undefined, `${bytes} bytes are where a piece ends`);
    return found.ms;
  }
}

/** Cuts the network and kills the server, once in each round; whoever follows has had all that counted before the next trouble. */
async function throughTrouble(camera: Camera, follower: PatientFollower): Promise<void> {
  const roundMs = LAST_CUT_MS / ROUNDS;
  const followed = async () => {
    const { safeThereBytes, state } = await camera.page.status();
    assert.equal(state, "recording");
    await waitFor(`${safeThereBytes} bytes at the follower`, () => follower.bytes >= safeThereBytes, {
      giveUpMs: GIVE_UP_MS,
    });
  };
  for (let round = 0; round < ROUNDS; round++) {
    const at = (part: number) => camera.until((round + part) * roundMs);
    await at(0.25);
    await followed();
    harbour.wire.cut();
    await at(0.35);
    harbour.wire.mend();
    await at(0.6);
    await followed();
    await harbour.stack.kill();
    await harbour.stack.restart();
  }
  await camera.until(LAST_CUT_MS);
  await followed();
}

/** The tab is killed with bytes in it that are nowhere else. What is left of it, in the next one. */
async function killed(camera: Camera): Promise<RecordingPage> {
  const seen = await camera.page.until("bytes to be here alone", ({ safeHereBytes, safeThereBytes }) => {
    return safeHereBytes > safeThereBytes + UNSENT_BYTES;
  });
  await camera.page.kill();
  const next = await pages.visit(camera.page.page.context());
  const [left, ...others] = await next.left();
  assert.deepEqual(others, []);
  assert.ok(left !== undefined && left.recordedBytes >= seen.safeHereBytes, "what was said to be safe here is here");
  return next;
}

/** Sends some of it, and is reloaded. */
async function reloaded({ page }: RecordingPage): Promise<void> {
  const sentBytes = harbour.wire.sentBytes + SENT_BYTES;
  harbour.wire.holdAfter(SENT_BYTES);
  harbour.wire.mend();
  await page.evaluate(async () => {
    const { recordings, endpoint } = globalThis as unknown as InPage;
    const [left] = await recordings.listRecordings({ endpoint });
    left
      ?.resume()
      .start()
      .catch(() => {});
  });
  await waitFor("bytes to leave", () => harbour.wire.sentBytes >= sentBytes);
  await page.reload();
  harbour.wire.release();
  await page.evaluate((endpoint) => Object.assign(globalThis, { endpoint }), harbour.wire.url);
}

/** Plays from its first frame to its last, for as long as it was recorded. */
async function assertPlays(content: Buffer, recordedMs: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "quayside-recording-"));
  try {
    const path = join(folder, "recording.webm");
    writeFileSync(path, content);
    const seconds = await durationSeconds(path);
    assert.deepEqual(await decodingErrors(path), []);
    assert.ok(Math.abs(seconds - recordedMs / 1000) <= 1, `plays ${seconds} s of ${recordedMs} ms`);
    return seconds;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function journey(t: TestContext): Promise<void> {
  const context = await harbour.newContext();
  t.after(() => context.close());
  const camera = new Camera(await pages.visit(context));
  await camera.begin();
  const { uploadId } = await camera.page.until("bytes at the server", ({ safeThereBytes }) => safeThereBytes > 0);
  const { client } = harbour.stack;
  const id = String(uploadId);
  const content = `/upload/${id}/content`;
  assert.equal((await client.state(id)).live, true);
  const follower = new PatientFollower(`${client.baseUrl}${content}?follow`);
  t.after(() => follower.leave());
  await camera.until(Math.min(60_000, SECONDS * 200));
  const early = await memoryOf(camera.page);
  await throughTrouble(camera, follower);
  const late = await memoryOf(camera.page);
  harbour.wire.cut();
  await camera.until(SECONDS * 1000);
  const next = await killed(camera);
  const [left] = await next.left();
  await reloaded(next);
  const result = await next.resume();
  assert.equal(result.uploadId, id, "it is the same upload");
  const record = await harbour.origin.waitForStored(id);
  assert.deepEqual([record.fileSize, record.sha256], [left?.recordedBytes, left?.sha256]);
  const followed = await follower.whole;
  assert.deepEqual([followed.length, sha256(followed)], [record.fileSize, record.sha256]);
  const stored = await client.request("GET", content);
  assert.equal(sha256(stored.body), record.sha256);
  const recordedMs = camera.msAt(record.fileSize);
  const seconds = (await hasMediaTools()) ? await assertPlays(stored.body, recordedMs) : "no ffprobe";
  const events = await harbour.origin.events(id);
  const told = events.filter(({ type }) => type === "upload.progressed").length;
  assert.ok(told >= Math.floor(record.fileSize / (16 * MIB)), `told ${told} times on the way`);
  const { breaks } = follower;
  const measured = {
    recordedMs,
    seconds,
    bytes: record.fileSize,
    cuts: ROUNDS + 1,
    kills: ROUNDS,
    breaks,
    told,
    early,
    late,
  };
  t.diagnostic(JSON.stringify(measured));
}

test(
  "a camera through cuts, a killed server, a killed tab and a reload plays, and is what was recorded",
  inBrowser,
  journey,
);
