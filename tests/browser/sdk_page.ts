// A page that has nothing but the SDK in it, on an origin of its own, with a service worker if a test wants one: what a page of somebody
// else's is to the service.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { build } from "esbuild";
import type { Page } from "playwright-core";

import { repositoryRoot } from "../support/wrangler_config.ts";

/** A service worker that stands between the page and the network, as those of many pages do, and only passes on what is asked. */
const PASSING_WORKER = `
let passed = 0;
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  passed += 1;
  event.respondWith(fetch(event.request));
});
self.addEventListener("message", ({ ports: [port] }) => port.postMessage(passed));
`;

const SCRIPT = `export * from "./client/src/index.ts"; export { browserHttp } from "./client/src/platform.ts";`;

/** What runs in the page finds the SDK here. */
export type InPage = {
  sdk: typeof import("../../client/src/index.ts") & Pick<typeof import("../../client/src/platform.ts"), "browserHttp">;
};

export class SdkPage {
  readonly #server: Server;

  static async open(): Promise<SdkPage> {
    const bundle = await build({
      stdin: { contents: SCRIPT, resolveDir: repositoryRoot, loader: "ts" },
      bundle: true,
      write: false,
      format: "iife",
      globalName: "sdk",
      platform: "browser",
    });
    const script = String(bundle.outputFiles[0]?.text);
    const served: Record<string, [type: string, content: string]> = {
      "/": ["text/html", `<!doctype html><title>a page</title><input type="file"><script src="/sdk.js"></script>`],
      "/sdk.js": ["text/javascript", script],
      "/worker.js": ["text/javascript", PASSING_WORKER],
    };
    const server = createServer(({ url = "/" }, response) => {
      const [type, content] = served[url] ?? ["text/plain", ""];
      response.writeHead(url in served ? 200 : 404, { "Content-Type": type }).end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new SdkPage(server);
  }

  private constructor(server: Server) {
    this.#server = server;
  }

  async visitIn(page: Page): Promise<void> {
    await page.goto(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`);
  }

  /** The same, once the service worker stands between the page and everything that it asks for. */
  async visitBehindWorker(page: Page): Promise<void> {
    await this.visitIn(page);
    await page.evaluate(async () => {
      const { serviceWorker } = navigator;
      const controlled = new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve));
      await serviceWorker.register("/worker.js");
      await (serviceWorker.controller ?? controlled);
    });
  }

  /** How many requests the service worker has passed on. */
  async passedOn(page: Page): Promise<number> {
    return await page.evaluate(() => {
      const { port1, port2 } = new MessageChannel();
      const told = new Promise<number>((resolve) => {
        port1.onmessage = ({ data }) => resolve(Number(data));
      });
      navigator.serviceWorker.controller?.postMessage("passed", [port2]);
      return told;
    });
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
