// File contents that look random and are the same in every run, and the digests that the tests expect of them. Digests
// are computed here independently of the Worker's code.

import { createCipheriv, createHash } from "node:crypto";

export const MIB = 1024 * 1024;

/** The first `sizeBytes` bytes of an endless stream that belongs to `seed`. */
export function fileBytes(seed: string, sizeBytes: number): Buffer {
  const key = createHash("sha256").update(seed).digest().subarray(0, 16);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

/** Numbers from 0 (inclusive) to 1 that look random and are the same in every run. */
export function randomNumbers(seed: string): () => number {
  const bytes = fileBytes(seed, 4096);
  let at = 0;
  return () => {
    at = (at + 4) % bytes.length;
    return bytes.readUInt32LE(at) / 2 ** 32;
  };
}

export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = items.map((item) => ({ item, rank: random() }));
  return order.sort((a, b) => a.rank - b.rank).map(({ item }) => item);
}

export function sha256(bytes: Uint8Array, encoding: "hex" | "base64" = "hex"): string {
  return createHash("sha256").update(bytes).digest(encoding);
}

/** CRC-64/NVME (reflected, polynomial 0xad93d23594c93659), as 16 hex digits. In 32-bit halves: BigInt is too slow. */
export function crc64nvme(bytes: Uint8Array): string {
  let low = 0xffffffff;
  let high = 0xffffffff;
  for (const byte of bytes) {
    const index = ((low ^ byte) & 0xff) * 2;
    low = ((low >>> 8) | (high << 24)) ^ (CRC64_TABLE[index] ?? 0);
    high = (high >>> 8) ^ (CRC64_TABLE[index + 1] ?? 0);
  }
  return hex32(~high) + hex32(~low);
}

const CRC64_TABLE = crc64Table(0x9a6c9329ac4bc9b5n);

function crc64Table(reflectedPolynomial: bigint): Uint32Array {
  const table = new Uint32Array(512);
  for (let byte = 0; byte < 256; byte++) {
    let crc = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1n ? (crc >> 1n) ^ reflectedPolynomial : crc >> 1n;
    }
    table[byte * 2] = Number(crc & 0xffffffffn);
    table[byte * 2 + 1] = Number(crc >> 32n);
  }
  return table;
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
