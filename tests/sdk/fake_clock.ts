// Time that passes only while nothing else happens: then it jumps to whatever is due next. So an hour of waiting takes no
// time, and a request that is answered is answered before any deadline.

import type { Clock } from "../../client/src/interfaces.ts";

/** In virtual time. What still goes on then, goes on for ever, and must not keep the test's process alive. */
const HORIZON_MS = 2 * 60 * 60_000;
/** How many turns of the event loop without any news mean that nothing else happens. */
const IDLE_TURNS = 5;

export class FakeClock implements Clock {
  now = 1_000_000;
  /** What was slept, in order. */
  readonly slept: number[] = [];
  readonly #endMs = this.now + HORIZON_MS;
  readonly #due = new Set<{ readonly atMs: number; readonly act: () => void }>();
  #changes = 0;
  #isRunning = false;
  #isAsleep = false;

  nowMs(): number {
    return this.now;
  }

  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.slept.push(delayMs);
    await new Promise<void>((resolve, reject) => {
      const stop = () => {
        cancel();
        reject(signal.reason);
      };
      const cancel = this.timer(delayMs, () => {
        signal.removeEventListener("abort", stop);
        resolve();
      });
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  /** The page is put to sleep: no time passes for it, until `wake`. */
  fallAsleep(): void {
    this.#isAsleep = true;
  }

  wake(): void {
    this.#isAsleep = false;
    void this.#run();
  }

  timer(delayMs: number, act: () => void): () => void {
    const entry = { atMs: this.now + delayMs, act };
    this.#due.add(entry);
    this.#changes += 1;
    void this.#run();
    return () => {
      this.#changes += 1;
      this.#due.delete(entry);
    };
  }

  async #run(): Promise<void> {
    if (this.#isRunning) {
      return;
    }
    this.#isRunning = true;
    for (let next = await this.#next(); next !== undefined; next = await this.#next()) {
      this.#due.delete(next);
      this.now = Math.max(this.now, next.atMs);
      next.act();
    }
    this.#isRunning = false;
  }

  /** What is due next, once nothing else happens. */
  async #next() {
    for (let seen = -1; seen !== this.#changes; ) {
      seen = this.#changes;
      for (let turn = 0; turn < IDLE_TURNS; turn++) {
        await new Promise(setImmediate);
      }
    }
    const [first] = [...this.#due].sort((a, b) => a.atMs - b.atMs);
    return first !== undefined && first.atMs <= this.#endMs && !this.#isAsleep ? first : undefined;
  }
}
