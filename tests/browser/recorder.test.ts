// The demo page's recorder, as somebody uses it: a camera, a screen or a microphone is recorded, two bars show what is safe where, and what a
// page left behind can go on, be downloaded or be discarded.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, type TestContext, test } from "node:test";

import type { AxeResults } from "axe-core";
import type { BrowserContext, Locator, Page } from "playwright-core";

import { sha256 } from "../support/bytes.ts";
import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import { FAKE_DEVICES } from "./recording_page.ts";
import { UploadPage } from "./upload_page.ts";

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open({}, FAKE_DEVICES);
  });
  after(() => harbour.close());
}

async function profile(t: TestContext, options = {}): Promise<BrowserContext> {
  const context = await harbour.newContext(options);
  t.after(() => context.close());
  return context;
}

async function open(context: BrowserContext): Promise<UploadPage> {
  const page = harbour.visitIn(await UploadPage.open(context, harbour.wire.url));
  await page.page.locator("body[data-recorder]").waitFor();
  return page;
}

/** The first recording in the list. */
function row({ page }: UploadPage): Locator {
  return page.locator(".recorded").first();
}

async function untilStage(page: UploadPage, stage: string): Promise<void> {
  let seen: string | null = null;
  const probe = async () => {
    seen = await row(page).textContent();
    return (await row(page).getAttribute("data-recording")) === stage;
  };
  await waitFor(`the recording to be ${stage}`, probe, { giveUpMs: 120_000, lastSeen: () => seen });
}

/** How full a bar is, in percent, and what it says. */
async function bar(page: UploadPage, name: string): Promise<[number, string]> {
  const found = row(page).getByRole("progressbar", { name });
  return [Number(await found.getAttribute("aria-valuenow")), String(await found.getAttribute("aria-valuetext"))];
}

async function untilFull(page: UploadPage, name: string, atLeast: number): Promise<void> {
  let seen: unknown;
  const probe = async () => {
    seen = await bar(page, name);
    return (seen as [number, string])[0] >= atLeast;
  };
  await waitFor(`${name} to be at ${atLeast} %`, probe, { giveUpMs: 120_000, lastSeen: () => seen });
}

async function begin(page: UploadPage, device: string): Promise<void> {
  await page.press(device);
  await untilStage(page, "recording");
}

/** The name under which it is at the origin, once it is there. */
async function arrived(
  page: UploadPage,
): Promise<{ fileSize: number; sha256: string | null; contentType: string | null }> {
  await untilStage(page, "completed");
  const name = String(await row(page).getByRole("heading").textContent());
  return waitFor("the origin to have it", async () => {
    const response = await fetch(`${harbour.origin.baseUrl}/uploads`);
    const records = (await response.json()) as { fileName: string; state: string; uploadId: string }[];
    const record = records.find(({ fileName, state }) => fileName === name && state === "stored");
    return record && harbour.origin.waitForStored(record.uploadId);
  });
}

