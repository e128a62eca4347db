// Sends what the spool has, in order, for as long as something is recorded, and then declares the length. Live, what a second has brought
// goes in one request; what has piled up goes as fast as the line takes it, several MiB at once.
//
// The server says what counts, and the spool what was recorded. After every failure the server is asked, and it goes on from there: a
// chunk that arrived without an answer is not sent again, one that was lost is, and one that comes late is refused by its offset. An
// upload that is gone begins anew while all bytes are here, and so does a live one that the server has ended before all was there: that
// one also without its first bytes, which the server has in the upload that it has ended.

import { randomName } from "../creation.ts";
import { endedError, goneError, isGone, missingError, UploadError } from "../errors.ts";
import type { Runtime, Status, StoredObject } from "../interfaces.ts";
import type { Live } from "../live.ts";
import type { Retrier, Streak } from "../retrier.ts";
import { orAborted, orLate } from "../signals.ts";
import type { RecordingRestart } from "./interfaces.ts";
import type { Notebook } from "./notes.ts";
import { endedByOthers, tooLarge } from "./reasons.ts";
import { judged, type RemoteRecording } from "./remote.ts";
import type { Spool } from "./spool.ts";

/** A request has as much as a good line takes in a few seconds: what breaks costs no more. */
const FIRST_BYTES = 1024 * 1024;
const FEWEST_BYTES = 256 * 1024;
const MOST_BYTES = 8 * 1024 * 1024;
const TOO_LARGE = 413;
const CONFLICT = 409;
const SHORT_MS = 4_000;
const LONG_MS = 16_000;
/** Between two notes of how far it is. */
const NOTE_MS = 10_000;
/** A server that has lost bytes so often after all were sent will not keep them the next time either. */
const MOST_ROUNDS = 5;

export interface SenderParts {
  readonly spool: Spool;
  readonly notebook: Notebook;
  readonly remote: RemoteRecording;
  readonly retrier: Retrier;
  readonly runtime: Pick<Runtime, "clock" | "hasher" | "random">;
  readonly live: Live;
  /** Live, so much time lies between two requests. */
  readonly sendEveryMs: number;
  /** Whether another page began it, so that storage may have lost what the server has. */
  readonly isRecovered: boolean;
  /** So many bytes are confirmed, or have left. */
  readonly onSent: (bytes: number) => void;
  /** The server has said how much it has. */
  readonly onAnswer: () => void;
  readonly onCompleting: () => void;
  readonly onRestart: (restart: RecordingRestart) => void;
}

export interface Sent {
  readonly uploadId: string;
  readonly object: StoredObject | null;
}

export class Sender {
  readonly #parts: SenderParts;
  #mostBytes = FIRST_BYTES;
  /** Less where somebody in between takes no more. */
  #ceilingBytes = MOST_BYTES;
  /** When the last chunk began to be sent. */
  #begunMs = Number.NEGATIVE_INFINITY;
  #notedMs = Number.NEGATIVE_INFINITY;
  /** Nothing has been confirmed since it was begun anew. */
  #isRestartInVain = false;
  #isNothing = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Nothing was recorded, as far as is known here and there. */
  get hasNothing(): boolean {
    const { spool, notebook } = this.#parts;
    return this.#isNothing || (spool.recordedBytes === 0 && notebook.note.uploadId === null);
  }

  /** Returns when the server has the whole object. Throws what waiting does not mend; called again, it goes on. */
  async run(signal: AbortSignal): Promise<Sent> {
    for (;;) {
      try {
        return await this.#runOnce(signal);
      } catch (error) {
        signal.throwIfAborted();
        await this.#restartAfter(error);
      }
    }
  }

  async #runOnce(signal: AbortSignal): Promise<Sent> {
    const { retrier, spool, notebook, remote } = this.#parts;
    await this.#untilWorthwhile(signal);
    const known = notebook.note.uploadId;
    const id = known ?? (await this.#create(signal));
    for (let rounds: Streak | undefined; ; ) {
      await this.#sendAll(id, signal);
      if (await this.#declared(id, signal)) {
        this.#parts.onCompleting();
        const status = await this.#untilCompleted(id, signal);
        if (status.state === "completed") {
          return { uploadId: id, object: this.#compared(status) };
        }
      }
      rounds = retrier.longer(rounds);
      if (rounds.failures >= MOST_ROUNDS) {
        throw missingError();
      }
      await retrier.wait(missingError(), rounds, signal);
      const from = await this.#ask(signal, () => remote.progress(id, signal));
      // What was confirmed is missing again, and perhaps no longer here: reading it says so.
      if (from < spool.confirmedBytes) {
        spool.unconfirm(from);
      }
    }
  }

  /** No upload is begun for a recording that never brings a byte. */
  async #untilWorthwhile(signal: AbortSignal): Promise<void> {
    const { spool, notebook } = this.#parts;
    while (spool.sendableBytes === 0 && notebook.note.uploadId === null) {
      this.#assertAnything();
      await orAborted(spool.changed(), signal);
    }
  }

