// A piece of a recording, and when it counts: only whole. Its record says where it lies, how long it is, and the checksum of the
// recording up to where it begins and up to where it ends. The record is the piece's name in storage, so that there is no moment in
// which one is there without the other: no index can disagree with the bytes.
//
// A piece is whole when its bytes lead from the first checksum to the second. It belongs behind another one when its first checksum is
// that one's second. What a crash has torn fails the one, and what belongs to something else the other; neither is ever sent. The
// checksum is the one that the server computes of the object, so in the end the object is compared with what was recorded.

import { Crc64 } from "../crc64.ts";

export interface Piece {
  /** Where in the recording it begins. */
  readonly from: number;
  /** The byte after the last. */
  readonly to: number;
  /** CRC-64/NVME of the recording up to `from`, in hexadecimal. */
  readonly before: string;
  /** The same up to `to`. */
  readonly after: string;
}

/** The checksum of no bytes. */
export const NOTHING = new Crc64().hex();

const POLYNOMIAL = 0x9a6c9329ac4bc9b5n;
const ALL_ONES = (1n << 64n) - 1n;

/** The checksum of what has the checksum `before`, with these bytes behind it. */
export function checksumAfter(before: string, bytes: Uint8Array): string {
  const crc = new Crc64();
  crc.update(leadingTo(before));
  crc.update(bytes);
  return crc.hex();
}

/** Eight bytes that have this checksum: the register is as wide, and each of its steps can be taken back. */
function leadingTo(checksum: string): Uint8Array {
  let register = BigInt(`0x${checksum}`) ^ ALL_ONES;
  for (let bit = 0; bit < 64; bit++) {
    const wasOdd = register >> 63n;
    register = (((wasOdd ? register ^ POLYNOMIAL : register) << 1n) & ALL_ONES) | wasOdd;
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, register ^ ALL_ONES, true);
  return bytes;
}

export function pieceOf(from: number, before: string, bytes: Uint8Array): Piece {
  return { from, to: from + bytes.length, before, after: checksumAfter(before, bytes) };
}

/** Whether these are its bytes, all of them. */
export function isWhole({ from, to, before, after }: Piece, bytes: Uint8Array): boolean {
  return bytes.length === to - from && checksumAfter(before, bytes) === after;
}

/** In the order of their names they lie in the order of their bytes. */
export function nameOf({ from, to, before, after }: Piece): string {
  return `${String(from).padStart(16, "0")}-${to}-${before}-${after}`;
}

/** Undefined where it is no piece's name. */
export function pieceNamed(name: string): Piece | undefined {
  const [, from, to, before = "", after = ""] = /^(\d{16})-(\d{1,16})-([0-9a-f]{16})-([0-9a-f]{16})$/.exec(name) ?? [];
  const piece = { from: Number(from), to: Number(to), before, after };
  return piece.to > piece.from ? piece : undefined;
}

/**
 * Those that follow each other without a gap from the first that begins at `from` or behind it, in order. The rest is of no use: it was torn, or lies
 * behind what was.
 */
export function chainOf(pieces: readonly Piece[], from: number): { chain: Piece[]; rest: Piece[] } {
  const chain: Piece[] = [];
  const rest: Piece[] = [];
  for (const piece of [...pieces].sort((a, b) => a.from - b.from || b.to - a.to)) {
    const last = chain.at(-1);
    const follows = last === undefined ? piece.from >= from : piece.from === last.to && piece.before === last.after;
    (follows ? chain : rest).push(piece);
  }
  return { chain, rest };
}

/** The piece with this byte, if there is one. */
export function pieceAt(pieces: readonly Piece[], at: number): Piece | undefined {
  return pieces.find(({ from, to }) => from <= at && at < to);
}

export function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
