// What is told of an upload's bytes: those that the server has confirmed, and those that have been handed to the network. Neither
// goes back while chunks are sent: one that is lost and sent again is not counted twice.

import type { Emitter } from "./emitter.ts";
import type { Clock, UploadEvents } from "./interfaces.ts";
import { Speed } from "./speed.ts";

/** Between two tellings of bytes that are only sent. */
const INTERVAL_MS = 100;

export class ProgressMeter {
  readonly #clock: Clock;
  readonly #fileBytes: number;
  readonly #emitter: Emitter<UploadEvents>;
  #speed: Speed;
  #uploadedBytes = 0;
  #sentBytes = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, fileBytes: number, emitter: Emitter<UploadEvents>) {
    this.#clock = clock;
    this.#fileBytes = fileBytes;
    this.#emitter = emitter;
    this.#speed = new Speed(clock.nowMs(), 0);
  }

  get uploadedBytes(): number {
    return this.#uploadedBytes;
  }

  /** So many bytes are there, more or fewer than before: measures from here. */
  restart(uploadedBytes: number): void {
    this.#uploadedBytes = uploadedBytes;
    this.#sentBytes = uploadedBytes;
    this.#speed = new Speed(this.#clock.nowMs(), uploadedBytes);
    this.#say();
  }

  /** Answers to chunks side by side come in any order. Whether this is more than before. */
  confirmed(uploadedBytes: number): boolean {
    const isMore = uploadedBytes > this.#uploadedBytes;
    if (isMore) {
      this.#uploadedBytes = uploadedBytes;
      this.#sentBytes = Math.max(this.#sentBytes, uploadedBytes);
      this.#say();
    }
    return isMore;
  }

  /** So many bytes have been confirmed or have left. */
  sent(sentBytes: number): void {
    if (sentBytes > this.#sentBytes) {
      this.#sentBytes = sentBytes;
      if (this.#clock.nowMs() - this.#toldMs >= INTERVAL_MS) {
        this.#say();
      }
    }
  }

  #say(): void {
    const nowMs = this.#clock.nowMs();
    this.#toldMs = nowMs;
    const progress = this.#speed.confirmed(nowMs, this.#uploadedBytes, this.#fileBytes, this.#sentBytes);
    this.#emitter.emit("progress", progress);
  }
}
