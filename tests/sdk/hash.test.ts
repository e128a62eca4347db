// Hashing: the same digests with and without WebCrypto, in a worker and without one, and when a worker does not start.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker as Thread } from "node:worker_threads";

import { Crc64 } from "../../client/src/crc64.ts";
import type { HashWorker } from "../../client/src/hash.ts";
import type { HashJob } from "../../client/src/hash_worker.ts";
import { BrowserHasher, type UploadFile } from "../../client/src/index.ts";
import { Sha256 } from "../../client/src/sha256.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "../support/bytes.ts";

const bytes = new Uint8Array(fileBytes("hash", 9 * MIB + 1));
const file = new File([bytes], "hash.bin");
const expected = sha256(bytes);
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

  postMessage(message: HashJob<UploadFile>): void {
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
  worker.postMessage = () => send({ file: { size: 5 } as File });
  await assert.rejects(
    new BrowserHasher(() => worker).file(file, () => {}, never),
    {
      name: "UploadError",
      code: "file-unreadable",
      remedy: "pick-file",
    },
  );
});

test("the checksum of bytes is CRC-64/NVME, however they come", () => {
  for (const [text, checksum] of [
    ["", "0000000000000000"],
    ["123456789", "ae8b14860a799888"],
  ] as const) {
    const crc = new Crc64();
    crc.update(new TextEncoder().encode(text));
    assert.equal(crc.hex(), checksum);
  }
  const some = bytes.subarray(3, 1003);
  for (const cut of [0, 1, 7, 8, 9, 500, 999]) {
    const crc = new Crc64();
    crc.update(some.subarray(0, cut));
    crc.update(some.subarray(cut));
    assert.equal(crc.hex(), crc64nvme(some), `cut at ${cut}`);
  }
});

test("the checksums of parts are the same in a worker, without one, and where one does not start", async () => {
  const ends = [0, 1, 5 * MIB + 3, file.size];
  const parts = ends.slice(1).map((end, at) => ({ offset: ends[at] ?? 0, length: end - (ends[at] ?? 0) }));
  const wanted = parts.map(({ offset, length }) => crc64nvme(bytes.subarray(offset, offset + length)));
  for (const start of [() => new ThreadAsWorker(), () => new ThreadAsWorker("file:///nowhere.js"), () => undefined]) {
    const told: number[] = [];
    const digests = await new BrowserHasher(start).parts(file, parts, (hashed) => told.push(hashed), never);
    assert.deepEqual(digests, wanted);
    assert.deepEqual(told, [1, 4 * MIB + 1, 5 * MIB + 3, 9 * MIB + 1]);
  }
});

test("plain JavaScript computes the same SHA-256, however the bytes are cut", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 128, 1000, 100_001]) {
    const part = bytes.subarray(0, length);
    for (const step of [1, 7, 64, 1000, length + 1].filter((step) => length / step < 2000)) {
      const hash = new Sha256();
      for (let at = 0; at < length; at += step) {
        hash.update(part.subarray(at, at + step));
      }
      assert.equal(hash.digest("hex"), sha256(part), `${length} bytes by ${step}`);
    }
  }
});
