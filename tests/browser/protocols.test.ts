// The other two protocols through the page: tus, and the IETF's draft, sent by their own client. The page shows what the
// server has confirmed, live, and they go on after a reload as ours does.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { MIB } from "../support/bytes.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import type { Protocol } from "./upload_page.ts";

const FILE_BYTES = 40_000_000;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

const PROTOCOLS: [Protocol, string][] = [
  ["tus 1.0", "tus-resumable"],
  ["IETF draft", "upload-draft-interop-version"],
];

for (const [protocol, header] of PROTOCOLS) {
  test(`${protocol}: a file goes up, goes on after a reload, and arrives`, inBrowser, async () => {
    const file = harbour.file(`by ${protocol} ⚓.mp4`, FILE_BYTES);
    const page = await harbour.visit();
    const spoken: boolean[] = [];
    page.page.on("request", (request) => {
      // What the server takes at all, the page asks once in the words of tus.
      if (request.url().includes("/files") && request.method() !== "OPTIONS") {
        spoken.push(header in request.headers());
      }
    });
    await page.speak(protocol);
    harbour.wire.holdAfter(FILE_BYTES * 0.7);
    await page.send(file);
    await page.untilPercent(file, 40);
    await page.page.reload({ waitUntil: "commit" });
    harbour.wire.release();
    await page.untilReady();
    assert.ok(await page.page.getByRole("radio", { name: protocol }).isChecked(), "the choice is remembered");
    const sentBefore = harbour.wire.sentBytes;
    await page.card(file).waitFor();
    await page.start();
    const from = await page.resumedFrom(file);
    assert.ok(from >= 40, `from ${from} %`);
    const uploadId = await page.untilRecorded(file);
    const sent = harbour.wire.sentBytes - sentBefore;
    assert.ok(sent <= FILE_BYTES * (1 - from / 100) + 2 * MIB, `${sent} bytes sent`);
    const { contentType } = await harbour.assertArrived(uploadId, file);
    assert.equal(contentType, "video/mp4", "the file's type goes along");
    assert.ok(spoken.length > 3 && spoken.every(Boolean), "every request spoke the protocol");
  });
}
