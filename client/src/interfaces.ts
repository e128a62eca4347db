// Every shape of the package: what is uploaded, asked for and told, and what the outside world must be able to do. Nothing here
// runs. The implementations for browsers are in `platform.ts`, `stores.ts` and `hash.ts`; tests bring their own.

import type { UploadError } from "./errors.ts";
import type { ByteRange, StoredObject } from "./wire.ts";

export type * from "./wire.ts";

// ---- What a caller uses.

/** A file as browsers give it. Every `File` is one. */
export interface UploadFile {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** The media type; empty where it is not known. */
  readonly type: string;
  /** Milliseconds since 1970. */
  readonly lastModified: number;
  /** Where it lies below the folder that was chosen; empty or missing for a file that was chosen by itself. */
  readonly webkitRelativePath?: string;
  slice(from: number, to: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

export interface UploadOptions {
  /** Where Quayside answers, such as `https://upload.example.com`; with a path where it lives below one. */
  readonly endpoint: string;
  /**
   * Headers for every request. A function is asked before each request, and once more after a 401: a fresh token goes here.
   * One that throws, or has not answered after a minute, is asked again after a pause, like a request that failed. To end the
   * upload instead, it throws an `UploadError` of its own, with the code `unauthorized` for example.
   */
  readonly headers?: RequestHeaders | ((ask: HeadersAsk) => RequestHeaders | Promise<RequestHeaders>);
  /**
   * Kept with the upload and told to the origin. The SDK adds `quayside.fingerprint`, by which other devices recognise the file,
   * and `relativePath` for a file that was chosen with its folder.
   */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Replaces the media type that the browser found. */
  readonly contentType?: string;
  /** Bytes in one chunk, 8 MiB if not said; the server may choose another size. Up to 8 are on their way at once, and 96 MiB. */
  readonly chunkBytes?: number;
  /** Several chunks at once. True if not said. */
  readonly parallel?: boolean;
  /** The chunks go to R2 itself, past the server, which signs a URL for each and counts what R2 says it has. Chunks may then be
   * above the limits of proxies. The server must have the keys of R2's S3 API, and the bucket a CORS rule for this page. */
  readonly direct?: boolean;
  /** A SHA-256 with every chunk, so that a damaged one does not count. True if not said; with `direct` there is none. */
  readonly checksums?: boolean;
  /** Hash the file first, and upload nothing when the server has these bytes. The server verifies the hash at the end; with
   * `parallel` it reads the object back for that, which shows as the state `verifying`. */
  readonly dedup?: boolean;
  /**
   * A file of up to 1 MiB, and of one chunk, goes along with the creation of its upload, which thousands of small files need. It is
   * neither remembered nor looked for, and its result has no `object`. True if not said. Not with `dedup`, `direct` or `parallel: true`, nor with metadata that tus has no words for.
   */
  readonly oneRequest?: boolean;
  /** Where it is remembered how to go on: `localStore()` if not said, `sessionStore()`, `indexedDbStore()`, or null for nowhere. */
  readonly store?: RecordStore | null;
  /**
   * When nothing is remembered here, look whether the owner has an open upload of this file: of the same name and size, and with
   * the fingerprint that the SDK left with it.
   */
  readonly resumeFromServer?: boolean;
  /** A name for this file among others that look the same. Uploads with different ones never share anything. */
  readonly fileId?: string;
  /** Keep the screen on while something is sent, as a phone sends nothing when it sleeps. False if not said. */
  readonly keepAwake?: boolean;
  /** How long to keep trying. If not said, for as long as the page lives. */
  readonly retry?: RetryPolicy;
  /** Replacements for what is used of the outside world. */
  readonly runtime?: Partial<Runtime>;
}

export type RequestHeaders = Readonly<Record<string, string>>;

/** Why headers are asked for. */
export interface HeadersAsk {
  /** The server has just answered 401 to those that were given last. */
  readonly isRefused: boolean;
}

/** Trouble that may pass (no network, no answer, a server in difficulties) is sat out, with pauses that grow. */
export interface RetryPolicy {
  /** Ends, resumably, what has failed for so long without once succeeding. `Infinity` if not said. */
  readonly giveUpAfterMs?: number;
  /** The longest pause after the first failure; 1,000 if not said. Doubles with every further one. */
  readonly firstDelayMs?: number;
  /** The longest pause of all, unless the server asks for a longer one; 30,000 if not said. */
  readonly longestDelayMs?: number;
}

export interface Upload {
  readonly state: UploadState;
  /** The server's name for this upload, as soon as it has one. */
  readonly uploadId: string | undefined;
  /**
   * Begins, or goes on after an error. Settles when the server has the whole object, or with an `UploadError`; stays
   * pending while paused. Calls while it runs get the same promise. Whoever only listens to events may ignore it.
   */
  start(): Promise<UploadResult>;
  /** Stops sending at once. What the server has counted stays; chunks on their way are sent again later. */
  pause(): void;
  /** Goes on after `pause`; and at once where it waits before trying again. */
  resume(): void;
  /**
   * Ends for good: nothing of it shall remain on the server, nor here. `start` rejects with the code `aborted`. An upload that
   * another tab is sending meanwhile is left alone.
   */
  abort(): Promise<void>;
  /** Listens. The function that is returned stops that. */
  on<Name extends keyof UploadEvents>(name: Name, listener: (event: UploadEvents[Name]) => void): () => void;
}

/**
 * `following`: the same file is on its way in another tab of this browser; its progress is shown here, and this tab takes over
 * when the other goes. `offline`: requests fail, and the browser says that there is no network; they are tried again all the same.
 * `repairing`: what arrived does not have the digest of the file, and the file is read again to find which parts differ.
 */
export type UploadState =
  | "idle"
  | "hashing"
  | "starting"
  | "following"
  | "uploading"
  | "paused"
  | "offline"
  | "completing"
  | "verifying"
  | "repairing"
  | "completed"
  | "aborted"
  | "failed";

export interface UploadResult {
  readonly uploadId: string;
  /** Nothing was sent: these bytes were there already, as the upload `uploadId`. */
  readonly duplicate: boolean;
  /** Null where the server no longer tells of it, and of a small file that took one request. */
  readonly object: StoredObject | null;
}

export interface UploadEvents {
  progress: Progress;
  state: StateChange;
  retry: Retry;
  restart: Restart;
  repair: Repair;
  duplicate: { readonly object: StoredObject };
  error: UploadError;
}

/** The file's bytes. Neither number goes back while it is sent; after a restart, and when a damaged file is repaired, both may. */
export interface Progress {
  /** Confirmed by the server: they are there, whatever happens. */
  readonly uploadedBytes: number;
  /** Confirmed, or handed to the network, where that is known: a bar of these moves on a slow line too. */
  readonly sentBytes: number;
  readonly fileBytes: number;
  /** Of the last ten seconds; null until there is something to measure. */
  readonly bytesPerSecond: number | null;
  readonly remainingMs: number | null;
}

export interface StateChange {
  readonly state: UploadState;
  /** With `uploading`: the bytes that were there already, when an earlier upload goes on. */
  readonly resumedFromBytes?: number;
  /** With `hashing` and `repairing`: how far it is, from 0 to 1. */
  readonly hashed?: number;
}

export interface Retry {
  readonly error: UploadError;
  /** How often this has failed in a row, from 1. */
  readonly failures: number;
  readonly delayMs: number;
  /** Where the chunk begins; missing when the request was not about a chunk. */
  readonly offset?: number;
}

/** The upload that was begun earlier has ended or is not known any more; a fresh one begins by itself. */
export interface Restart {
  /** The one that is gone. */
  readonly uploadId: string;
  readonly error: UploadError;
}

/** What arrived does not have the digest that the file had when the upload began. Only what differs is sent again. */
export interface Repair {
  readonly uploadId: string;
  readonly missingBytes: number;
  readonly reason: string | null;
}

/**
 * What helps after an error: `resume`: `start()` again goes on where it was; `start-over`: `start()` again begins a
 * fresh upload; `pick-file`: the file must be chosen again, then a new `createUpload` goes on; `none`: nothing here.
 */
export type Remedy = "resume" | "start-over" | "pick-file" | "none";

export type ErrorCode =
  | "aborted"
  | "expired"
  | "failed"
  | "file-changed"
  | "file-unreadable"
  | "gone"
  | "headers"
  | "network"
  | "rejected"
  | "server"
  | "too-large"
  | "too-many-requests"
  | "unauthorized";

// ---- What is needed of the outside world.

/** Everything that is not computation, so that tests can be dialogues. */
export interface Runtime {
  readonly http: HttpClient;
  readonly clock: Clock;
  /** From 0 (inclusive) to 1. */
  readonly random: () => number;
  readonly connectivity: Connectivity;
  readonly hasher: Hasher;
  readonly live: LiveChannel;
  readonly stream: LiveStream;
  readonly claims: Claims;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | RequestBytes;
  readonly signal?: AbortSignal;
  /** Told how many bytes of the body have left so far, by clients that know it. */
  readonly onSent?: (bytes: number) => void;
}

/** A blob is a piece of a file that nobody has read yet. */
export type RequestBytes = Uint8Array<ArrayBuffer> | Blob;

export interface HttpResponse {
  readonly status: number;
  header(name: string): string | null;
  readonly body: string;
}

/** Rejects when there was no answer: no connection, a broken one, one that CORS hides, or `signal`. */
export interface HttpClient {
  /** Whether `onSent` is called for bodies of bytes, so that one that stands still can be told from one that is slow. */
  readonly reportsSending?: boolean;
  send(request: HttpRequest): Promise<HttpResponse>;
}

/** Messages as the server pushes them. */
export interface LiveChannel {
  /**
   * Opens a channel; the function that is returned closes it. `onEnd` is called when there are no more messages, also when
   * there never were any. Never throws.
   */
  open(url: string, protocols: readonly string[], onMessage: (text: string) => void, onEnd: () => void): () => void;
}

/** The same over HTTP, as Server-Sent Events. */
export interface LiveStream {
  open(url: string, headers: RequestHeaders, onMessage: (text: string) => void, onEnd: () => void): () => void;
}

export interface Clock {
  /** Milliseconds since 1970 that only go forward: what somebody does to the clock on the wall meanwhile changes nothing. */
  nowMs(): number;
  /** Rejects with the signal's reason when that comes first. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
  /** Acts once after so long, unless the function that is returned is called before. */
  timer(delayMs: number, act: () => void): () => void;
}

/** What the browser believes about the network. A hint: it is wrong about VPNs, virtual machines and captive portals. */
export interface Connectivity {
  isOnline(): boolean;
  /** Calls at every change, until the function that is returned is called. */
  onChange(listener: () => void): () => void;
}

/** A file, or a piece of one. */
export type Readable = Pick<UploadFile, "size" | "slice">;

/** Digests in lower-case hexadecimal: SHA-256, and CRC-64/NVME of the parts of a file. */
export interface Hasher {
  chunk(bytes: Uint8Array<ArrayBuffer>): Promise<string>;
  /** The whole file, or a large piece of one, read piece by piece, off the main thread where that is possible. */
  file(file: Readable, onHashed: OnHashed, signal: AbortSignal): Promise<string>;
  /** The CRC-64/NVME of each part; read in the same way. */
  parts(file: Readable, parts: readonly ByteRange[], onHashed: OnHashed, signal: AbortSignal): Promise<string[]>;
}

/** Told how many bytes are done. */
export type OnHashed = (hashedBytes: number) => void;

/** The right to send one file, among all uploads of all pages of a browser. */
export interface Claim {
  /** Aborted when another page has taken it over. */
  readonly lost: AbortSignal;
  release(): void;
}

/**
 * Takes the claim, or says who is before: another upload in this page, or another page. Waits for neither. Whoever is told
 * `elsewhere` is before all others in this page, until it leaves.
 */
export interface Claims {
  claim(name: string, holder: object): Promise<Claim | "here" | "elsewhere">;
  /** The same, also from another page that has it, but no longer does anything. */
  takeOver(name: string, holder: object): Promise<Claim | "here" | "elsewhere">;
  leave(name: string, holder: object): void;
}

/** How to go on with an upload. Holds no secret, and nothing of the file. */
export interface ResumeRecord {
  readonly uploadId: string;
}

/** Survives what it is chosen for: a reload, or the browser's end. A store that fails must not stop an upload. */
export interface RecordStore {
  /** Names whoever shares these records; empty or missing where all pages of the browser do. */
  readonly scope?: () => string;
  get(key: string): Promise<ResumeRecord | undefined>;
  set(key: string, record: ResumeRecord): Promise<void>;
  remove(key: string): Promise<void>;
}
