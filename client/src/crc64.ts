// CRC-64/NVME, the checksum that the server keeps of every part. A 64-bit number is two halves of 32 bits here, since a BigInt for
// every byte would be slower by far; and eight bytes are taken at once, by eight tables.

/** The polynomial 0xad93d23594c93659, its lowest power in the highest bit. */
const POLYNOMIAL_HIGH = 0x9a6c9329;
const POLYNOMIAL_LOW = 0xac4bc9b5;
const ENTRIES = 8 * 256;

/** Entry `256 * zeros + byte` is what this byte makes of the checksum when so many zero bytes follow it. */
type Tables = readonly [highs: Int32Array, lows: Int32Array];

/** Computed when they are first needed. */
let tables: Tables | undefined;

/** The checksum of bytes that come in pieces. */
export class Crc64 {
  #high = -1;
  #low = -1;

  update(bytes: Uint8Array): void {
    tables ??= computed();
    const [highs, lows] = tables;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let high = this.#high;
    let low = this.#low;
    let at = 0;
    for (const end = bytes.length - 7; at < end; at += 8) {
      const first = low ^ view.getInt32(at, true);
      const second = high ^ view.getInt32(at + 4, true);
      low = eight(lows, first, second);
      high = eight(highs, first, second);
    }
    for (; at < bytes.length; at++) {
      const entry = (low & 255) ^ view.getUint8(at);
      low = ((low >>> 8) | (high << 24)) ^ get(lows, entry);
      high = (high >>> 8) ^ get(highs, entry);
    }
    this.#high = high;
    this.#low = low;
  }

  /** 16 digits in lower-case hexadecimal, as the server writes it. */
  hex(): string {
    return [this.#high, this.#low].map((half) => (~half >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/** What eight bytes make of it, four in each number, the first of them in its lowest bits. */
function eight(half: Int32Array, first: number, second: number): number {
  return (
    get(half, 1792 + (first & 255)) ^
    get(half, 1536 + ((first >>> 8) & 255)) ^
    get(half, 1280 + ((first >>> 16) & 255)) ^
    get(half, 1024 + (first >>> 24)) ^
    get(half, 768 + (second & 255)) ^
    get(half, 512 + ((second >>> 8) & 255)) ^
    get(half, 256 + ((second >>> 16) & 255)) ^
    get(half, second >>> 24)
  );
}

function get(half: Int32Array, entry: number): number {
  return half[entry] as number;
}

function computed(): Tables {
  const [highs, lows] = [new Int32Array(ENTRIES), new Int32Array(ENTRIES)];
  for (let byte = 0; byte < 256; byte++) {
    let high = 0;
    let low = byte;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) === 1;
      low = ((low >>> 1) | (high << 31)) ^ (isOdd ? POLYNOMIAL_LOW : 0);
      high = (high >>> 1) ^ (isOdd ? POLYNOMIAL_HIGH : 0);
    }
    highs[byte] = high;
    lows[byte] = low;
  }
  for (let entry = 256; entry < ENTRIES; entry++) {
    const high = get(highs, entry - 256);
    const low = get(lows, entry - 256);
    const next = low & 255;
    highs[entry] = (high >>> 8) ^ get(highs, next);
    lows[entry] = ((low >>> 8) | (high << 24)) ^ get(lows, next);
  }
  return [highs, lows];
}
