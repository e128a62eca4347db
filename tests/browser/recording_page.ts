// A page with nothing but recordings in it, on an origin of its own, in a Chromium with a made-up camera, microphone and screen. It can be
// killed without a chance to say goodbye.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { build } from "esbuild";
import type { BrowserContext, Page } from "playwright-core";
import type {
  createRecording,
  indexedDbStorage,
  listRecordings,
  opfsStorage,
  Recording,
  RecordingOptions,
  RecordingStatus,
} from "../../client/src/recording/index.ts";
import { MIB } from "../support/bytes.ts";
import { residentBytes } from "../support/heap.ts";
import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";

/** A camera that shows a clock, a microphone that beeps, and nobody who has to allow them. */
export const FAKE_DEVICES = [
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--auto-accept-this-tab-capture",
];

/** What a killed page leaves must be found, however slow the machine is. */
const GIVE_UP_MS = 120_000;

export type Place = "opfs" | "indexeddb" | "memory";

/** What runs in the page finds everything here. */
export type InPage = {
  recordings: {
    createRecording: typeof createRecording;
    listRecordings: typeof listRecordings;
    opfsStorage: typeof opfsStorage;
    indexedDbStorage: typeof indexedDbStorage;
    /** The guide's. */
    record(stream: MediaStream, endpoint: string, show: (status: RecordingStatus) => void): Recording;
    goOn(endpoint: string): Promise<number>;
  };
  endpoint: string;
  recording: Recording;
  done: Promise<unknown>;
  /** What the recorder gave, in order. */
  given: Blob[];
};

export class RecordingPages {
  readonly #server: Server;
  readonly #endpoint: string;

  static async open(endpoint: string): Promise<RecordingPages> {
    const guide = readFileSync(join(repositoryRoot, "docs/guides/recordings.md"), "utf8");
    const [, example] = /^```ts\n(.*?)^```$/ms.exec(guide) ?? [];
    assert.ok(example !== undefined, "the guide has an example");
    const contents = `export * from "quayside-client/recording";\n${example}`;
    // By the package's name, as the guide has it; the compiler's settings say where its source is.
    const entry = { contents, resolveDir: repositoryRoot };
    const bundle = await build({
      stdin: { ...entry, loader: "ts" },
      bundle: true,
      write: false,
      format: "iife",
      globalName: "recordings",
      platform: "browser",
    });
    const script = String(bundle.outputFiles[0]?.text);
    const served: Record<string, [type: string, content: string]> = {
      "/": ["text/html", `<!doctype html><title>recordings</title><script src="/recordings.js"></script>`],
      "/recordings.js": ["text/javascript", script],
    };
    const server = createServer(({ url = "/" }, response) => {
      const [type, content] = served[url] ?? ["text/plain", ""];
      response.writeHead(url in served ? 200 : 404, { "Content-Type": type }).end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new RecordingPages(server, endpoint);
  }

  private constructor(server: Server, endpoint: string) {
    this.#server = server;
    this.#endpoint = endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async visit(context: BrowserContext): Promise<RecordingPage> {
    const page = await context.newPage();
    await page.goto(this.url);
    await page.evaluate((endpoint) => Object.assign(globalThis, { endpoint }), this.#endpoint);
    return new RecordingPage(page);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export class RecordingPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Records the camera, the microphone or both, and keeps what the recorder gives besides. */
  async record(
    what: MediaStreamConstraints,
    place: Place = "opfs",
    live: NonNullable<RecordingOptions["live"]> = false,
  ): Promise<void> {
    await this.page.evaluate(
      async ([what, place, live]) => {
        const world = globalThis as unknown as InPage;
        const { createRecording, indexedDbStorage, opfsStorage } = world.recordings;
        const recorder = new MediaRecorder(await navigator.mediaDevices.getUserMedia(what));
        world.given = [];
        recorder.addEventListener("dataavailable", ({ data }) => world.given.push(data));
        const storage = { opfs: opfsStorage, indexeddb: indexedDbStorage, memory: () => null }[place]();
        const { endpoint } = world;
        world.recording = createRecording(recorder, {
          endpoint,
          storage,
          live,
          pieceMs: 200,
          retry: { longestDelayMs: 1000 },
        });
        world.done = world.recording.start();
        world.done.catch(() => {});
      },
      [what, place, live] as const,
    );
  }

  status(): Promise<RecordingStatus> {
    return this.page.evaluate(() => (globalThis as unknown as InPage).recording.status);
  }

  async until(what: string, is: (status: RecordingStatus) => boolean, giveUpMs = GIVE_UP_MS): Promise<RecordingStatus> {
    let lastSeen: RecordingStatus | undefined;
    const probe = async () => {
      lastSeen = await this.status();
      return is(lastSeen) && lastSeen;
    };
    return waitFor(what, probe, { giveUpMs, lastSeen: () => lastSeen });
  }

  /** Ends the recording; settles when the server has it all. What the recorder gave has this digest. */
  async stop(): Promise<{ uploadId: string; bytes: number; sha256: string }> {
    return this.page.evaluate(async () => {
      const { recording, given } = globalThis as unknown as InPage;
      const { uploadId, bytes } = await recording.stop();
      const digest = await crypto.subtle.digest("SHA-256", await new Blob(given).arrayBuffer());
      const sha256 = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
      return { uploadId, bytes, sha256 };
    });
  }

  /** What is left behind in this browser, with the digest of what is here of it. */
  async left() {
    return this.page.evaluate(async () => {
      const { recordings, endpoint } = globalThis as unknown as InPage;
      const found = await recordings.listRecordings({ endpoint });
      return Promise.all(
        found.map(async ({ id, recordedBytes, isWhole, isEnded, isInUse, contentType, file }) => {
          const digest = await crypto.subtle.digest(
            "SHA-256",
            (await (await file())?.arrayBuffer()) ?? new ArrayBuffer(),
          );
          const sha256 = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
          return { id, recordedBytes, isWhole, isEnded, isInUse, contentType, sha256 };
        }),
      );
    });
  }

  /** Goes on with the only one that is left behind. */
  async resume(): Promise<{ uploadId: string; bytes: number }> {
    return this.page.evaluate(async () => {
      const world = globalThis as unknown as InPage;
      const [only] = await world.recordings.listRecordings({ endpoint: world.endpoint });
      if (only === undefined) {
        throw new Error("nothing was left behind");
      }
      world.recording = only.resume();
      return world.recording.start();
    });
  }

  /** The process that shows it ends, as when memory runs out: no event, no promise, nothing. */
  async kill(): Promise<void> {
    const crashed = this.page.waitForEvent("crash");
    const session = await this.page.context().newCDPSession(this.page);
    session.send("Page.crash").catch(() => {});
    await crashed;
    await this.page.close();
  }
}

export type Memory = { readonly pageMib: number; readonly workerdMib: number };

/** What the page holds, without garbage; and the Worker with its simulators. */
export async function memoryOf({ page }: RecordingPage): Promise<Memory> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  // Buffers of bytes are beside the heap; an older protocol does not know their size.
  const usage = (await session.send("Runtime.getHeapUsage")) as { usedSize: number; backingStorageSize?: number };
  await session.detach();
  const mib = (bytes: number) => Math.round((bytes / MIB) * 10) / 10;
  return { pageMib: mib(usage.usedSize + (usage.backingStorageSize ?? 0)), workerdMib: mib(residentBytes() ?? 0) };
}
