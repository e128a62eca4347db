// Every shape of recordings: what is asked for, what is told, and what a place to spool must be able to do. Nothing here runs.
//
// Two promises hold everywhere below. A byte is *safe here* once it lies in the browser's storage in a piece that is whole, so that a
// crash does not take it; it is *safe there* once the server has confirmed it. What is neither is in memory alone, and is said so.

import type { UploadError } from "../errors.ts";
import type { Restart, Retry, Runtime, StoredObject, UploadOptions } from "../interfaces.ts";
import type { Piece } from "./pieces.ts";

/** What is recorded: a camera, a screen, a microphone; a recorder that has not been started; or any bytes as they come. */
export type RecordingSource = MediaStream | MediaRecorder | ReadableStream<Uint8Array | ArrayBuffer | Blob | string>;

export interface RecordingOptions extends Pick<UploadOptions, "endpoint" | "headers" | "metadata" | "retry"> {
  /** Of the file; made of the date and the media type if not said. */
  readonly fileName?: string;
  /** Replaces the media type that the recorder says. */
  readonly contentType?: string;
  /**
   * For a `MediaStream`: how it is encoded. Where no `mimeType` is said, the first that the browser has of WebM and MP4; with `live`, of MP4,
   * with a key frame each two seconds, and WebM, which can have no playlist.
   */
  readonly recorder?: MediaRecorderOptions;
  /**
   * A piece is asked of the encoder this often, so this is what a crash costs at most, and of MP4 what came since the last key frame
   * besides; 1,000 if not said.
   */
  readonly pieceMs?: number;
  /** While it is recorded, what has come is sent this often; 1,000 if not said. Each time is a request, which somebody pays for. */
  readonly sendEveryMs?: number;
  /** Whether what has come can be read and followed at the server while it is recorded: a live upload. False if not said. */
  readonly live?: boolean | LiveOptions;
  /**
   * Whether what the server has confirmed stays here until the whole is there. True if not said, since an upload that the server has
   * dropped meanwhile (after a week offline, say) can only begin anew with all its bytes; where room is short they go earlier.
   */
  readonly keepUntilComplete?: boolean;
  /** Where it is spooled: the first that works of OPFS and IndexedDB if not said; null for memory alone. */
  readonly storage?: SpoolStorage | null;
  /** Asks the browser not to clear its storage by itself. True if not said; some browsers ask the person at the screen. */
  readonly persist?: boolean;
  /** So much may wait in memory where storage is full or fails; what is recorded beyond ends the recording. 256 MiB if not said. */
  readonly mostMemoryBytes?: number;
  /** Keep the screen on while something is recorded or sent. False if not said. */
  readonly keepAwake?: boolean;
  readonly runtime?: Partial<Runtime>;
}

/** Of a live upload. */
export interface LiveOptions {
  /** The application is told on the way, each time that so many bytes are new: 8 MiB or more. It is not if not said. */
  readonly tellEveryBytes?: number;
  /**
   * After so long without a byte, also while the recording is paused or there is no network, the server takes what is there for the
   * whole: 1 to 86,400, and longer than `sendEveryMs`. If not said, as soon as any other upload would expire.
   */
  readonly endAfterSeconds?: number;
}

/** Of a recording that was left behind: what it is stays what it was; the rest may be said anew. */
export type ResumeOptions = Partial<
  Omit<RecordingOptions, "fileName" | "contentType" | "metadata" | "live" | "recorder">
>;

export interface Recording {
  /** Its name in this browser. */
  readonly id: string;
  readonly status: RecordingStatus;
  /**
   * Begins; after an error, goes on sending. Settles when the server has the whole, or with an `UploadError`; then what is safe
   * here stays here.
   */
  start(): Promise<RecordingResult>;
  /** Nothing more is recorded until `resume`; what was recorded is sent. */
  pause(): void;
  resume(): void;
  /** Ends the recording. What was recorded is still sent: settles as `start` does. */
  stop(): Promise<RecordingResult>;
  /** Whatever holds the sending up is tried again now. */
  retry(): void;
  /**
   * Ends it for good: nothing of it shall remain, here or on the server. `start` rejects with the code `aborted`. What is here is gone
   * when this settles, and what the server keeps all the same is said. Rejects where another page has taken it up meanwhile.
   */
  discard(): Promise<Discarded>;
  /** Listens. The function that is returned stops that. */
  on<Name extends keyof RecordingEvents>(name: Name, listener: (event: RecordingEvents[Name]) => void): () => void;
}

/** `sending`: nothing more is recorded, and bytes are still on their way. `completing`: all are there, and are put together. */
export type RecordingState =
  | "idle"
  | "starting"
  | "recording"
  | "paused"
  | "sending"
  | "completing"
  | "completed"
  | "failed"
  | "discarded";

