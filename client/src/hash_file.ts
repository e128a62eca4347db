// The SHA-256 of a whole file, read piece by piece: WebCrypto would want all of it in memory at once.

import { readBytes } from "./file_reader.ts";
import type { UploadFile } from "./interfaces.ts";

const READ_BYTES = 4 * 1024 * 1024;

/** In lower-case hexadecimal. `onHashed` hears how many bytes are done. */
export async function hashFile(
  file: Pick<UploadFile, "size" | "slice">,
  onHashed: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  const { createSHA256 } = await import("hash-wasm");
  const hash = await createSHA256();
  for (let at = 0; at < file.size; at += READ_BYTES) {
    signal?.throwIfAborted();
    const to = Math.min(file.size, at + READ_BYTES);
    hash.update(await readBytes(file, at, to));
    onHashed(to);
  }
  return hash.digest("hex");
}