  #assertAnything(): void {
    const { spool } = this.#parts;
    if (spool.isFinished && spool.recordedBytes === 0) {
      this.#isNothing = true;
      throw new UploadError("rejected", "none", "Nothing was recorded.");
    }
  }

  async #create(signal: AbortSignal): Promise<string> {
    const { notebook, remote } = this.#parts;
    // Dies before the answer is noted: asked again under the same key, it is the same upload.
    const id = await this.#ask(signal, () => remote.create(signal));
    await notebook.write({ uploadId: id }).catch(() => {});
    return id;
  }

  /** Until nothing more comes, and the server has all of it. */
  async #sendAll(id: string, signal: AbortSignal): Promise<void> {
    const { retrier, spool } = this.#parts;
    let from = await this.#where(id, signal);
    for (let streak: Streak | undefined; ; ) {
      const bytes = await this.#next(from, signal);
      if (bytes === undefined) {
        return;
      }
      try {
        const counted = await this.#put(id, from, bytes, signal);
        streak = undefined;
        from = counted === from + bytes.length ? counted : await this.#where(id, signal);
        spool.confirm(from);
        this.#confirmed();
      } catch (error) {
        if (!(error instanceof UploadError) || !error.isPassing) {
          if (this.#isTooLarge(error, bytes.length)) {
            continue;
          }
          throw isGone(error) ? goneError(error) : await this.#refusal(error, id, signal);
        }
        this.#mostBytes = Math.max(FEWEST_BYTES, this.#mostBytes / 2);
        streak = retrier.longer(streak);
        await retrier.wait(error, streak, signal, from);
        from = await this.#where(id, signal);
      }
    }
  }

  /** A proxy may take less at a time than is sent, and so may the server: then they get less. */
  #isTooLarge(error: unknown, bytes: number): boolean {
    const { status, problem } = error instanceof UploadError ? error : {};
    const isOfChunk = problem === undefined || problem.code === "chunk-too-large";
    if (status !== TOO_LARGE || !isOfChunk || bytes <= FEWEST_BYTES) {
      return false;
    }
    this.#ceilingBytes = Math.max(FEWEST_BYTES, Math.ceil(bytes / 2));
    this.#mostBytes = this.#ceilingBytes;
    return true;
  }

  /** What it comes to that bytes are refused for good. */
  async #refusal(error: unknown, id: string, signal: AbortSignal): Promise<unknown> {
    const { notebook, remote } = this.#parts;
    const { problem } = error instanceof UploadError ? error : {};
    if (problem?.code === "upload-too-large") {
      // Dies before this line: all of it may be sent again where the upload is gone, and is refused again.
      notebook.write({ tooLarge: problem }).catch(() => {});
    }
    // Whoever permits uploads may have made it a live one, and nothing of that stands in the note.
    return problem?.code === "beyond-declared-length"
      ? endedByOthers((await this.#ask(signal, () => remote.status(id, signal))).live)
      : error;
  }

  /** Where it goes on, as the server says. */
  async #where(id: string, signal: AbortSignal): Promise<number> {
    const { spool, remote, isRecovered, onSent, onAnswer } = this.#parts;
    const at = await this.#ask(signal, () => remote.progress(id, signal));
    onAnswer();
    if (at > spool.recordedBytes) {
      if (!isRecovered) {
        const message = "The server has more than was recorded: somebody else writes.";
        throw new UploadError("rejected", "none", message);
      }
      spool.endAtServer(at);
    }
    at < spool.confirmedBytes ? spool.unconfirm(at) : spool.confirm(at);
    onSent(at);
    return at;
  }

  /** The bytes to send next, as soon as there are enough of them; undefined when there are no more. */
  async #next(from: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { spool, runtime, sendEveryMs } = this.#parts;
    for (;;) {
      signal.throwIfAborted();
      const ready = spool.sendableBytes - from;
      const isRest = spool.isFinished && spool.sendableBytes === spool.recordedBytes;
      if (isRest && ready <= 0) {
        return undefined;
      }
      const leftMs = this.#begunMs + sendEveryMs - runtime.clock.nowMs();
      if (ready > 0 && (isRest || ready >= this.#mostBytes || leftMs <= 0)) {
        return spool.read(from, this.#mostBytes);
      }
      await this.#untilChanged(ready > 0 ? leftMs : undefined, signal);
    }
  }

  async #untilChanged(longestMs: number | undefined, signal: AbortSignal): Promise<void> {
    const { spool, runtime } = this.#parts;
    const changed = spool.changed();
    const isOver = longestMs === undefined ? changed : orLate(changed, runtime.clock, longestMs, () => {});
    await orAborted(isOver, signal);
  }

  async #put(id: string, from: number, bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<number> {
    const { remote, runtime, onSent } = this.#parts;
    const { clock, hasher } = runtime;
    this.#begunMs = clock.nowMs();
    const checksum = await hasher.chunk(bytes);
    const chunk = { from, to: from + bytes.length };
    const counted = await remote.put(id, chunk, bytes, checksum, signal, (sent) => onSent(from + sent));
    const tookMs = clock.nowMs() - this.#begunMs;
    if (tookMs < SHORT_MS && bytes.length === this.#mostBytes) {
      this.#mostBytes = Math.min(this.#ceilingBytes, this.#mostBytes * 2);
    } else if (tookMs > LONG_MS) {
      this.#mostBytes = Math.max(FEWEST_BYTES, this.#mostBytes / 2);
    }
    return counted;
  }

  #confirmed(): void {
    const { notebook, spool, runtime, onAnswer } = this.#parts;
    this.#isRestartInVain = false;
    onAnswer();
    const nowMs = runtime.clock.nowMs();
    if (nowMs - this.#notedMs > NOTE_MS) {
      this.#notedMs = nowMs;
      // For whoever lists what was left behind; the server knows better.
      notebook.write({ confirmedBytes: spool.confirmedBytes, tooLarge: undefined }).catch(() => {});
    }
  }

  async #declared(id: string, signal: AbortSignal): Promise<boolean> {
    this.#assertAnything();
    return this.#ask(signal, () => this.#declare(id, signal));
  }

  /**
   * Where it is refused, as the length was declared already, how it stands is what counts. False where the server has another number of
   * bytes than was sent.
   */
  async #declare(id: string, signal: AbortSignal): Promise<boolean> {
    const { remote, spool } = this.#parts;
    try {
      await remote.declare(id, spool.recordedBytes, signal);
    } catch (error) {
      const { state, fileSize, uploadedBytes } = await remote.status(id, signal);
      if (state === "open" && fileSize === null) {
        if (error instanceof UploadError && error.status === CONFLICT && uploadedBytes !== spool.recordedBytes) {
          return false;
        }
        throw error;
      }
    }
    return true;
  }

  /** Until the object is whole, or the server misses bytes after all. */
  async #untilCompleted(id: string, signal: AbortSignal): Promise<Status> {
    const ask = () => this.#ask(signal, () => this.#parts.remote.status(id, signal));
    for await (const status of this.#parts.live.statuses(id, ask, signal)) {
      const isMissing = status.missing.length > 0 && status.state === "open";
      if (judged(status).state === "completed" || isMissing) {
        return status;
      }
    }
    throw signal.reason;
  }

  /** What was put together is what was recorded, byte for byte, where both are known: of an upload that has only its end, nobody here knows. */
  #compared({ object }: Status): StoredObject | null {
    const { spool, notebook } = this.#parts;
    const checksum = notebook.note.fromBytes ? undefined : spool.checksum;
    if (object !== null && checksum !== undefined && object.crc64nvme !== checksum) {
      throw endedError("failed", "What the server has is not what was recorded.");
    }
    return object;
  }

  /**
   * An upload that is gone is forgotten while every byte is here. One that has run out of time, or that the server does not know any
   * more, begins anew at once; of one that somebody has cancelled that is for `run` to be called again. Once in vain is enough. One
   * that has ended as an object has what is no longer here: the next begins where that ends at the latest.
   */
  async #restartAfter(error: unknown): Promise<void> {
    const { spool, notebook, runtime, onRestart } = this.#parts;
    const { uploadId, earlierUploadIds = [], live, tooLarge: refused } = notebook.note;
    if (!(error instanceof UploadError) || error.ending === undefined) {
      throw error;
    }
    const { code, ending } = error;
    if (refused !== undefined) {
      // Another one would have more, but no more than the server takes.
      throw tooLarge(refused);
    }
    // What is still here stays, as nobody else has it in this upload; what goes just now goes first. What is begun later takes nothing away.
    spool.unconfirm(spool.startBytes);
    await spool.settled();
    const fromBytes = spool.startBytes;
    if (fromBytes > 0 && ending !== "completed") {
      const message = `Its upload is gone, and cannot begin anew: its first ${fromBytes} bytes are no longer on this device.`;
      throw new UploadError(code, "none", message, { ending, cause: error });
    }
    // Dies before this line: the next page finds the same upload gone. After it: another one, under another key.
    const fresh = {
      uploadId: null,
      earlierUploadIds: earlierUploadIds.concat(uploadId ?? []),
      creationKey: randomName(runtime.random),
      fromBytes,
      confirmedBytes: fromBytes,
      // A silence that has ended one would end the next, too, while all its bytes are sent again.
      live: live?.replace(/&endAfterSeconds=\d+/, ""),
    };
    await notebook.write(fresh).catch(() => {});
    spool.unconfirm(fromBytes);
    const isOurs = ["expired", "unknown", "completed"].includes(ending);
    if (!isOurs || this.#isRestartInVain) {
      this.#isRestartInVain = false;
      throw error;
    }
    this.#isRestartInVain = true;
    if (uploadId !== null) {
      onRestart({ uploadId, error, fromBytes });
    }
  }

  /** Until there is an answer; what has ended is said as such. */
  async #ask<T>(signal: AbortSignal, question: () => Promise<T>): Promise<T> {
    try {
      return await this.#parts.retrier.ask(signal, question);
    } catch (error) {
      throw isGone(error) && error.ending === undefined ? goneError(error) : error;
    }
  }
}
