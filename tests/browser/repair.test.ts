// A chunk that a real browser reads wrong: the file is compared in a Web Worker, the chunk is sent again, and the page says so.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { MIB } from "../support/bytes.ts";
import { Harbour, inBrowser } from "./harbour.ts";

const CHUNK_BYTES = 8 * MIB;
const FILE_BYTES = 3 * CHUNK_BYTES + 12_345;
/** Heads of requests, scripts and styles. */
const OVERHEAD_BYTES = 2 * MIB;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

test("a chunk that was read wrong is sent again, and the origin has the true file", inBrowser, async () => {
  const file = harbour.file("misread.mp4", FILE_BYTES);
  const page = await harbour.visit();
  const said = await page.listen();
  await page.page.getByRole("checkbox").check();
  await page.page.evaluate((chunkBytes) => {
    const slice = Blob.prototype.slice;
    let isMisread = false;
    Blob.prototype.slice = function (this: Blob, ...range: Parameters<typeof slice>) {
      const piece = slice.apply(this, range);
      if (piece.size !== chunkBytes || isMisread) {
        return piece;
      }
      isMisread = true;
      return new Blob([slice.call(piece, 1), slice.call(piece, 0, 1)]);
    };
  }, CHUNK_BYTES);
  const sentBefore = harbour.wire.sentBytes;
  await page.send(file);
  const uploadId = await page.untilRecorded(file);
  await harbour.assertArrived(uploadId, file);
  const sent = harbour.wire.sentBytes - sentBefore - FILE_BYTES;
  assert.ok(sent >= CHUNK_BYTES && sent < CHUNK_BYTES + OVERHEAD_BYTES, `${sent} bytes were sent again`);
  const repairing = (await said()).filter((sentence) => sentence.includes("arrived damaged and is being repaired"));
  assert.ok(repairing.length > 0, "it was said");
});
