// One upload as the server sees it: claimed, found or created, and asked how it stands. What the server says is what counts; what is
// remembered here is only where to ask.

import { Creation, mayComeAlong } from "./creation.ts";
import { changedError, type Ending, endedError, goneError, isGone, type UploadError } from "./errors.ts";
import { FileClaim } from "./file_claim.ts";
import { readBytes } from "./file_reader.ts";
import type { Found, SendPlan, ServerProgress, Steps } from "./found.ts";
import { cleanName, type Identity } from "./identity.ts";
import type { Claim, RecordStore, Runtime, Status, UploadFile } from "./interfaces.ts";
import { newestOpenUpload } from "./open_uploads.ts";
import type { Settings } from "./options.ts";
import type { Retrier } from "./retrier.ts";
import type { Server } from "./server.ts";

export interface RemoteUploadParts {
  readonly file: UploadFile;
  readonly settings: Settings;
  readonly server: Server;
  readonly retrier: Retrier;
  readonly runtime: Runtime;
  readonly store: Required<RecordStore>;
}

/** Whole files that were hashed, with what their content was then: another upload of the same file need not read it all again. */
const hashes = new WeakMap<UploadFile, { readonly fingerprint: string; readonly sha256: string }>();

export class RemoteUpload {
  readonly #parts: RemoteUploadParts;
  readonly #claim: FileClaim;
  #uploadId: string | undefined;
  #forgottenId: string | undefined;
  /** Nothing has been asked of this upload in this page yet, but where to find it. */
  #isRecalled = false;
  /** A creation without an answer yet. */
  #creation: Creation | undefined;
  /** Keeps other uploads of this browser from finding this one in the owner's list. */
  #listed: Claim | undefined;

  constructor(parts: RemoteUploadParts) {
    this.#parts = parts;
    const { file, settings, runtime, store } = parts;
    const { hasher, claims } = runtime;
    this.#claim = new FileClaim({ file, wanted: settings, hasher, claims, scope: store.scope });
  }

  get uploadId(): string | undefined {
    return this.#uploadId;
  }

  /** The one that was forgotten last. */
  get forgottenId(): string | undefined {
    return this.#forgottenId;
  }

  /** The right to send this file; undefined where another upload has it. Reads samples of the file: a changed file ends here. */
  async claim(signal: AbortSignal): Promise<Claim | undefined> {
    await this.#read(signal);
    return this.#claim.take();
  }

  /** The same, of a file that was read before. */
  claimAgain(): Promise<Claim | undefined> {
    return this.#claim.take();
  }

  /** The same from another page that has stopped working. */
  takeOver(): Promise<Claim | undefined> {
    return this.#claim.takeOver();
  }

  /** Lets others send this file. */
  release(): void {
    this.#claim.release();
    this.#listed?.release();
    this.#listed = undefined;
  }

  /** The page that has the claim does not say what it sends: from now on this is an upload of its own. */
  leave(): void {
    this.#claim.giveUp();
  }

  /** The upload that another page sends; undefined while it is not known here. */
  async followed(): Promise<string | undefined> {
    this.#uploadId = (await this.#recorded()) ?? this.#uploadId;
    return this.#uploadId;
  }

