// Files of every kind through the page: several at once, the same bytes again, names and sizes at the edge, a type that is not
// taken, a file that changes, and a tab that is closed and opened again.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { MIB } from "../support/bytes.ts";
import { Harbour, inBrowser } from "./harbour.ts";

const FILE_BYTES = 40_000_000;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open({ allowedFileTypes: ["video/*", "image/*", ".txt"] });
  });
  after(() => harbour.close());
}

test("several files at once, one of them empty, one with an emoji", inBrowser, async () => {
  const files = [
    harbour.file("first.mp4", 30_000_000),
    harbour.file("second 🏖️ 100 %.mp4", 20_000_000),
    harbour.file("empty.txt", 0),
  ];
  const page = await harbour.visit();
  await page.send(...files);
  for (const file of files) {
    await harbour.assertArrived(await page.untilRecorded(file), file);
  }
});

test("bytes that are stored already are recognised, and not sent", inBrowser, async () => {
  const first = harbour.file("original.mp4", FILE_BYTES, "the same bytes");
  const page = await harbour.visit();
  await page.page.getByRole("checkbox").check();
  await page.send(first);
  const uploadId = await page.untilRecorded(first);
  await page.card(first).getByText("Verified (done)").waitFor();
  const copy = harbour.file("copy.mp4", FILE_BYTES, "the same bytes");
  const sentBefore = harbour.wire.sentBytes;
  await page.send(copy);
  await page.card(copy).getByText("There already").waitFor();
  assert.equal(await page.untilRecorded(copy), uploadId);
  assert.ok(harbour.wire.sentBytes - sentBefore < MIB, "nothing was sent");
});

test("a type that is not taken is refused before anything is sent", inBrowser, async () => {
  const page = await harbour.visit();
  const sentBefore = harbour.wire.sentBytes;
  await page.choose(harbour.file("program.exe", 1000));
  await page.page
    .getByText(/You can only upload: video\/\*/)
    .first()
    .waitFor();
  assert.equal(await page.page.locator(".card").count(), 0);
  assert.ok(harbour.wire.sentBytes - sentBefore < 100_000);
});

test("a closed tab: in a new one the file is chosen again, and goes on", inBrowser, async () => {
  const file = harbour.file("closed.mp4", 100_000_000);
  const page = await harbour.visit();
  harbour.wire.holdAfter(file.sizeBytes / 2);
  await page.send(file);
  await page.untilPercent(file, 8);
  await page.page.close();
  harbour.wire.release();
  const again = await harbour.visitAgain(page);
  const sentBefore = harbour.wire.sentBytes;
  await again.choose(file);
  await again.start();
  const from = await again.resumedFrom(file);
  assert.ok(from >= 8, `from ${from} %`);
  const uploadId = await again.untilRecorded(file);
  const sent = harbour.wire.sentBytes - sentBefore;
  assert.ok(sent <= file.sizeBytes * (1 - from / 100) + 2 * MIB, `${sent} bytes sent`);
  await harbour.assertArrived(uploadId, file);
});

test("a file that the browser has kept goes on after a reload without being chosen again", inBrowser, async () => {
  const file = harbour.file("kept.mp4", FILE_BYTES);
  const page = await harbour.visit();
  harbour.wire.holdAfter(FILE_BYTES / 2);
  await page.send(file);
  await page.untilPercent(file, 20);
  await page.page.reload({ waitUntil: "commit" });
  harbour.wire.release();
  await page.untilReady();
  await page.card(file).waitFor();
  await page.start();
  assert.ok((await page.resumedFrom(file)) >= 20);
  await harbour.assertArrived(await page.untilRecorded(file), file);
});

test("a file that has changed is noticed, and goes up afresh", inBrowser, async () => {
  const file = harbour.file("changing.mp4", 100_000_000);
  const page = await harbour.visit();
  harbour.wire.holdAfter(file.sizeBytes / 2);
  await page.send(file);
  await page.untilPercent(file, 8);
  // The browser cannot read on: the file on disk is another now.
  const changed = harbour.file("changing.mp4", 100_000_000, "other bytes");
  harbour.wire.release();
  await page.untilStage(file, "failed");
  await page
    .card(file)
    .getByText(/changed/)
    .waitFor();
  await page.remove(file);
  await page.send(changed);
  await harbour.assertArrived(await page.untilRecorded(changed), changed);
});