export interface RecordingStatus {
  readonly state: RecordingState;
  readonly fileName: string;
  readonly contentType: string;
  readonly uploadId: string | undefined;
  /** Everything that was recorded. */
  readonly recordedBytes: number;
  /** Of these from the beginning: would survive a crash of this browser, as they are here or there. The first bar. */
  readonly safeHereBytes: number;
  /** Confirmed by the server. The second bar. */
  readonly safeThereBytes: number;
  /** The same, and what has been handed to the network. */
  readonly sentBytes: number;
  /** In memory alone: lost with the page. */
  readonly memoryBytes: number;
  /** What of it takes room in the browser's storage now. */
  readonly spooledBytes: number;
  readonly storage: "opfs" | "indexeddb" | "memory";
  /** Whether the browser has promised not to clear its storage by itself; null while unknown. */
  readonly isPersistent: boolean | null;
  /** Room left for this site, as the browser estimates it; null where it does not say. */
  readonly freeBytes: number | null;
  /** How long that lasts, as fast as it fills now; null while nothing is known. */
  readonly fullInMs: number | null;
  readonly warnings: readonly RecordingWarning[];
  /** Requests fail, and the browser says that there is no network. */
  readonly isOffline: boolean;
  /** What holds the sending up, while the recording goes on; or what ended it. */
  readonly error: UploadError | undefined;
  /** Why nothing more is recorded, where that is so. */
  readonly ending: RecordingEnding | undefined;
}

/**
 * `stopped`: by `stop`. `source-ended`: the stream has ended, the camera was unplugged, the sharing of the screen was ended.
 * `source-failed`: it broke. `memory-full`: storage is full or fails, and so is memory. `interrupted`: the page went away meanwhile.
 */
export type RecordingEnding = "stopped" | "source-ended" | "source-failed" | "memory-full" | "interrupted";

/**
 * `memory-only`: the browser keeps nothing here (a private window, blocked storage): closing the page loses what is not there yet.
 * `not-persistent`: the browser may clear its storage by itself when the device has no room. `storage-low`: full in ten minutes, or
 * below 256 MiB. `storage-full`, `storage-failing`: what is recorded now is in memory alone, until there is room.
 */
export type RecordingWarning = "memory-only" | "not-persistent" | "storage-low" | "storage-full" | "storage-failing";

export interface RecordingEvents {
  /** Something of the status has changed. */
  status: RecordingStatus;
  retry: Retry;
  /** The upload that was begun is gone, or has ended too early, and another one begins by itself. */
  restart: RecordingRestart;
  error: UploadError;
}

export interface RecordingRestart extends Restart {
  /**
   * Where in the recording the next upload begins: 0 where all bytes are here. More only of a live one that silence has ended when its
   * first bytes were no longer here: then the upload that is named here has what is in front of that, and is a file.
   */
  readonly fromBytes: number;
}

export interface RecordingResult {
  readonly recordingId: string;
  readonly uploadId: string;
  /** Of the recording. */
  readonly bytes: number;
  /** The upload has the recording from here on; 0 where it has all of it. What lies in front is in `earlierUploadIds`. */
  readonly fromBytes: number;
  /** Those that were begun before it and did not become the whole, the oldest first. Most are gone. */
  readonly earlierUploadIds: readonly string[];
  /** Null where the server no longer tells of it. */
  readonly object: StoredObject | null;
}

/** What came of removing it. */
export interface Discarded {
  /** The uploads of it that are still at the server, or may be; the earlier ones, too. */
  readonly staying: readonly StayingUpload[];
}

export interface StayingUpload {
  readonly uploadId: string;
  /** Why the server keeps it, or that it did not answer. Undefined where it was complete before: then nobody asked for that. */
  readonly error: UploadError | undefined;
}

/** A recording whose page has gone. */
export interface LeftRecording {
  readonly id: string;
  readonly fileName: string;
  readonly contentType: string;
  /** Milliseconds since 1970, by the clock on the wall. */
  readonly startedAtMs: number;
  /** All that is known to have been recorded; what was being encoded or written when the page went is not. */
  readonly recordedBytes: number;
  /** Confirmed by the server, as far as was noted here; it may have more. */
  readonly safeThereBytes: number;
  /** Whether every byte is still here, so that it can be downloaded. */
  readonly isWhole: boolean;
  /** Whether it was ended, and not interrupted. */
  readonly isEnded: boolean;
  /** Another page, or this one, is recording or sending it. */
  readonly isInUse: boolean;
  /** Goes on sending, by `start()` of what is returned. */
  resume(options?: ResumeOptions): Recording;
  /** All its bytes as a file; undefined where some are no longer here. */
  file(): Promise<File | undefined>;
  /** Removes what is here, and its uploads from the server; those that stay are said. Rejects while it is in use. */
  discard(options?: ResumeOptions): Promise<Discarded>;
}

/** A place that survives the page. Everything in it may reject: where it is full, with a `QuotaExceededError`. */
export interface SpoolStorage {
  readonly kind: "opfs" | "indexeddb";
  /** Names of recordings. */
  list(): Promise<string[]>;
  /** That recording's folder, made where there is none. */
  open(id: string): Promise<SpoolFolder>;
  remove(id: string): Promise<void>;
  /** Undefined where the browser does not say. */
  estimate(): Promise<{ readonly usage: number; readonly quota: number } | undefined>;
  /** Asks for it to stay; whether it does. */
  persist(): Promise<boolean>;
}

/**
 * What is written is whole once `write` has settled. Of a write that was interrupted there may be anything: nothing, a part, or bytes
 * of the right number and wrong content; readers check.
 */
export interface SpoolFolder {
  pieces(): Promise<Piece[]>;
  write(piece: Piece, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** As they are stored, unchecked. */
  read(piece: Piece): Promise<Blob>;
  remove(piece: Piece): Promise<void>;
  /** Two texts beside the pieces, each replaced as a whole, or torn. */
  readNote(slot: 0 | 1): Promise<string | undefined>;
  writeNote(slot: 0 | 1, text: string): Promise<void>;
}
