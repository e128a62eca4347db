// Reads the file, and notices when it is no longer the one that was picked.

import { changedError, unreadableError } from "./errors.ts";
import type { Hasher, UploadFile } from "./interfaces.ts";

const SAMPLE_BYTES = 64 * 1024;

/** The bytes of `[from, to)`, all of them, or an `UploadError` that says to pick the file again. */
export async function readBytes(
  file: Pick<UploadFile, "size" | "slice">,
  from: number,
  to: number,
): Promise<Uint8Array<ArrayBuffer>> {
  let buffer: ArrayBuffer;
  try {
    buffer = await file.slice(from, to).arrayBuffer();
  } catch (error) {
    throw unreadableError(error);
  }
  if (buffer.byteLength !== to - from) {
    throw changedError(`it ends after ${from + buffer.byteLength} bytes, not ${file.size}`);
  }
  return new Uint8Array(buffer);
}

/** A hash over the size and over samples from the beginning, the middle and the end. */
export async function fingerprint(file: UploadFile, hasher: Hasher): Promise<string> {
  const middle = Math.floor(file.size / 2);
  const samples = await Promise.all(
    [0, middle, file.size - SAMPLE_BYTES].map((at) => {
      const from = Math.max(0, at);
      return readBytes(file, from, Math.min(file.size, from + SAMPLE_BYTES));
    }),
  );
  const size = new TextEncoder().encode(`${file.size}\n`);
  return hasher.chunk(joined([size, ...samples]));
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
