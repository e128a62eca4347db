// A camera that is recorded through everything that happens to browsers: the network goes, the tab is killed, the page is reloaded. What is
// at the origin in the end is what the recorder gave, byte for byte.

import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";

import type { BrowserContext } from "playwright-core";

import { Harbour, inBrowser } from "./harbour.ts";
import { FAKE_DEVICES, type InPage, type RecordingPage, RecordingPages } from "./recording_page.ts";

const CAMERA = { video: true, audio: true };

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

/** A profile that ends with the test: its camera is free then. */
async function profile(t: TestContext): Promise<BrowserContext> {
  const context = await harbour.newContext();
  t.after(() => context.close());
  return context;
}

async function visit(t: TestContext): Promise<RecordingPage> {
  return pages.visit(await profile(t));
}

test("a camera through a cut network: it is safe here meanwhile, and catches up", inBrowser, async (t) => {
  const page = await visit(t);
  await page.record(CAMERA);
  const { storage, warnings } = await page.until("bytes at the server", ({ safeThereBytes }) => safeThereBytes > 0);
  assert.equal(storage, "opfs");
  assert.ok(!warnings.includes("memory-only"));
  harbour.wire.cut();
  const before = await page.status();
  await page.until("more to be here than there", ({ safeHereBytes, safeThereBytes }) => {
    return safeHereBytes > before.safeHereBytes + 100_000 && safeHereBytes > safeThereBytes + 50_000;
  });
  assert.equal((await page.status()).state, "recording");
  harbour.wire.mend();
  const caughtUp = (await page.status()).recordedBytes;
  await page.until("the server to have caught up", ({ safeThereBytes }) => safeThereBytes >= caughtUp);
  const { uploadId, bytes, sha256 } = await page.stop();
  const record = await harbour.origin.waitForStored(uploadId);
  assert.deepEqual([record.fileSize, record.sha256], [bytes, sha256]);
  assert.equal(record.contentType?.startsWith("video/"), true);
  assert.deepEqual(await page.left(), []);
});

for (const place of ["opfs", "indexeddb"] as const) {
  test(`a tab is killed while the network is away; the next one sends what is in ${place}`, inBrowser, async (t) => {
    const context = await profile(t);
    const page = await pages.visit(context);
    await page.record(CAMERA, place);
    const { uploadId } = await page.until("bytes at the server", ({ safeThereBytes }) => safeThereBytes > 0);
    harbour.wire.cut();
    const seen = await page.until("more to be here than there", ({ safeHereBytes, safeThereBytes }) => {
      return safeHereBytes > safeThereBytes + 50_000;
    });
    assert.equal(seen.storage, place);
    await page.kill();
    const next = await pages.visit(context);
    const [left, ...others] = await next.left();
    assert.deepEqual(others, []);
    assert.ok(left !== undefined && left.recordedBytes >= seen.safeHereBytes, "what was said to be safe here is here");
    assert.deepEqual([left.isWhole, left.isEnded, left.isInUse], [true, false, false]);
    harbour.wire.mend();
    const result = await next.resume();
    assert.equal(result.uploadId, uploadId, "it is the same upload");
    const record = await harbour.origin.waitForStored(result.uploadId);
    assert.deepEqual([record.fileSize, record.sha256], [left.recordedBytes, left.sha256]);
    assert.deepEqual(await next.left(), []);
  });
}

test("a page is reloaded before anything could be sent", inBrowser, async (t) => {
  const page = await visit(t);
  harbour.wire.cut();
  await page.record({ audio: true });
  const { safeHereBytes } = await page.until("bytes to be safe here", ({ safeHereBytes }) => safeHereBytes > 5000);
  await page.page.reload();
  harbour.wire.mend();
  await page.page.evaluate((endpoint) => Object.assign(globalThis, { endpoint }), harbour.wire.url);
  const [left] = await page.left();
  assert.ok(left !== undefined && left.recordedBytes >= safeHereBytes);
  assert.equal(left.contentType, "audio/webm");
  const { uploadId } = await page.resume();
  const record = await harbour.origin.waitForStored(uploadId);
  assert.deepEqual([record.fileSize, record.sha256], [left.recordedBytes, left.sha256]);
});

test(
  "a recording is one page's: another sees that it is in use, and can neither send nor discard it",
  inBrowser,
  async (t) => {
    const context = await profile(t);
    const page = await pages.visit(context);
    await page.record(CAMERA);
    await page.until("bytes at the server", ({ safeThereBytes }) => safeThereBytes > 0);
    const other = await pages.visit(context);
    assert.deepEqual(
      (await other.left()).map(({ isInUse }) => isInUse),
      [true],
    );
    await assert.rejects(other.resume(), /being recorded or sent by another page/);
    const { uploadId, sha256 } = await page.stop();
    assert.equal((await harbour.origin.waitForStored(uploadId)).sha256, sha256);
    assert.deepEqual(await other.left(), []);
  },
);

test(
  "a live one that was paused until the server took it for ended begins anew, and is whole",
  inBrowser,
  async (t) => {
    const page = await visit(t);
    await page.record({ audio: true }, "opfs", { endAfterSeconds: 2 });
    const { uploadId } = await page.until("bytes at the server", ({ safeThereBytes }) => safeThereBytes > 0);
    await page.page.evaluate(() => (globalThis as unknown as InPage).recording.pause());
    const ended = await harbour.stack.client.waitUntilState(String(uploadId), "completed");
    assert.equal(ended.truncated, true);
    await page.page.evaluate(() => (globalThis as unknown as InPage).recording.resume());
    const another = await page.until("another upload", (status) => status.uploadId !== uploadId);
    assert.equal(another.state, "recording");
    const result = await page.stop();
    assert.notEqual(result.uploadId, uploadId);
    const record = await harbour.origin.waitForStored(result.uploadId);
    assert.deepEqual([record.fileSize, record.sha256], [result.bytes, result.sha256]);
    assert.ok((await harbour.origin.waitForStored(String(uploadId))).fileSize < record.fileSize);
  },
);

test("where nothing is kept, it goes on in memory, and says so", inBrowser, async (t) => {
  const page = await visit(t);
  await page.record({ audio: true }, "memory");
  const status = await page.until("bytes at the server", ({ safeThereBytes }) => safeThereBytes > 1000);
  assert.deepEqual([status.storage, status.warnings], ["memory", ["memory-only"]]);
  const { uploadId, sha256 } = await page.stop();
  assert.equal((await harbour.origin.waitForStored(uploadId)).sha256, sha256);
});
