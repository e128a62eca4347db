// Reads the file, or lets the browser do so, and notices when it is no longer the one that was picked.

import { changedError, unreadableError } from "./errors.ts";
import type { Readable, RequestBytes } from "./interfaces.ts";
import { orAborted } from "./signals.ts";

/** The bytes of `[from, to)`, all of them, or an `UploadError` that says to pick the file again. */
export async function readBytes(
  file: Readable & Partial<Pick<File, "arrayBuffer">>,
  from: number,
  to: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  let buffer: ArrayBuffer;
  try {
    // A piece of a file costs a browser as much as reading it does.
    const whole = from === 0 && to === file.size ? file.arrayBuffer?.() : undefined;
    const reading = whole ?? file.slice(from, to).arrayBuffer();
    buffer = await (signal === undefined ? reading : orAborted(reading, signal));
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadableError(error);
  }
  if (buffer.byteLength !== to - from) {
    throw changedError(`it ends after ${from + buffer.byteLength} bytes, not ${file.size}`);
  }
  return new Uint8Array(buffer);
}

/** The same bytes for a request. A browser reads a blob by itself, as the network takes it, so that it is never in the page's memory. */
export async function bodyOf(file: Readable, from: number, to: number, signal: AbortSignal): Promise<RequestBytes> {
  const piece = file.slice(from, to);
  return piece instanceof Blob && piece.size === to - from ? piece : readBytes(file, from, to, signal);
}

/** How many bytes these are. */
export function sizeOf(body: string | RequestBytes | undefined): number {
  if (body === undefined || typeof body === "string") {
    return 0;
  }
  return body instanceof Blob ? body.size : body.length;
}
