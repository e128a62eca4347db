// The life of a recording: its place in storage is opened, the source begins, what comes is spooled and sent at the same time, and when the
// server has the whole, the spool goes. Recording and sending know of each other only through the spool: no trouble with the network ever
// stops the recording, and while something is recorded no error ends the sending either: it is said, and tried again.

import type { Deadlines } from "../deadlines.ts";
import type { Emitter } from "../emitter.ts";
import { abortedError, asUploadError, type UploadError } from "../errors.ts";
import type { Claim, Retry, Runtime } from "../interfaces.ts";
import type { Retrier } from "../retrier.ts";
import { orLate } from "../signals.ts";
import type {
  Discarded,
  Recording,
  RecordingEnding,
  RecordingEvents,
  RecordingResult,
  RecordingState,
  RecordingStatus,
} from "./interfaces.ts";
import type { About, Opened, Opening } from "./opening.ts";
import { UNKNOWN_ROOM, warningsOf } from "./pressure.ts";
import { brokeOff, couldNotBegin, takenOver } from "./reasons.ts";
import type { Sent } from "./sender.ts";
import type { Source } from "./sources.ts";

/** What holds the sending up is tried again after this, unless nothing that passes can have changed. */
const HELD_MS = 60_000;

export interface RecordingParts {
  readonly id: string;
  readonly runtime: Runtime;
  readonly emitter: Emitter<RecordingEvents>;
  readonly retrier: Retrier;
  readonly deadlines: Deadlines;
  /** Opens the place where it is, and all that works on it. */
  readonly opening: Opening;
  /** Undefined for what another page has left: nothing more is recorded. */
  readonly source: Source | undefined;
  readonly mostMemoryBytes: number;
  readonly persist: boolean;
  readonly about: About;
}

export class QuaysideRecording implements Recording {
  readonly #parts: RecordingParts;
  readonly #emitter: Emitter<RecordingEvents>;
  #state: RecordingState = "idle";
  #ending: RecordingEnding | undefined;
  #opened: Opened | undefined;
  #claim: Claim | undefined;
  #running: Promise<RecordingResult> | undefined;
  #stop = new AbortController();
  #sentBytes = 0;
  #error: UploadError | undefined;
  #isOffline = false;
  #hasBegun = false;
  /** Another page has it now: nothing of it is touched here any more. */
  #isLost = false;
  #isTelling = false;
  #isHeld = false;
  #discarding: Promise<Discarded> | undefined;
  #wake: () => void = () => {};

  constructor(parts: RecordingParts) {
    this.#parts = parts;
    this.#emitter = parts.emitter;
    this.#ending = parts.source === undefined ? "interrupted" : undefined;
    this.#emitter.on("retry", (retry) => this.#retrying(retry));
  }

  get id(): string {
    return this.#parts.id;
  }

  get status(): RecordingStatus {
    const { spool, notebook, storage, pressure } = this.#opened ?? {};
    const { fileName, contentType, uploadId } = notebook?.note ?? this.#parts.about;
    const { freeBytes, fullInMs, isPersistent } = pressure?.room ?? UNKNOWN_ROOM;
    const safeThereBytes = spool?.confirmedBytes ?? 0;
    const recordedBytes = spool?.recordedBytes ?? 0;
    return {
      state: this.#state,
      fileName,
      contentType,
      uploadId: uploadId ?? undefined,
      recordedBytes,
      safeHereBytes: spool?.safeBytes ?? 0,
      safeThereBytes,
      sentBytes: Math.min(recordedBytes, Math.max(safeThereBytes, this.#sentBytes)),
      memoryBytes: spool?.memoryBytes ?? 0,
      spooledBytes: this.#state === "completed" ? 0 : (spool?.spooledBytes ?? 0),
      storage: storage?.kind ?? "memory",
      isPersistent,
      freeBytes,
      fullInMs,
      warnings: this.#opened === undefined ? [] : warningsOf(storage, spool?.trouble, pressure?.room),
      isOffline: this.#isOffline,
      error: this.#error,
      ending: this.#ending,
    };
  }

  on<Name extends keyof RecordingEvents>(name: Name, listener: (event: RecordingEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  start(): Promise<RecordingResult> {
    if (this.#running === undefined) {
      this.#running = this.#run();
      // Whoever only listens to events must not be told of an unhandled rejection. After an error the next call goes on.
      this.#running.catch(() => {
        this.#running = undefined;
      });
    }
    return this.#running;
  }

  pause(): void {
    this.#isHeld = this.#state === "starting";
    if (this.#state === "recording") {
      this.#parts.source?.pause();
      this.#become("paused");
    }
  }

  resume(): void {
    this.#isHeld = false;
    if (this.#state === "paused") {
      this.#parts.source?.resume();
      this.#become("recording");
    }
  }

  stop(): Promise<RecordingResult> {
    const running = this.start();
    this.#end("stopped");
    return running;
  }

  retry(): void {
    this.#parts.retrier.nudge();
    this.#wake();
  }

  discard(): Promise<Discarded> {
    this.#discarding ??= this.#discard().finally(() => {
      this.#discarding = undefined;
    });
    return this.#discarding;
  }

