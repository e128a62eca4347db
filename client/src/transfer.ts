// Sends what is missing. Every chunk is read, hashed, sent; after a failure the server is asked what it really has before
// anything is sent again. Three failures in a row on one chunk end the transfer; what counts by then stays.

import { Concurrency } from "./concurrency.ts";
import type { Direct } from "./direct.ts";
import { UploadError } from "./errors.ts";
import { readBytes } from "./file_reader.ts";
import type { UploadFile, World } from "./interfaces.ts";
import type { Patience } from "./patience.ts";
import { type Piece, Pieces } from "./pieces.ts";
import type { Server } from "./server.ts";
import type { OpenSession, Sessions, Truth } from "./session.ts";

const FAILURES_IN_A_ROW = 3;
const MIB = 1024 * 1024;

export interface TransferParts {
  readonly file: UploadFile;
  readonly server: Server;
  readonly sessions: Sessions;
  readonly patience: Patience;
  readonly world: World;
  readonly direct: Direct;
  readonly checksums: boolean;
  /** The server has confirmed so many bytes in all. */
  readonly onConfirmed: (uploadedBytes: number) => void;
}

export class Transfer {
  readonly #parts: TransferParts;
  readonly #session: OpenSession;
  readonly #pieces: Pieces;
  readonly #concurrency: Concurrency;
  /** Failures in a row, by where the chunk begins. */
  readonly #failures = new Map<number, number>();
  #anyStored = false;

  constructor(parts: TransferParts, session: OpenSession, truth: Truth) {
    this.#parts = parts;
    this.#session = session;
    this.#pieces = new Pieces(session.chunkBytes, truth.missing);
    this.#concurrency = new Concurrency(parts.world.clock.nowMs());
  }

  /** Returns when nothing is left to send. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    // By hand, as not every browser in use has AbortSignal.any.
    const passOn = () => stop.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", passOn);
    const running = new Set<Promise<void>>();
    try {
      for (;;) {
        const limit = this.#session.parallel ? this.#concurrency.limit : 1;
        while (running.size < limit) {
          const piece = this.#pieces.take();
          if (piece === undefined) {
            break;
          }
          const sending = this.#send(piece, stop.signal).finally(() => running.delete(sending));
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
      signal.removeEventListener("abort", passOn);
    }
  }

  async #send(piece: Piece, signal: AbortSignal): Promise<void> {
    const { world, onConfirmed } = this.#parts;
    signal.throwIfAborted();
    try {
      const uploadedBytes = await this.#put(piece, signal);
      this.#pieces.stored(piece);
      this.#failures.delete(piece.from);
      this.#anyStored = true;
      this.#concurrency.confirmed(world.clock.nowMs(), piece.to - piece.from);
      onConfirmed(uploadedBytes);
    } catch (error) {
      if (!(error instanceof UploadError)) {
        throw error;
      }
      await this.#failed(piece, error, signal);
    }
  }

  /** The number of bytes that count afterwards. */
  async #put(piece: Piece, signal: AbortSignal): Promise<number> {
    const { file, server, world, direct, checksums } = this.#parts;
    const read = () => readBytes(file, piece.from, piece.to);
    if (this.#session.direct) {
      return direct.put(this.#session, piece, read, signal);
    }
    const bytes = await read();
    const checksum = checksums ? await world.hasher.chunk(bytes) : undefined;
    return server.put(this.#session.uploadId, piece, bytes, checksum, signal);
  }

  async #failed(piece: Piece, error: UploadError, signal: AbortSignal): Promise<void> {
    const { sessions, patience, world, onConfirmed } = this.#parts;
    this.#concurrency.failed(world.clock.nowMs());
    if (error.code === "gone") {
      // The status knows how it ended, and throws it.
      await sessions.status(this.#session.uploadId, signal);
    }
    if (!error.isPassing) {
      throw error;
    }
    const failures = (this.#failures.get(piece.from) ?? 0) + 1;
    const isAskedToWait = error.retryAfterMs !== undefined;
    if (isAskedToWait && failures < FAILURES_IN_A_ROW) {
      await patience.wait(error, failures, signal, piece.from);
    }
    const truth = await sessions.truth(this.#session, signal);
    onConfirmed(truth.uploadedBytes);
    const isStillMissing = truth.missing.some(([from, end]) => from <= piece.from && piece.from < end);
    if (isStillMissing) {
      this.#failures.set(piece.from, failures);
      if (failures >= FAILURES_IN_A_ROW) {
        throw this.#givingUp(piece, error);
      }
      if (!isAskedToWait) {
        await patience.wait(error, failures, signal, piece.from);
      }
    }
    this.#pieces.giveBack(piece, truth.missing);
  }

  #givingUp(piece: Piece, last: UploadError): UploadError {
    const where = `The chunk at byte ${piece.from} failed ${FAILURES_IN_A_ROW} times in a row.`;
    let message = `${where} ${last.message}`;
    if (last.code === "network") {
      message = `${where} The server can be reached, but the connection broke each time.`;
      if (!this.#anyStored && this.#session.direct) {
        message +=
          " Probably the bucket has no CORS rule that lets this page PUT to it, which a browser shows as a network error.";
      } else if (!this.#anyStored) {
        const mib = Math.ceil((piece.to - piece.from) / MIB);
        message +=
          ` Probably a proxy in front of the server refuses chunks of ${mib} MiB (413), ` +
          "which a browser shows as a network error: choose a smaller chunkBytes.";
      }
    }
    const { status, retryAfterMs } = last;
    return new UploadError(last.code, "resume", message, { status, retryAfterMs, cause: last });
  }
}
