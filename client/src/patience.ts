// When to try again: capped exponential backoff with full jitter, so that many clients do not come back at once; and never
// sooner than the server asked.

import { UploadError } from "./errors.ts";
import type { Clock, Retry } from "./interfaces.ts";

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** Whoever is asked to wait longer is told so instead: nobody watches a progress bar for hours. */
const LONGEST_ASKED_MS = 5 * 60_000;
/** Questions carry no bytes, so they may be asked until a deploy or a restart is over: half a minute on average. */
const QUESTION_ATTEMPTS = 7;

export class Patience {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onRetry: (retry: Retry) => void;

  constructor(clock: Clock, random: () => number, onRetry: (retry: Retry) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#onRetry = onRetry;
  }

  /** Tells of the failure and waits. `failures` is how many there were in a row, from 1. */
  async wait(error: UploadError, failures: number, signal: AbortSignal, offset?: number): Promise<void> {
    const askedMs = error.retryAfterMs ?? 0;
    if (askedMs > LONGEST_ASKED_MS) {
      const minutes = Math.ceil(askedMs / 60_000);
      const { status, retryAfterMs } = error;
      const message = `${error.message} Try again in ${minutes} minutes.`;
      throw new UploadError(error.code, "resume", message, { status, retryAfterMs, cause: error });
    }
    const capMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1));
    const delayMs = askedMs + this.#random() * capMs;
    this.#onRetry({ error, failures, delayMs, ...(offset === undefined ? {} : { offset }) });
    await this.#clock.sleep(delayMs, signal);
  }

  /** Asks until there is an answer, or an error that waiting does not mend. */
  async ask<T>(signal: AbortSignal, question: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await question();
      } catch (error) {
        if (!(error instanceof UploadError) || !error.isPassing || failures === QUESTION_ATTEMPTS) {
          throw error;
        }
        await this.wait(error, failures, signal);
      }
    }
  }
}
