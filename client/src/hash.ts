// SHA-256 of chunks by WebCrypto, where the page is secure; of whole files by hash-wasm in a Web Worker, where there are
// such; otherwise both by hash-wasm right here. hash-wasm is loaded when it is first needed.

import { UploadError } from "./errors.ts";
import { hashFile } from "./hash_file.ts";
import type { FromHashWorker } from "./hash_worker.ts";
import type { Hasher, UploadFile } from "./interfaces.ts";

/** As much of a Web Worker as is used. */
export interface HashWorker {
  onmessage: ((event: { readonly data: FromHashWorker }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  postMessage(file: UploadFile): void;
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
      const { sha256 } = await import("hash-wasm");
      return sha256(bytes);
    }
    const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  async file(file: UploadFile, onHashed: (bytes: number) => void, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const worker = this.#startWorker();
    if (worker === undefined) {
      return hashFile(file, onHashed, signal);
    }
    let stop = () => {};
    try {
      return await new Promise<string>((resolve, reject) => {
        stop = () => reject(signal.reason);
        signal.addEventListener("abort", stop);
        worker.onmessage = ({ data }) => {
          if ("hashedBytes" in data) {
            onHashed(data.hashedBytes);
          } else if ("sha256" in data) {
            resolve(data.sha256);
          } else {
            const { code = "rejected", remedy = "resume", message } = data.failure;
            reject(new UploadError(code, remedy, message));
          }
        };
        // The worker's script could not be loaded or run, by a content security policy for example.
        worker.onerror = () => resolve(hashFile(file, onHashed, signal));
        try {
          worker.postMessage(file);
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
