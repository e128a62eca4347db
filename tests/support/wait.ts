// Waiting for a condition. The time is only for giving up, and then the message says what was seen last.

import { setTimeout as sleep } from "node:timers/promises";

const GIVE_UP_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Looks until `probe` gives something other than undefined or false, and returns that. A probe may throw meanwhile. */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { giveUpMs = GIVE_UP_MS, lastSeen }: { giveUpMs?: number; lastSeen?: () => unknown } = {},
): Promise<T> {
  const deadlineMs = Date.now() + giveUpMs;
  let lastError: unknown;
  while (Date.now() < deadlineMs) {
    try {
      const found = await answerBefore(deadlineMs, probe);
      if (found !== undefined && found !== false) {
        return found;
      }
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await sleep(LOOK_EVERY_MS);
  }
  const seen = lastSeen === undefined ? "" : `\nlast seen: ${JSON.stringify(lastSeen(), null, 2)}`;
  const failed = lastError === undefined ? "" : `\nlast asked: ${lastError}`;
  throw new Error(`gave up after ${giveUpMs / 1000} s waiting for: ${what}${seen}${failed}`, { cause: lastError });
}

/** A probe that never answers is given up with all the waiting. */
async function answerBefore<T>(deadlineMs: number, probe: () => Promise<T> | T): Promise<T> {
  const isOver = new AbortController();
  const tooLate = sleep(deadlineMs - Date.now(), undefined, { signal: isOver.signal }).then(() => {
    throw new Error("it was asked, and has not answered");
  });
  try {
    return await Promise.race([probe(), tooLate]);
  } finally {
    isOver.abort();
    tooLate.catch(() => {});
  }
}
