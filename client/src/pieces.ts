// What is still to be sent. The server says what is missing; this cuts it at the multiples of the chunk size and hands out
// each piece once. What the server has counted once is never handed out again.

export interface Piece {
  readonly from: number;
  /** The byte after the last. */
  readonly to: number;
}

export type Ranges = readonly (readonly [number, number])[];

/** How many bytes there are in these ranges. */
export function bytesIn(ranges: Ranges): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
}

export class Pieces {
  readonly #chunkBytes: number;
  #waiting: Piece[] = [];
  /** Where each begins, and ends. */
  readonly #taken = new Map<number, number>();
  readonly #stored = new Set<number>();
  #remainingBytes = 0;

  constructor(chunkBytes: number, missing: Ranges) {
    this.#chunkBytes = chunkBytes;
    this.correct(missing);
  }

  /** How many bytes are not stored, as far as is known here. */
  get remainingBytes(): number {
    return this.#remainingBytes;
  }

  /** The next piece, which is then taken until `stored` or `giveBack`. */
  take(): Piece | undefined {
    const piece = this.#waiting.shift();
    if (piece !== undefined) {
      this.#taken.set(piece.from, piece.to);
    }
    return piece;
  }

  stored(piece: Piece): void {
    if (this.#taken.delete(piece.from)) {
      this.#remainingBytes -= piece.to - piece.from;
    }
    this.#stored.add(piece.from);
  }

  /** The piece was not stored, and the server has said since what is missing. */
  giveBack(piece: Piece, missing: Ranges): void {
    this.#taken.delete(piece.from);
    this.correct(missing);
  }

  /** Takes the server's word for what is missing; pieces that are taken stay so. */
  correct(missing: Ranges): void {
    this.#waiting = cut(missing, this.#chunkBytes).filter(
      ({ from }) => !this.#taken.has(from) && !this.#stored.has(from),
    );
    this.#remainingBytes = bytesIn([...this.#taken, ...this.#waiting.map(({ from, to }) => [from, to] as const)]);
  }
}

function cut(missing: Ranges, chunkBytes: number): Piece[] {
  const pieces: Piece[] = [];
  for (const [from, end] of missing) {
    for (let at = from; at < end; ) {
      const to = Math.min(end, (Math.floor(at / chunkBytes) + 1) * chunkBytes);
      pieces.push({ from: at, to });
      at = to;
    }
  }
  return pieces;
}
