// What happens to a network, and to a server, in the middle of an upload through the page: it waits, says so, and goes on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { MIB } from "../support/bytes.ts";
import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser, type TestFile } from "./harbour.ts";
import type { UploadPage } from "./upload_page.ts";

const FILE_BYTES = 60_000_000;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

/** A file on its way, of which some chunks count and the rest is held back. */
async function midway(name: string): Promise<{ page: UploadPage; file: TestFile }> {
  const file = harbour.file(name, FILE_BYTES);
  const page = await harbour.visit();
  harbour.wire.holdAfter(FILE_BYTES * 0.7);
  await page.send(file);
  await page.untilPercent(file, 12);
  return { page, file };
}

test("offline: the upload waits and says so; online, it goes on by itself", inBrowser, async () => {
  const { page, file } = await midway("offline.mp4");
  await page.context.setOffline(true);
  await page.untilStage(file, "offline");
  const before = await page.percent(file);
  harbour.wire.release();
  await page.context.setOffline(false);
  const resumedFrom = await page.resumedFrom(file);
  assert.ok(resumedFrom >= before, `at ${resumedFrom} %, after ${before} %: nothing that counted was lost`);
  await harbour.assertArrived(await page.untilRecorded(file), file);
});

test("the cable is cut, and mended", inBrowser, async () => {
  const { page, file } = await midway("cut.mp4");
  harbour.wire.cut();
  await page
    .card(file)
    .getByText(/could not be reached.*Trying again in \d+ s/)
    .waitFor();
  const before = await page.percent(file);
  harbour.wire.release();
  harbour.wire.mend();
  await harbour.assertArrived(await page.untilRecorded(file), file);
  assert.ok(before >= 12 && before < 100);
});

test("the server is killed and comes back", inBrowser, async () => {
  const { page, file } = await midway("killed.mp4");
  await harbour.stack.kill();
  await page
    .card(file)
    .getByText(/Trying again in \d+ s/)
    .waitFor();
  harbour.wire.release();
  await harbour.stack.restart();
  await harbour.assertArrived(await page.untilRecorded(file), file);
});

test("paused by its button, nothing is sent; resumed, only the rest", inBrowser, async () => {
  const { page, file } = await midway("paused.mp4");
  await page.press("Pause");
  await page.untilStage(file, "paused");
  const widths = await page
    .card(file)
    .locator(".bar span")
    .evaluateAll((bars) => bars.map((bar) => bar.style.width));
  assert.equal(
    new Set(widths.map((width) => Math.round(Number.parseFloat(width)))).size,
    1,
    `${widths}: nothing is on its way`,
  );
  harbour.wire.release();
  const [open] = (await harbour.stack.client.openUploads()).filter(({ fileName }) => fileName === file.name);
  assert.ok(open);
  // What was on its way is given up by the browser; a wire that has gone quiet stays quiet.
  let last = -1;
  await waitFor("the wire to be quiet", () => {
    const isQuiet = harbour.wire.sentBytes === last;
    last = harbour.wire.sentBytes;
    return isQuiet;
  });
  const { uploadedBytes } = await harbour.stack.client.state(open.uploadId);
  assert.equal(await page.stage(file), "paused");
  assert.ok(uploadedBytes < FILE_BYTES);
  await page.press("Resume");
  assert.equal(await page.untilRecorded(file), open.uploadId);
  const sent = harbour.wire.sentBytes - last;
  assert.ok(sent <= FILE_BYTES - uploadedBytes + MIB, `${sent} sent, ${uploadedBytes} were there`);
  await harbour.assertArrived(open.uploadId, file);
});
