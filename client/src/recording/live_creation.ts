// What makes a recording a live upload: looked at when it is asked for, and noted as it is said behind the address where the upload is
// created, so that one that begins anew, or on another page, is live again.

import type { LiveOptions, RecordingOptions } from "./interfaces.ts";

/** The least distance of which the server tells. */
const FEWEST_TOLD_BYTES = 8 * 1024 * 1024;
const LONGEST_SILENCE_SECONDS = 86_400;

/** What is said behind the address; undefined where it is no live upload. Throws a `TypeError` where the server would refuse it, or end it in a pause between two pieces. */
export function liveQuery(live: RecordingOptions["live"], pauseMs: number): string | undefined {
  if (!live) {
    return undefined;
  }
  const bounds: Record<keyof LiveOptions, readonly [least: number, most: number]> = {
    tellEveryBytes: [FEWEST_TOLD_BYTES, Number.MAX_SAFE_INTEGER],
    // Between two requests it must not end.
    endAfterSeconds: [Math.floor(pauseMs / 1000) + 1, LONGEST_SILENCE_SECONDS],
  };
  let query = "?live";
  for (const [name, value] of Object.entries(live === true ? {} : live)) {
    if (!(name in bounds)) {
      throw new TypeError(`there is no option live.${name}`);
    }
    const [least, most] = bounds[name as keyof LiveOptions];
    if (value !== undefined) {
      if (!Number.isSafeInteger(value) || value < least || value > most) {
        throw new TypeError(`live.${name} is a whole number from ${least} to ${most}`);
      }
      query += `&${name}=${value}`;
    }
  }
  return query;
}
