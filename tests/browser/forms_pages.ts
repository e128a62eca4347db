// Pages of another site with one upload library each, as it is published, and the lines that docs/guides/frontends.md shows for it; in
// Chromium, with a file to be chosen in it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";

import { fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { codeBlock } from "../support/guides.ts";
import { folderWith } from "../support/npm.ts";
import type { Origin } from "../support/origin.ts";
import { freePort } from "../support/ports.ts";
import { sceneWithOrigin } from "../support/scene.ts";
import type { Stack } from "../support/stack.ts";
import { ARGS } from "./harbour.ts";

/** What a page is made of. */
export type Library = {
  /** The packages that it needs, each like `name@version`. */
  packages: string[];
  /** Files of these packages, loaded as scripts, in order. */
  scripts?: string[];
  /** The page's own code, bundled where it imports anything. */
  code: string;
  /** What stands in the page. */
  body?: string;
  /** What is pressed to choose a file, where that makes the input. */
  button?: string;
};

/** A page, the ids that its code has called `done` with, and what went wrong in it. */
export type Shown = { page: Page; ids: string[]; complaints: string[] };

/** The service, and a browser to post to it from elsewhere. */
export class FormPages {
  readonly file = fileBytes("forms in pages", 10 * MIB + 3);
  readonly #folder = mkdtempSync(join(tmpdir(), "quayside-forms-"));
  readonly #browser: Browser;
  readonly origin: Origin;
  readonly stack: Stack;

  static async open(vars: Record<string, string | number> = {}): Promise<FormPages> {
    const { origin, stack } = await sceneWithOrigin(vars);
    const browser = await chromium.launch({ executablePath: String(process.env.CHROMIUM), args: ARGS });
    const pages = new FormPages(browser, origin, stack);
    after(async () => {
      await browser.close();
      rmSync(pages.#folder, { recursive: true });
    });
    return pages;
  }

  private constructor(browser: Browser, origin: Origin, stack: Stack) {
    this.#browser = browser;
    this.origin = origin;
    this.stack = stack;
    writeFileSync(this.path("cat.png"), this.file);
  }

  /** A file to be chosen. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  /** The code of a library in the guide, with the address of this service. */
  code(heading: string, language: string): string {
    const code = codeBlock("docs/guides/frontends.md", heading, language);
    return code.replaceAll("https://upload.example.com", this.stack.baseUrl).trim();
  }

  /** A page of a site of its own. `done(uploadId)` in its code ends up in `ids`. */
  async show(html: string, options: { javaScriptEnabled?: boolean } = {}): Promise<Shown> {
    const port = await freePort();
    const server = createServer((request, response) => {
      response.setHeader("Content-Type", "text/html");
      response.end(request.url === "/" ? html : "<!doctype html><title>thanks</title>");
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const context = await this.#browser.newContext(options);
    after(async () => {
      await context.close();
      server.close();
    });
    const page = await context.newPage();
    const ids: string[] = [];
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    await page.exposeFunction("done", (id: string) => void ids.push(id));
    await page.goto(`http://127.0.0.1:${port}/`);
    return { page, ids, complaints };
  }

  /** A page with a library. */
  async with({ packages, scripts = [], code, body = "" }: Library): Promise<Shown> {
    const modules = join(await folderWith(...packages), "node_modules");
    const shown = await this.show(`<!doctype html><title>app</title>${body}`);
    for (const script of scripts) {
      await shown.page.addScriptTag({ path: join(modules, script) });
    }
    const stdin = { contents: code, resolveDir: modules, loader: "jsx" as const };
    const define = { "process.env.NODE_ENV": '"production"' };
    const bundle = await build({ stdin, bundle: true, write: false, format: "iife", define, logLevel: "error" });
    await shown.page.addScriptTag({ content: bundle.outputFiles[0]?.text ?? "" });
    return shown;
  }

  /** The origin has the file, with the field that goes along with it. */
  async assertArrived(
    uploadId: string,
    metadata: Record<string, string> = { album: "7", formField: "photo" },
  ): Promise<void> {
    const record = await this.origin.waitForStored(uploadId);
    assert.deepEqual([record.sha256, record.fileName, record.contentType], [sha256(this.file), "cat.png", "image/png"]);
    const status = await this.stack.client.request("GET", `/upload/${uploadId}`);
    const said = status.json<{ metadata: Record<string, string> }>().metadata;
    for (const [name, value] of Object.entries(metadata)) {
      assert.equal(said[name], value, status.body.toString());
    }
  }
}
