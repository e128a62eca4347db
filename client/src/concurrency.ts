// How many chunks at once. The limit climbs as long as that makes the whole faster, steps back when it does not, and is
// halved when a request fails. It is judged once per round: as many chunks as were allowed at once. However large the chunks are, those
// that are in memory at once stay below a limit.

export const FEWEST = 2;
export const MOST = 8;
/** Of all chunks that are in memory; a single one may be larger. */
export const MOST_BYTES = 96 * 1024 * 1024;
/** A change smaller than this is noise. */
const NOTABLE = 0.1;

export class Concurrency {
  readonly #fewest: number;
  readonly #most: number;
  #limit: number;
  #step = 1;
  #lastRate = 0;
  #roundSinceMs: number;
  #roundBytes = 0;
  #roundChunks = 0;

  constructor(nowMs: number, chunkBytes: number) {
    this.#most = Math.max(1, Math.min(MOST, Math.floor(MOST_BYTES / chunkBytes)));
    this.#fewest = Math.min(FEWEST, this.#most);
    this.#limit = this.#fewest;
    this.#roundSinceMs = nowMs;
  }

  get limit(): number {
    return this.#limit;
  }

  /** A chunk was confirmed. */
  confirmed(nowMs: number, bytes: number): void {
    this.#roundBytes += bytes;
    this.#roundChunks += 1;
    if (this.#roundChunks < this.#limit) {
      return;
    }
    const rate = this.#roundBytes / Math.max(1, nowMs - this.#roundSinceMs);
    if (rate < this.#lastRate * (1 - NOTABLE)) {
      // The last step was a mistake: go back, and try again from there later.
      this.#step = -this.#step;
      this.#move(this.#step);
    } else if (rate > this.#lastRate * (1 + NOTABLE)) {
      this.#move(this.#step);
    }
    this.#lastRate = rate;
    this.#beginRound(nowMs);
  }

  /** A request failed. */
  failed(nowMs: number): void {
    this.#limit = Math.max(this.#fewest, Math.floor(this.#limit / 2));
    this.#step = 1;
    this.#lastRate = 0;
    this.#beginRound(nowMs);
  }

  #move(step: number): void {
    this.#limit = Math.min(this.#most, Math.max(this.#fewest, this.#limit + step));
    if (this.#limit === this.#fewest) {
      this.#step = 1;
    }
  }

  #beginRound(nowMs: number): void {
    this.#roundSinceMs = nowMs;
    this.#roundBytes = 0;
    this.#roundChunks = 0;
  }
}
