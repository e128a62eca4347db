// What a crash has left at the end of a recording, looked at with suspicion: a piece whose bytes do not have its checksum was torn, and is as
// if it had never been written.

import type { SpoolFolder } from "./interfaces.ts";
import { isWhole, type Piece } from "./pieces.ts";

/** A crash can tear what was written last. What was written before as many whole ones is looked at when it is sent. */
const TAIL_PIECES = 16;

/** What a browser says of bytes that are gone, or no longer what they were. Whatever else it says may pass. */
const LOST = ["NotFoundError", "NotReadableError", "DataError"];

/** Those that are not torn, as far as a crash can have reached. */
export async function withoutTorn(folder: SpoolFolder, pieces: readonly Piece[]): Promise<Piece[]> {
  const sorted = [...pieces].sort((a, b) => a.from - b.from);
  const torn = new Set<Piece>();
  for (let at = sorted.length - 1, wholeInARow = 0; at >= 0 && wholeInARow < TAIL_PIECES; at--) {
    const piece = sorted[at] as Piece;
    const isThere = (await bytesOf(folder, piece)) !== undefined;
    wholeInARow = isThere ? wholeInARow + 1 : 0;
    if (!isThere) {
      torn.add(piece);
    }
  }
  return sorted.filter((piece) => !torn.has(piece));
}

/** Undefined where they are not whole. Throws where they cannot be read just now: they may be whole all the same. */
export async function bytesOf(folder: SpoolFolder, piece: Piece): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const bytes = new Uint8Array(await (await folder.read(piece)).arrayBuffer());
    return isWhole(piece, bytes) ? bytes : undefined;
  } catch (error) {
    if (error instanceof DOMException && LOST.includes(error.name)) {
      return undefined;
    }
    throw error;
  }
}
