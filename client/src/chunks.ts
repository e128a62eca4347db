// What is still to be sent. The server says what is missing; this cuts it at the multiples of the chunk size and hands out
// each chunk once. What the server has counted once is never handed out again.

export interface Chunk {
  readonly from: number;
  /** The byte after the last. */
  readonly to: number;
}

export type Ranges = readonly (readonly [number, number])[];

/** How many bytes there are in these ranges. */
export function bytesIn(ranges: Ranges): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
}

export class ChunkQueue {
  readonly #chunkBytes: number;
  #waiting: Chunk[] = [];
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

  /** The next chunk, which is then taken until `stored` or `giveBack`. */
  take(): Chunk | undefined {
    const chunk = this.#waiting.shift();
    if (chunk !== undefined) {
      this.#taken.set(chunk.from, chunk.to);
    }
    return chunk;
  }

  stored(chunk: Chunk): void {
    if (this.#taken.delete(chunk.from)) {
      this.#remainingBytes -= chunk.to - chunk.from;
    }
    this.#stored.add(chunk.from);
  }

  /** The chunk was not stored, and the server has said since what is missing. */
  giveBack(chunk: Chunk, missing: Ranges): void {
    this.#taken.delete(chunk.from);
    this.correct(missing);
  }

  /** Takes the server's word for what is missing; chunks that are taken stay so. */
  correct(missing: Ranges): void {
    this.#waiting = cut(missing, this.#chunkBytes).filter(
      ({ from }) => !this.#taken.has(from) && !this.#stored.has(from),
    );
    this.#remainingBytes = bytesIn([...this.#taken, ...this.#waiting.map(({ from, to }) => [from, to] as const)]);
  }
}

function cut(missing: Ranges, chunkBytes: number): Chunk[] {
  const chunks: Chunk[] = [];
  for (const [from, end] of missing) {
    for (let at = from; at < end; ) {
      const to = Math.min(end, (Math.floor(at / chunkBytes) + 1) * chunkBytes);
      chunks.push({ from: at, to });
      at = to;
    }
  }
  return chunks;
}
