// How fast, and how long yet: an exponential moving average over confirmed bytes. Confirmations come in bursts when chunks
// run side by side, so bytes gather for a quarter of a second before they count as a sample.

import type { Progress } from "./interfaces.ts";

const ALPHA = 0.25;
const SHORTEST_SAMPLE_MS = 250;

export class Speed {
  #sinceMs: number;
  #sinceBytes: number;
  #bytesPerSecond: number | null = null;

  /** Measures from here: at the beginning, and after every standstill. */
  constructor(nowMs: number, uploadedBytes: number) {
    this.#sinceMs = nowMs;
    this.#sinceBytes = uploadedBytes;
  }

  confirmed(nowMs: number, uploadedBytes: number, fileBytes: number): Progress {
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs >= SHORTEST_SAMPLE_MS) {
      const sample = ((uploadedBytes - this.#sinceBytes) / elapsedMs) * 1000;
      const before = this.#bytesPerSecond;
      this.#bytesPerSecond = before === null ? sample : ALPHA * sample + (1 - ALPHA) * before;
      this.#sinceMs = nowMs;
      this.#sinceBytes = uploadedBytes;
    }
    const speed = this.#bytesPerSecond;
    const remainingMs = speed === null || speed <= 0 ? null : ((fileBytes - uploadedBytes) / speed) * 1000;
    return { uploadedBytes, fileBytes, bytesPerSecond: speed, remainingMs };
  }
}
