// An upload whose length nobody knows yet, as the server sees it: created without one by tus, filled by the JSON API like any other, and
// ended by a request that declares the length. Nothing is tried twice here.

import { described } from "../creation.ts";
import { answerError, strangerError, UploadError } from "../errors.ts";
import type { Clock, HttpResponse, Status } from "../interfaces.ts";
import type { Server } from "../server.ts";
import type { Note } from "./notes.ts";

const TUS = { "Tus-Resumable": "1.0.0" };
const BYTES = "application/offset+octet-stream";

export class RemoteRecording {
  readonly #server: Server;
  readonly #clock: Clock;

  constructor(server: Server, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
  }

  /** The upload's id. Asked again with the same note, it is the same upload. */
  async create(note: Note, signal: AbortSignal): Promise<string> {
    const headers = {
      ...TUS,
      "Upload-Defer-Length": "1",
      "Upload-Metadata": saidOf(note) ?? "",
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

  /** Says how many bytes it has in all, which it has: from here on it is put together. Said twice, it changes nothing. */
  async declare(id: string, bytes: number, signal: AbortSignal): Promise<void> {
    const headers = { ...TUS, "Content-Type": BYTES, "Upload-Offset": String(bytes), "Upload-Length": String(bytes) };
    const body = new Uint8Array(0);
    const response = await this.#server.send({ method: "PATCH", url: `/files/${id}`, headers, body, signal });
    // 423: it is being put together.
    if (!isGood(response) && response.status !== 423) {
      throw this.#refusal(response);
    }
  }

  /** How far it is, or how it stands where it does not go on. */
  async progress(id: string, signal: AbortSignal): Promise<number | Status> {
    try {
      const offset = await this.#server.offset(id, signal);
      if (offset !== undefined) {
        return offset;
      }
    } catch (error) {
      if (!(error instanceof UploadError) || error.code !== "gone") {
        throw error;
      }
    }
    // An answer to HEAD has no body: what it is instead of open, the status tells.
    return this.#server.status(id, signal);
  }

  #refusal(response: HttpResponse): UploadError {
    const error = answerError(response, this.#clock.nowMs());
    return error.code === "gone" && error.problem === undefined ? strangerError(response.status) : error;
  }
}

/** The header that describes it; undefined where tus has no words for its metadata. */
export function saidOf({
  fileName,
  contentType,
  metadata,
}: Pick<Note, "fileName" | "contentType" | "metadata">): string | undefined {
  return described({ file: { name: fileName }, settings: { contentType } }, { metadata });
}

function isGood({ status }: HttpResponse): boolean {
  return status >= 200 && status <= 299;
}
