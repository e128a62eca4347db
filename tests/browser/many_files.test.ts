// Thousands of files in a real browser: nothing is read before its turn, few requests for each, no channel, and a page that can still
// be used. The server is one that takes everything, so that what is measured is the page; its figures are printed. With
// `QUAYSIDE_FILES=5000` there are more of them, and with `QUAYSIDE_COMPARE=1` Uppy's plugin for tus does the same.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";

import { repositoryRoot } from "../support/wrangler_config.ts";
import { ARGS, inBrowser } from "./harbour.ts";

const FILES = Number(process.env.QUAYSIDE_FILES ?? 500);
const FILE_BYTES = 10_000;
/** Files that are on their way at once, with what the page holds of each, stay far below this. */
const MOST_MEMORY_BYTES = 100_000_000;
/** Well above what is measured on an idle machine, and far below a page that reads all files first, which stands for half a minute. */
const LONGEST_TASK_MS = 1_500;
const FIRST_SUCCESS_MS = 5_000;
/** Of memory, as Linux counts it. */
const PAGE_BYTES = 4096;

/** What a page does with thousands of files; it is bundled, and runs in the browser. */
const PAGE = `
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";
import { UploadQueue } from "./client/src/index.ts";
import { QuaysideUploader } from "./client/src/uppy.ts";

const files = (count, bytes) => Array.from({ length: count }, (_, index) => {
  const head = new Uint32Array([index]);
  return new File([head, new Uint8Array(bytes - 4)], index + ".bin", { lastModified: 1 });
});

function byUppy(uppy, chosen, onSuccess) {
  uppy.addFiles(chosen.map((data) => ({ name: data.name, data })));
  uppy.on("upload-success", onSuccess);
  return () => uppy.upload();
}

/** Each has the files chosen, and gives what sends them. */
const ways = {
  plugin: (chosen, onSuccess) =>
    byUppy(new Uppy().use(QuaysideUploader, { endpoint: location.origin }), chosen, onSuccess),
  tus: (chosen, onSuccess) =>
    byUppy(new Uppy().use(Tus, { endpoint: location.origin + "/files", limit: 6 }), chosen, onSuccess),
  queue: (chosen, onSuccess) => () => {
    const queue = new UploadQueue();
    return Promise.all(chosen.map((file) => queue.add(file, { endpoint: location.origin }).then(onSuccess)));
  },
};

let sinceMs, firstMs, done = 0, send;
globalThis.choose = (way, count, bytes) => {
  send = ways[way](files(count, bytes), () => {
    done += 1;
    firstMs ??= performance.now() - sinceMs;
  });
};

globalThis.run = async () => {
  let longestTaskMs = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestTaskMs = Math.max(longestTaskMs, duration);
  });
  observer.observe({ type: "longtask" });
  sinceMs = performance.now();
  await send();
  const tookMs = performance.now() - sinceMs;
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  return { done, firstMs, tookMs, longestTaskMs };
};
`;

let server: Server;
let browser: Browser;
let script = "";
const asked = new Map<string, number>();
if (!inBrowser.skip) {
  before(async () => {
    const bundle = await build({
      stdin: { contents: PAGE, resolveDir: repositoryRoot, loader: "ts" },
      bundle: true,
      write: false,
      format: "iife",
      platform: "browser",
      define: { "import.meta.url": '"about:blank"' },
    });
    script = String(bundle.outputFiles[0]?.text);
    server = acceptingServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    browser = await chromium.launch({ executablePath: String(process.env.CHROMIUM), args: ARGS });
  });
  after(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  });
}

