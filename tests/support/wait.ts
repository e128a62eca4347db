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
      const found = await probe();
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
  throw new Error(`gave up after ${giveUpMs / 1000} s waiting for: ${what}${seen}`, { cause: lastError });
}
