// The SDK past the Worker in a real browser: a page on one origin, the Worker on another, the bucket on a third, and between
// them nothing but CORS as it is deployed (`CORS_ORIGINS`, `deploy/r2-cors.json`).

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";

import type { Upload, UploadError, UploadOptions, UploadResult } from "../../client/src/index.ts";
import { BucketCors } from "../support/bucket_cors.ts";
import { fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { Origin } from "../support/origin.ts";
import { S3 } from "../support/s3.ts";
import type { Stack } from "../support/stack.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";
import { ARGS, inBrowser } from "./harbour.ts";

const CHUNK_BYTES = 5 * MIB;
const bytes = fileBytes("direct from a browser", 3 * CHUNK_BYTES + 77);

let [origin, s3, stack, browser]: [Origin?, S3?, Stack?, Browser?] = [];
let page: Page;
const site = createServer((_, answer) =>
  answer.setHeader("content-type", "text/html").end("<!doctype html><title>app</title>"),
);
const siteUrl = () => `http://127.0.0.1:${(site.address() as AddressInfo).port}`;

type Sdk = { createUpload: (file: File, options: UploadOptions) => Upload };

if (!inBrowser.skip) {
  before(async () => {
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    origin = await Origin.prepare();
    ({ s3, stack } = await S3.withStack({ ORIGIN_WEBHOOK_URL: origin.webhookUrl, CORS_ORIGINS: siteUrl() }));
    await origin.start(stack.secrets.WEBHOOK_SECRET);
    browser = await chromium.launch({ executablePath: String(process.env.CHROMIUM), args: ARGS });
    page = await browser.newPage();
    await page.goto(siteUrl());
    const bundle = await build({
      entryPoints: [`${repositoryRoot}/client/src/index.ts`],
      bundle: true,
      write: false,
      format: "iife",
      globalName: "sdk",
      platform: "browser",
      external: ["hash-wasm"],
    });
    await page.addScriptTag({ content: String(bundle.outputFiles[0]?.text) });
  });
  after(async () => {
    site.close();
    await browser?.close();
    s3?.stop();
    await origin?.remove();
    await stack?.stop();
  });
}

/** Sends the file from the page; what came of it. */
function send(): Promise<Partial<UploadResult & Pick<UploadError, "code" | "message">>> {
  // Short pauses: what is a setting shows only after several tries.
  const retry = { firstDelayMs: 50, longestDelayMs: 50 };
  const options = { endpoint: String(stack?.baseUrl), direct: true, chunkBytes: CHUNK_BYTES, store: null, retry };
  return page.evaluate(
    async ([base64, options]) => {
      const content = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const { createUpload } = (globalThis as unknown as { sdk: Sdk }).sdk;
      const upload = createUpload(new File([content], "film.mp4", { type: "video/mp4" }), options);
      return upload.start().catch(({ code, message }: UploadError) => ({ code, message }));
    },
    [bytes.toString("base64"), options] as const,
  );
}

test("past the Worker, from a page elsewhere, by the bucket's rule as it is deployed", inBrowser, async () => {
  assert.ok(s3 && origin && stack);
  s3.cors = new BucketCors(siteUrl());
  const { uploadId = "", message } = await send();
  assert.equal(message, undefined);
  const record = await origin.waitForStored(uploadId);
  assert.equal(record.sha256, sha256(bytes));
  assert.equal((await stack.client.state(uploadId)).mode, "direct");
});

test("a bucket without the rule: the error says what is missing", inBrowser, async () => {
  assert.ok(s3);
  s3.cors = undefined;
  const { code, message } = await send();
  assert.equal(code, "network");
  assert.match(String(message), /CORS rule/);
});
