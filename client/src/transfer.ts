// Sends what is missing. Every chunk is hashed, then sent as a piece of the file, which the browser reads as it goes; what changes in
// between does not have its checksum, and does not count. After a failure the server is asked what it really has before anything is
// sent again, and there is a pause unless the failure has cost nothing. What passes is sat out.

import { bytesIn, type Chunk, ChunkQueue } from "./chunks.ts";
import { Concurrency } from "./concurrency.ts";
import type { Direct } from "./direct.ts";
import { isTimeout, UploadError } from "./errors.ts";
import { bodyOf, readBytes } from "./file_reader.ts";
import type { SendPlan, ServerProgress } from "./found.ts";
import type { RequestBytes, Runtime, UploadFile } from "./interfaces.ts";
import type { RemoteUpload } from "./remote_upload.ts";
import type { Retrier, Streak } from "./retrier.ts";
import type { Server } from "./server.ts";
import { linked } from "./signals.ts";

/** From so many failures in a row on, it is said what they probably mean. */
const NOTABLE_FAILURES = 3;
/** So often a server answers questions, and no chunk ever gets through: that is no outage, but a setting. */
const HOPELESS_FAILURES = 8;
const MIB = 1024 * 1024;
/** What is larger is read piece by piece to be hashed, which is slower than WebCrypto, and takes a few MiB of memory. */
const MOST_READ_BYTES = 32 * MIB;

export interface TransferParts {
  readonly file: UploadFile;
  readonly server: Server;
  readonly remote: RemoteUpload;
  readonly retrier: Retrier;
  readonly runtime: Runtime;
  readonly direct: Direct;
  readonly checksums: boolean;
  /** The server has confirmed so many bytes in all. */
  readonly onConfirmed: (uploadedBytes: number) => void;
  /** So many bytes are there, or have left. */
  readonly onSent: (sentBytes: number) => void;
}

export class Transfer {
  readonly #parts: TransferParts;
  readonly #plan: SendPlan;
  readonly #chunks: ChunkQueue;
  readonly #concurrency: Concurrency;
  /** Failures in a row, by where the chunk begins. */
  readonly #failures = new Map<number, Streak>();
  /** How many bytes have left of what is on its way, by where the chunk begins. */
  readonly #leaving = new Map<number, number>();
  #anyStored = false;
  /** Chunks that broke while the server could be asked. */
  #broken = 0;
  #asking: Promise<ServerProgress> | undefined;
  /** The chunk that is hashed. */
  #hashing: Promise<unknown> = Promise.resolve();

  constructor(parts: TransferParts, plan: SendPlan, progress: ServerProgress) {
    this.#parts = parts;
    this.#plan = plan;
    this.#chunks = new ChunkQueue(plan.chunkBytes, progress.missing);
    this.#concurrency = new Concurrency(parts.runtime.clock.nowMs(), plan.chunkBytes);
  }

  /** Returns when nothing is left to send. */
  async run(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { controller: stop, unlink } = linked(signal);
    const running = new Set<Promise<void>>();
    try {
      for (;;) {
        const limit = this.#plan.parallel ? this.#concurrency.limit : 1;
        while (running.size < limit) {
          const chunk = this.#chunks.take();
          if (chunk === undefined) {
            break;
          }
          const sending = this.#send(chunk, stop.signal).finally(() => running.delete(sending));
          running.add(sending);
        }
        if (running.size === 0) {
          return;
        }
        await Promise.race(running);
      }
    } finally {
      // One chunk has failed for good, or everything has to stop: the others stop too, and are waited for.
      stop.abort();
      await Promise.allSettled(running);
      unlink();
    }
  }

