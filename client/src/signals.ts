// What runs ends when its signal says so, or its time is over, whether it listens or not.

import type { Clock } from "./interfaces.ts";

/**
 * Rejects as soon as the signal says so. `fetch` promises that too, but between an answer's head and its body some
 * implementations do neither one nor the other, and a read from a drive that is gone does not either: a paused upload would never
 * go on.
 */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) {
      stop();
    }
    signal.addEventListener("abort", stop);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** The work, or after so long something else. */
export function orLate<T>(work: Promise<T>, clock: Clock, delayMs: number, late: () => T | Promise<T>): Promise<T> {
  let stop = () => {};
  const isLate = new Promise<T>((resolve) => {
    stop = clock.timer(delayMs, () => resolve(late()));
  });
  return Promise.race([work, isLate]).finally(stop);
}

/** A controller that is aborted with the signal too; `unlink` ends that. By hand, as not every browser in use has AbortSignal.any. */
export function linked(signal: AbortSignal): { controller: AbortController; unlink: () => void } {
  const controller = new AbortController();
  const passOn = () => controller.abort(signal.reason);
  if (signal.aborted) {
    passOn();
  }
  signal.addEventListener("abort", passOn);
  return { controller, unlink: () => signal.removeEventListener("abort", passOn) };
}
