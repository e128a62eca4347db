// The life of an upload: started, paused, ended. Work is done in legs: a leg sends a small file as it is; of another it claims the
// file, finds the upload, asks how it stands, sends what is missing and waits for completion. Pause, abort and the loss of the claim end
// the leg; going on is a new one: one way to resume, whatever interrupted. Trouble that may pass ends no leg: it is sat out.

import { bytesIn } from "./chunks.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Emitter } from "./emitter.ts";
import { abortedError, asUploadError, missingError, timeout, UploadError } from "./errors.ts";
import { follow } from "./follow.ts";
import type { Found } from "./found.ts";
import type {
  Claim,
  Retry,
  Runtime,
  StateChange,
  Status,
  Upload,
  UploadEvents,
  UploadFile,
  UploadResult,
  UploadState,
} from "./interfaces.ts";
import type { Live } from "./live.ts";
import { ProgressMeter } from "./progress.ts";
import type { RemoteUpload } from "./remote_upload.ts";
import type { Repairs } from "./repair.ts";
import type { Streak } from "./retrier.ts";
import { Transfer, type TransferParts } from "./transfer.ts";

/** Whoever cancels does not want to wait for a network. What the server keeps then, it drops by itself in time. */
const REMOVING_MS = 60_000;
/** A server that has lost bytes so often after all were sent will not keep them the next time either. */
const MOST_ROUNDS = 5;
/** Between losing a claim and asking for it again. */
const LOST_CLAIM_MS = 1_000;

type Open = Extract<Found, { is: "open" }>;

export interface UploadParts extends Omit<TransferParts, "onConfirmed" | "onSent"> {
  readonly emitter: Emitter<UploadEvents>;
  readonly live: Live;
  readonly deadlines: Deadlines;
  readonly repairs: Repairs;
}

