// A page with thousands of files, a server that takes everything, and what there is to measure: requests, reads, memory, and how long
// the page could not be used. The server does nothing else, so that what is measured is the page.

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { build } from "esbuild";

import { repositoryRoot } from "../support/wrangler_config.ts";
import { ARGS } from "./harbour.ts";

const FILE_BYTES = 10_000;
/** Of memory, as Linux counts it. */
const PAGE_BYTES = 4096;
const LOOK_MS = 250;

export const WAYS = ["queue", "plugin", "tus"] as const;
export type Way = (typeof WAYS)[number];

export interface Measured {
  readonly done: number;
  /** Until the first file had arrived. */
  readonly firstMs: number;
  readonly tookMs: number;
  readonly longestTaskMs: number;
  /** What the page's process held at most, above what it held before: buffers and garbage included. */
  readonly memoryBytes: number;
  readonly requests: number;
}

type PageFigures = Omit<Measured, "memoryBytes" | "requests">;

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

const tell = (fact) => fetch("/told", { method: "POST", body: JSON.stringify(fact) });
const wanted = new URLSearchParams(location.search);

let sinceMs, firstMs, done = 0, longestTaskMs = 0;
const send = ways[wanted.get("way")](files(Number(wanted.get("count")), Number(wanted.get("bytes"))), () => {
  done += 1;
  firstMs ??= performance.now() - sinceMs;
});
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longestTaskMs = Math.max(longestTaskMs, duration);
}).observe({ type: "longtask" });

// From here on it is the way's own doing.
await new Promise((resolve) => setTimeout(resolve, 500));
gc();
await tell("idle");
longestTaskMs = 0;
sinceMs = performance.now();
await send();
const tookMs = performance.now() - sinceMs;
await new Promise((resolve) => setTimeout(resolve, 100));
await tell({ done, firstMs, tookMs, longestTaskMs });
`;

/** Without developer tools: they keep the bodies of requests, in the page's own process. */
const FLAGS = [...ARGS, "--js-flags=--expose-gc", "--no-first-run"];

export class ManyFiles {
  /** How often each was asked, by method and path. */
  readonly asked = new Map<string, number>();
  readonly #server: Server;
  #onTold: (fact: "idle" | PageFigures) => void = () => {};

  static async open(): Promise<ManyFiles> {
    const bundle = await build({
      stdin: { contents: PAGE, resolveDir: repositoryRoot, loader: "ts" },
      bundle: true,
      write: false,
      format: "esm",
      platform: "browser",
    });
    const many = new ManyFiles(String(bundle.outputFiles[0]?.text));
    await new Promise<void>((resolve) => many.#server.listen(0, "127.0.0.1", resolve));
    return many;
  }

  private constructor(script: string) {
    this.#server = acceptingServer(script, {
      onRequest: (request) => this.asked.set(request, (this.asked.get(request) ?? 0) + 1),
      onTold: (fact) => this.#onTold(fact),
    });
  }

  /** So many files sent this way by a fresh page, in a browser of its own. */
  async measure(way: Way, count: number): Promise<Measured> {
    this.asked.clear();
    const { port } = this.#server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/?way=${way}&count=${count}&bytes=${FILE_BYTES}`;
    const profile = mkdtempSync(join(tmpdir(), "quayside-many-"));
    const browser = spawn(String(process.env.CHROMIUM), [...FLAGS, `--user-data-dir=${profile}`, url], {
      // A group of its own, by which its processes are found, and ended.
      detached: true,
      stdio: "ignore",
    });
    const group = Number(browser.pid);
    const gone = new Promise<never>((_, reject) => {
      browser.on("exit", () => reject(new Error("Chromium has ended")));
      browser.on("error", reject);
    });
    gone.catch(() => {});
    let [idleBytes, highestBytes] = [0, 0];
    const looking = setInterval(() => {
      highestBytes = Math.max(highestBytes, residentBytes(group));
    }, LOOK_MS);
    try {
      const told = new Promise<PageFigures>((resolve) => {
        this.#onTold = (fact) => {
          if (fact === "idle") {
            idleBytes = residentBytes(group);
            highestBytes = idleBytes;
          } else {
            resolve(fact);
          }
        };
      });
      const figures = await Promise.race([told, gone]);
      const requests = [...this.asked.values()].reduce((sum, count) => sum + count, 0);
      return { ...figures, memoryBytes: highestBytes - idleBytes, requests };
    } finally {
      clearInterval(looking);
      const ended = new Promise((resolve) => browser.on("exit", resolve));
      process.kill(-group, "SIGKILL");
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Figures for a person. */
export function said(way: Way, { firstMs, tookMs, longestTaskMs, memoryBytes, requests }: Measured): string {
  const times = `first success ${firstMs.toFixed(0)} ms, longest task ${longestTaskMs.toFixed(0)} ms`;
  const all = `all ${(tookMs / 1000).toFixed(1)} s, ${(memoryBytes / 1e6).toFixed(0)} MB above idle`;
  return `${way}: ${times}, ${all}, ${requests} requests`;
}

/** What the processes of pages hold, of this group. */
function residentBytes(group: number): number {
  const isPage = (id: string) => {
    const [, pageGroup] = /\) \S \d+ (\d+) /.exec(factsOf(id, "stat")) ?? [];
    return Number(pageGroup) === group && factsOf(id, "cmdline").includes("--type=renderer");
  };
  const pages = readdirSync("/proc").filter((id) => /^\d+$/.test(id) && isPage(id));
  return pages.reduce((sum, id) => sum + PAGE_BYTES * Number(factsOf(id, "statm").split(" ")[1] ?? 0), 0);
}

/** What Linux says of a process; nothing where it has ended. */
function factsOf(id: string, what: "stat" | "statm" | "cmdline"): string {
  try {
    return readFileSync(`/proc/${id}/${what}`, "utf8");
  } catch {
    return "";
  }
}

interface ServerListeners {
  readonly onRequest: (request: string) => void;
  readonly onTold: (fact: "idle" | PageFigures) => void;
}

/** Takes every file, by tus and by the JSON API, and says so. */
function acceptingServer(script: string, { onRequest, onTold }: ServerListeners): Server {
  let count = 0;
  const sizes = new Map<string, number>();
  return createServer((request, response) => {
    const { method = "", url = "/" } = request;
    const known = /[0-9a-f]{8}-0{4}[^/]*/.exec(url)?.[0];
    const id = known ?? `${(++count).toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
    let [bytes, text] = [0, ""];
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      text = url === "/told" ? text + chunk : "";
    });
    request.on("end", () => {
      if (url.startsWith("/?")) {
        const html = `<!doctype html><title>many</title><script type="module" src="/page.js"></script>`;
        response.writeHead(200, { "Content-Type": "text/html" }).end(html);
        return;
      }
      if (url === "/page.js") {
        response.writeHead(200, { "Content-Type": "text/javascript" }).end(script);
        return;
      }
      if (url === "/told") {
        onTold(JSON.parse(text));
        response.end();
        return;
      }
      if (url === "/favicon.ico") {
        response.writeHead(404).end();
        return;
      }
      onRequest(`${method} ${url.replace(known ?? "none", "{id}")}`);
      const tus = { "Tus-Resumable": "1.0.0", Location: `/files/${id}`, "Upload-Offset": String(bytes) };
      if (url === "/files") {
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
        const there = { uploadId: id, state: "completed", uploadedBytes: size, fileSize: size };
        response.writeHead(200).end(JSON.stringify({ ...there, missing: [], object: null }));
      }
    });
  });
}