  async #send(chunk: Chunk, signal: AbortSignal): Promise<void> {
    const { file, runtime, onConfirmed } = this.#parts;
    signal.throwIfAborted();
    try {
      const uploadedBytes = await this.#put(chunk, signal).finally(() => this.#leaving.delete(chunk.from));
      this.#chunks.stored(chunk);
      this.#failures.delete(chunk.from);
      this.#anyStored = true;
      this.#concurrency.confirmed(runtime.clock.nowMs(), chunk.to - chunk.from);
      // A file that is repaired has bytes that the server has yet to copy, and does not count.
      onConfirmed(Math.max(uploadedBytes, file.size - this.#chunks.remainingBytes));
    } catch (error) {
      if (!(error instanceof UploadError)) {
        throw error;
      }
      await this.#failed(chunk, error, signal);
    }
  }

  #sent(chunk: Chunk, bytes: number): void {
    this.#leaving.set(chunk.from, bytes);
    const leaving = [...this.#leaving.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.#parts.onSent(this.#parts.file.size - this.#chunks.remainingBytes + leaving);
  }

  /** The number of bytes that count afterwards. */
  async #put(chunk: Chunk, signal: AbortSignal): Promise<number> {
    const { file, server, direct, checksums } = this.#parts;
    const { from, to } = chunk;
    const onSent = (bytes: number) => this.#sent(chunk, bytes);
    const body = () => bodyOf(file, from, to, signal);
    try {
      if (this.#plan.direct) {
        return await direct.put(this.#plan, chunk, body, signal, onSent);
      }
      const bytes = await body();
      const checksum = checksums ? await this.#checksum(bytes, signal) : undefined;
      return await server.put(this.#plan.uploadId, chunk, bytes, checksum, signal, onSent);
    } catch (error) {
      if (error instanceof UploadError && error.code === "network" && !isTimeout(error.cause)) {
        // To a browser, a file that cannot be read any more is a request that broke.
        await readBytes(file, to - 1, to, signal);
      }
      throw error;
    }
  }

  /** One chunk after the other: however many are on their way, one is in memory. */
  #checksum(body: RequestBytes, signal: AbortSignal): Promise<string> {
    const { hasher } = this.#parts.runtime;
    const hashed = async () => {
      signal.throwIfAborted();
      if (!(body instanceof Blob)) {
        return hasher.chunk(body);
      }
      return body.size > MOST_READ_BYTES
        ? hasher.file(body, () => {}, signal)
        : hasher.chunk(await readBytes(body, 0, body.size, signal));
    };
    const hashing = this.#hashing.then(hashed, hashed);
    this.#hashing = hashing;
    return hashing;
  }

  async #failed(chunk: Chunk, error: UploadError, signal: AbortSignal): Promise<void> {
    const { file, remote, retrier, runtime, onConfirmed } = this.#parts;
    this.#concurrency.failed(runtime.clock.nowMs());
    if (error.problem?.code === "digest-mismatch") {
      // Every byte has arrived, and the file does not have its digest. What becomes of it, the status says, or throws.
      const { missing } = await remote.status(this.#plan.uploadId, signal);
      if (missing.length > 0) {
        throw error;
      }
      this.#chunks.stored(chunk);
      onConfirmed(file.size);
      return;
    }
    if (error.code === "gone") {
      // The status knows how it ended, and throws it.
      await remote.status(this.#plan.uploadId, signal);
    } else if (!error.isPassing) {
      throw error;
    }
    const streak = retrier.longer(this.#failures.get(chunk.from));
    this.#failures.set(chunk.from, streak);
    const told = this.#explained(chunk, error, streak.failures);
    const isAskedToWait = error.retryAfterMs !== undefined;
    if (isAskedToWait) {
      await retrier.wait(told, streak, signal, chunk.from);
    }
    const { unanswered } = retrier;
    const progress = await this.#serverProgress(signal);
    onConfirmed(file.size - bytesIn(progress.missing));
    if (isStillMissing(chunk, progress, this.#plan)) {
      // A connection that broke while the server answered at once is no outage; one that was given up here may be a slow line.
      if (error.code === "network" && !isTimeout(error.cause) && retrier.unanswered === unanswered) {
        this.#broken += 1;
      }
      if (this.#broken >= HOPELESS_FAILURES && !this.#anyStored) {
        throw told;
      }
      if (!isAskedToWait) {
        await retrier.wait(told, streak, signal, chunk.from);
      }
    } else {
      this.#failures.delete(chunk.from);
    }
    this.#chunks.giveBack(chunk, progress.missing);
  }

  /** What the server has, asked after now. Chunks that fail together ask together. */
  async #serverProgress(signal: AbortSignal): Promise<ServerProgress> {
    await this.#asking?.catch(() => {});
    this.#asking ??= this.#parts.remote.progress(this.#plan, signal).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** The error, with what it probably means once it has happened often enough. */
  #explained(chunk: Chunk, last: UploadError, failures: number): UploadError {
    if (failures < NOTABLE_FAILURES) {
      return last;
    }
    const isSuspicious = last.code === "network" && this.#broken >= NOTABLE_FAILURES - 1 && !this.#anyStored;
    const why = isSuspicious ? this.#suspicion(chunk) : last.message;
    const message = `The chunk at byte ${chunk.from} failed ${failures} times in a row. ${why}`;
    const { status, retryAfterMs, problem } = last;
    return new UploadError(last.code, "resume", message, { status, retryAfterMs, problem, cause: last });
  }

  #suspicion({ from, to }: Chunk): string {
    const mib = Math.ceil((to - from) / MIB);
    const [why, advice] = this.#plan.direct
      ? ["the bucket has no CORS rule that lets this page PUT to it", ""]
      : [`a proxy in front of the server refuses chunks of ${mib} MiB (413)`, ": choose a smaller chunkBytes"];
    const what = "The server can be reached, but the connection broke each time. Probably";
    return `${what} ${why}, which a browser shows as a network error${advice}.`;
  }
}

/** In order, what begins later has got through in part; side by side, a chunk is there or not. */
function isStillMissing({ from }: Chunk, { missing }: ServerProgress, { parallel, direct }: SendPlan): boolean {
  return parallel || direct
    ? missing.some(([first, end]) => first <= from && from < end)
    : missing.some(([first]) => first <= from);
}
