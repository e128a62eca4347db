// A damaged upload: everything has arrived, but it does not have the digest that the file had when the upload began. One chunk may have
// been read wrong, or the file has changed meanwhile. The file is read again, and what the server has otherwise is sent again.

import { bytesIn } from "./chunks.ts";
import { endedError, isGone } from "./errors.ts";
import type { ByteRange, Hasher, Repair, Status, UploadFile } from "./interfaces.ts";
import type { RemoteUpload } from "./remote_upload.ts";
import type { Retrier } from "./retrier.ts";
import type { Server } from "./server.ts";

/** What arrives damaged so often will not arrive otherwise the next time. */
const MOST_REPAIRS = 2;

export interface RepairParts {
  readonly file: UploadFile;
  readonly server: Server;
  readonly remote: RemoteUpload;
  readonly retrier: Retrier;
  readonly hasher: Hasher;
  readonly onRepair: (repair: Repair) => void;
}

/** Told the share of the file that has been compared, from 0 to 1. */
type OnCompared = (share: number) => void;

/** The repairs of one upload since it was started. */
export class Repairs {
  readonly #parts: RepairParts;
  #count = 0;

  constructor(parts: RepairParts) {
    this.#parts = parts;
  }

  /** It is started: repairs are counted from here. */
  begin(): void {
    this.#count = 0;
  }

  /** How the upload stands afterwards: what is missing is to be sent. Where that cannot help, it is forgotten, and the error says why. */
  async repaired({ uploadId, reason }: Status, onCompared: OnCompared, signal: AbortSignal): Promise<Status> {
    const { server, remote, onRepair } = this.#parts;
    if (this.#count >= MOST_REPAIRS) {
      const why = `Damaged again after ${MOST_REPAIRS} repairs.`;
      return this.#giveUp(uploadId, reason, why, signal);
    }
    const ranges = await this.#differing(uploadId, onCompared, signal);
    if (ranges?.length === 0) {
      const why = "The server has the file as it is: its digest is not the one that was declared.";
      return this.#giveUp(uploadId, reason, why, signal);
    }
    const repaired = ranges && (await this.#asked(() => server.repair(uploadId, ranges, signal), signal));
    // Counted once it is answered: one that was paused before has repaired nothing.
    this.#count += 1;
    if (repaired === undefined) {
      // Somebody else was first; or it has ended, and the status throws why.
      return remote.status(uploadId, signal);
    }
    onRepair({ uploadId, missingBytes: bytesIn(repaired.missing), reason });
    return repaired;
  }

  /** Where the file is not what the server has; undefined where the upload is not damaged any more. */
  async #differing(uploadId: string, onCompared: OnCompared, signal: AbortSignal): Promise<ByteRange[] | undefined> {
    const { file, hasher, server } = this.#parts;
    onCompared(0);
    const manifest = await this.#asked(() => server.manifest(uploadId, signal), signal);
    if (manifest === undefined) {
      return undefined;
    }
    const { parts } = manifest;
    const digests = await hasher.parts(file, parts, (bytes) => onCompared(bytes / file.size), signal);
    signal.throwIfAborted();
    return joined(parts.filter(({ crc64nvme }, at) => crc64nvme !== digests[at]));
  }

  /** The answer; undefined where the upload is not damaged any more. */
  async #asked<T>(question: () => Promise<T | undefined>, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await this.#parts.retrier.ask(signal, question);
    } catch (error) {
      if (isGone(error)) {
        return undefined;
      }
      throw error;
    }
  }

  /** Nobody can use what the server has of it. Where it cannot be removed now, the server drops it by itself in time. */
  async #giveUp(uploadId: string, reason: string | null, why: string, signal: AbortSignal): Promise<never> {
    const { remote, server } = this.#parts;
    await server.remove(uploadId, signal).catch(() => signal.throwIfAborted());
    return remote.end(endedError("failed", reason === null ? why : `${reason} ${why}`));
  }
}

/** Neighbours become one range. */
function joined(ranges: readonly ByteRange[]): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const { offset, length } of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && last.offset + last.length === offset) {
      joined[joined.length - 1] = { offset: last.offset, length: last.length + length };
    } else {
      joined.push({ offset, length });
    }
  }
  return joined;
}