  /**
   * Sends a small file, which is read once, and whole with the answer: so it is neither remembered nor claimed. The upload's id;
   * undefined where the file has to be sent like any other.
   */
  async sendWhole(signal: AbortSignal, steps: Steps): Promise<string | undefined> {
    const { file, settings, store } = this.#parts;
    if (this.#uploadId !== undefined || !mayComeAlong(file, settings)) {
      return undefined;
    }
    const bytes = await readBytes(file, 0, file.size, signal);
    const identity = await this.#read(signal, bytes);
    let creation = this.#creation;
    if (creation === undefined && (await store.get(this.#claim.firstRecordName)) === undefined) {
      creation = new Creation(this.#parts, identity, { bytes });
    }
    if (!creation?.hasFile) {
      return undefined;
    }
    signal.throwIfAborted();
    this.#creation = creation;
    steps.onSending();
    const sent = await this.#answer(() => creation.askWithFile(signal, steps.onSent), signal);
    if (sent === undefined) {
      return undefined;
    }
    this.#creation = undefined;
    this.#uploadId = sent.uploadId;
    return sent.uploadedBytes === file.size ? sent.uploadId : undefined;
  }

  /** The upload to go on with, or a new one. For whoever has the claim. */
  async find(signal: AbortSignal, steps: Steps): Promise<Found> {
    const { identity } = this.#claim;
    if (identity === undefined) {
      throw new TypeError("the file has not been claimed");
    }
    if (this.#uploadId === undefined && this.#creation === undefined) {
      this.#uploadId = await this.#recorded();
      if (this.#uploadId === undefined && this.#parts.settings.resumeFromServer) {
        this.#uploadId = await this.#lookUp(identity, signal);
      }
      this.#isRecalled = this.#uploadId !== undefined;
    }
    const found = await (this.#uploadId === undefined
      ? this.#create(identity, signal, steps)
      : this.#goOn(this.#uploadId, signal));
    this.#isRecalled = false;
    return found;
  }

  /** What is missing. In sequential mode this ends whatever still writes, so that the offset stays true. */
  async progress({ uploadId, parallel, direct }: SendPlan, signal: AbortSignal): Promise<ServerProgress> {
    if (parallel || direct) {
      return this.status(uploadId, signal);
    }
    const { file, retrier, server } = this.#parts;
    try {
      const offset = await retrier.ask(signal, () => server.offset(uploadId, signal));
      if (offset !== undefined) {
        return { missing: offset < file.size ? [[offset, file.size]] : [] };
      }
    } catch (error) {
      if (!isGone(error)) {
        throw error;
      }
    }
    // An answer to HEAD has no body: what the upload is instead of open, the status tells.
    return this.status(uploadId, signal);
  }

  /** The status of an upload that has not ended without an object. Otherwise it is forgotten, and the error says why. */
  async status(uploadId: string, signal: AbortSignal): Promise<Status> {
    const { retrier, server } = this.#parts;
    let status: Status;
    try {
      status = await retrier.ask(signal, () => server.status(uploadId, signal));
    } catch (error) {
      return isGone(error) ? this.end(goneError(error)) : Promise.reject(error);
    }
    return this.judged(status);
  }

  /** The same of a status that was told without being asked for. */
  async judged(status: Status): Promise<Status> {
    if (["failed", "aborted", "expired", "deleted"].includes(status.state)) {
      return this.end(endedError(status.state, status.reason));
    }
    return status;
  }

  /** Forgets an upload that has ended without an object, and throws why. */
  async end(error: UploadError): Promise<never> {
    if (error.ending === "failed") {
      // Also the file's hash may be what was wrong.
      hashes.delete(this.#parts.file);
    }
    await this.forget();
    throw error;
  }

  /** How to send to it. */
  planOf({ uploadId, mode, chunkSize }: Status): SendPlan {
    const { settings } = this.#parts;
    const direct = mode === "direct";
    const isSequential = mode === "sequential";
    const parallel = direct ? settings.parallel : !isSequential;
    // In sequential mode any length will do, so a smaller size that is wished for now helps against a strict proxy.
    const chunkBytes = isSequential ? Math.min(chunkSize, settings.chunkBytes) : chunkSize;
    return { uploadId, chunkBytes, parallel, direct };
  }

  /**
   * Whether to begin afresh without asking anybody. What was begun before this page was may have ended however it liked; what was
   * sent from here, only by running out of time, or by the server's losing it.
   */
  startsAfreshAfter(ending: Ending | undefined): boolean {
    return ending !== undefined && (this.#isRecalled || ending === "expired" || ending === "unknown");
  }

  /** The next attempt begins afresh. A record is left alone where another page has begun a fresh one already. */
  async forget(): Promise<void> {
    const uploadId = this.#uploadId;
    this.#forgottenId = uploadId;
    this.#uploadId = undefined;
    this.#creation = undefined;
    const { recordName } = this.#claim;
    if (recordName !== undefined && (await this.#recorded()) === uploadId) {
      await this.#parts.store.remove(recordName);
    }
  }

  /** Removes the upload from the server, even one whose creation was never answered; but not one that somebody else sends. */
  async remove(signal: AbortSignal): Promise<void> {
    const { retrier, server } = this.#parts;
    const created = await this.#unanswered(signal);
    try {
      const isRead = this.#claim.identity !== undefined;
      // A file that cannot be read any more leads to no record.
      const claim = await (isRead ? this.claimAgain() : this.claim(signal).catch(() => undefined));
      const mine = claim && (this.#uploadId ?? (await this.#recorded()));
      if (mine !== undefined) {
        this.#uploadId = mine;
        await this.forget();
      }
      const id = created ?? mine;
      if (id !== undefined) {
        await retrier.ask(signal, () => server.remove(id, signal));
      }
    } finally {
      this.release();
    }
  }

  /** The id that is remembered here. */
  async #recorded(): Promise<string | undefined> {
    const { recordName } = this.#claim;
    return recordName === undefined ? undefined : (await this.#parts.store.get(recordName))?.uploadId;
  }

  async #lookUp(identity: Identity, signal: AbortSignal): Promise<string | undefined> {
    const { file, retrier, server } = this.#parts;
    const wanted = { fileName: cleanName(file.name), fileSize: file.size, fingerprint: identity.fingerprint };
    return newestOpenUpload(wanted, { retrier, server }, (id) => this.#list(id), signal);
  }

  /** Whether nobody else in this browser has this upload. */
  async #list(uploadId: string): Promise<boolean> {
    const claim = await this.#parts.runtime.claims.claim(`quayside:upload:${uploadId}`, this);
    if (typeof claim === "string") {
      this.#parts.runtime.claims.leave(`quayside:upload:${uploadId}`, this);
      return false;
    }
    this.#listed?.release();
    this.#listed = claim;
    return true;
  }

  async #goOn(uploadId: string, signal: AbortSignal): Promise<Found> {
    const { file } = this.#parts;
    const status = await this.status(uploadId, signal);
    if (status.fileSize !== file.size) {
      await this.forget();
      throw changedError(`it has ${file.size} bytes, and the upload began with ${status.fileSize}`);
    }
    if (status.state === "completed") {
      return { is: "completed", status };
    }
    await this.#remember(uploadId);
    if (status.state === "damaged") {
      return { is: "damaged", status };
    }
    const plan = this.planOf(status);
    const isMoving = status.state === "open" && status.mode === "sequential";
    const progress = isMoving ? await this.progress(plan, signal) : status;
    return { is: "open", plan, progress };
  }

  async #create(identity: Identity, signal: AbortSignal, steps: Steps): Promise<Found> {
    const { file, settings } = this.#parts;
    const sha256 = settings.dedup ? await this.#hash(identity, signal, steps.onHashed) : undefined;
    this.#creation ??= new Creation(this.#parts, identity, { sha256 });
    const creation = this.#creation;
    const created = await this.#answer(() => creation.ask(signal), signal);
    this.#creation = undefined;
    if ("duplicate" in created) {
      return { is: "duplicate", object: created.object };
    }
    const { uploadId, chunkSize = settings.chunkBytes, uploadedBytes } = created;
    this.#uploadId = uploadId;
    await this.#remember(uploadId);
    const { parallel, direct } = settings;
    const plan = { uploadId, chunkBytes: chunkSize, parallel, direct };
    // An answer to a repeated creation may be about an upload that has bytes already.
    const progress = uploadedBytes > 0 ? await this.progress(plan, signal) : nothingYet(file.size);
    return { is: "open", plan, progress };
  }

  /** Reads samples of the file, or takes them out of its bytes. It has to be the one that it was. */
  async #read(signal: AbortSignal, bytes?: Uint8Array): Promise<Identity> {
    const identity = await this.#claim.read(signal, bytes);
    if (identity === undefined) {
      this.#uploadId = undefined;
      this.#creation = undefined;
      throw changedError("its content is not what it was when the upload began");
    }
    return identity;
  }

  async #hash(identity: Identity, signal: AbortSignal, onHashed: (share: number) => void): Promise<string> {
    const { file, runtime } = this.#parts;
    const known = hashes.get(file);
    if (known?.fingerprint === identity.fingerprint) {
      return known.sha256;
    }
    const hashed = (bytes: number) => onHashed(file.size === 0 ? 1 : bytes / file.size);
    const sha256 = await runtime.hasher.file(file, hashed, signal);
    hashes.set(file, { fingerprint: identity.fingerprint, sha256 });
    signal.throwIfAborted();
    return sha256;
  }

  async #remember(uploadId: string): Promise<void> {
    const { store, settings } = this.#parts;
    const { recordName } = this.#claim;
    if (recordName !== undefined) {
      await store.set(recordName, { uploadId });
    }
    if (settings.resumeFromServer && this.#listed === undefined) {
      await this.#list(uploadId);
    }
  }

  async #unanswered(signal: AbortSignal): Promise<string | undefined> {
    const creation = this.#creation;
    if (creation === undefined) {
      return undefined;
    }
    const created = await this.#answer(() => creation.ask(signal), signal);
    return "duplicate" in created ? undefined : created.uploadId;
  }

  /** Repeats it until there is an answer. One that has ended before its answer came has ended like any other upload. */
  async #answer<T>(question: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await this.#parts.retrier.ask(signal, question);
    } catch (error) {
      throw isGone(error) ? goneError(error) : error;
    }
  }
}

function nothingYet(fileBytes: number): ServerProgress {
  return { missing: fileBytes === 0 ? [] : [[0, fileBytes]] };
}