for (const width of [1280, 390]) {
  test(
    `a camera, at ${width} pixels: two bars fill, nothing is cut off, and axe finds nothing`,
    inBrowser,
    async (t) => {
      // The checker comes in from outside the page, which the page's policy is there to prevent.
      const page = await open(await profile(t, { viewport: { width, height: 844 }, bypassCSP: true }));
      await page.page.addScriptTag({ path: axePath });
      const look = async (state: string) => {
        const findings = await page.page.evaluate(async () => {
          const { axe } = globalThis as unknown as { axe: { run(): Promise<AxeResults> } };
          const { violations } = await axe.run();
          return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(" ")}`));
        });
        assert.deepEqual(findings, [], state);
        const widths = await page.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(Number(widths[0]) <= Number(widths[1]), `${state}: wider than the screen, ${widths}`);
        const path = `target/screenshots/recorder-${width}-${state}.png`;
        await page.page.screenshot({ path, fullPage: true });
      };
      await begin(page, "Camera");
      await untilFull(page, "Safe here", 1);
      await untilFull(page, "Safe there", 1);
      await look("recording");
      await page.press("Pause");
      await untilStage(page, "paused");
      await page.press("Go on");
      await untilStage(page, "recording");
      await page.press("Stop");
      const { contentType } = await arrived(page);
      assert.match(String(contentType), /^video\//);
      assert.equal((await bar(page, "Safe there"))[0], 100);
      await look("completed");
      await page.press("Remove");
      assert.equal(await page.page.locator(".recorded").count(), 0);
    },
  );
}

test("left behind without a network: it is in the list, can be downloaded, and goes on", inBrowser, async (t) => {
  const context = await profile(t, { acceptDownloads: true });
  const page = await open(context);
  await begin(page, "Camera");
  await untilFull(page, "Safe there", 1);
  harbour.wire.cut();
  await waitFor("more to be here than there", async () => {
    const [[here], [there]] = [await bar(page, "Safe here"), await bar(page, "Safe there")];
    return here > there;
  });
  await page.page.close({ runBeforeUnload: false });
  harbour.wire.mend();
  const next = await open(context);
  await untilStage(next, "left");
  const downloading = next.page.waitForEvent("download");
  await next.press("Download");
  const bytes = readFileSync(await (await downloading).path());
  await next.press("Resume");
  const record = await arrived(next);
  assert.deepEqual([record.fileSize, record.sha256], [bytes.length, sha256(bytes)]);
});

/**
 * Has the only film of this page play; tells how far it has. Its sandbox runs nothing that comes from it, nor plays by itself: it is asked
 * from beside it, as by a press.
 */
async function playing(page: Page): Promise<() => Promise<number>> {
  await page.locator("video").waitFor();
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send("Page.getFrameTree");
  const { frame } = frameTree;
  const { executionContextId: contextId } = await session.send("Page.createIsolatedWorld", { frameId: frame.id });
  const ask = (expression: string) => session.send("Runtime.evaluate", { expression, contextId, userGesture: true });
  await ask("document.querySelector('video').play()");
  return async () => (await ask("document.querySelector('video').currentTime")).result.value;
}

test("what is still being recorded is watched in another tab, by a link", inBrowser, async (t) => {
  const context = await profile(t);
  const page = await open(context);
  await begin(page, "Camera");
  await untilFull(page, "Safe there", 1);
  const opening = context.waitForEvent("page");
  await page.press("Watch");
  const playedSeconds = await playing(await opening);
  await waitFor("it to play", async () => (await playedSeconds()) > 0);
  assert.equal(await row(page).getAttribute("data-recording"), "recording");
  await page.press("Stop");
  await arrived(page);
});

test("a browser that opens no tab shows a link to watch it by", inBrowser, async (t) => {
  const context = await profile(t);
  const page = await open(context);
  // As a blocker does.
  await page.page.evaluate(() => {
    window.open = () => null;
  });
  await begin(page, "Camera");
  await untilFull(page, "Safe there", 1);
  await page.press("Watch");
  const link = page.page.getByRole("alert").getByRole("link", { name: "watch it here" });
  const opening = context.waitForEvent("page");
  await link.click();
  const playedSeconds = await playing(await opening);
  await waitFor("it to play", async () => (await playedSeconds()) > 0);
  await link.waitFor({ state: "hidden" });
  await page.press("Stop");
  await arrived(page);
});

test("discarded, and the server keeps it: that is said", inBrowser, async (t) => {
  const page = await open(await profile(t));
  await begin(page, "Microphone");
  await untilFull(page, "Safe there", 1);
  const refusal = { code: "forbidden", title: "Forbidden", detail: "Only the application may delete it.", status: 403 };
  await page.page.route("**/upload/*", (route) =>
    route.request().method() === "DELETE"
      ? route.fulfill({ status: 403, contentType: "application/problem+json", json: refusal })
      : route.fallback(),
  );
  await page.press("Discard");
  await page.page.getByText(/may still be at the server: Forbidden. Only the application may delete it/).waitFor();
  const { client } = harbour.stack;
  for (const { uploadId } of await client.openUploads()) {
    await client.request("DELETE", `/upload/${uploadId}`);
  }
});

test("a microphone, discarded: nothing of it is left, here or at the server", inBrowser, async (t) => {
  const context = await profile(t);
  const page = await open(context);
  await begin(page, "Microphone");
  await untilFull(page, "Safe there", 1);
  await page.press("Discard");
  await waitFor("nothing open", async () => (await harbour.stack.client.openUploads()).length === 0);
  const next = await open(context);
  assert.equal(await next.page.locator(".recorded").count(), 0);
});

test("a screen is recorded like a camera; a device that is refused is said", inBrowser, async (t) => {
  const page = await open(await profile(t));
  await begin(page, "Screen");
  await untilFull(page, "Safe here", 1);
  await page.press("Stop");
  await arrived(page);
  await page.page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await page.press("Camera");
  await page.page.getByText("The browser was not allowed to record this.").waitFor();
});
