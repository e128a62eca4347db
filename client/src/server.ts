// The calls of Quayside's JSON API, one method each. An answer becomes a value, or an `UploadError`; nothing is tried twice
// here.

import { answerError, networkError, problemCode, problemOf, UploadError } from "./errors.ts";
import type {
  Clock,
  Created,
  HttpClient,
  HttpRequest,
  HttpResponse,
  OpenUpload,
  SignedPart,
  Status,
  StoredObject,
  UploadOptions,
} from "./interfaces.ts";
import type { Piece } from "./pieces.ts";

/** A chunk that R2 has taken: under this number, and with this ETag where it may be read. */
export interface StoredPart {
  readonly partNumber: number;
  readonly etag: string | undefined;
}

/** The answer to a creation: a new upload, or the upload that has these bytes already. */
export type Creation = Created | { readonly duplicate: true; readonly object: StoredObject & { uploadId: string } };

export class Server {
  readonly #endpoint: string;
  readonly #headers: NonNullable<UploadOptions["headers"]>;
  readonly #http: HttpClient;
  readonly #clock: Clock;

  constructor(endpoint: string, headers: UploadOptions["headers"], http: HttpClient, clock: Clock) {
    this.#endpoint = endpoint.replace(/\/+$/, "");
    this.#headers = headers ?? (() => ({}));
    this.#http = http;
    this.#clock = clock;
  }

