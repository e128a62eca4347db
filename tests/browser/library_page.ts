// A page of another site on which an upload library runs as it is published, with the lines that docs/guides/frontends.md shows, and the
// network between it and the service.

import { createServer } from "node:http";
import { after } from "node:test";

import { type Browser, chromium, type Page } from "playwright-core";

import type { Client } from "../support/client.ts";
import type { Origin } from "../support/origin.ts";
import { freePort } from "../support/ports.ts";
import { sceneWithOrigin } from "../support/scene.ts";
import { ARGS } from "./harbour.ts";
import { Wire } from "./wire.ts";

/** What stands on the page: an input for the file, and a place to drop one. */
const HTML =
  '<!doctype html><title>app</title><input id="file" type="file"><div id="drop"></div><div id="browse"></div>';

export class LibraryPage {
  readonly wire: Wire;
  readonly origin: Origin;
  readonly client: Client;
  readonly #siteUrl: string;
  readonly #browser: Browser;

  static async start(): Promise<LibraryPage> {
    const port = await freePort();
    const wire = await Wire.start(`http://127.0.0.1:${port}`);
    const { origin, client } = await sceneWithOrigin({ PUBLIC_URL: wire.url }, { port });
    const sitePort = await freePort();
    const site = createServer((_, response) => {
      response.setHeader("Content-Type", "text/html");
      response.end(HTML);
    });
    await new Promise<void>((resolve) => site.listen(sitePort, "127.0.0.1", resolve));
    const browser = await chromium.launch({ executablePath: String(process.env.CHROMIUM), args: ARGS });
    after(async () => {
      await browser.close();
      site.close(); // the browser has gone, and its connections with it
      await wire.stop();
    });
    return new LibraryPage(wire, origin, client, `http://127.0.0.1:${sitePort}/`, browser);
  }

  private constructor(wire: Wire, origin: Origin, client: Client, siteUrl: string, browser: Browser) {
    this.wire = wire;
    this.origin = origin;
    this.client = client;
    this.#siteUrl = siteUrl;
    this.#browser = browser;
  }

  /** The page, with these scripts on it. */
  async open(scripts: string[]): Promise<Page> {
    const page = await this.#browser.newPage();
    await this.addScripts(page, scripts);
    return page;
  }

  async addScripts(page: Page, scripts: string[]): Promise<void> {
    await page.goto(this.#siteUrl);
    for (const path of scripts) {
      await page.addScriptTag({ path });
    }
  }
}
