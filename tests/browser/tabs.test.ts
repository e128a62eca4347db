// Two tabs of one browser with the same file: one sends, the other shows how far it is, and takes over when the first is closed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser } from "./harbour.ts";

/** More than the page keeps of a file, so that it is chosen in each tab. */
const FILE_BYTES = 80_000_000;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

/** The ids of the uploads of this file that the server has open. */
async function open(name: string): Promise<string[]> {
  const uploads = await harbour.stack.client.openUploads();
  return uploads.filter(({ fileName }) => fileName === name).map(({ uploadId }) => uploadId);
}

test("the second tab follows; when the first is closed, it goes on, and it is one upload", inBrowser, async () => {
  const file = harbour.file("two tabs.mp4", FILE_BYTES);
  const first = await harbour.visit();
  harbour.wire.holdAfter(FILE_BYTES * 0.7);
  await first.send(file);
  await first.untilPercent(file, 12);
  const [uploadId] = await open(file.name);
  const second = await harbour.visitAgain(first);
  await second.send(file);
  await second.untilStage(file, "following");
  await second.untilPercent(file, 12);
  assert.deepEqual(await open(file.name), [uploadId]);
  await first.page.close();
  harbour.wire.release();
  assert.equal(await second.untilRecorded(file), uploadId);
  await harbour.assertArrived(String(uploadId), file);
});

test("what the first tab finishes is finished in the second", inBrowser, async () => {
  const file = harbour.file("followed.mp4", FILE_BYTES);
  const first = await harbour.visit();
  harbour.wire.holdAfter(FILE_BYTES * 0.7);
  await first.send(file);
  await first.untilPercent(file, 12);
  const second = await harbour.visitAgain(first);
  await second.send(file);
  await second.untilStage(file, "following");
  harbour.wire.release();
  const [one, other] = await Promise.all([first.untilRecorded(file), second.untilRecorded(file)]);
  assert.equal(one, other);
  await waitFor("nothing open", async () => (await open(file.name)).length === 0);
});
