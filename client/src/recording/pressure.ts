// How much room there is for what is recorded, and how long it lasts: looked at before it hurts. The numbers are the browser's estimate,
// which it rounds, and which other pages of the site share; that storage is really full is what a write says.

import type { Clock } from "../interfaces.ts";
import { orLate } from "../signals.ts";
import type { RecordingWarning, SpoolStorage } from "./interfaces.ts";
import type { Trouble } from "./spool.ts";

const LOOK_MS = 10_000;
const ANSWER_MS = 5_000;
const LOW_BYTES = 256 * 1024 * 1024;
const LOW_MS = 10 * 60_000;

export interface Room {
  readonly freeBytes: number | null;
  readonly fullInMs: number | null;
  readonly isLow: boolean;
  readonly isPersistent: boolean | null;
}

/** Nothing is known. */
export const UNKNOWN_ROOM: Room = { freeBytes: null, fullInMs: null, isLow: false, isPersistent: null };

export class Pressure {
  readonly #storage: SpoolStorage;
  readonly #clock: Clock;
  readonly #recordedBytes: () => number;
  readonly #onChange: () => void;
  #stop: () => void = () => {};
  #hasEnded = false;
  #last: { readonly atMs: number; readonly bytes: number } | undefined;
  room = UNKNOWN_ROOM;

  constructor(storage: SpoolStorage, clock: Clock, recordedBytes: () => number, onChange: () => void) {
    this.#storage = storage;
    this.#clock = clock;
    this.#recordedBytes = recordedBytes;
    this.#onChange = onChange;
  }

  /** Looks now, and again until `end`. With `asks`, the browser is asked to keep what is stored; nobody waits for its answer. */
  begin(asks: boolean): void {
    void this.#look();
    if (asks) {
      this.#storage.persist().then(
        (isPersistent) => this.#become({ isPersistent }),
        () => this.#become({ isPersistent: false }),
      );
    }
  }

  end(): void {
    this.#hasEnded = true;
    this.#stop();
  }

  async #look(): Promise<void> {
    const asked = this.#storage.estimate();
    const estimate = await orLate(asked, this.#clock, ANSWER_MS, () => undefined).catch(() => undefined);
    if (this.#hasEnded) {
      return;
    }
    const freeBytes = estimate === undefined ? null : Math.max(0, estimate.quota - estimate.usage);
    const now = { atMs: this.#clock.nowMs(), bytes: this.#recordedBytes() };
    const before = this.#last ?? now;
    this.#last = now;
    // A page that slept, or a clock that is wrong, makes for a long pause and not for a wrong sign.
    const bytesPerMs = now.atMs > before.atMs ? (now.bytes - before.bytes) / (now.atMs - before.atMs) : 0;
    const fullInMs = freeBytes === null || bytesPerMs <= 0 ? null : freeBytes / bytesPerMs;
    const isLow = freeBytes !== null && (freeBytes < LOW_BYTES || (fullInMs ?? Number.POSITIVE_INFINITY) < LOW_MS);
    this.#become({ freeBytes, fullInMs, isLow });
    this.#stop = this.#clock.timer(LOOK_MS, () => void this.#look());
  }

  #become(change: Partial<Room>): void {
    if (!this.#hasEnded) {
      this.room = { ...this.room, ...change };
      this.#onChange();
    }
  }
}

/** What a page has to be told of its place: the worst first. */
export function warningsOf(
  storage: SpoolStorage | undefined,
  trouble: Trouble | undefined,
  room: Room | undefined,
): RecordingWarning[] {
  if (storage === undefined) {
    return ["memory-only"];
  }
  const warnings: RecordingWarning[] = [];
  if (trouble !== undefined || room?.isLow) {
    warnings.push(`storage-${trouble ?? "low"}`);
  }
  if (room?.isPersistent === false) {
    warnings.push("not-persistent");
  }
  return warnings;
}
