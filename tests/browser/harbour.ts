// Everything that a test in Chromium stands on: the service, and Chromium itself. Where there is no Chromium, these tests are skipped.

import assert from "node:assert/strict";

import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from "playwright-core";

import { Service, type ServiceOptions, type ServiceParts } from "./service.ts";
import { UploadPage } from "./upload_page.ts";

export type { TestFile } from "./service.ts";

const { CHROMIUM } = process.env;

/** For `test`: why it is skipped, if it is. */
export const inBrowser = { skip: CHROMIUM ? false : "no Chromium: name one in CHROMIUM" };

/** How Chromium is started. */
export const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"];

export class Harbour extends Service {
  readonly #browser: Browser;
  readonly #pages: UploadPage[] = [];

  /** `args` are for Chromium, besides those that it always gets. */
  static async open(options: ServiceOptions = {}, args: readonly string[] = []): Promise<Harbour> {
    const parts = await Service.parts(options);
    const browser = await chromium.launch({ executablePath: String(CHROMIUM), args: [...ARGS, ...args] });
    return new Harbour(parts, browser);
  }

  private constructor(parts: ServiceParts, browser: Browser) {
    super(parts);
    this.#browser = browser;
  }

  /** A profile of its own, for pages that are not the demo page. */
  newContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    return this.#browser.newContext(options);
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

  override async close(): Promise<void> {
    await this.#browser.close();
    await super.close();
    const complaints = this.#pages.flatMap(({ complaints }) => complaints);
    assert.deepEqual(complaints, [], "the pages threw errors or broke their own policy");
  }
}