  /** Creates an upload. Repeated with the same body and key, it gives the same upload. */
  async create(body: string, idempotencyKey: string, signal: AbortSignal): Promise<Creation> {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
    return json(await this.#good({ method: "POST", url: "/upload/init", headers, body, signal }));
  }

  async status(id: string, signal: AbortSignal): Promise<Status> {
    return json(await this.#good({ method: "GET", url: `/upload/${id}/status`, headers: {}, signal }));
  }

  /** Where a sequential upload goes on. Ends an append that still runs, and waits for what it has stored. */
  async offset(id: string, signal: AbortSignal): Promise<number> {
    const response = await this.#good({ method: "HEAD", url: `/upload/${id}`, headers: {}, signal });
    const offset = Number(response.header("Upload-Offset") ?? Number.NaN);
    if (!Number.isSafeInteger(offset)) {
      throw new UploadError("server", "resume", "The server did not say where to go on.", { status: response.status });
    }
    return offset;
  }

  /** Sends a chunk. The number of bytes that count afterwards. A chunk that is there already is as good as taken. */
  async put(
    id: string,
    piece: Piece,
    body: Uint8Array<ArrayBuffer>,
    checksum: string | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    const headers: Record<string, string> = { "X-Upload-Offset": String(piece.from) };
    if (checksum !== undefined) {
      headers["X-Chunk-Checksum"] = `sha256=${checksum}`;
    }
    const response = await this.#send({ method: "PUT", url: `/upload/${id}`, headers, body, signal });
    const problem = problemOf(response);
    if (problemCode(problem) === "chunk-already-stored") {
      return problem?.uploadedBytes ?? 0;
    }
    return json<{ uploadedBytes: number }>(this.#checked(response)).uploadedBytes;
  }

  /** A URL for a chunk of a direct upload, counted from 0; or how many bytes count, where this chunk is among them. */
  async sign(id: string, chunk: number, signal: AbortSignal): Promise<SignedPart | number> {
    const response = await this.#post(`/upload/${id}/parts/sign`, { chunks: [chunk] }, signal);
    const problem = problemOf(response);
    if (problemCode(problem) === "chunk-already-stored") {
      return problem?.uploadedBytes ?? 0;
    }
    const [part] = json<{ parts: [SignedPart] }>(this.#checked(response)).parts;
    return part;
  }

  /** Stores a chunk in R2. Nothing but the bytes goes there: no token, and no header that R2 would have to allow. */
  async store(
    { partNumber, url }: SignedPart,
    body: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<StoredPart> {
    const response = await this.#exchange({ method: "PUT", url, headers: {}, body, signal });
    const { status } = response;
    if (status < 200 || status > 299) {
      // Also 403, of a URL that has run out: the next attempt is signed anew.
      throw new UploadError("server", "resume", `Storage answered ${status}.`, { status });
    }
    return { partNumber, etag: response.header("ETag") ?? undefined };
  }

  /** Counts a chunk that R2 has. The number of bytes that count afterwards. */
  async record(id: string, part: StoredPart, signal: AbortSignal): Promise<number> {
    const response = await this.#post(`/upload/${id}/parts`, { parts: [part] }, signal);
    return json<{ uploadedBytes: number }>(this.#checked(response)).uploadedBytes;
  }

  /** Asks for completion: what makes an upload of no bytes complete. */
  async complete(id: string, signal: AbortSignal): Promise<void> {
    await this.#good({ method: "POST", url: `/upload/${id}/complete`, headers: {}, signal });
  }

  /** Nothing shall remain. An upload that is gone already is as good as removed. */
  async remove(id: string, signal: AbortSignal): Promise<void> {
    const response = await this.#send({ method: "DELETE", url: `/upload/${id}`, headers: {}, signal });
    if (response.status !== 404 && response.status !== 410) {
      this.#checked(response);
    }
  }

  /** The owner's open uploads. */
  async openUploads(signal: AbortSignal): Promise<readonly OpenUpload[]> {
    const response = await this.#good({ method: "GET", url: "/uploads", headers: {}, signal });
    return json<{ uploads: OpenUpload[] }>(response).uploads;
  }

  /** Where to be told how an upload stands, and what to offer there; undefined where the token cannot be sent that way. */
  async socket(id: string): Promise<{ url: string; protocols: string[] } | undefined> {
    const url = `${this.#endpoint.replace(/^http/, "ws")}/upload/${id}/events`;
    const headers = Object.entries(await this.#headers());
    const authorization = headers.find(([name]) => name.toLowerCase() === "authorization")?.[1];
    if (authorization === undefined) {
      return { url, protocols: ["quayside"] };
    }
    // A browser sends no such header with a handshake, but a subprotocol's name may have any character of a token.
    const [, token] = /^Bearer ([!#$%&'*+.^_`|~\w-]+)$/i.exec(authorization) ?? [];
    return token === undefined ? undefined : { url, protocols: ["quayside", `bearer.${token}`] };
  }

  async #good(request: HttpRequest): Promise<HttpResponse> {
    return this.#checked(await this.#send(request));
  }

  #checked(response: HttpResponse): HttpResponse {
    if (response.status < 200 || response.status > 299) {
      throw answerError(response, this.#clock.nowMs());
    }
    return response;
  }

  #post(path: string, body: object, signal: AbortSignal): Promise<HttpResponse> {
    const headers = { "Content-Type": "application/json" };
    return this.#send({ method: "POST", url: path, headers, body: JSON.stringify(body), signal });
  }

  async #send(request: HttpRequest): Promise<HttpResponse> {
    const headers = { ...(await this.#headers()), ...request.headers };
    return this.#exchange({ ...request, headers, url: this.#endpoint + request.url });
  }

  async #exchange(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    try {
      const answer = this.#http.send(request);
      return await (request.signal === undefined ? answer : orAborted(answer, request.signal));
    } catch (error) {
      request.signal?.throwIfAborted();
      throw networkError(error);
    }
  }
}

/**
 * Rejects as soon as the signal says so. `fetch` promises that too, but between an answer's head and its body some
 * implementations do neither one nor the other, and a paused upload would never go on.
 */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** The body of a good answer. What is not JSON came from somebody else, such as a sign-in page of a network. */
function json<T>(response: HttpResponse): T {
  try {
    return JSON.parse(response.body) as T;
  } catch (cause) {
    const message = "Something other than Quayside answered.";
    throw new UploadError("server", "resume", message, { status: response.status, cause });
  }
}