/** Takes every file, by tus and by the JSON API, and says so. Counts what is asked. */
function acceptingServer(): Server {
  let count = 0;
  const sizes = new Map<string, number>();
  return createServer((request, response) => {
    const { method = "", url = "/" } = request;
    const path = url.replace(/[0-9a-f]{8}-0{4}[^/]*/, "{id}");
    asked.set(`${method} ${path}`, (asked.get(`${method} ${path}`) ?? 0) + 1);
    const id =
      /[0-9a-f]{8}-0{4}[^/]*/.exec(url)?.[0] ??
      `${(++count).toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on("end", () => {
      const tus = { "Tus-Resumable": "1.0.0", Location: `/files/${id}`, "Upload-Offset": String(bytes) };
      if (url === "/") {
        response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>many</title>");
      } else if (url === "/files") {
        sizes.set(id, bytes);
        response.writeHead(201, tus).end();
      } else if (method === "PATCH") {
        response.writeHead(204, tus).end();
      } else if (url === "/upload/init") {
        response.writeHead(201).end(JSON.stringify({ uploadId: id, chunkSize: 8 << 20, uploadedBytes: 0 }));
      } else if (method === "PUT") {
        sizes.set(id, bytes);
        response.writeHead(200).end(JSON.stringify({ uploadedBytes: bytes }));
      } else {
        const size = sizes.get(id);
        const facts = {
          uploadId: id,
          state: "completed",
          uploadedBytes: size,
          fileSize: size,
          missing: [],
          object: null,
        };
        response.writeHead(url === "/favicon.ico" ? 404 : 200).end(JSON.stringify(facts));
      }
    });
  });
}

interface Measured {
  readonly done: number;
  readonly firstMs: number;
  readonly tookMs: number;
  readonly longestTaskMs: number;
  readonly memoryBytes: number;
  readonly requests: number;
}

async function measured(way: string): Promise<Measured> {
  const page = await browser.newPage();
  const { port } = server.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.addScriptTag({ content: script });
  asked.clear();
  type Page = {
    choose(way: string, count: number, bytes: number): void;
    run(): Promise<Omit<Measured, "memoryBytes" | "requests">>;
  };
  await page.evaluate(([way, count, bytes]) => (globalThis as unknown as Page).choose(way, count, bytes), [
    way,
    FILES,
    FILE_BYTES,
  ] as const);
  const idleBytes = await pageBytes();
  let memoryBytes = 0;
  const watching = setInterval(() => {
    pageBytes().then(
      (bytes) => {
        memoryBytes = Math.max(memoryBytes, bytes - idleBytes);
      },
      () => {},
    );
  }, 250);
  const result = await page.evaluate(() => (globalThis as unknown as Page).run());
  clearInterval(watching);
  await page.close();
  const requests = [...asked.values()].reduce((sum, count) => sum + count, 0);
  const said = `${way}: first success ${result.firstMs.toFixed(0)} ms, longest task ${result.longestTaskMs.toFixed(0)} ms`;
  const mb = (memoryBytes / 1e6).toFixed(0);
  console.log(`${said}, all ${(result.tookMs / 1000).toFixed(1)} s, ${mb} MB above idle, ${requests} requests`);
  return { ...result, memoryBytes, requests };
}

/** What the processes of pages hold, buffers included. */
async function pageBytes(): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const pages = processInfo.filter(({ type }) => type === "renderer");
  return pages.reduce(
    (sum, { id }) => sum + PAGE_BYTES * Number(readFileSync(`/proc/${id}/statm`, "utf8").split(" ")[1]),
    0,
  );
}

for (const way of ["plugin", "queue"]) {
  test(`${FILES} small files through the ${way}: the page stays usable, and small`, inBrowser, async () => {
    const { done, firstMs, longestTaskMs, memoryBytes, requests } = await measured(way);
    assert.equal(done, FILES);
    assert.equal(requests, 2 * FILES, JSON.stringify([...asked]));
    assert.ok(firstMs < FIRST_SUCCESS_MS, `the first success came after ${firstMs} ms`);
    assert.ok(longestTaskMs < LONGEST_TASK_MS, `a task took ${longestTaskMs} ms`);
    assert.ok(memoryBytes < MOST_MEMORY_BYTES, `${memoryBytes} bytes above idle`);
  });
}

if (process.env.QUAYSIDE_COMPARE !== undefined) {
  test("the same by Uppy's own plugin for tus, to compare", inBrowser, async () => {
    assert.equal((await measured("tus")).done, FILES);
  });
}
