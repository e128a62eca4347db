// An upload whose length nobody knows yet, as the server sees it: created without one by tus, filled by the JSON API like any other, and
// ended by a request that declares the length. Nothing is tried twice here. All offsets are those of the recording: an upload that has
// only its end counts from there, and nobody but this module knows of it.

import type { Chunk } from "../chunks.ts";
import { described } from "../creation.ts";
import { answerError, endedError, isGone, strangerError, type UploadError } from "../errors.ts";
import type { Clock, HttpResponse, RequestBytes, Status } from "../interfaces.ts";
import { isGood, type OnSent, type Server } from "../server.ts";
import type { Note, Notebook } from "./notes.ts";

const TUS = { "Tus-Resumable": "1.0.0" };
const BYTES = "application/offset+octet-stream";

export class RemoteRecording {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #notebook: Notebook;

  constructor(server: Server, clock: Clock, notebook: Notebook) {
    this.#server = server;
    this.#clock = clock;
    this.#notebook = notebook;
  }

  get #from(): number {
    return this.#notebook.note.fromBytes ?? 0;
  }

  /** The upload's id. Asked again with the same note, it is the same upload. */
  async create(signal: AbortSignal): Promise<string> {
    const { note } = this.#notebook;
    // Whoever gets it shall not take it for the whole.
    const part = this.#from > 0 ? { metadata: { ...note.metadata, fromBytes: String(this.#from) } } : {};
    const headers = {
      ...TUS,
      "Upload-Defer-Length": "1",
      "Upload-Metadata": saidOf({ ...note, ...part }) ?? "",
      "Idempotency-Key": note.creationKey,
    };
    const url = `/files${note.live ?? ""}`;
    const response = await this.#server.send({ method: "POST", url, headers, signal });
    if (!isGood(response)) {
      throw this.#refusal(response);
    }
    const [id] = /[^/]+$/.exec(response.header("Location") ?? "") ?? [];
    if (id === undefined) {
      throw strangerError(response.status);
    }
    return id;
  }

  /** Sends what lies between. How far the server has it then. */
  async put(
    id: string,
    { from, to }: Chunk,
    body: RequestBytes,
    checksum: string,
    signal: AbortSignal,
    onSent: OnSent,
  ): Promise<number> {
    const chunk = { from: from - this.#from, to: to - this.#from };
    return this.#from + (await this.#server.put(id, chunk, body, checksum, signal, onSent));
  }

  /** Says where it ends, up to where it has all: from here on it is put together. Said twice, it changes nothing. */
  async declare(id: string, endBytes: number, signal: AbortSignal): Promise<void> {
    const bytes = String(endBytes - this.#from);
    const headers = { ...TUS, "Content-Type": BYTES, "Upload-Offset": bytes, "Upload-Length": bytes };
    const body = new Uint8Array(0);
    const response = await this.#server.send({ method: "PATCH", url: `/files/${id}`, headers, body, signal });
    // 423: it is being put together.
    if (!isGood(response) && response.status !== 423) {
      throw this.#refusal(response);
    }
  }

  /** How far it is. */
  async progress(id: string, signal: AbortSignal): Promise<number> {
    try {
      const offset = await this.#server.offset(id, signal);
      if (offset !== undefined) {
        return this.#from + offset;
      }
    } catch (error) {
      if (!isGone(error)) {
        throw error;
      }
    }
    // An answer to HEAD has no body: what it is instead of open, the status tells.
    return (await this.status(id, signal)).uploadedBytes;
  }

  /** How it stands. One that has ended without an object is thrown. */
  async status(id: string, signal: AbortSignal): Promise<Status> {
    const status = judged(await this.#server.status(id, signal));
    return { ...status, uploadedBytes: this.#from + status.uploadedBytes };
  }

  #refusal(response: HttpResponse): UploadError {
    const error = answerError(response, this.#clock.nowMs());
    return error.code === "gone" && error.problem === undefined ? strangerError(response.status) : error;
  }
}

/** One that has ended without an object is thrown. */
export function judged(status: Status): Status {
  if (["failed", "aborted", "expired", "deleted", "damaged"].includes(status.state)) {
    throw endedError(status.state, status.reason);
  }
  return status;
}

/** The header that describes it; undefined where tus has no words for its metadata. */
export function saidOf({
  fileName,
  contentType,
  metadata,
}: Pick<Note, "fileName" | "contentType" | "metadata">): string | undefined {
  return described({ file: { name: fileName }, settings: { contentType } }, { metadata });
}
