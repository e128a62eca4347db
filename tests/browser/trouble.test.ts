// What a server can say no with, as the page shows it: in words, at the file, with a way on. And what nobody tried: an upload
// whose time is over.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser, type TestFile } from "./harbour.ts";
import type { UploadPage } from "./upload_page.ts";

const FILE_BYTES = 12_000_000;
/** More chunks than are sent at once, so that some are there while others are held back. */
const LONG_FILE_BYTES = 40_000_000;
/** Long enough for a chunk to arrive on a slow machine, and then for the whole file. */
const TTL_SECONDS = 20;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

type Answer = { status: number; headers?: Record<string, string>; body?: string };

/** The page, and a server that answers the first `times` chunks so. */
async function answering(name: string, times: number, answer: Answer): Promise<{ page: UploadPage; file: TestFile }> {
  const page = await harbour.visit();
  let left = times;
  await page.page.route("**/upload/*", (route) => {
    if (route.request().method() !== "PUT" || left === 0) {
      return route.continue();
    }
    left--;
    return route.fulfill(answer);
  });
  return { page, file: harbour.file(name, FILE_BYTES) };
}

test("429: it waits as long as it was asked to, says so, and goes on", inBrowser, async () => {
  const { page, file } = await answering("429.mp4", 1, { status: 429, headers: { "Retry-After": "1" } });
  await page.send(file);
  await page
    .card(file)
    .getByText(/429.*Trying again in \d+ s/)
    .waitFor();
  await harbour.assertArrived(await page.untilRecorded(file), file);
});

test("401: it says to sign in, and the button beside it goes on", inBrowser, async () => {
  const { page, file } = await answering("401.mp4", 8, { status: 401 });
  await page.send(file);
  await page
    .card(file)
    .getByText(/Sign in, then go on/)
    .waitFor();
  await page.page.unroute("**/upload/*");
  await page.press("Go on");
  await harbour.assertArrived(await page.untilRecorded(file), file);
});

test("413 from a proxy in between: the message says what it probably is", inBrowser, async () => {
  const { page, file } = await answering("413.mp4", 8, { status: 413, body: "<html>too large</html>" });
  await page.send(file);
  await page
    .card(file)
    .getByText(/a proxy, does not let pieces of this size through/)
    .waitFor();
  assert.doesNotMatch(String(await page.card(file).textContent()), /chunkBytes/);
  assert.equal(await page.stage(file), "failed");
});

test("an upload whose time is over says so, and starts afresh by itself", inBrowser, async (t) => {
  const harbour = await Harbour.open({ vars: { UPLOAD_TTL_SECONDS: TTL_SECONDS } });
  t.after(() => harbour.close());
  const file = harbour.file("expired.mp4", LONG_FILE_BYTES);
  const page = await harbour.visit();
  harbour.wire.holdAfter(LONG_FILE_BYTES * 0.7);
  await page.send(file);
  await page.untilPercent(file, 20);
  await page.press("Pause");
  const { client } = harbour.stack;
  const [open] = (await client.openUploads()).filter(({ fileName }) => fileName === file.name);
  assert.ok(open);
  await waitFor("the upload to expire", async () => (await client.status(open.uploadId)).status === 410);
  harbour.wire.release();
  const told = page.page
    .getByText(/begins afresh: its earlier upload is gone/)
    .first()
    .waitFor();
  await page.press("Resume");
  await told;
  const uploadId = await page.untilRecorded(file);
  assert.notEqual(uploadId, open.uploadId);
  await harbour.assertArrived(uploadId, file);
});
