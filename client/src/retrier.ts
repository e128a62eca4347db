// When to try again: capped exponential backoff with full jitter, so that many clients do not come back at once; and never
// sooner than the server asked. There is no end to it unless the page wants one: an outage is sat out.

import { UploadError } from "./errors.ts";
import type { Clock, Retry, RetryPolicy } from "./interfaces.ts";
import { linked } from "./signals.ts";

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** Whoever has to wait longer for a quota is told so instead: nobody watches a progress bar for hours. */
const LONGEST_QUOTA_MS = 5 * 60_000;
/** A server in difficulties that asks for more is asked again after this: the date it gave may be by another clock. */
const LONGEST_ASKED_MS = 60 * 60_000;
/** However often somebody says that things have changed, there is this much between two tries. */
const SHORTEST_NUDGED_MS = 1_000;

/** Failures in a row of one thing. */
export interface Streak {
  readonly failures: number;
  readonly sinceMs: number;
}

export interface RetrierParts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly policy?: RetryPolicy | undefined;
  readonly onRetry: (retry: Retry) => void;
  /** What had failed has succeeded. */
  readonly onMended?: () => void;
}

export class Retrier {
  readonly #parts: RetrierParts;
  readonly #waiting = new Set<() => void>();
  #unanswered = 0;

  constructor(parts: RetrierParts) {
    this.#parts = parts;
  }

  /** How many questions have failed so far. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** One more failure in a row. */
  longer(streak: Streak | undefined): Streak {
    const { failures, sinceMs } = streak ?? { failures: 0, sinceMs: this.#parts.clock.nowMs() };
    return { failures: failures + 1, sinceMs };
  }

  /** Tells of the failure and waits; throws it where there is no point in that. */
  async wait(error: UploadError, streak: Streak, signal: AbortSignal, offset?: number): Promise<void> {
    const { clock, random, policy = {}, onRetry } = this.#parts;
    const { giveUpAfterMs = Number.POSITIVE_INFINITY } = policy;
    const { firstDelayMs = FIRST_DELAY_MS, longestDelayMs = LONGEST_DELAY_MS } = policy;
    const { failures, sinceMs } = streak;
    const askedMs = askedDelayMs(error);
    const delayMs = askedMs + random() * Math.min(longestDelayMs, firstDelayMs * 2 ** (failures - 1));
    if (clock.nowMs() + delayMs - sinceMs > giveUpAfterMs) {
      throw error;
    }
    onRetry({ error, failures, delayMs, ...(offset === undefined ? {} : { offset }) });
    await this.#sleep(delayMs, Math.max(askedMs, SHORTEST_NUDGED_MS), signal);
  }

  /** Asks until there is an answer, or an error that waiting does not mend. */
  async ask<T>(signal: AbortSignal, question: () => Promise<T>): Promise<T> {
    for (let streak: Streak | undefined; ; ) {
      try {
        const answer = await question();
        if (streak !== undefined) {
          this.#parts.onMended?.();
        }
        return answer;
      } catch (error) {
        if (!(error instanceof UploadError) || !error.isPassing) {
          throw error;
        }
        this.#unanswered += 1;
        streak = this.longer(streak);
        await this.wait(error, streak, signal);
      }
    }
  }

  /** Things have changed: whoever waits tries again now, unless the server has asked for more time. */
  nudge(): void {
    for (const wake of this.#waiting) {
      wake();
    }
  }

  async #sleep(delayMs: number, shortestMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const sinceMs = clock.nowMs();
    const { controller, unlink } = linked(signal);
    const wake = () => controller.abort();
    this.#waiting.add(wake);
    try {
      await clock.sleep(delayMs, controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) {
        throw error;
      }
      signal.throwIfAborted();
      const leftMs = Math.min(delayMs, shortestMs) - (clock.nowMs() - sinceMs);
      if (leftMs > 0) {
        await clock.sleep(leftMs, signal);
      }
    } finally {
      this.#waiting.delete(wake);
      unlink();
    }
  }
}

/** What the server has asked for, within reason. */
function askedDelayMs(error: UploadError): number {
  const { code, status, retryAfterMs = 0 } = error;
  if (code === "too-many-requests" && retryAfterMs > LONGEST_QUOTA_MS) {
    const minutes = Math.ceil(retryAfterMs / 60_000);
    const message = `${error.message.replace(/ Try again in \d+ s\./, "")} Try again in ${minutes} minutes.`;
    throw new UploadError(code, "resume", message, { status, retryAfterMs, cause: error });
  }
  return Math.min(LONGEST_ASKED_MS, retryAfterMs);
}
