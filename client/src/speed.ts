// How fast, and how long yet: what has left in the last ten seconds. Chunks and confirmations come in bursts, so it takes a second until
// there is something to say; and the first second is left out as soon as there is more, since it only fills the buffers on this side.

import type { Progress } from "./interfaces.ts";

const WINDOW_MS = 10_000;
const WARM_UP_MS = 1_000;
const SHORTEST_SAMPLE_MS = 250;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

export class Speed {
  /** In order; the first is as old as the window, where there is one so old. */
  readonly #samples: Sample[];
  #isWarm = false;

  /** Measures from here: at the beginning, and after every standstill. */
  constructor(nowMs: number, bytes: number) {
    this.#samples = [{ atMs: nowMs, bytes }];
  }

  /** How it stands, with so many bytes confirmed, and so many sent, where that is known. */
  confirmed(nowMs: number, uploadedBytes: number, fileBytes: number, sentBytes = uploadedBytes): Progress {
    const bytesPerSecond = this.#measured({ atMs: nowMs, bytes: sentBytes });
    const leftBytes = fileBytes - sentBytes;
    const atThisSpeedMs = !bytesPerSecond ? null : (leftBytes / bytesPerSecond) * 1000;
    const remainingMs = leftBytes <= 0 ? 0 : atThisSpeedMs;
    return { uploadedBytes, sentBytes, fileBytes, bytesPerSecond, remainingMs };
  }

  #measured(now: Sample): number | null {
    const samples = this.#samples;
    const isOver = (sample: Sample | undefined, ms: number) => sample !== undefined && now.atMs - sample.atMs >= ms;
    if (isOver(samples.at(-1), SHORTEST_SAMPLE_MS)) {
      samples.push(now);
    }
    while (isOver(samples[1], WINDOW_MS)) {
      samples.shift();
    }
    if (!this.#isWarm && samples[1] !== undefined && isOver(samples[0], 2 * WARM_UP_MS)) {
      this.#isWarm = true;
      const [{ atMs }] = samples as [Sample];
      const warm = samples.findIndex((sample) => sample.atMs >= atMs + WARM_UP_MS);
      // Of a burst after a pause nothing would be left to measure.
      samples.splice(0, isOver(samples[warm], WARM_UP_MS) ? warm : 0);
    }
    const [first] = samples as [Sample];
    return isOver(first, WARM_UP_MS) ? ((now.bytes - first.bytes) / (now.atMs - first.atMs)) * 1000 : null;
  }
}
