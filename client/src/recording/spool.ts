// The bytes of one recording, between the encoder and the network. What is taken waits in memory until it lies in storage as a piece;
// only then may it be sent. One worker writes, drops and removes, one thing after the other, so there is never more than one write on
// its way, and the order on disk is the order of the bytes.
//
// Promises: what `read` gives was whole in storage, or there is no storage that works. Pieces are removed from the front alone, and the
// last one stays, so whatever moment a crash chooses, what is left says where the recording ends. Memory holds two pieces at most while
// storage works and whoever fills it waits for `room`.

import { UploadError } from "../errors.ts";
import type { Clock } from "../interfaces.ts";
import type { SpoolFolder } from "./interfaces.ts";
import { Notebook } from "./notes.ts";
import { chainOf, checksumAfter, joined, NOTHING, type Piece, pieceAt, pieceOf } from "./pieces.ts";
import { unreadable } from "./reasons.ts";
import { bytesOf, withoutTorn } from "./tail.ts";

/** At least what a second of good video has; and little enough to be read again for a part of it. */
export const PIECE_BYTES = 1024 * 1024;
/** Between two tries to write, where storage is full or fails; twice as long each time, besides one with all that comes. */
const FIRST_AGAIN_MS = 1_000;
const LONGEST_AGAIN_MS = 60_000;

export type Trouble = "full" | "failing";

export interface SpoolParts {
  /** Undefined where nothing is kept: then all of it is in memory until it is sent. */
  readonly folder: SpoolFolder | undefined;
  readonly notebook: Notebook;
  readonly clock: Clock;
  /** What the server has confirmed stays until the whole is there, while there is room. */
  readonly keeps: boolean;
  readonly onChange: () => void;
}

export class Spool {
  readonly #parts: SpoolParts;
  /** None where there is no folder. */
  #pieces: Piece[];
  #keeps: boolean;
  /** Behind the last piece. */
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #waitingFrom: number;
  #waitingBytes = 0;
  /** Of all in front of `#waitingFrom`. Undefined where some of that was seen by the server alone. */
  #checksum: string | undefined;
  #isFinished = false;
  #confirmedBytes: number;
  #trouble: Trouble | undefined;
  #isWorking = false;
  #steps = 0;
  #isClosed = false;
  #againMs = FIRST_AGAIN_MS;
  #stopTimer: () => void = () => {};
  #listeners = new Set<() => void>();

  constructor(parts: SpoolParts, pieces: Piece[] = []) {
    const { baseBytes, baseChecksum, confirmedBytes } = parts.notebook.note;
    this.#parts = parts;
    this.#pieces = pieces;
    this.#keeps = parts.keeps;
    this.#waitingFrom = pieces.at(-1)?.to ?? baseBytes;
    this.#checksum = pieces.at(-1)?.after ?? baseChecksum;
    this.#confirmedBytes = confirmedBytes;
  }

  /** What a page has left. Cuts off what a crash has torn; undefined where there is no note of it. */
  static async recovered(parts: Omit<SpoolParts, "notebook" | "folder"> & { readonly folder: SpoolFolder }) {
    const { folder } = parts;
    const notebook = await Notebook.read(folder);
    if (notebook === undefined) {
      return undefined;
    }
    const whole = await withoutTorn(folder, await folder.pieces());
    const { chain } = chainOf(whole, notebook.note.baseBytes);
    return { spool: new Spool({ ...parts, notebook }, chain), notebook };
  }

  /** Where the bytes begin that are still here. */
  get startBytes(): number {
    return this.#pieces[0]?.from ?? this.#waitingFrom;
  }

  get recordedBytes(): number {
    return this.#waitingFrom + this.#waitingBytes;
  }

