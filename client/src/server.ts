// The calls of Quayside's JSON API, one method each. An answer becomes a value, or an `UploadError`; nothing is tried twice
// here.

import type { Chunk } from "./chunks.ts";
import { answerError, networkError, problemOf, strangerError, UploadError } from "./errors.ts";
import type { HeaderSource } from "./headers.ts";
import type {
  ByteRange,
  Clock,
  HttpClient,
  HttpRequest,
  HttpResponse,
  Manifest,
  OpenUploads,
  RequestBytes,
  SignedPart,
  Status,
  StoredObject,
} from "./interfaces.ts";

/** A chunk that R2 has taken: under this number, and with this ETag where it may be read. */
export interface StoredPart {
  readonly partNumber: number;
  readonly etag: string | undefined;
}

/** The answer to a creation: a new upload, or the upload that has these bytes already. */
export type CreationAnswer =
  | Created
  | { readonly duplicate: true; readonly object: StoredObject & { uploadId: string } };

/** A new upload. */
export interface Created {
  readonly uploadId: string;
  /** All of them, where the file came along and the object is whole. */
  readonly uploadedBytes: number;
  /** Missing where the file came along. */
  readonly chunkSize?: number;
}

/** What proxies and firewalls answer to what they do not know. */
const FOREIGN = [400, 403, 404, 405, 410, 412, 413, 415, 431, 501];

/** Told how many bytes of a body have left. */
export type OnSent = (bytes: number) => void;

type Request = HttpRequest & { readonly signal: AbortSignal };

export class Server {
  readonly #endpoint: string;
  readonly #headers: HeaderSource;
  readonly #http: HttpClient;
  readonly #clock: Clock;

  constructor(endpoint: string, headers: HeaderSource, http: HttpClient, clock: Clock) {
    this.#endpoint = withoutSlash(endpoint);
    this.#headers = headers;
    this.#http = http;
    this.#clock = clock;
  }

  /** Creates an upload. Repeated with the same body and key, it gives the same upload. */
  async create(body: string, idempotencyKey: string, signal: AbortSignal): Promise<CreationAnswer> {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
    const response = await this.#found({ method: "POST", url: "/upload/init", headers, body, signal });
    return json(response, (creation: CreationAnswer) => {
      const isNew = !("duplicate" in creation) && isText(creation.uploadId) && Number(creation.chunkSize) > 0;
      return isNew || ("duplicate" in creation && isObject(creation.object));
    });
  }

