// What only a browser does: chunks by XMLHttpRequest, of which it is known how much has left, so that a line that stands still is
// told from one that is slow.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { build } from "esbuild";
import type { Page } from "playwright-core";

import type { createUpload } from "../../client/src/index.ts";
import type { browserHttp, systemClock } from "../../client/src/platform.ts";
import { sha256 } from "../support/bytes.ts";
import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";
import { Harbour, inBrowser } from "./harbour.ts";

const FILE_BYTES = 20_000_000;
/** The page's time: a minute without an answer is three seconds. */
const TIMES_FASTER = 20;

type Sdk = {
  createUpload: typeof createUpload;
  browserHttp: typeof browserHttp;
  systemClock: typeof systemClock;
};
type Heard = { sent: number[]; retries: string[]; outcome?: string };
type Globals = { sdk: Sdk; heard: Heard; stop: AbortController };

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

/** A page that has loaded the SDK, from outside the page's policy. */
async function loaded(): Promise<Page> {
  const source = `export * from "./index.ts"; export { browserHttp, systemClock } from "./platform.ts";`;
  const bundle = await build({
    stdin: { contents: source, resolveDir: `${repositoryRoot}/client/src`, loader: "ts" },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "sdk",
    platform: "browser",
    external: ["hash-wasm"],
  });
  const { page } = await harbour.visit({ bypassCSP: true });
  await page.addScriptTag({ content: String(bundle.outputFiles[0]?.text) });
  return page;
}

const heardIn = (page: Page) => page.evaluate(() => (globalThis as unknown as Globals).heard);

test("how much of a body has left is told as it leaves; a signal ends it in the middle", inBrowser, async () => {
  const page = await loaded();
  // Of an upload that there is nothing is answered before its last byte.
  const url = await page.evaluate(async (fileSize) => {
    const init = { method: "POST", body: JSON.stringify({ fileName: "half", fileSize }) };
    return ((await (await fetch("/upload/init", init)).json()) as { uploadUrl: string }).uploadUrl;
  }, FILE_BYTES);
  harbour.wire.holdAfter(FILE_BYTES / 4);
  await page.evaluate(
    ([bytes, url]) => {
      const globals = globalThis as unknown as Globals;
      globals.heard = { sent: [], retries: [] };
      globals.stop = new AbortController();
      globals.sdk.browserHttp
        .send({
          method: "PUT",
          url,
          headers: { "X-Upload-Offset": "0" },
          body: new Uint8Array(bytes),
          signal: globals.stop.signal,
          onSent: (sent) => globals.heard.sent.push(sent),
        })
        .then(
          ({ status }) => Object.assign(globals.heard, { outcome: `answered ${status}` }),
          (error) => Object.assign(globals.heard, { outcome: String(error) }),
        );
    },
    [FILE_BYTES, new URL(url, harbour.wire.url).pathname] as const,
  );
  await waitFor("some bytes to leave", async () => ((await heardIn(page)).sent.at(-1) ?? 0) > 0);
  await page.evaluate(() => (globalThis as unknown as Globals).stop.abort(new Error("enough")));
  const { sent, outcome } = await waitFor("the end", async () => {
    const heard = await heardIn(page);
    return heard.outcome !== undefined && heard;
  });
  harbour.wire.release();
  assert.equal(outcome, "Error: enough");
  assert.ok(Math.max(...sent) < FILE_BYTES, `${sent}`);
});

test("a line that stands still is given up, and the upload goes on when it moves again", inBrowser, async () => {
  const page = await loaded();
  harbour.wire.holdAfter(FILE_BYTES / 2);
  await page.evaluate(
    ([bytes, endpoint, times]) => {
      const globals = globalThis as unknown as Globals;
      const { systemClock, createUpload } = globals.sdk;
      const clock = {
        nowMs: () => systemClock.nowMs() * times,
        sleep: (ms: number, signal: AbortSignal) => systemClock.sleep(ms / times, signal),
        timer: (ms: number, act: () => void) => systemClock.timer(ms / times, act),
      };
      const file = new File([new Uint8Array(bytes).map((_, at) => (at * 7) % 251)], "stalled.mp4");
      const upload = createUpload(file, { endpoint, chunkBytes: 5 * 1024 * 1024, runtime: { clock } });
      globals.heard = { sent: [], retries: [] };
      upload.on("retry", ({ error }) => globals.heard.retries.push(error.message));
      upload.start().then(
        ({ uploadId }) => Object.assign(globals.heard, { outcome: uploadId }),
        (error) => Object.assign(globals.heard, { outcome: String(error) }),
      );
    },
    [FILE_BYTES, harbour.wire.url, TIMES_FASTER] as const,
  );
  await waitFor("the standstill to be noticed", async () =>
    (await heardIn(page)).retries.some((message) => /Nothing could be sent for \d+ s/.test(message)),
  );
  harbour.wire.release();
  const uploadId = await waitFor("the end", async () => (await heardIn(page)).outcome);
  const expected = sha256(new Uint8Array(FILE_BYTES).map((_, at) => (at * 7) % 251));
  assert.equal((await harbour.origin.waitForStored(uploadId)).sha256, expected);
});
