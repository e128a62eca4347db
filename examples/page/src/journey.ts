// The way of one file, as the page knows it: what the uploader says before the last byte, what the server says after it, and
// what the origin has recorded at the end. No element and no request is in here.

import { Speed, type Status } from "quayside-client";

import { percent } from "./format.ts";
import type { Message } from "./messages.ts";

export type Stage =
  /** Chosen, and not begun. */
  | "ready"
  /** Begun, and not its turn yet. */
  | "waiting"
  | "starting"
  | "hashing"
  | "uploading"
  | "paused"
  | "offline"
  | "following"
  /** Begun in an earlier visit of this page. */
  | "interrupted"
  /** The same, and the browser has not kept its content. */
  | "missing"
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

/** Of bytes on their way. */
export interface Moving {
  readonly uploadedBytes: number;
  readonly sentBytes: number;
  readonly bytesPerSecond: number | null;
  readonly remainingMs: number | null;
}

const SENT: ReadonlySet<Stage> = new Set(["completing", "verifying", "completed", "delivered", "undelivered"]);
const OVER: ReadonlySet<Stage> = new Set(["completed", "delivered"]);

export class Journey {
  readonly name: string;
  /** Where it lay in a folder that was chosen; empty for a file that was chosen by itself. */
  readonly folder: string;
  readonly fileBytes: number;
  stage: Stage = "ready";
  uploadId: string | undefined;
  /** Confirmed by the server. */
  uploadedBytes = 0;
  /** Confirmed, or handed to the network. */
  sentBytes = 0;
  bytesPerSecond: number | null = null;
  remainingMs: number | null = null;
  /** In percent, where an earlier upload goes on. */
  resumedFrom: number | undefined;
  isDuplicate = false;
  /** The whole object's bytes were compared with a hash that the uploader gave. */
  isVerified = false;
  /** What is to be said besides, such as why it waits, or what went wrong, and what helps. */
  message: Message | undefined;
  record: OriginRecord | undefined;
  #speed: Speed | undefined;

  constructor(name: string, folder: string, fileBytes: number) {
    this.name = name;
    this.folder = folder;
    this.fileBytes = fileBytes;
  }

  get percent(): number {
    return this.isSent ? 100 : percent(this.uploadedBytes, this.fileBytes);
  }

  /** Whether the server has every byte. */
  get isSent(): boolean {
    return SENT.has(this.stage);
  }

  /** Whether nothing more is to come. */
  get isOver(): boolean {
    return OVER.has(this.stage);
  }

  /** Before the last byte the uploader knows best; after it, the server. */
  turn(stage: Stage, message?: Message): void {
    if (!this.isSent) {
      this.stage = stage;
      this.message = message;
    }
  }

  moved({ uploadedBytes, sentBytes, bytesPerSecond, remainingMs }: Moving): void {
    Object.assign(this, { uploadedBytes, sentBytes, bytesPerSecond, remainingMs });
  }

  /** The server has confirmed so many bytes, and nobody says how fast. */
  confirmed(uploadedBytes: number, nowMs: number): void {
    if (this.#speed === undefined || uploadedBytes < this.uploadedBytes) {
      this.#speed = new Speed(nowMs, uploadedBytes);
    }
    const { bytesPerSecond, remainingMs } = this.#speed.confirmed(nowMs, uploadedBytes, this.fileBytes);
    this.moved({ uploadedBytes, sentBytes: uploadedBytes, bytesPerSecond, remainingMs });
  }

  /** An earlier upload goes on. After a standstill the speed is measured anew. */
  resumed(fromBytes: number, nowMs: number): void {
    this.resumedFrom = percent(fromBytes, this.fileBytes);
    this.#speed = new Speed(nowMs, fromBytes);
    this.moved({ uploadedBytes: fromBytes, sentBytes: fromBytes, bytesPerSecond: null, remainingMs: null });
  }

  /** What the server says of it. */
  told({ state, uploadedBytes, delivery, reason, object }: Status, nowMs: number): void {
    if (uploadedBytes > this.uploadedBytes) {
      this.confirmed(uploadedBytes, nowMs);
    }
    this.isVerified = object !== null && object.sha256 !== null;
    if (state === "completing" || state === "verifying") {
      this.#arrive(state);
    } else if (state === "completed") {
      this.#arrive(delivery === "delivered" ? "delivered" : delivery === "failed" ? "undelivered" : "completed");
    } else if (state === "damaged") {
      // From here on the uploader knows best again.
      this.stage = "repairing";
      this.message = { text: "It arrived damaged. What differs is sent again." };
    } else if (state !== "open") {
      this.#end(reason ?? `The upload was ${state}.`);
    }
  }

  /** Before the last byte the uploader begins afresh by itself, when it goes on. */
  #end(text: string): void {
    if (!this.isSent) {
      this.message = { text };
      return;
    }
    this.stage = "failed";
    this.message = { text, help: "start-over" };
  }

  #arrive(stage: Stage): void {
    this.stage = stage;
    this.message = undefined;
    this.remainingMs = null;
  }
}