  async #discard(): Promise<Discarded> {
    if (this.#state === "completed") {
      const { uploadId, earlierUploadIds } = await this.start();
      return { staying: [...earlierUploadIds, uploadId].map((uploadId) => ({ uploadId, error: undefined })) };
    }
    this.#become("discarded");
    this.#stop.abort(abortedError());
    this.#wake();
    this.#opened?.spool.close();
    await this.#parts.source?.stop().catch(() => {});
    await this.#running?.catch(() => {});
    if (this.#isLost) {
      throw takenOver();
    }
    try {
      this.#claim ??= await this.#parts.opening.claim();
      return await this.#parts.opening.remove(this.#opened);
    } finally {
      this.#leave();
    }
  }

  /** What failed has succeeded. */
  mended(): void {
    if (this.#isOffline) {
      this.#isOffline = false;
      this.#changed();
    }
  }

  async #run(): Promise<RecordingResult> {
    if (this.#state === "discarded") {
      throw abortedError();
    }
    const { runtime, deadlines, id } = this.#parts;
    const { connectivity } = runtime;
    const stopListening = connectivity.onChange(() => (connectivity.isOnline() ? this.retry() : deadlines.hurry()));
    this.#error = undefined;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    try {
      this.#become("starting");
      await this.#open();
      const sent = await this.#send(signal);
      const { spool, notebook } = this.#opened as Opened;
      const { fromBytes = 0, earlierUploadIds = [] } = notebook.note;
      // Dies before this line: the next page finds an upload that is complete, and removes what is here.
      await this.#parts.opening.forget(this.#opened).catch(() => {});
      this.#become("completed");
      return { ...sent, recordingId: id, bytes: spool.recordedBytes, fromBytes, earlierUploadIds };
    } catch (error) {
      throw await this.#failed(asUploadError(error));
    } finally {
      stopListening();
      this.#leave();
    }
  }

  /** Nothing was recorded: then nothing is left behind either. */
  async #failed(error: UploadError): Promise<UploadError> {
    if (this.#state === "discarded") {
      return error;
    }
    if (this.#opened?.sender.hasNothing && this.#ending !== undefined) {
      await this.#parts.opening.forget(this.#opened).catch(() => {});
    }
    this.#error = error;
    this.#become("failed");
    this.#emitter.emit("error", error);
    return error;
  }

  /** The first time: finds a place, and begins. Later: takes up again what is there. */
  async #open(): Promise<void> {
    const { opening, source } = this.#parts;
    if (this.#isLost) {
      throw takenOver();
    }
    this.#claim ??= await opening.claim();
    this.#claim.lost.addEventListener("abort", () => {
      this.#isLost = true;
      this.#opened?.spool.close();
      this.#end("stopped");
      this.#stop.abort(takenOver());
      this.#wake();
    });
    this.#opened ??= await opening.open({
      onChange: () => this.#spoolChanged(),
      onSent: (bytes) => {
        this.#sentBytes = bytes;
        this.#changed();
      },
      onAnswer: () => this.mended(),
      onCompleting: () => this.#become("completing"),
    });
    // Discarded while its place was looked for.
    this.#stop.signal.throwIfAborted();
    if (source === undefined || this.#hasBegun) {
      this.#opened.spool.finish();
      this.#become("sending");
      return;
    }
    this.#hasBegun = true;
    this.#begin(source, this.#opened);
  }

  #begin(source: Source, opened: Opened, { spool, pressure } = opened): void {
    const sink = {
      take: (bytes: Uint8Array<ArrayBuffer>, type: string) => {
        this.#parts.opening.describe(opened, bytes, type);
        spool.take(bytes);
      },
      room: () => spool.room(),
      end: (ending: "source-ended" | "source-failed", error?: unknown) => this.#ended(source, ending, error),
    };
    try {
      source.begin(sink);
    } catch (error) {
      this.#ending = "source-failed";
      spool.finish();
      throw couldNotBegin(error);
    }
    if (!spool.isFinished) {
      pressure?.begin(this.#parts.persist);
      this.#become("recording");
      this.#isHeld && this.pause();
    }
  }

  /** Until the server has the whole. While something is recorded, what ends the sending is said, and tried again. */
  async #send(signal: AbortSignal): Promise<Sent> {
    const { sender, spool } = this.#opened as Opened;
    for (;;) {
      try {
        return await sender.run(signal);
      } catch (error) {
        signal.throwIfAborted();
        const said = asUploadError(error);
        if (spool.isFinished) {
          throw said;
        }
        this.#error = said;
        this.#changed();
        // Whoever hears of it may say at once that it is tried again.
        const woken = this.#untilWoken(said.remedy === "resume" ? HELD_MS : undefined);
        this.#emitter.emit("error", said);
        await woken;
        this.#error = undefined;
        this.#changed();
      }
    }
  }

  async #untilWoken(longestMs: number | undefined): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await (longestMs === undefined ? woken : orLate(woken, this.#parts.runtime.clock, longestMs, () => {}));
  }

  /** Nothing more is recorded from here on; what the encoder still has is taken. */
  #end(ending: RecordingEnding): void {
    const { source } = this.#parts;
    if (this.#ending === undefined && source !== undefined) {
      this.#ending = ending;
      void this.#ready().then(() => source.stop());
    }
  }

  /** Whoever stops what has just been started ends something that has begun. */
  async #ready(): Promise<void> {
    while (this.#state === "starting") {
      await new Promise<void>((resolve) => {
        const off = this.#emitter.on("status", () => {
          off();
          resolve();
        });
      });
    }
  }

  /** The source has brought its last byte. */
  #ended(source: Source, ending: "source-ended" | "source-failed", error: unknown): void {
    this.#ending = ending === "source-failed" ? ending : (this.#ending ?? ending);
    const { spool, notebook, pressure } = this.#opened as Opened;
    pressure?.end();
    if (this.#state === "discarded" || this.#isLost) {
      return;
    }
    if (ending === "source-failed" && !source.isUsefulInPart) {
      // Half of it is not it: nobody may take it for the whole. It stays here, for whoever wants it all the same.
      this.#stop.abort(brokeOff(error));
      this.#wake();
      return;
    }
    notebook.write({ isEnded: true }).catch(() => {});
    this.#become("sending");
    spool.finish();
    this.#wake();
  }

  #spoolChanged(): void {
    const spool = this.#opened?.spool;
    if (spool !== undefined && spool.memoryBytes > this.#parts.mostMemoryBytes && this.#ending === undefined) {
      // It ends whole, as what lies behind a hole cannot be played.
      this.#end("memory-full");
    }
    if (this.#opened?.pressure?.room.isLow && spool !== undefined) {
      spool.makeRoom();
    }
    this.#state === "failed" && this.#leave();
    this.#changed();
  }

  #retrying({ error }: Retry): void {
    const isOffline = error.code === "network" && !this.#parts.runtime.connectivity.isOnline();
    if (isOffline !== this.#isOffline) {
      this.#isOffline = isOffline;
      this.#changed();
    }
  }

  #leave(): void {
    this.#opened?.pressure?.end();
    // What no other page would find is this one's to send.
    if (this.#isLost || this.#state !== "failed" || !this.#opened?.spool.memoryBytes) {
      this.#claim?.release();
      this.#claim = undefined;
    }
  }

  #become(state: RecordingState): void {
    if (this.#state !== state && this.#state !== "discarded") {
      this.#state = state;
      this.#changed();
    }
  }

  /** However much changes at a time, it is told once. */
  #changed(): void {
    if (!this.#isTelling) {
      this.#isTelling = true;
      queueMicrotask(() => {
        this.#isTelling = false;
        this.#emitter.emit("status", this.status);
      });
    }
  }
}