  /** Up to here it is in storage, or was and is at the server. */
  get safeBytes(): number {
    return Math.min(this.recordedBytes, Math.max(this.#waitingFrom, this.#confirmedBytes));
  }

  /** Up to here it may be sent. Where storage does not work, what is at the server is the safer for it. */
  get sendableBytes(): number {
    return this.#trouble !== undefined || this.#parts.folder === undefined ? this.recordedBytes : this.#waitingFrom;
  }

  get confirmedBytes(): number {
    return this.#confirmedBytes;
  }

  get memoryBytes(): number {
    return this.recordedBytes - this.safeBytes;
  }

  get spooledBytes(): number {
    return (this.#pieces.at(-1)?.to ?? 0) - (this.#pieces[0]?.from ?? 0);
  }

  /** Nothing more is taken. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  /** Of all that was recorded; undefined where nobody here knows. */
  get checksum(): string | undefined {
    return this.#checksum && this.#waiting.reduce(checksumAfter, this.#checksum);
  }

  /** Takes these; they belong to the spool from here on. */
  take(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length > 0 && !this.#isClosed && !this.#isFinished) {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
      this.#changed();
      void this.#work();
    }
  }

  /** Nothing more comes. */
  finish(): void {
    this.#isFinished = true;
    this.#changed();
  }

  /**
   * Of what a page has left: the server has more than is here. A piece that had been sent lay in no safe place when the power went. What
   * the server has was recorded, so the recording ends there.
   */
  endAtServer(bytes: number): void {
    this.#pieces = [];
    this.#waitingFrom = bytes;
    this.#checksum = undefined;
    this.confirm(bytes);
  }

  /** Settles when less than a piece waits in memory. */
  async room(): Promise<void> {
    while (this.#waitingBytes >= PIECE_BYTES && !this.#isClosed) {
      await this.changed();
    }
  }

  /** Settles at the next change. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      const tell = () => {
        this.#listeners.delete(tell);
        resolve();
      };
      this.#listeners.add(tell);
    });
  }

  /** The server has everything up to here. */
  confirm(bytes: number): void {
    if (bytes > this.#confirmedBytes) {
      this.#confirmedBytes = bytes;
      this.#changed();
      void this.#work();
    }
  }

  /** The server has lost what lies behind this. */
  unconfirm(bytes: number): void {
    this.#confirmedBytes = bytes;
    this.#changed();
  }

  /** What is confirmed goes now. */
  makeRoom(): void {
    if (this.#keeps) {
      this.#keeps = false;
      void this.#work();
    }
  }

  /** The bytes from here on, so many at most, and at least one of those that may be sent. */
  async read(from: number, mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const found: Uint8Array<ArrayBuffer>[] = [];
    const to = Math.min(this.sendableBytes, from + mostBytes);
    for (let at = from; at < to; ) {
      const bytes = (at < this.#waitingFrom ? await this.#stored(at) : this.#unstored(at)).subarray(0, to - at);
      found.push(bytes);
      at += bytes.length;
    }
    return joined(found);
  }

  /** All pieces, as they are stored. For whoever wants them as a file. */
  async blobs(): Promise<Blob[]> {
    const blobs: Blob[] = [];
    // One after the other: a database gives bytes, which the browser takes out of the page's memory again as they become a blob.
    for (const piece of this.#pieces) {
      blobs.push(await (this.#parts.folder as SpoolFolder).read(piece));
    }
    return [...blobs, ...this.#waiting.map((bytes) => new Blob([bytes]))];
  }

  /** Settles when what is on its way to storage at this moment is there, or has failed. Others follow, where it is not closed. */
  async settled(): Promise<void> {
    const before = this.#steps;
    while (this.#isWorking && this.#steps === before) {
      await this.changed();
    }
    await this.#parts.notebook.idle();
  }

  /** Nothing more is written or removed here. */
  close(): void {
    this.#isClosed = true;
    this.#stopTimer();
    this.#changed();
  }

  async #stored(at: number): Promise<Uint8Array<ArrayBuffer>> {
    const piece = pieceAt(this.#pieces, at);
    if (piece === undefined) {
      throw goneHere(`its first ${this.startBytes} bytes are no longer on this device`);
    }
    const bytes = await bytesOf(this.#parts.folder as SpoolFolder, piece).catch((error) => {
      throw unreadable(error);
    });
    if (bytes === undefined) {
      throw goneHere(`what lies behind byte ${piece.from} is damaged on this device, or was cleared`);
    }
    return bytes.subarray(at - piece.from);
  }

  #unstored(at: number): Uint8Array<ArrayBuffer> {
    let from = this.#waitingFrom;
    for (const bytes of this.#waiting) {
      if (at < from + bytes.length) {
        return bytes.subarray(at - from);
      }
      from += bytes.length;
    }
    throw new RangeError("it ends earlier");
  }

  async #work(): Promise<void> {
    if (this.#isWorking) {
      return;
    }
    this.#isWorking = true;
    this.#stopTimer();
    try {
      for (let done = await this.#step(); done !== undefined; done = await this.#step()) {
        this.#steps++;
        // A note may find room where a piece does not.
        if (done === "written" || this.#trouble === "failing") {
          this.#trouble = undefined;
          this.#againMs = FIRST_AGAIN_MS;
        }
        this.#changed();
      }
    } catch (error) {
      this.#trouble = isFull(error) ? "full" : "failing";
      this.#stopTimer = this.#parts.clock.timer(this.#againMs, () => void this.#work());
      this.#againMs = Math.min(LONGEST_AGAIN_MS, this.#againMs * 2);
    } finally {
      this.#isWorking = false;
      this.#changed();
    }
    // Taken or confirmed meanwhile, after it was looked at.
    if (this.#isBehind && this.#trouble === undefined && !this.#isClosed) {
      void this.#work();
    }
  }

  get #isBehind(): boolean {
    const isWaiting = this.#waitingBytes > 0 && this.#parts.folder !== undefined;
    return isWaiting || this.#removable !== undefined || this.#droppable > 0;
  }

  /** What was done; undefined where there is nothing to do. */
  async #step(): Promise<"written" | "dropped" | undefined> {
    const { folder, notebook } = this.#parts;
    if (this.#isClosed) {
      return undefined;
    }
    if (this.#droppable > 0) {
      await this.#drop();
      return "dropped";
    }
    // Looked at each time: what is not confirmed any more stays.
    for (let first = this.#removable; first !== undefined; first = this.#removable) {
      // Dies before this line: the piece is sent already, and still here. After it: it is no longer here, and nothing else is missing.
      await folder?.remove(first);
      this.#pieces.shift();
    }
    if (folder === undefined || this.#waitingBytes === 0) {
      return undefined;
    }
    if (!notebook.isStored) {
      // Nobody finds pieces without a note, or knows that there is a hole in front of them.
      await notebook.write({});
    }
    const bytes = this.#waitingUpTo(PIECE_BYTES);
    const piece = pieceOf(this.#waitingFrom, this.#checksum ?? NOTHING, bytes);
    await folder.write(piece, bytes);
    // Dies before this line: the piece counts all the same, as its name says all that is noted here.
    this.#pieces.push(piece);
    this.#forgetWaiting(bytes.length, piece.after);
    return "written";
  }

  /** So many of the bytes that wait are at the server: more than none, or less than nothing. */
  get #droppable(): number {
    return Math.min(this.#confirmedBytes - this.#waitingFrom, this.#waitingBytes);
  }

  /** The first piece, where it may go. The last one stays. */
  get #removable(): Piece | undefined {
    const [first, second] = this.#keeps && this.#trouble !== "full" ? [] : this.#pieces;
    return second && first && first.to <= this.#confirmedBytes ? first : undefined;
  }

  /**
   * What was sent from memory is never written: from here on the recording begins behind it. Where that cannot be noted, no piece is
   * written until it can, and memory is free all the same.
   */
  async #drop(): Promise<void> {
    const { folder, notebook } = this.#parts;
    const dropped = this.#waitingUpTo(this.#droppable);
    const to = this.#waitingFrom + dropped.length;
    const checksum = checksumAfter(this.#checksum ?? NOTHING, dropped);
    // Dies before this line: storage has less than the server, which says so. After it: pieces in front of it mean nothing.
    const noted = notebook.write({ baseBytes: to, baseChecksum: checksum, confirmedBytes: to });
    await noted.catch(() => {});
    const pieces = this.#pieces.splice(0);
    this.#forgetWaiting(dropped.length, checksum);
    await noted;
    for (const piece of pieces) {
      await folder?.remove(piece).catch(() => {});
    }
  }

  /** A copy of the first bytes that wait, so many at most. */
  #waitingUpTo(count: number): Uint8Array<ArrayBuffer> {
    const found: Uint8Array<ArrayBuffer>[] = [];
    let left = count;
    for (const bytes of this.#waiting) {
      if (left <= 0) {
        break;
      }
      found.push(bytes.subarray(0, left));
      left -= bytes.length;
    }
    return joined(found);
  }

  #forgetWaiting(count: number, checksum: string): void {
    for (let left = count; left > 0; ) {
      const first = this.#waiting.shift() as Uint8Array<ArrayBuffer>;
      if (first.length > left) {
        this.#waiting.unshift(first.subarray(left));
      }
      left -= first.length;
    }
    this.#waitingFrom += count;
    this.#waitingBytes -= count;
    this.#checksum = checksum;
  }

  #changed(): void {
    for (const tell of [...this.#listeners]) {
      tell();
    }
    this.#parts.onChange();
  }
}

function isFull(error: unknown): boolean {
  return (error as Error | undefined)?.name === "QuotaExceededError";
}

function goneHere(why: string): UploadError {
  return new UploadError("file-unreadable", "none", `The recording cannot be sent on: ${why}.`);
}