export class QuaysideUpload implements Upload {
  readonly #parts: UploadParts;
  readonly #file: UploadFile;
  readonly #runtime: Runtime;
  readonly #remote: RemoteUpload;
  readonly #emitter: Emitter<UploadEvents>;
  readonly #progress: ProgressMeter;
  #state: UploadState = "idle";
  /** The last state that was about work, to go back to when the network is there again. */
  #work: UploadState = "idle";
  #running: Promise<UploadResult> | undefined;
  #leg: AbortController | undefined;
  #wake: () => void = () => {};
  #isPaused = false;
  #isAborted = false;
  #uploadId: string | undefined;
  /** Fresh beginnings in place of an upload that was gone, and the last one's reason. */
  #restarts: { readonly streak: Streak; readonly error: UploadError } | undefined;
  /** Nothing has counted since the last of them. */
  #isRestartInVain = false;
  #hasLostClaim = false;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    this.#file = parts.file;
    this.#runtime = parts.runtime;
    this.#remote = parts.remote;
    this.#emitter = parts.emitter;
    this.#progress = new ProgressMeter(parts.runtime.clock, parts.file.size, parts.emitter);
    this.#emitter.on("retry", (retry) => this.#retrying(retry));
  }

  /** Told by those who do the work. */
  readonly #told = {
    onConfirmed: (bytes: number) => this.#confirmed(bytes),
    onSent: (bytes: number) => this.#progress.sent(bytes),
    onHashed: (hashed: number) => this.#become({ state: "hashing", hashed }),
    onSending: () => {
      this.#become({ state: "uploading" });
      this.#progress.restart(0);
    },
  };

  get state(): UploadState {
    return this.#state;
  }

  get uploadId(): string | undefined {
    return this.#uploadId ?? this.#remote.uploadId;
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
      this.#endLeg();
    }
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
    this.#parts.retrier.nudge();
    if (this.#state === "failed") {
      this.start();
    }
  }

  async abort(): Promise<void> {
    if (this.#hasEnded()) {
      return;
    }
    this.#isAborted = true;
    this.#endLeg();
    this.#wake();
    await this.#running?.catch(() => {});
    // The last byte may have been quicker.
    if (this.#hasEnded()) {
      return;
    }
    this.#become({ state: "aborted" });
    const removing = new AbortController();
    const stop = this.#runtime.clock.timer(REMOVING_MS, () => {
      const message = "Cancelled, but the server could not be told.";
      removing.abort(new UploadError("network", "none", message, { cause: timeout(message) }));
    });
    await this.#remote.remove(removing.signal).finally(stop);
  }

  /** What had failed has succeeded, and what it has brought is counted: what is said to go on begins behind that. */
  mended(): void {
    if (this.#state === "offline") {
      const from = this.#work === "uploading" ? { resumedFromBytes: this.#progress.uploadedBytes } : {};
      this.#become({ state: this.#work, ...from });
    }
  }

  #hasEnded(): boolean {
    return this.#state === "completed" || this.#state === "aborted";
  }

  async #run(): Promise<UploadResult> {
    const { connectivity } = this.#runtime;
    const { deadlines, retrier, repairs } = this.#parts;
    this.#isRestartInVain = false;
    repairs.begin();
    const stopListening = connectivity.onChange(() => (connectivity.isOnline() ? retrier.nudge() : deadlines.hurry()));
    try {
      for (;;) {
        while (this.#isHeldBack()) {
          await this.#untilWoken();
        }
        // Nothing can come between that and this.
        const leg = new AbortController();
        this.#leg = leg;
        try {
          const result = await this.#runLeg(leg.signal);
          this.#uploadId = result.uploadId;
          this.#become({ state: "completed" });
          return result;
        } catch (error) {
          if (!leg.signal.aborted) {
            this.#restartAfter(error);
          }
        } finally {
          this.#remote.release();
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

  #isHeldBack(): boolean {
    if (this.#isAborted) {
      throw abortedError();
    }
    return this.#isPaused;
  }

  /** The listener of a state may be what changes it, so waiting begins before it is told. */
  async #untilWoken(): Promise<void> {
    const changed = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#become({ state: "paused" });
    await changed;
  }

  /** Lets the next leg begin afresh, where the upload is gone; otherwise throws. One fresh beginning in vain is enough. */
  #restartAfter(error: unknown): void {
    const uploadId = this.#remote.forgottenId;
    const isGone = error instanceof UploadError && this.#remote.startsAfreshAfter(error.ending);
    if (!isGone || uploadId === undefined || this.#isRestartInVain) {
      throw error;
    }
    this.#restarts = { streak: this.#parts.retrier.longer(this.#restarts?.streak), error };
    this.#isRestartInVain = true;
    this.#emitter.emit("restart", { uploadId, error });
  }

  async #runLeg(signal: AbortSignal): Promise<UploadResult> {
    this.#become({ state: "starting" });
    await this.#pauseBefore(signal);
    const uploadId = await this.#remote.sendWhole(signal, this.#told);
    if (uploadId !== undefined) {
      this.#confirmed(this.#file.size);
      return resultOf({ uploadId, object: null });
    }
    const claim = await this.#untilClaimed(signal);
    if ("completed" in claim) {
      return resultOf(claim.completed);
    }
    const onLost = () => {
      this.#hasLostClaim = true;
      this.#leg?.abort();
    };
    claim.lost.addEventListener("abort", onLost);
    try {
      const found = await this.#remote.find(signal, this.#told);
      const result = await this.#sendAndFinish(found, signal);
      // A crash here leaves a record of an upload that is complete, which is what the next page then finds.
      await this.#remote.forget();
      return result;
    } finally {
      claim.lost.removeEventListener("abort", onLost);
    }
  }

  /** From here on nothing is sent, so others may at once. */
  #endLeg(): void {
    this.#leg?.abort();
    this.#remote.release();
  }

  /** The right to send; or the status, when another page has sent it all. */
  async #untilClaimed(signal: AbortSignal): Promise<Claim | { readonly completed: Status }> {
    for (;;) {
      const claim = await this.#remote.claim(signal);
      if (claim !== undefined) {
        return claim;
      }
      this.#become({ state: "following" });
      let isFirst = true;
      const onStatus = ({ missing }: Status) => {
        const thereBytes = this.#file.size - bytesIn(missing);
        // Less than before: it is missing again, as a damaged upload is repaired.
        const isBack = isFirst || thereBytes < this.#progress.uploadedBytes;
        isBack ? this.#progress.restart(thereBytes) : this.#confirmed(thereBytes);
        isFirst = false;
      };
      const followed = await follow(this.#parts, onStatus, signal);
      if (followed !== undefined) {
        return "claim" in followed ? followed.claim : followed;
      }
      this.#remote.leave();
    }
  }

  /** Whatever ends legs again and again, there is a pause between them. */
  async #pauseBefore(signal: AbortSignal): Promise<void> {
    if (this.#hasLostClaim) {
      this.#hasLostClaim = false;
      await this.#runtime.clock.sleep(LOST_CLAIM_MS, signal);
    }
    if (this.#isRestartInVain && this.#restarts !== undefined && this.#restarts.streak.failures > 1) {
      await this.#parts.retrier.wait(this.#restarts.error, this.#restarts.streak, signal);
    }
  }

  async #sendAndFinish(found: Found, signal: AbortSignal): Promise<UploadResult> {
    const { retrier, server } = this.#parts;
    if (found.is === "duplicate") {
      const { object } = found;
      this.#emitter.emit("duplicate", { object });
      this.#progress.restart(this.#file.size);
      return { uploadId: object.uploadId, duplicate: true, object };
    }
    if (found.is === "completed") {
      this.#progress.restart(this.#file.size);
      return resultOf(found.status);
    }
    let open = found.is === "damaged" ? await this.#repaired(found.status, signal) : found;
    for (let rounds: Streak | undefined; ; ) {
      const { plan, progress } = open;
      if (progress.missing.length > 0) {
        const thereBytes = this.#file.size - bytesIn(progress.missing);
        this.#become({ state: "uploading", ...(thereBytes > 0 ? { resumedFromBytes: thereBytes } : {}) });
        this.#progress.restart(thereBytes);
        await new Transfer({ ...this.#parts, ...this.#told }, plan, progress).run(signal);
      }
      this.#become({ state: "completing" });
      if (this.#file.size === 0) {
        await retrier.ask(signal, () => server.complete(plan.uploadId, signal));
      }
      const status = await this.#untilCompleted(open, signal);
      if (status.state === "completed") {
        this.#confirmed(this.#file.size);
        return resultOf(status);
      }
      if (status.state === "damaged") {
        open = await this.#repaired(status, signal);
        continue;
      }
      rounds = retrier.longer(rounds);
      if (rounds.failures >= MOST_ROUNDS) {
        throw missingError();
      }
      await retrier.wait(missingError(), rounds, signal);
      open = this.#openAs(status);
    }
  }

  /** What differs is missing now, and the upload goes on, several chunks at once, however it began. */
  async #repaired(damaged: Status, signal: AbortSignal): Promise<Open> {
    const onCompared = (hashed: number) => this.#become({ state: "repairing", hashed });
    return this.#openAs(await this.#parts.repairs.repaired(damaged, onCompared, signal));
  }

  #openAs(status: Status): Open {
    return { is: "open", plan: this.#remote.planOf(status), progress: status };
  }

  /** Listens until the object is whole or damaged, or the server misses bytes after all. */
  async #untilCompleted({ plan: { uploadId } }: Open, signal: AbortSignal): Promise<Status> {
    const ask = () => this.#remote.status(uploadId, signal);
    for await (const told of this.#parts.live.statuses(uploadId, ask, signal)) {
      const status = await this.#remote.judged(told);
      if (status.state === "completed" || status.state === "damaged" || status.missing.length > 0) {
        return status;
      }
      if (status.state === "verifying") {
        this.#become({ state: "verifying" });
      }
    }
    throw signal.reason;
  }

  #confirmed(uploadedBytes: number): void {
    if (this.#progress.confirmed(uploadedBytes)) {
      this.#isRestartInVain = false;
    }
    this.mended();
  }

  #retrying({ error }: Retry): void {
    if (this.#hasEnded()) {
      return;
    }
    if (error.code === "network" && !this.#runtime.connectivity.isOnline()) {
      this.#become({ state: "offline" });
    } else {
      this.mended();
    }
  }

  #become(change: StateChange): void {
    const isNews = change.state !== this.#state || Object.keys(change).length > 1;
    this.#state = change.state;
    if (change.state !== "offline") {
      this.#work = change.state;
    }
    if (isNews) {
      this.#emitter.emit("state", change);
    }
  }
}

function resultOf({ uploadId, object }: Pick<Status, "uploadId" | "object">): UploadResult {
  return { uploadId, duplicate: false, object };
}
