// The bytes that are sent: random, made once, the same for every chunk, so that making and hashing them is not measured.

import { createHash, randomBytes } from "node:crypto";

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

const LARGEST_CHUNK_BYTES = 95 * MIB;

let source: Buffer | undefined;
const digests = new Map<number, string>();

/** A chunk of so many bytes. */
export function chunkOf(bytes: number): Buffer {
  source ??= randomBytes(LARGEST_CHUNK_BYTES);
  return source.subarray(0, bytes);
}

/** The SHA-256 of `chunkOf(bytes)`, in hex. */
export function sha256Of(bytes: number): string {
  const known = digests.get(bytes) ?? createHash("sha256").update(chunkOf(bytes)).digest("hex");
  digests.set(bytes, known);
  return known;
}

export type Span = { index: number; offset: number; bytes: number };

/** A file of so many bytes, cut into chunks. */
export function spans(fileBytes: number, chunkBytes: number): Span[] {
  return Array.from({ length: Math.ceil(fileBytes / chunkBytes) }, (_, index) => {
    const offset = index * chunkBytes;
    return { index, offset, bytes: Math.min(chunkBytes, fileBytes - offset) };
  });
}
