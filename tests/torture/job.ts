// One upload of the plan as it goes: its bytes, what it has been told so far, and the history that is printed if anything
// is wrong. A client whose upload expired or failed by a planned fault begins anew: each try is an incarnation with an
// upload id of its own.

import { crc64nvme, fileBytes, sha256 } from "../support/bytes.ts";
import type { Ending, UploadPlan } from "./plan.ts";
import { Random } from "./random.ts";

/** One upload id, and what has been seen of it. */
export class Incarnation {
  readonly uploadId: string;
  readonly partBytes: number;
  readonly chunkSize: number;
  readonly expiresAtMs: number;
  /** The largest number of counted bytes that was ever told. */
  told = 0;
  /** Chunks of a parallel upload that are known to be stored, by offset. */
  readonly stored = new Set<number>();
  /** How it ended, once that is known. */
  ending: Ending | undefined;
  /** Whether the Worker knows that the origin has acknowledged the event. */
  isTold = false;

  constructor(created: { uploadId: string; chunkSize: number; expiresAt: string; limits: { partBytes: number } }) {
    this.uploadId = created.uploadId;
    this.chunkSize = created.chunkSize;
    this.partBytes = created.limits.partBytes;
    this.expiresAtMs = Date.parse(created.expiresAt);
  }
}

export class Job {
  readonly plan: UploadPlan;
  readonly random: Random;
  readonly sha256: string;
  readonly crc64nvme: string;
  readonly history: string[] = [];
  readonly incarnations: Incarnation[] = [];
  requests = 0;
  #file: Buffer | undefined;
  readonly #startedMs: number;

  constructor(plan: UploadPlan, seed: string, startedMs: number) {
    this.plan = plan;
    this.random = new Random(`${seed}/steps/${plan.index}`);
    this.#file = fileBytes(`${seed}/file/${plan.index}`, plan.sizeBytes);
    this.sha256 = sha256(this.#file);
    this.crc64nvme = crc64nvme(this.#file);
    this.#startedMs = startedMs;
    const { visitors, faults, ...facts } = plan;
    this.note(`the plan: ${JSON.stringify({ ...facts, visitors, faults })}`);
  }

  get file(): Buffer {
    if (this.#file === undefined) {
      throw new Error("the bytes of this upload have been let go");
    }
    return this.#file;
  }

  get name(): string {
    return `upload ${this.plan.index}`;
  }

  /** Forty megabytes times two hundred do not fit in memory. */
  letGo(): void {
    this.#file = undefined;
  }

  note(text: string): void {
    const seconds = (Date.now() - this.#startedMs) / 1000;
    this.history.push(`${seconds.toFixed(3).padStart(8)} ${text}`);
  }
}
