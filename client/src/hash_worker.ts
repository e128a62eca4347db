// Runs in a Web Worker: gets a file, posts how far it is, then the digests or what went wrong, and has done its work.

import type { UploadError } from "./errors.ts";
import { hashFile, hashParts } from "./hash_file.ts";
import type { ByteRange, ErrorCode, Remedy } from "./interfaces.ts";

/** The whole file is to be hashed, or each of these parts. */
export interface HashJob<SomeFile> {
  readonly file: SomeFile;
  readonly parts?: readonly ByteRange[];
}

export type FromHashWorker =
  | { readonly hashedBytes: number }
  | { readonly digests: string | string[] }
  | { readonly failure: { readonly code?: ErrorCode; readonly remedy?: Remedy; readonly message: string } };

interface WorkerScope {
  onmessage: ((event: { readonly data: HashJob<Blob> }) => void) | null;
  postMessage(message: FromHashWorker): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.onmessage = async ({ data: { file, parts } }) => {
  const onHashed = (hashedBytes: number) => scope.postMessage({ hashedBytes });
  try {
    const digests = await (parts === undefined ? hashFile(file, onHashed) : hashParts(file, parts, onHashed));
    scope.postMessage({ digests });
  } catch (error) {
    // Errors lose their class on the way, so what matters is sent.
    const { code, remedy, message } = error as UploadError;
    scope.postMessage({ failure: { code, remedy, message } });
  }
};
