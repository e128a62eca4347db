// A server as recordings need it, in memory: uploads that are created without a length, filled by offset, and ended by a declared one. Each
// request can be given another fate: to be lost on its way, or answered and the answer lost.

import { Crc64 } from "../../client/src/crc64.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../../client/src/interfaces.ts";
import { bytesOf } from "./dialogue.ts";

/** What becomes of a request. `late`: it is carried out, and its answer is lost. */
export type Fate = "arrives" | "lost" | "late" | number;

export interface StoredUpload {
  readonly id: string;
  readonly metadata: Record<string, string>;
  /** Path and query of the address where it was created. */
  readonly createdAt: string;
  bytes: Uint8Array[];
  length: number | undefined;
}

export class RecordingServer implements HttpClient {
  readonly uploads = new Map<string, StoredUpload>();
  /** Method and path of each request that came. */
  readonly asked: string[] = [];
  readonly requests: HttpRequest[] = [];
  readonly #byKey = new Map<string, string>();
  #endings = new Map<string, string>();
  /** Asked of each request. */
  fate: (request: HttpRequest, turn: number) => Fate = () => "arrives";
  /** Asked of each request that arrives: what the server says in place of doing it. */
  refuse: (request: HttpRequest) => { readonly status: number; readonly body: object } | undefined = () => undefined;
  #mostAtOnceBytes = 0;

  /** The largest body that came. */
  get mostAtOnceBytes(): number {
    return this.#mostAtOnceBytes;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    const fate = this.fate(request, this.requests.length);
    this.requests.push(request);
    const path = new URL(request.url).pathname;
    this.asked.push(`${request.method} ${path}`);
    if (fate === "lost") {
      throw new TypeError("the connection broke");
    }
    const body = await bytesOf(request.body);
    this.#mostAtOnceBytes = Math.max(this.#mostAtOnceBytes, body.length);
    const refusal = this.refuse(request);
    const refused = typeof fate === "number" ? said(fate, {}) : refusal && said(refusal.status, refusal.body);
    const answer = refused ?? this.#answer(request, path, body);
    if (fate === "late") {
      throw new TypeError("the answer was lost");
    }
    return answer;
  }

  /** All bytes of the one upload that was completed. */
  object(): Uint8Array {
    const whole = [...this.uploads.values()].filter((upload) => upload.length !== undefined);
    if (whole.length !== 1) {
      throw new Error(`${whole.length} uploads were completed`);
    }
    return Buffer.concat((whole[0] as StoredUpload).bytes);
  }

  /** It has ended, as somebody says `how`; without, nobody knows it any more. */
  end(id: string, how?: string): void {
    this.uploads.delete(id);
    how !== undefined && this.#endings.set(id, how);
  }

  /** Whoever permits uploads says that each is live, whatever its client says. */
  permitsLiveAlone = false;

  /** Nothing more came for too long: what is there of a live upload is the whole. */
  endSilent(id: string): void {
    const upload = this.uploads.get(id) as StoredUpload;
    upload.length = sizeOf(upload);
  }

  #answer(request: HttpRequest, path: string, body: Uint8Array): HttpResponse {
    const { method, headers } = request;
    if (method === "POST" && path === "/files") {
      return this.#create(headers, new URL(request.url));
    }
    const id = /^\/(?:files|upload)\/([^/]+)/.exec(path)?.[1] ?? "";
    const upload = this.uploads.get(id);
    if (method === "DELETE") {
      this.end(id, "aborted");
      return said(upload === undefined ? 404 : 204, problem("upload-not-found"));
    }
    if (upload === undefined) {
      const state = this.#endings.get(id);
      return said(state === undefined ? 404 : 410, { ...problem("upload-gone"), state });
    }
    const there = sizeOf(upload);
    if (method === "HEAD") {
      // Also of one that is complete: then with its length.
      const { length } = upload;
      const end: Record<string, string> = length === undefined ? {} : { "Upload-Length": String(length) };
      return said(200, {}, { "Upload-Offset": String(there), ...end });
    }
    if (path.endsWith("/status")) {
      return said(200, { ...statusOf(upload), live: this.permitsLiveAlone || upload.createdAt.includes("?live") });
    }
    const offset = Number(headers[method === "PATCH" ? "Upload-Offset" : "X-Upload-Offset"]);
    if (method === "PUT" && upload.length !== undefined) {
      return said(413, { ...problem("beyond-declared-length"), uploadedBytes: there });
    }
    if (offset !== there || upload.length !== undefined) {
      return said(409, { ...problem("offset-mismatch"), uploadedBytes: there });
    }
    upload.bytes.push(body);
    if (headers["Upload-Length"] !== undefined) {
      upload.length = Number(headers["Upload-Length"]);
      return said(204, {});
    }
    return said(200, { uploadId: id, uploadedBytes: there + body.length, fileSize: null, state: "open" });
  }

  #create(headers: HttpRequest["headers"], { pathname, search }: URL): HttpResponse {
    const key = headers["Idempotency-Key"] ?? "";
    const id = this.#byKey.get(key) ?? `00000000-0000-4000-8000-${String(this.#byKey.size + 1).padStart(12, "0")}`;
    if (!this.#byKey.has(key)) {
      this.#byKey.set(key, id);
      const pairs = (headers["Upload-Metadata"] ?? "").split(",").map((pair) => pair.split(" "));
      const metadata = Object.fromEntries(pairs.map(([name, value]) => [name, atob(value ?? "")]));
      this.uploads.set(id, { id, metadata, createdAt: pathname + search, bytes: [], length: undefined });
    }
    return said(201, {}, { Location: `https://upload.example.com/files/${id}` });
  }
}

function sizeOf({ bytes }: StoredUpload): number {
  return bytes.reduce((sum, { length }) => sum + length, 0);
}

function statusOf(upload: StoredUpload): object {
  const crc = new Crc64();
  for (const bytes of upload.bytes) {
    crc.update(bytes);
  }
  const { id, length } = upload;
  const there = sizeOf(upload);
  const isWhole = length !== undefined;
  return {
    uploadId: id,
    state: isWhole ? "completed" : "open",
    reason: null,
    uploadedBytes: there,
    fileSize: length ?? null,
    missing: isWhole ? [] : [[there, null]],
    mode: "sequential",
    delivery: "none",
    chunkSize: 1,
    object: isWhole ? { key: `uploads/${id}`, etag: "e", crc64nvme: crc.hex(), sha256: null } : null,
  };
}

function problem(code: string): object {
  return { type: `https://u.example/problems/${code}`, code, title: `Title of ${code}`, detail: "Some detail." };
}

function said(status: number, body: object, headers: Record<string, string> = {}): HttpResponse {
  const all = new Headers(headers);
  return { status, header: (name) => all.get(name), body: JSON.stringify(body) };
}
