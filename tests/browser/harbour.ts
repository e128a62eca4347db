// Everything that a test in a real browser stands on: the Worker with the demo page, the origin, the wire between them and
// the browser, and Chromium itself. Where there is no Chromium, these tests are skipped.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Browser, type BrowserContextOptions, chromium } from "playwright-core";

import { fileBytes, sha256 } from "../support/bytes.ts";
import { Origin, type Recorded } from "../support/origin.ts";
import { freePort } from "../support/ports.ts";
import { Stack } from "../support/stack.ts";
import { UploadPage } from "./upload_page.ts";
import { Wire } from "./wire.ts";

const { CHROMIUM } = process.env;

/** For `test`: why it is skipped, if it is. */
export const inBrowser = { skip: CHROMIUM ? false : "no Chromium: name one in CHROMIUM" };

/** How Chromium is started. */
export const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"];

export type HarbourOptions = { vars?: Record<string, string | number>; allowedFileTypes?: string[] };

/** A file on disk, as somebody would choose it. */
export type TestFile = { name: string; path: string; sizeBytes: number; sha256: string };

export class Harbour {
  readonly stack: Stack;
  readonly origin: Origin;
  readonly wire: Wire;
  readonly #browser: Browser;
  readonly #folder = mkdtempSync(join(tmpdir(), "quayside-files-"));
  readonly #pages: UploadPage[] = [];

  static async open({ vars = {}, allowedFileTypes }: HarbourOptions = {}): Promise<Harbour> {
    const [origin, port] = [await Origin.prepare(), await freePort()];
    const wire = await Wire.start(`http://127.0.0.1:${port}`);
    // Whoever uploads is told addresses of the wire.
    const told = { PUBLIC_URL: wire.url, ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1 };
    const stack = await Stack.start({
      port,
      vars: { ...told, ...vars },
      page: { originUrl: origin.baseUrl, ...(allowedFileTypes === undefined ? {} : { allowedFileTypes }) },
    });
    await origin.start(stack.secrets.WEBHOOK_SECRET, wire.url);
    const browser = await chromium.launch({ executablePath: String(CHROMIUM), args: ARGS });
    return new Harbour(stack, origin, wire, browser);
  }

  private constructor(stack: Stack, origin: Origin, wire: Wire, browser: Browser) {
    this.stack = stack;
    this.origin = origin;
    this.wire = wire;
    this.#browser = browser;
  }

  file(name: string, sizeBytes: number, seed = name): TestFile {
    const path = join(this.#folder, name);
    const bytes = fileBytes(seed, sizeBytes);
    writeFileSync(path, bytes);
    return { name, path, sizeBytes, sha256: sha256(bytes) };
  }

  /** The page in a profile of its own. */
  async visit(options: BrowserContextOptions = {}): Promise<UploadPage> {
    const context = await this.#browser.newContext(options);
    return this.visitIn(await UploadPage.open(context, this.wire.url));
  }

  /** The same profile in another tab. */
  async visitAgain(before: UploadPage): Promise<UploadPage> {
    return this.visitIn(await UploadPage.open(before.context, this.wire.url));
  }

  visitIn(page: UploadPage): UploadPage {
    this.#pages.push(page);
    return page;
  }

  /** The origin has exactly these bytes under this name. */
  async assertArrived(uploadId: string, file: TestFile): Promise<Recorded> {
    const record = await this.origin.waitForStored(uploadId);
    assert.deepEqual([record.fileName, record.fileSize, record.sha256], [file.name, file.sizeBytes, file.sha256]);
    return record;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.wire.stop();
    await this.origin.remove();
    await this.stack.stop();
    rmSync(this.#folder, { recursive: true });
    const complaints = this.#pages.flatMap(({ complaints }) => complaints);
    assert.deepEqual(complaints, [], "the pages threw errors or broke their own policy");
  }
}
