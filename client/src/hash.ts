// SHA-256 of chunks by WebCrypto, where the page is secure; of whole files by hash-wasm in a Web Worker, where there are
// such; otherwise both by hash-wasm right here. hash-wasm is loaded when it is first needed; where it may not run, plain JavaScript
// does the same. The checksums of a file's parts are computed in such a worker too.

import { UploadError } from "./errors.ts";
import { hashFile, hashParts, sha256 } from "./hash_file.ts";
import type { FromHashWorker, HashJob } from "./hash_worker.ts";
import type { ByteRange, Hasher, OnHashed, Readable } from "./interfaces.ts";

/** As much of a Web Worker as is used. */
export interface HashWorker {
  onmessage: ((event: { readonly data: FromHashWorker }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  postMessage(job: HashJob<Readable>): void;
  terminate(): void;
}

/** `startWorker` gives undefined where there are no workers. */
export class BrowserHasher implements Hasher {
  readonly #startWorker: () => HashWorker | undefined;

  constructor(startWorker: () => HashWorker | undefined = startHashWorker) {
    this.#startWorker = startWorker;
  }

  async chunk(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const subtle = globalThis.crypto?.subtle;
    if (subtle === undefined) {
      const hash = await sha256();
      hash.update(bytes);
      return hash.digest("hex");
    }
    const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  file(file: Readable, onHashed: OnHashed, signal: AbortSignal): Promise<string> {
    return this.#aside({ file }, () => hashFile(file, onHashed, signal), onHashed, signal);
  }

  parts(file: Readable, parts: readonly ByteRange[], onHashed: OnHashed, signal: AbortSignal): Promise<string[]> {
    return this.#aside({ file, parts }, () => hashParts(file, parts, onHashed, signal), onHashed, signal);
  }

  /** Done by a worker, or `here` where there is none. */
  async #aside<Digests extends string | string[]>(
    job: HashJob<Readable>,
    here: () => Promise<Digests>,
    onHashed: OnHashed,
    signal: AbortSignal,
  ): Promise<Digests> {
    signal.throwIfAborted();
    const worker = this.#startWorker();
    if (worker === undefined) {
      return here();
    }
    let stop = () => {};
    try {
      return await new Promise<Digests>((resolve, reject) => {
        stop = () => reject(signal.reason);
        signal.addEventListener("abort", stop);
        worker.onmessage = ({ data }) => {
          if ("hashedBytes" in data) {
            onHashed(data.hashedBytes);
          } else if ("digests" in data) {
            resolve(data.digests as Digests);
          } else {
            const { code = "rejected", remedy = "resume", message } = data.failure;
            reject(new UploadError(code, remedy, message));
          }
        };
        // The worker's script could not be loaded or run, by a content security policy for example.
        worker.onerror = () => resolve(here());
        try {
          worker.postMessage(job);
        } catch {
          // What only looks like a file cannot be handed over.
          worker.onerror({});
        }
      });
    } finally {
      signal.removeEventListener("abort", stop);
      worker.terminate();
    }
  }
}

/** Bundlers know this form of address and put the worker into a file of its own. */
function startHashWorker(): HashWorker | undefined {
  if (typeof Worker === "undefined") {
    return undefined;
  }
  try {
    const worker: unknown = new Worker(new URL("./hash_worker.js", import.meta.url), { type: "module" });
    return worker as HashWorker;
  } catch {
    return undefined;
  }
}
