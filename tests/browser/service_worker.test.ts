// A service worker stands between the page and the network, as on many pages, and passes on what is asked: an upload through it is cut and
// goes on, and one whose page is reloaded goes on too.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { BrowserContext, Page } from "playwright-core";

import { MIB } from "../support/bytes.ts";
import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser, type TestFile } from "./harbour.ts";
import { type InPage, SdkPage } from "./sdk_page.ts";

const FILE_BYTES = 60_000_000;

let harbour: Harbour;
let own: SdkPage;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
    own = await SdkPage.open();
  });
  after(async () => {
    own.close();
    await harbour.close();
  });
}

type Sent = { uploadId: string; retries: number; resumedFromBytes: number; sentBytes: number[] };

/** Sends the file that was chosen, and says how it went. */
async function send(page: Page, file: TestFile): Promise<Sent> {
  await page.locator("input").setInputFiles(file.path);
  return await page.evaluate(async (endpoint) => {
    const { sdk } = globalThis as unknown as InPage;
    const chosen = document.querySelector("input")?.files?.[0] as File;
    const upload = sdk.createUpload(chosen, { endpoint });
    const sent = { retries: 0, resumedFromBytes: 0, sentBytes: [] as number[] };
    upload.on("retry", () => {
      sent.retries += 1;
    });
    upload.on("state", ({ resumedFromBytes }) => {
      sent.resumedFromBytes = Math.max(sent.resumedFromBytes, resumedFromBytes ?? 0);
    });
    upload.on("progress", ({ sentBytes }) => sent.sentBytes.push(sentBytes));
    const { uploadId } = await upload.start();
    return { uploadId, ...sent };
  }, harbour.wire.url);
}

/** Waits until some of it counts. */
async function untilCounted(file: TestFile): Promise<number> {
  return await waitFor("some of it to count", async () => {
    const [open] = await harbour.openUploads(file);
    const counted = open === undefined ? 0 : (await harbour.stack.client.state(open)).uploadedBytes;
    return counted > 0 && counted;
  });
}

async function pageBehindWorker(): Promise<{ context: BrowserContext; page: Page }> {
  const { context } = await harbour.visit();
  const page = await context.newPage();
  await own.visitBehindWorker(page);
  return { context, page };
}

test("behind a service worker an upload is cut, and goes on by itself", inBrowser, async () => {
  const { page } = await pageBehindWorker();
  const file = harbour.file("behind.mp4", FILE_BYTES);
  harbour.wire.holdAfter(FILE_BYTES * 0.7);
  const sending = send(page, file);
  await untilCounted(file);
  harbour.wire.cut();
  const [counted, before] = [await untilCounted(file), harbour.wire.sentBytes];
  harbour.wire.release();
  harbour.wire.mend();
  const { uploadId, retries } = await sending;
  assert.ok(retries > 0, "it noticed");
  assert.ok((await own.passedOn(page)) > 0, "everything went through the service worker");
  const again = harbour.wire.sentBytes - before;
  assert.ok(again <= FILE_BYTES - counted + MIB, `${again} bytes were sent afterwards, and ${counted} counted before`);
  await harbour.assertArrived(uploadId, file);
});

test("a body that nobody sees leaving is not taken for one that stands still", inBrowser, async () => {
  const reportsSending = (page: Page) =>
    page.evaluate(() => (globalThis as unknown as InPage).sdk.browserHttp.reportsSending);
  const { context, page } = await pageBehindWorker();
  // Chromium tells the page nothing of a body that its service worker sends: a chunk may then take as long as on the slowest line.
  assert.equal(await reportsSending(page), false);
  const plain = await context.browser()?.newPage();
  assert.ok(plain);
  await own.visitIn(plain);
  assert.equal(await reportsSending(plain), true);
  await plain.close();
});

test("and after a reload it goes on where it was", inBrowser, async () => {
  const { context, page } = await pageBehindWorker();
  const file = harbour.file("reloaded.mp4", FILE_BYTES);
  harbour.wire.holdAfter(FILE_BYTES * 0.7);
  const sending = send(page, file).catch(() => undefined);
  await untilCounted(file);
  const [open] = await harbour.openUploads(file);
  await page.close();
  await sending;
  harbour.wire.release();
  const next = await context.newPage();
  await own.visitIn(next);
  const { uploadId, resumedFromBytes } = await send(next, file);
  assert.ok((await own.passedOn(next)) > 0, "it stands there from the first request on");
  assert.equal(uploadId, open);
  assert.ok(resumedFromBytes > 0);
  await harbour.assertArrived(uploadId, file);
});
