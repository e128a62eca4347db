// The way of one file, as the page knows it: what the uploader says before the last byte, what the server says after it, and
// what the origin has recorded at the end. No element and no request is in here.

import { Speed, type Status } from "quayside-client";

import { percent } from "./format.ts";

export type Stage =
  | "waiting"
  | "hashing"
  | "uploading"
  | "paused"
  | "offline"
  | "following"
  | "completing"
  | "verifying"
  | "repairing"
  | "completed"
  | "delivered"
  | "undelivered"
  | "failed";

/** What the origin has recorded. */
export interface OriginRecord {
  readonly sha256: string | null;
  readonly sniffedType: string | null;
  readonly fileSize: number;
  readonly storedAt: string | null;
  readonly state: string;
}

export class Journey {
  readonly name: string;
  readonly fileBytes: number;
  stage: Stage = "waiting";
  uploadId: string | undefined;
  uploadedBytes = 0;
  bytesPerSecond: number | null = null;
  remainingMs: number | null = null;
  /** In percent, where an earlier upload goes on. */
  resumedFrom: number | undefined;
  isDuplicate = false;
  /** What is to be said besides, such as why it waits, or what went wrong. */
  remark = "";
  record: OriginRecord | undefined;
  #speed: Speed | undefined;

  constructor(name: string, fileBytes: number) {
    this.name = name;
    this.fileBytes = fileBytes;
  }

  get percent(): number {
    return percent(this.uploadedBytes, this.fileBytes);
  }

  /** Whether the server has every byte. */
  get isSent(): boolean {
    return ["completing", "verifying", "completed", "delivered", "undelivered"].includes(this.stage);
  }

  /** Before the last byte the uploader knows best; after it, the server. */
  turn(stage: Stage, remark = ""): void {
    if (!this.isSent) {
      this.stage = stage;
      this.remark = remark;
    }
  }

  /** The server has confirmed so many bytes. */
  confirmed(uploadedBytes: number, nowMs: number): void {
    if (this.#speed === undefined || uploadedBytes < this.uploadedBytes) {
      this.#speed = new Speed(nowMs, uploadedBytes);
    }
    const progress = this.#speed.confirmed(nowMs, uploadedBytes, this.fileBytes);
    this.uploadedBytes = uploadedBytes;
    this.bytesPerSecond = progress.bytesPerSecond;
    this.remainingMs = progress.remainingMs;
  }

  /** An earlier upload goes on. After a standstill the speed is measured anew. */
  resumed(fromBytes: number, nowMs: number): void {
    this.resumedFrom = percent(fromBytes, this.fileBytes);
    this.uploadedBytes = fromBytes;
    this.#speed = new Speed(nowMs, fromBytes);
    this.bytesPerSecond = null;
    this.remainingMs = null;
  }

  /** What the server says of it. */
  told({ state, uploadedBytes, delivery, reason }: Status, nowMs: number): void {
    if (uploadedBytes > this.uploadedBytes) {
      this.confirmed(uploadedBytes, nowMs);
    }
    if (state === "completing" || state === "verifying") {
      this.#arrive(state);
    } else if (state === "completed") {
      this.#arrive(delivery === "delivered" ? "delivered" : delivery === "failed" ? "undelivered" : "completed");
    } else if (state === "damaged") {
      // From here on the uploader knows best again.
      this.stage = "repairing";
      this.remark = reason ?? "";
    } else if (state !== "open") {
      this.stage = "failed";
      this.remark = reason ?? `The upload was ${state}.`;
    }
  }

  #arrive(stage: Stage): void {
    this.stage = stage;
    this.remark = "";
    this.remainingMs = null;
  }
}
