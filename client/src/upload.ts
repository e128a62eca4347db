// The life of an upload: started, paused, offline, ended. Work is done in legs: a leg finds the upload, asks for the truth,
// sends what is missing and waits for completion. Pause, loss of the network and abort end the leg; going on is a new one.
// So there is one way to resume, whatever interrupted.

import type { Emitter } from "./emitter.ts";
import { abortedError, UploadError } from "./errors.ts";
import type {
  StateChange,
  Status,
  Upload,
  UploadEvents,
  UploadFile,
  UploadResult,
  UploadState,
  World,
} from "./interfaces.ts";
import type { Live } from "./live.ts";
import type { Found, OpenSession, Sessions, Truth } from "./session.ts";
import { Speed } from "./speed.ts";
import { Transfer, type TransferParts } from "./transfer.ts";

export interface UploadParts extends Omit<TransferParts, "onConfirmed"> {
  readonly emitter: Emitter<UploadEvents>;
  readonly live: Live;
}

export class QuaysideUpload implements Upload {
  readonly #parts: UploadParts;
  readonly #file: UploadFile;
  readonly #world: World;
  readonly #sessions: Sessions;
  readonly #emitter: Emitter<UploadEvents>;
  #state: UploadState = "idle";
  #running: Promise<UploadResult> | undefined;
  #leg: AbortController | undefined;
  #wake: () => void = () => {};
  #isPaused = false;
  #isAborted = false;
  #confirmedBytes = 0;
  #speed: Speed;
  #uploadId: string | undefined;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    this.#file = parts.file;
    this.#world = parts.world;
    this.#sessions = parts.sessions;
    this.#emitter = parts.emitter;
    this.#speed = new Speed(parts.world.clock.nowMs(), 0);
  }

  get state(): UploadState {
    return this.#state;
  }

  get uploadId(): string | undefined {
    return this.#uploadId ?? this.#sessions.uploadId;
  }

  on<Name extends keyof UploadEvents>(name: Name, listener: (event: UploadEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  start(): Promise<UploadResult> {
    if (this.#running === undefined) {
      this.#running = this.#run();
      // Whoever only listens to events must not be told of an unhandled rejection; whoever awaits still gets it. After
      // an error the next call starts again; a result stays.
      this.#running.catch(() => {
        if (!this.#isAborted) {
          this.#running = undefined;
        }
      });
    }
    return this.#running;
  }

  pause(): void {
    if (this.#running !== undefined && !this.#hasEnded()) {
      this.#isPaused = true;
      this.#leg?.abort();
    }
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
    if (this.#state === "failed") {
      this.start();
    }
  }

  async abort(): Promise<void> {
    if (this.#hasEnded()) {
      return;
    }
    this.#isAborted = true;
    this.#leg?.abort();
    this.#wake();
    await this.#running?.catch(() => {});
    // The last byte may have been quicker.
    if (!this.#hasEnded()) {
      this.#become({ state: "aborted" });
      await this.#sessions.remove(new AbortController().signal);
    }
  }

  #hasEnded(): boolean {
    return this.#state === "completed" || this.#state === "aborted";
  }

  async #run(): Promise<UploadResult> {
    const stopListening = this.#world.connectivity.onChange(() => {
      if (!this.#world.connectivity.isOnline()) {
        this.#leg?.abort();
      }
      this.#wake();
    });
    try {
      for (;;) {
        for (let hindrance = this.#hindrance(); hindrance !== undefined; hindrance = this.#hindrance()) {
          await this.#untilChangeIn(hindrance);
        }
        // Nothing can come between that and this.
        const leg = new AbortController();
        this.#leg = leg;
        try {
          const result = await this.#runLeg(leg.signal);
          this.#uploadId = result.uploadId;
          await this.#sessions.forget();
          this.#become({ state: "completed" });
          return result;
        } catch (error) {
          if (!leg.signal.aborted) {
            throw error;
          }
        } finally {
          this.#leg = undefined;
        }
      }
    } catch (error) {
      if (!this.#isAborted) {
        this.#become({ state: "failed" });
        this.#emitter.emit("error", asUploadError(error));
      }
      throw asUploadError(error);
    } finally {
      stopListening();
    }
  }

  /** What there is against working just now. */
  #hindrance(): "paused" | "offline" | undefined {
    if (this.#isAborted) {
      throw abortedError();
    }
    if (this.#isPaused) {
      return "paused";
    }
    return this.#world.connectivity.isOnline() ? undefined : "offline";
  }

  /** The listener of a state may be what changes it, so waiting begins before it is told. */
  async #untilChangeIn(state: "paused" | "offline"): Promise<void> {
    const changed = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#become({ state });
    await changed;
  }

  async #runLeg(signal: AbortSignal): Promise<UploadResult> {
    this.#become({ state: "starting" });
    const found = await this.#sessions.find(signal, (hashed) => this.#become({ state: "hashing", hashed }));
    if (found.duplicate) {
      this.#emitter.emit("duplicate", { object: found.object });
      this.#restartProgress(this.#file.size);
      return { uploadId: found.uploadId, duplicate: true, object: found.object };
    }
    return this.#sendAndFinish(found, signal);
  }

  async #sendAndFinish(found: Found & { duplicate: false }, signal: AbortSignal): Promise<UploadResult> {
    const { session } = found;
    let truth: Truth = found.truth;
    for (;;) {
      if (truth.missing.length > 0) {
        const already = truth.uploadedBytes > 0 ? { resumedFromBytes: truth.uploadedBytes } : {};
        this.#become({ state: "uploading", ...already });
        this.#restartProgress(truth.uploadedBytes);
        await new Transfer({ ...this.#parts, onConfirmed: (bytes) => this.#confirmed(bytes) }, session, truth).run(
          signal,
        );
      }
      this.#become({ state: "completing" });
      const status = await this.#untilCompleted(session, signal);
      if (status.object !== null && status.state === "completed") {
        this.#confirmed(status.uploadedBytes);
        return { uploadId: session.uploadId, duplicate: false, object: status.object };
      }
      truth = status;
    }
  }

  /** Listens until the object is whole, or the server misses bytes after all. */
  async #untilCompleted({ uploadId }: OpenSession, signal: AbortSignal): Promise<Status> {
    if (this.#file.size === 0) {
      await this.#parts.patience.ask(signal, () => this.#parts.server.complete(uploadId, signal));
    }
    const ask = () => this.#sessions.status(uploadId, signal);
    for await (const told of this.#parts.live.statuses(uploadId, ask, signal)) {
      const status = await this.#sessions.judged(told);
      if (status.state === "completed" || status.missing.length > 0) {
        return status;
      }
      if (status.state === "verifying") {
        this.#become({ state: "verifying" });
      }
    }
    throw signal.reason;
  }

  #restartProgress(uploadedBytes: number): void {
    this.#confirmedBytes = uploadedBytes;
    this.#speed = new Speed(this.#world.clock.nowMs(), uploadedBytes);
    this.#emitter.emit("progress", this.#speed.confirmed(this.#world.clock.nowMs(), uploadedBytes, this.#file.size));
  }

  /** Answers to chunks side by side may come in any order; the count never goes back. */
  #confirmed(uploadedBytes: number): void {
    if (uploadedBytes > this.#confirmedBytes) {
      this.#confirmedBytes = uploadedBytes;
      this.#emitter.emit("progress", this.#speed.confirmed(this.#world.clock.nowMs(), uploadedBytes, this.#file.size));
    }
  }

  #become(change: StateChange): void {
    const isNews = change.state !== this.#state || Object.keys(change).length > 1;
    this.#state = change.state;
    if (isNews) {
      this.#emitter.emit("state", change);
    }
  }
}

/** What is no `UploadError` is a mistake in this package, or in what was injected; it is passed on with its cause. */
function asUploadError(error: unknown): UploadError {
  if (error instanceof UploadError) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new UploadError("rejected", "resume", message, { cause: error });
}
