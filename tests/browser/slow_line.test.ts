// A line of 2 Mbit/s, from the page to the Worker: what the page is told of its upload, compared with what has really passed the line.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { type Browser, chromium } from "playwright-core";

import { MIB } from "../support/bytes.ts";
import { hasPython } from "../support/python.ts";
import { ShapedLine } from "../support/shaped_line.ts";
import { Stack } from "../support/stack.ts";
import { ARGS, inBrowser } from "./harbour.ts";
import { type InPage, SdkPage } from "./sdk_page.ts";

const BITS_PER_SECOND = 2_000_000;
/** Thirty-six seconds on this line; two chunks of those that the page asks for. */
const FILE_BYTES = 9_000_000;
const CHUNK_BYTES = 5 * MIB;
/** From then on what is said of the time that is left is to be believed, */
const BELIEVED_AFTER_MS = 10_000;
/**
 * this near to what it was in truth: it is too short by what the buffers take in meanwhile, which looks like speed, and by what lies in them;
 * measured are up to 28 %,
 */
const MOST_WRONG = 0.33;
/**
 * until so little is left that what has left the page and lies in buffers is much of it: some 540 kB of two connections, which this line takes
 * 2.2 s for.
 */
const LAST_MS = 12_000;
/** What may have left the page and not passed yet lies in the buffers of the browser and of the two ends of the line; heads of requests pass, too. */
const MOST_BUFFERED_BYTES = 1_000_000;

const slow = (await hasPython()) ? inBrowser : { skip: "there is no python3" };

let stack: Stack;
let line: ShapedLine;
let own: SdkPage;
let browser: Browser;
if (!slow.skip) {
  before(async () => {
    stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
    [line, own] = [await ShapedLine.start(stack.baseUrl, BITS_PER_SECOND), await SdkPage.open()];
    browser = await chromium.launch({ executablePath: String(process.env.CHROMIUM), args: ARGS });
  });
  after(async () => {
    await browser.close();
    own.close();
    await line.stop();
    await stack.stop();
  });
}

type Told = { atMs: number; uploadedBytes: number; sentBytes: number; remainingMs: number | null };

function passedBy(atMs: number): number {
  return line.passed.findLast((passed) => passed.atMs <= atMs)?.bytes ?? 0;
}

test("on a slow line progress moves, is true, and says when it will be over", slow, async () => {
  const page = await browser.newPage();
  await own.visitIn(page);
  const { told, beganMs, doneMs, uploadId } = await page.evaluate(
    async ([endpoint, fileBytes, chunkBytes]) => {
      const { sdk } = globalThis as unknown as InPage;
      const file = new File([new Uint8Array(fileBytes)], "slow.bin");
      const told: Told[] = [];
      const upload = sdk.createUpload(file, { endpoint, chunkBytes, store: null });
      upload.on("progress", ({ uploadedBytes, sentBytes, remainingMs }) => {
        told.push({ atMs: Date.now(), uploadedBytes, sentBytes, remainingMs });
      });
      const beganMs = Date.now();
      const { uploadId } = await upload.start();
      return { told, beganMs, doneMs: Date.now(), uploadId };
    },
    [line.url, FILE_BYTES, CHUNK_BYTES] as const,
  );
  assert.equal((await stack.client.state(uploadId)).state, "completed");

  const leastMs = (FILE_BYTES * 8 * 1000) / BITS_PER_SECOND;
  assert.ok(doneMs - beganMs >= leastMs, `the line is slow: ${doneMs - beganMs} ms`);
  let before: Told = { atMs: 0, uploadedBytes: 0, sentBytes: 0, remainingMs: null };
  for (const now of told) {
    assert.ok(now.uploadedBytes >= before.uploadedBytes && now.sentBytes >= before.sentBytes, "never backwards");
    assert.ok(now.uploadedBytes <= passedBy(now.atMs), `${now.uploadedBytes} cannot be there yet`);
    assert.ok(now.sentBytes >= now.uploadedBytes, "what is there has been sent");
    before = now;
  }
  const ahead = told.map(({ atMs, sentBytes }) => sentBytes - passedBy(atMs));
  const [behindBytes, aheadBytes] = [-Math.min(...ahead), Math.max(...ahead)];
  const apart = Math.max(...told.map(({ sentBytes, uploadedBytes }) => sentBytes - uploadedBytes));
  const believed = told.filter(({ atMs }) => atMs - beganMs >= BELIEVED_AFTER_MS && doneMs - atMs >= LAST_MS);
  const wrong = believed.map(({ atMs, remainingMs }) => (remainingMs ?? 0) / (doneMs - atMs) - 1);
  const [least, most] = [Math.min(...wrong), Math.max(...wrong)].map((part) => `${(part * 100).toFixed(0)} %`);
  const lastPassedMs = line.passed.findLast(({ bytes }) => bytes <= FILE_BYTES)?.atMs ?? 0;
  console.log(
    `2 Mbit/s: ${told.length} tellings in ${((doneMs - beganMs) / 1000).toFixed(1)} s; sent at most ${aheadBytes} ahead and ` +
      `${behindBytes} behind what has passed, ${apart} ahead of what is confirmed; time left wrong by ${least} to ${most}; ` +
      `done ${doneMs - lastPassedMs} ms after the last byte`,
  );
  assert.ok(
    aheadBytes < MOST_BUFFERED_BYTES && behindBytes < MOST_BUFFERED_BYTES,
    "what is said to be sent has passed",
  );
  assert.ok(apart > CHUNK_BYTES / 2, "sent and confirmed are told apart");
  const longestMs = Math.max(...told.slice(1).map(({ atMs }, at) => atMs - (told[at]?.atMs ?? 0)));
  assert.ok(longestMs < 5_000, `nothing was said for ${longestMs} ms`);
  assert.ok(believed.length > 10, "there was something to believe");
  assert.ok(
    wrong.every((part) => Math.abs(part) <= MOST_WRONG),
    `the time left was wrong by ${least} to ${most}`,
  );
});