  /**
   * The same with all bytes of the file, by tus, whose creation can bring them. Undefined where somebody in between refuses it, who
   * may let the other way through.
   */
  async createWith(
    bytes: Uint8Array<ArrayBuffer>,
    more: HttpRequest["headers"],
    idempotencyKey: string,
    signal: AbortSignal,
    onSent: OnSent = ignore,
  ): Promise<Created | undefined> {
    const headers = {
      "Tus-Resumable": "1.0.0",
      "Upload-Length": String(bytes.length),
      "Content-Type": "application/offset+octet-stream",
      "Idempotency-Key": idempotencyKey,
      ...more,
    };
    const response = await this.send({ method: "POST", url: "/files", headers, body: bytes, signal, onSent });
    if (FOREIGN.includes(response.status) && problemOf(response) === undefined) {
      return undefined;
    }
    const [uploadId] = /[^/]+$/.exec(this.#checked(response).header("Location") ?? "") ?? [];
    // While the object is not whole, nothing is said of the bytes.
    const unsaid = response.header("Tus-Resumable") === null ? Number.NaN : 0;
    const uploadedBytes = Number(response.header("Upload-Offset") ?? unsaid);
    if (uploadId === undefined || !Number.isSafeInteger(uploadedBytes)) {
      throw strangerError(response.status);
    }
    return { uploadId, uploadedBytes };
  }

  async status(id: string, signal: AbortSignal): Promise<Status> {
    return json(await this.#good({ method: "GET", url: `/upload/${id}/status`, headers: {}, signal }), isStatus);
  }

  /** Where a sequential upload goes on; undefined where it does not. Ends an append that still runs, and waits for what it has stored. */
  async offset(id: string, signal: AbortSignal): Promise<number | undefined> {
    const response = await this.send({ method: "HEAD", url: `/upload/${id}`, headers: {}, signal });
    if (response.status === 409) {
      return undefined;
    }
    if (!isGood(response)) {
      // It has no body to say whether it was Quayside that answered; after a 404, the status tells.
      throw answerError(response, this.#clock.nowMs());
    }
    const offset = Number(response.header("Upload-Offset") ?? Number.NaN);
    if (!Number.isSafeInteger(offset)) {
      throw new UploadError("server", "resume", "The server did not say where to go on.", { status: response.status });
    }
    return offset;
  }

  /** Sends a chunk. The number of bytes that count afterwards. */
  async put(
    id: string,
    chunk: Chunk,
    body: RequestBytes,
    checksum: string | undefined,
    signal: AbortSignal,
    onSent: OnSent = ignore,
  ): Promise<number> {
    const headers: Record<string, string> = { "X-Upload-Offset": String(chunk.from) };
    if (checksum !== undefined) {
      headers["X-Chunk-Checksum"] = `sha256=${checksum}`;
    }
    return counted(await this.#good({ method: "PUT", url: `/upload/${id}`, headers, body, signal, onSent }));
  }

  /** A URL for a chunk of a direct upload, counted from 0; or how many bytes count, where this chunk is among them. */
  async sign(id: string, chunk: number, signal: AbortSignal): Promise<SignedPart | number> {
    const response = await this.#post(`/upload/${id}/parts/sign`, { chunks: [chunk] }, signal);
    const problem = problemOf(response);
    if (problem?.code === "chunk-already-stored") {
      return problem?.uploadedBytes ?? 0;
    }
    const isSigned = ({ parts }: { parts: [SignedPart] }) => isText(parts[0].url);
    return json(this.#checked(response), isSigned).parts[0];
  }

  /** Stores a chunk in R2. Nothing but the bytes goes there: no token, and no header that R2 would have to allow. */
  async store(
    { partNumber, url }: SignedPart,
    body: RequestBytes,
    signal: AbortSignal,
    onSent: OnSent = ignore,
  ): Promise<StoredPart> {
    const response = await this.#exchange({ method: "PUT", url, headers: {}, body, signal, onSent });
    if (!isGood(response)) {
      const { status } = response;
      // Also 403, of a URL that has run out: the next attempt is signed anew.
      throw new UploadError("server", "resume", `Storage answered ${status}.`, { status });
    }
    return { partNumber, etag: response.header("ETag") ?? undefined };
  }

  /** Counts a chunk that R2 has. The number of bytes that count afterwards. */
  async record(id: string, part: StoredPart, signal: AbortSignal): Promise<number> {
    return counted(this.#checked(await this.#post(`/upload/${id}/parts`, { parts: [part] }, signal)));
  }

  /** Asks for completion: what makes an upload of no bytes complete. */
  async complete(id: string, signal: AbortSignal): Promise<void> {
    const response = await this.#good({ method: "POST", url: `/upload/${id}/complete`, headers: {}, signal });
    json(response, isObject);
  }

  /** What the server has of a damaged upload; undefined where it says that it is not damaged any more. */
  async manifest(id: string, signal: AbortSignal): Promise<Manifest | undefined> {
    const response = await this.send({ method: "GET", url: `/upload/${id}/manifest`, headers: {}, signal });
    return isConflict(response) ? undefined : json(this.#checked(response), isManifest);
  }

  /** Opens a damaged upload again, for these ranges: how it stands then; undefined where it says that it is not damaged any more. */
  async repair(id: string, ranges: readonly ByteRange[], signal: AbortSignal): Promise<Status | undefined> {
    const response = await this.#post(`/upload/${id}/repair`, { ranges }, signal);
    return isConflict(response) ? undefined : json(this.#checked(response), isStatus);
  }

  /** Nothing shall remain. An upload that is gone already is as good as removed. */
  async remove(id: string, signal: AbortSignal): Promise<void> {
    const response = await this.send({ method: "DELETE", url: `/upload/${id}`, headers: {}, signal });
    const isGone = (response.status === 404 || response.status === 410) && !isUnknownHere(response);
    if (!isGone && this.#checked(response).status !== 204) {
      throw strangerError(response.status);
    }
  }

  /** A page of the owner's open uploads. */
  async openUploads(cursor: string | undefined, signal: AbortSignal): Promise<OpenUploads> {
    const query = cursor === undefined ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const response = await this.#found({ method: "GET", url: `/uploads${query}`, headers: {}, signal });
    return json(response, ({ uploads }: OpenUploads) => Array.isArray(uploads));
  }

  /** Where to be told how an upload stands, and what to offer there; undefined where the token cannot be sent that way. */
  async socket(id: string, signal: AbortSignal): Promise<{ url: string; protocols: string[] } | undefined> {
    const url = `${this.#endpoint.replace(/^http/, "ws")}/upload/${id}/events`;
    const headers = Object.entries(await this.#headers.get(signal));
    const authorization = headers.find(([name]) => name.toLowerCase() === "authorization")?.[1];
    if (authorization === undefined) {
      return { url, protocols: ["quayside"] };
    }
    // A browser sends no such header with a handshake, but a subprotocol's name may have any character of a token.
    const [, token] = /^Bearer ([!#$%&'*+.^_`|~\w-]+)$/i.exec(authorization) ?? [];
    return token === undefined ? undefined : { url, protocols: ["quayside", `bearer.${token}`] };
  }

  /** Where the same is told over HTTP. */
  async events(id: string, signal: AbortSignal): Promise<{ url: string; headers: HttpRequest["headers"] }> {
    const headers = { ...(await this.#headers.get(signal)), Accept: "text/event-stream" };
    return { url: `${this.#endpoint}/upload/${id}/events`, headers };
  }

  async #good(request: Request): Promise<HttpResponse> {
    return this.#checked(await this.send(request));
  }

  /** About no upload yet: where nothing answers here, the address is wrong. */
  async #found(request: Request): Promise<HttpResponse> {
    const response = await this.send(request);
    if (isUnknownHere(response)) {
      const message = `No Quayside answers at ${this.#endpoint}${request.url}: is the endpoint right?`;
      throw new UploadError("rejected", "resume", message, { status: response.status });
    }
    return this.#checked(response);
  }

  /** An upload is gone only where Quayside says so: a proxy in front of it may soon find it again. */
  #checked(response: HttpResponse): HttpResponse {
    if (isUnknownHere(response)) {
      throw strangerError(response.status);
    }
    if (!isGood(response)) {
      throw answerError(response, this.#clock.nowMs());
    }
    return response;
  }

  #post(path: string, body: object, signal: AbortSignal): Promise<HttpResponse> {
    const headers = { "Content-Type": "application/json" };
    return this.send({ method: "POST", url: path, headers, body: JSON.stringify(body), signal });
  }

  /** Any request below the endpoint, with the page's headers; after a 401 with fresh ones, once. The answer as it is. */
  async send(request: Request): Promise<HttpResponse> {
    const { signal } = request;
    const response = await this.#exchange(this.#addressed(request, await this.#headers.get(signal)));
    const fresh = response.status === 401 ? await this.#headers.afterRefusal(signal) : undefined;
    return fresh === undefined ? response : this.#exchange(this.#addressed(request, fresh));
  }

  #addressed(request: Request, headers: HttpRequest["headers"]): Request {
    return { ...request, headers: { ...headers, ...request.headers }, url: this.#endpoint + request.url };
  }

  async #exchange(request: Request): Promise<HttpResponse> {
    request.signal.throwIfAborted();
    try {
      return await this.#http.send(request);
    } catch (error) {
      request.signal.throwIfAborted();
      throw error instanceof UploadError ? error : networkError(error);
    }
  }
}

function ignore(): void {}

export function isGood({ status }: HttpResponse): boolean {
  return status >= 200 && status <= 299;
}

/** Not found, and not by Quayside, which says so in a problem document. */
function isUnknownHere(response: HttpResponse): boolean {
  return (response.status === 404 || response.status === 410) && problemOf(response) === undefined;
}

/** The upload is not in the state that this is for. */
function isConflict(response: HttpResponse): boolean {
  return response.status === 409 && problemOf(response) !== undefined;
}

/** An address that a path can follow. */
export function withoutSlash(endpoint: string): string {
  return endpoint.replace(/\/+$/, "");
}

/** A message of the live channel; undefined where it is none of Quayside's. */
export function statusOf(text: string): Status | undefined {
  return parsed(text, isStatus);
}

/** The body of a good answer. What is not as it must be came from somebody else, such as the sign-in page of a network. */
function json<T>(response: HttpResponse, isRight: (body: T) => boolean): T {
  const body = parsed(response.body, isRight);
  if (body === undefined) {
    throw strangerError(response.status);
  }
  return body;
}

function parsed<T>(text: string, isRight: (body: T) => boolean): T | undefined {
  try {
    const body = JSON.parse(text) as T;
    return isRight(body) ? body : undefined;
  } catch {
    // No JSON, or nothing that has what is looked for.
    return undefined;
  }
}

/** How many bytes count, as an answer says it. */
function counted(response: HttpResponse): number {
  return json(response, (body: { uploadedBytes: number }) => Number.isSafeInteger(body.uploadedBytes)).uploadedBytes;
}

function isStatus({ uploadId, state, uploadedBytes, missing }: Status): boolean {
  return isText(uploadId) && isText(state) && Number.isSafeInteger(uploadedBytes) && Array.isArray(missing);
}

function isManifest({ parts }: Manifest): boolean {
  const isPart = ({ offset, length, crc64nvme }: Manifest["parts"][number]) =>
    Number.isSafeInteger(offset) && Number.isSafeInteger(length) && isText(crc64nvme);
  return Array.isArray(parts) && parts.every(isPart);
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
