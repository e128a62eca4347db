// One upload as the server sees it: found or created, and asked how it stands. What the server says is the truth; what is
// remembered here is only where to ask.

import { changedError, endedError, goneError, UploadError } from "./errors.ts";
import { fingerprint } from "./file_reader.ts";
import type { RecordStore, Status, StoredObject, UploadFile, World } from "./interfaces.ts";
import type { Patience } from "./patience.ts";
import type { Ranges } from "./pieces.ts";
import type { Server } from "./server.ts";

/** How an upload stands. */
export interface Truth {
  readonly uploadedBytes: number;
  readonly missing: Ranges;
}

export interface OpenSession {
  readonly uploadId: string;
  readonly chunkBytes: number;
  /** Several chunks at once. */
  readonly parallel: boolean;
  /** Past the server. */
  readonly direct: boolean;
}

export type Found =
  | { readonly duplicate: false; readonly session: OpenSession; readonly truth: Truth }
  | { readonly duplicate: true; readonly uploadId: string; readonly object: StoredObject };

export interface Wishes {
  readonly chunkBytes: number;
  readonly parallel: boolean;
  readonly direct: boolean;
  readonly dedup: boolean;
  readonly resumeFromServer: boolean;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

export class Sessions {
  readonly #file: UploadFile;
  readonly #wishes: Wishes;
  readonly #server: Server;
  readonly #patience: Patience;
  readonly #world: World;
  readonly #store: RecordStore;
  readonly #key: string;
  #uploadId: string | undefined;
  #fingerprint: string | undefined;
  #sha256: string | undefined;
  /** A creation that was sent; without an answer, it is repeated word for word. */
  #creation: { readonly body: string; readonly idempotencyKey: string } | undefined;

  constructor(
    file: UploadFile,
    endpoint: string,
    wishes: Wishes,
    parts: { server: Server; patience: Patience; world: World; store: RecordStore },
  ) {
    this.#file = file;
    this.#wishes = wishes;
    this.#server = parts.server;
    this.#patience = parts.patience;
    this.#world = parts.world;
    this.#store = parts.store;
    this.#key = `quayside:${JSON.stringify([endpoint, file.name, file.size, file.lastModified])}`;
  }

  get uploadId(): string | undefined {
    return this.#uploadId;
  }

  /** The upload to go on with, or a new one. Reads samples of the file first: a changed file ends here. */
  async find(signal: AbortSignal, onHashed: (share: number) => void): Promise<Found> {
    const print = await fingerprint(this.#file, this.#world.hasher);
    signal.throwIfAborted();
    await this.#recall(print);
    this.#fingerprint = print;
    if (this.#uploadId === undefined && this.#wishes.resumeFromServer && this.#creation === undefined) {
      this.#uploadId = await this.#lookUp(signal);
    }
    return this.#uploadId === undefined ? this.#create(signal, onHashed) : this.#goOn(this.#uploadId, signal);
  }

  /** What is missing. In sequential mode this ends whatever still writes, so that the offset stays true. */
  async truth({ uploadId, parallel, direct }: OpenSession, signal: AbortSignal): Promise<Truth> {
    if (parallel || direct) {
      return this.status(uploadId, signal);
    }
    const fileBytes = this.#file.size;
    try {
      const offset = await this.#patience.ask(signal, () => this.#server.offset(uploadId, signal));
      return { uploadedBytes: offset, missing: offset < fileBytes ? [[offset, fileBytes]] : [] };
    } catch (error) {
      // An answer to HEAD has no body: why the upload has ended, the status tells.
      return isGone(error) ? this.status(uploadId, signal) : Promise.reject(error);
    }
  }

  /** The status of an upload that has not ended without an object. Otherwise it is forgotten, and the error says why. */
  async status(uploadId: string, signal: AbortSignal): Promise<Status> {
    let status: Status;
    try {
      status = await this.#patience.ask(signal, () => this.#server.status(uploadId, signal));
    } catch (error) {
      if (!isGone(error)) {
        throw error;
      }
      await this.forget();
      throw goneError(error);
    }
    return this.judged(status);
  }

  /** The same of a status that was told without being asked for. */
  async judged(status: Status): Promise<Status> {
    if (["failed", "expired", "aborted", "deleted"].includes(status.state)) {
      await this.forget();
      throw endedError(status.state, status.reason);
    }
    return status;
  }

  /** The next attempt begins afresh. */
  async forget(): Promise<void> {
    this.#uploadId = undefined;
    this.#creation = undefined;
    this.#fingerprint = undefined;
    await this.#store.remove(this.#key);
  }

  /** Removes the upload from the server, even one whose creation was never answered. */
  async remove(signal: AbortSignal): Promise<void> {
    const id = this.#uploadId ?? (await this.#unanswered(signal)) ?? (await this.#store.get(this.#key))?.uploadId;
    if (id !== undefined) {
      await this.#patience.ask(signal, () => this.#server.remove(id, signal));
    }
    await this.forget();
  }

  async #recall(print: string): Promise<void> {
    if (this.#fingerprint !== undefined && this.#fingerprint !== print) {
      await this.forget();
      throw changedError("its content is not what it was when the upload began");
    }
    if (this.#uploadId !== undefined) {
      return;
    }
    const record = await this.#store.get(this.#key);
    if (record !== undefined && record.fingerprint !== print) {
      await this.forget();
      throw changedError("its content is not what it was when the upload began");
    }
    this.#uploadId = record?.uploadId;
  }

