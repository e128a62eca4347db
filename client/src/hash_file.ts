// The SHA-256 of a whole file, and the checksums of its parts, read piece by piece: WebCrypto would want all of it in memory at once.

import { Crc64 } from "./crc64.ts";
import { readBytes } from "./file_reader.ts";
import type { ByteRange, OnHashed, Readable } from "./interfaces.ts";

const READ_BYTES = 4 * 1024 * 1024;

/** In lower-case hexadecimal. `onHashed` hears how many bytes are done. */
export async function hashFile(file: Readable, onHashed: OnHashed, signal?: AbortSignal): Promise<string> {
  const hash = await sha256();
  for await (const [bytes, to] of read(file, { offset: 0, length: file.size }, signal)) {
    hash.update(bytes);
    onHashed(to);
  }
  return hash.digest("hex");
}

/** By hash-wasm, which is fast; where the page's policy lets no WebAssembly run, in plain JavaScript. */
export async function sha256(): Promise<{ update(bytes: Uint8Array): unknown; digest(as: "hex"): string }> {
  try {
    const { createSHA256 } = await import("./sha256_wasm.ts");
    return await createSHA256();
  } catch {
    return new (await import("./sha256.ts")).Sha256();
  }
}

/** The CRC-64/NVME of each part, in lower-case hexadecimal. */
export async function hashParts(
  file: Readable,
  parts: readonly ByteRange[],
  onHashed: OnHashed,
  signal?: AbortSignal,
): Promise<string[]> {
  const digests: string[] = [];
  let hashedBytes = 0;
  for (const part of parts) {
    const crc = new Crc64();
    for await (const [bytes] of read(file, part, signal)) {
      crc.update(bytes);
      hashedBytes += bytes.length;
      onHashed(hashedBytes);
    }
    digests.push(crc.hex());
  }
  return digests;
}

/** The bytes of a range, and with each piece the offset after it. */
async function* read(
  file: Readable,
  { offset, length }: ByteRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly [bytes: Uint8Array<ArrayBuffer>, to: number]> {
  const end = offset + length;
  for (let at = offset; at < end; at += READ_BYTES) {
    signal?.throwIfAborted();
    const to = Math.min(end, at + READ_BYTES);
    yield [await readBytes(file, at, to), to];
  }
}
