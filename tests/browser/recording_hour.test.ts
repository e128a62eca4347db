// What a long recording holds in memory, page and Worker: a stream as fast as it is taken, watched at its beginning, in its middle and before its
// end. It is 96 MiB; QUAYSIDE_STREAM_MIB=2146 is an hour of 5 Mbit/s, and it says what it has measured.

import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";

import { MIB } from "../support/bytes.ts";
import { heapBytes } from "../support/heap.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import { type InPage, type Memory, memoryOf, type RecordingPage, RecordingPages } from "./recording_page.ts";

const STREAM_BYTES = Number(process.env.QUAYSIDE_STREAM_MIB ?? 96) * MIB;
/** Of one request of 8 MiB: read in pieces, as one, and on its way; two pieces that wait for storage; and as much again. */
const MOST_GROWTH_MIB = 52;

let harbour: Harbour;
let pages: RecordingPages;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open({ vars: { ORIGIN_WEBHOOK_URL: "" }, inspected: true });
    pages = await RecordingPages.open(harbour.wire.url);
  });
  after(async () => {
    pages.close();
    await harbour.close();
  });
}

async function begin({ page }: RecordingPage): Promise<void> {
  await page.evaluate((size) => {
    const world = globalThis as unknown as InPage;
    const { endpoint } = world;
    let given = 0;
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const bytes = new Uint8Array(Math.min(256 * 1024, size - given)).fill(given / 997);
          given += bytes.length;
          controller.enqueue(bytes);
          given === size && controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    world.recording = world.recordings.createRecording(stream, { endpoint, live: true });
    world.done = world.recording.start();
    world.done.catch(() => {});
  }, STREAM_BYTES);
}

/** Also of the Worker's isolate, without its process and the simulators in that. */
async function memory(page: RecordingPage): Promise<Memory & { readonly isolateMib: number }> {
  return { ...(await memoryOf(page)), isolateMib: Math.round(((await heapBytes(harbour.stack)) / MIB) * 10) / 10 };
}

async function hour(t: TestContext): Promise<void> {
  const context = await harbour.newContext();
  t.after(() => context.close());
  const page = await pages.visit(context);
  const idle = await memory(page);
  const beganMs = Date.now();
  await begin(page);
  const seen = [];
  for (const part of [0.1, 0.5, 0.9]) {
    const atBytes = part * STREAM_BYTES;
    await page.until(`${part} of it to be there`, ({ safeThereBytes }) => safeThereBytes >= atBytes, 3_600_000);
    seen.push(await memory(page));
  }
  const { uploadId, recordedBytes } = await page.until("all of it", ({ state }) => state === "completed", 3_600_000);
  const seconds = (Date.now() - beganMs) / 1000;
  const { state, fileSize } = await harbour.stack.client.state(String(uploadId));
  assert.deepEqual([state, fileSize, recordedBytes], ["completed", STREAM_BYTES, STREAM_BYTES]);
  t.diagnostic(JSON.stringify({ bytes: STREAM_BYTES, seconds, idle, seen }));
  for (const { pageMib } of seen) {
    assert.ok(pageMib <= idle.pageMib + MOST_GROWTH_MIB, `${pageMib} MiB, ${idle.pageMib} before`);
  }
}

test("however long a stream is, what the page holds of it is the same", inBrowser, hour);