  /** The newest open upload of this name and size, from whatever device. */
  async #lookUp(signal: AbortSignal): Promise<string | undefined> {
    const open = await this.#patience.ask(signal, () => this.#server.openUploads(signal));
    const same = open.filter(({ fileName, fileSize }) => fileName === this.#file.name && fileSize === this.#file.size);
    return same.sort((a, b) => b.createdAt.localeCompare(a.createdAt))[0]?.uploadId;
  }

  async #goOn(uploadId: string, signal: AbortSignal): Promise<Found> {
    const status = await this.status(uploadId, signal);
    if (status.fileSize !== this.#file.size) {
      await this.forget();
      throw changedError(`it has ${this.#file.size} bytes, and the upload began with ${status.fileSize}`);
    }
    const direct = status.mode === "direct";
    const isSequential = status.mode === "sequential";
    const parallel = direct ? this.#wishes.parallel : !isSequential;
    // In sequential mode any length will do, so a smaller size that is wished for now helps against a strict proxy.
    const chunkBytes = isSequential ? Math.min(status.chunkSize, this.#wishes.chunkBytes) : status.chunkSize;
    const session = { uploadId, chunkBytes, parallel, direct };
    await this.#remember(uploadId);
    const isOpen = status.state === "open";
    const truth = isOpen && isSequential ? await this.truth(session, signal) : status;
    return { duplicate: false, session, truth };
  }

  async #create(signal: AbortSignal, onHashed: (share: number) => void): Promise<Found> {
    if (this.#wishes.dedup) {
      const hashed = (bytes: number) => onHashed(this.#file.size === 0 ? 1 : bytes / this.#file.size);
      this.#sha256 ??= await this.#world.hasher.file(this.#file, hashed, signal);
      signal.throwIfAborted();
    }
    const creation = this.#creation ?? {
      body: this.#creationBody(),
      idempotencyKey: randomName(this.#world.random),
    };
    this.#creation = creation;
    const created = await this.#patience.ask(signal, () =>
      this.#server.create(creation.body, creation.idempotencyKey, signal),
    );
    this.#creation = undefined;
    if ("duplicate" in created) {
      return { duplicate: true, uploadId: created.object.uploadId, object: created.object };
    }
    const { uploadId, chunkSize, uploadedBytes } = created;
    this.#uploadId = uploadId;
    await this.#remember(uploadId);
    const { parallel, direct } = this.#wishes;
    const session = { uploadId, chunkBytes: chunkSize, parallel, direct };
    const fileBytes = this.#file.size;
    // An answer to a repeated creation may be about an upload that has bytes already.
    const truth = uploadedBytes > 0 ? await this.truth(session, signal) : nothingYet(fileBytes);
    return { duplicate: false, session, truth };
  }

  #creationBody(): string {
    const { chunkBytes, parallel, direct, contentType, metadata } = this.#wishes;
    return JSON.stringify({
      fileName: this.#file.name,
      fileSize: this.#file.size,
      contentType,
      chunkSize: chunkBytes,
      ...(direct ? { direct } : { parallel }),
      sha256: this.#sha256,
      metadata,
    });
  }

  async #remember(uploadId: string): Promise<void> {
    if (this.#fingerprint !== undefined) {
      await this.#store.set(this.#key, { uploadId, fingerprint: this.#fingerprint });
    }
  }

  async #unanswered(signal: AbortSignal): Promise<string | undefined> {
    const creation = this.#creation;
    if (creation === undefined) {
      return undefined;
    }
    const created = await this.#patience.ask(signal, () =>
      this.#server.create(creation.body, creation.idempotencyKey, signal),
    );
    return "duplicate" in created ? undefined : created.uploadId;
  }
}

function isGone(error: unknown): error is UploadError {
  return error instanceof UploadError && error.code === "gone";
}

function nothingYet(fileBytes: number): Truth {
  return { uploadedBytes: 0, missing: fileBytes === 0 ? [] : [[0, fileBytes]] };
}

/** 128 random bits in hexadecimal. */
function randomName(random: () => number): string {
  return Array.from({ length: 16 }, () =>
    Math.floor(random() * 256)
      .toString(16)
      .padStart(2, "0"),
  ).join("");
}
