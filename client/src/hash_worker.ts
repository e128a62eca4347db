// Runs in a Web Worker: gets a file, posts how far it is, then the hash or what went wrong, and has done its work.

import type { UploadError } from "./errors.ts";
import { hashFile } from "./hash_file.ts";
import type { ErrorCode, Remedy } from "./interfaces.ts";

export type FromHashWorker =
  | { readonly hashedBytes: number }
  | { readonly sha256: string }
  | { readonly failure: { readonly code?: ErrorCode; readonly remedy?: Remedy; readonly message: string } };

interface WorkerScope {
  onmessage: ((event: { readonly data: Blob }) => void) | null;
  postMessage(message: FromHashWorker): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.onmessage = async ({ data: file }) => {
  try {
    const sha256 = await hashFile(file, (hashedBytes) => scope.postMessage({ hashedBytes }));
    scope.postMessage({ sha256 });
  } catch (error) {
    // Errors lose their class on the way, so what matters is sent.
    const { code, remedy, message } = error as UploadError;
    scope.postMessage({ failure: { code, remedy, message } });
  }
};
