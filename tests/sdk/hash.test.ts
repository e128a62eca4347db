// Hashing: the same digests with and without WebCrypto, in a worker and without one, and when a worker does not start.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Worker as Thread } from "node:worker_threads";

import type { HashWorker } from "../../client/src/hash.ts";
import { BrowserHasher } from "../../client/src/index.ts";
import { fileBytes, MIB } from "../support/bytes.ts";

const bytes = new Uint8Array(fileBytes("hash", 9 * MIB + 1));
const file = new File([bytes], "hash.bin");
const expected = createHash("sha256").update(bytes).digest("hex");
const never = new AbortController().signal;

/** What a Web Worker's global scope has, made of a thread's, before the worker's own script runs. */
const AS_WEB_WORKER = `
  const { parentPort, workerData } = require("node:worker_threads");
  globalThis.postMessage = (message) => parentPort.postMessage(message);
  import(workerData).then(() => parentPort.on("message", (data) => globalThis.onmessage({ data })));
`;

class ThreadAsWorker implements HashWorker {
  onmessage: HashWorker["onmessage"] = null;
  onerror: HashWorker["onerror"] = null;
  isTerminated = false;
  readonly #thread: Thread;

  constructor(script = new URL("../../client/src/hash_worker.ts", import.meta.url).href) {
    this.#thread = new Thread(AS_WEB_WORKER, { eval: true, workerData: script, execArgv: ["--no-warnings"] });
    this.#thread.on("message", (data) => this.onmessage?.({ data }));
    this.#thread.on("error", (error) => this.onerror?.(error));
  }

  postMessage(message: File): void {
    this.#thread.postMessage(message);
  }

  terminate(): void {
    this.isTerminated = true;
    void this.#thread.terminate();
  }
}

test("a chunk's digest is the same with WebCrypto and without", async (t) => {
  const hasher = new BrowserHasher(() => undefined);
  assert.equal(await hasher.chunk(bytes), expected);
  // As in a page that did not come by https.
  const { crypto } = globalThis;
  Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
  t.after(() => Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true }));
  assert.equal(await hasher.chunk(bytes), expected);
});

test("a file is hashed in a worker, which tells how far it is and is ended", async () => {
  const worker = new ThreadAsWorker();
  const told: number[] = [];
  const digest = await new BrowserHasher(() => worker).file(file, (hashed) => told.push(hashed), never);
  assert.equal(digest, expected);
  assert.deepEqual(told, [4 * MIB, 8 * MIB, 9 * MIB + 1]);
  assert.ok(worker.isTerminated);
});

test("a worker that does not start is done without", async () => {
  const worker = new ThreadAsWorker("file:///nowhere.js");
  assert.equal(await new BrowserHasher(() => worker).file(file, () => {}, never), expected);
  assert.ok(worker.isTerminated);
});

test("where there are no workers, the file is hashed in place", async () => {
  const told: number[] = [];
  const digest = await new BrowserHasher().file(file, (hashed) => told.push(hashed), never);
  assert.equal(digest, expected);
  assert.equal(told.at(-1), file.size);
});

test("hashing can be stopped", async () => {
  const worker = new ThreadAsWorker();
  const stop = new AbortController();
  const hashing = new BrowserHasher(() => worker).file(file, () => stop.abort(), stop.signal);
  await assert.rejects(hashing, { name: "AbortError" });
  assert.ok(worker.isTerminated);
});

test("what goes wrong in the worker arrives as what it was", async () => {
  const worker = new ThreadAsWorker();
  // On the way into the worker, the file has lost what it is read with.
  const send = worker.postMessage.bind(worker);
  worker.postMessage = () => send({ size: 5 } as File);
  await assert.rejects(
    new BrowserHasher(() => worker).file(file, () => {}, never),
    {
      name: "UploadError",
      code: "file-unreadable",
      remedy: "pick-file",
    },
  );
});
