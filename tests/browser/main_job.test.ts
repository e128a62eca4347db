// A large file through the page in a real browser: up, shown on its way, at the origin with the same bytes; and again with
// the page reloaded in the middle.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { MIB } from "../support/bytes.ts";
import { Harbour, inBrowser } from "./harbour.ts";

const FILE_BYTES = 200_000_000;
/** Heads of requests, scripts and styles. */
const OVERHEAD_BYTES = 2 * MIB;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

test("200 MB go up and reach the origin with the same SHA-256, which the page shows", inBrowser, async () => {
  const file = harbour.file("harbour at dawn.mp4", FILE_BYTES);
  const page = await harbour.visit();
  const sentBefore = harbour.wire.sentBytes;
  await page.send(file);
  const uploadId = await page.untilRecorded(file);
  await harbour.assertArrived(uploadId, file);
  const sent = harbour.wire.sentBytes - sentBefore;
  assert.ok(sent >= FILE_BYTES && sent < FILE_BYTES + OVERHEAD_BYTES, `every byte once: ${sent} were sent`);
  const steps = await page
    .card(file)
    .locator(".step:not([hidden])")
    .evaluateAll((all) => all.map((step) => step.textContent));
  // No hash of the whole was given, so nothing says that it was verified.
  assert.deepEqual(steps, ["Uploaded (done)", "Put together (done)", "At the origin (done)"]);
});

test("reloaded in the middle, it goes on and sends only what is missing", inBrowser, async () => {
  const file = harbour.file("reloaded.mp4", FILE_BYTES);
  const page = await harbour.visit();
  harbour.wire.holdAfter(FILE_BYTES / 2);
  await page.send(file);
  await page.untilPercent(file, 25);
  const [open] = (await harbour.stack.client.openUploads()).filter(({ fileName }) => fileName === file.name);
  assert.ok(open);
  await page.page.reload({ waitUntil: "commit" });
  harbour.wire.release();
  await page.untilReady();
  const { uploadedBytes } = await harbour.stack.client.state(open.uploadId);
  const sentBefore = harbour.wire.sentBytes;
  // Too large to be kept by the browser: it is chosen once more.
  await page.choose(file);
  await page.start();
  const from = await page.resumedFrom(file);
  assert.ok(from >= 25 && from < 100, `resumed from ${from} %`);
  assert.equal(await page.untilRecorded(file), open.uploadId, "the same upload");
  const sent = harbour.wire.sentBytes - sentBefore;
  assert.ok(sent < FILE_BYTES - uploadedBytes + OVERHEAD_BYTES, `${sent} sent, ${uploadedBytes} were there`);
  await harbour.assertArrived(open.uploadId, file);
});
