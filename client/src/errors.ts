// What goes wrong, said once: a code for programs, a sentence for people, and what helps.

import type { ErrorCode, HttpResponse, Problem, Remedy, ServerState } from "./interfaces.ts";
import type { ProblemCode } from "./problem_codes.ts";

export class UploadError extends Error {
  override readonly name = "UploadError";
  readonly code: ErrorCode;
  readonly remedy: Remedy;
  /** The HTTP status, where the server answered. */
  declare readonly status: number | undefined;
  /** What the server asked to wait. */
  declare readonly retryAfterMs: number | undefined;
  /** What the server said, where it was Quayside that answered. */
  declare readonly problem: Problem | undefined;
  /** How the upload has ended, where it has; `unknown` where the server no longer knows. */
  declare readonly ending: Ending | undefined;

  constructor(code: ErrorCode, remedy: Remedy, message: string, { cause, ...details }: ErrorDetails = {}) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.remedy = remedy;
    Object.assign(this, details);
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    // A quota that does not say when there is room again is full until somebody does something about it.
    const isFull = this.retryAfterMs === undefined && this.problem?.code === "quota-exceeded";
    return PASSING_CODES.has(this.code) && !isFull;
  }
}

const PASSING_CODES: ReadonlySet<ErrorCode> = new Set(["network", "server", "headers", "too-many-requests"] as const);

export type Ending = ServerState | "unknown";

export interface ErrorDetails {
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly problem?: Problem | undefined;
  readonly ending?: Ending | undefined;
  readonly cause?: unknown;
}

export function networkError(cause: unknown): UploadError {
  const message = isTimeout(cause) ? cause.message : "The server could not be reached.";
  return new UploadError("network", "resume", message, { cause });
}

/** A request that was given up since nothing came of it for too long. */
export function timeout(message: string): DOMException {
  return new DOMException(message, "TimeoutError");
}

/** Whether it was given up here; otherwise the connection broke, or the browser keeps the answer to itself. */
export function isTimeout(cause: unknown): cause is DOMException {
  return cause instanceof DOMException && cause.name === "TimeoutError";
}

/** The page could not say its headers. What it throws as an `UploadError` is its own word on what is to happen. */
export function headersError(cause: unknown): UploadError {
  if (cause instanceof UploadError) {
    return cause;
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return new UploadError("headers", "resume", `The page gave no headers: ${why}`, { cause });
}

/** Everything was sent, and something has not stayed: R2 can lose a part before it is put together. */
export function missingError(): UploadError {
  return new UploadError("server", "resume", "The server misses bytes that it had; they are sent again.");
}

/** An answer that Quayside does not give, such as a proxy's page or a network's sign-in. */
export function strangerError(status: number, cause?: unknown): UploadError {
  const message = `Something other than Quayside answered ${status}.`;
  return new UploadError("server", "resume", message, { status, cause });
}

export function abortedError(): UploadError {
  return new UploadError("aborted", "none", "The upload was cancelled.");
}

export function changedError(what: string): UploadError {
  return new UploadError("file-changed", "start-over", `The file has changed: ${what}.`);
}

export function unreadableError(cause: unknown): UploadError {
  const message = "The file cannot be read any more: it was changed, moved or deleted; pick it again.";
  return new UploadError("file-unreadable", "pick-file", message, { cause });
}

/** An upload that has ended without an object. */
export function endedError(ending: Ending, reason: string | null | undefined): UploadError {
  const why = reason ? ` ${reason}` : "";
  const [code, what] = ENDINGS[ending] ?? (["gone", "The server no longer knows this upload."] as const);
  return new UploadError(code, "start-over", `${what}${why} It can be started afresh.`, { ending });
}

/** The server says that there is no such upload any more. */
export function isGone(error: unknown): error is UploadError {
  return error instanceof UploadError && error.code === "gone";
}

/** Of an upload that the server says is gone: how it has ended, as far as the server remembers. */
export function goneError({ problem }: UploadError): UploadError {
  const { state = "unknown", detail } = problem ?? {};
  return endedError(state, state === "failed" ? detail : undefined);
}

const ENDINGS: Partial<Record<Ending, readonly [ErrorCode, string]>> = {
  expired: ["expired", "The upload has expired."],
  failed: ["failed", "The upload has failed."],
  aborted: ["gone", "The upload was cancelled elsewhere."],
  deleted: ["gone", "The uploaded file was deleted."],
};

/** What is no `UploadError` is a mistake in this package, or in what was injected; it is passed on with its cause. */
export function asUploadError(error: unknown): UploadError {
  if (error instanceof UploadError) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new UploadError("rejected", "resume", message, { cause: error });
}

/** Any answer that is not the one hoped for. */
export function answerError(response: HttpResponse, nowMs: number): UploadError {
  const { status } = response;
  const problem = problemOf(response);
  const said = problem === undefined ? `The server answered ${status}.` : `${problem.title}. ${problem.detail}`;
  const retryAfterMs = retryAfter(response.header("Retry-After"), nowMs);
  const details = { status, retryAfterMs, problem };
  const code = problem?.code;
  if (status === 401 || status === 403) {
    return new UploadError("unauthorized", "resume", `${said} Sign in, then go on.`, details);
  }
  if (status === 404 || status === 410) {
    return new UploadError("gone", "start-over", said, details);
  }
  if (status === 409) {
    // Asks for another attempt at the true offset, unless the bytes would have to go another way.
    const isForever = code === "direct-only" || code === "not-direct";
    return new UploadError(isForever ? "rejected" : "server", isForever ? "none" : "resume", said, details);
  }
  if (status === 413) {
    const proxy = "A proxy probably takes no chunks of this size: choose a smaller chunkBytes.";
    return new UploadError("too-large", "none", problem === undefined ? `${said} ${proxy}` : said, details);
  }
  if (status === 429) {
    return new UploadError("too-many-requests", "resume", said, details);
  }
  const isBusy = status === 408 || status === 423 || status === 425 || (status >= 500 && code !== "not-configured");
  if (isBusy || PASSING.has(code)) {
    return new UploadError("server", "resume", said, details);
  }
  return new UploadError("rejected", "none", said, details);
}

/** Refusals of a chunk that say nothing against sending it again. */
const PASSING: ReadonlySet<ProblemCode | undefined> = new Set(["body-cut-short", "checksum-mismatch"] as const);

/** The problem document, unless the answer came from somebody else, such as a proxy. */
export function problemOf(response: HttpResponse): Problem | undefined {
  try {
    const body: unknown = JSON.parse(response.body);
    const isProblem = typeof body === "object" && body !== null && "code" in body && "title" in body;
    return isProblem && typeof body.code === "string" ? (body as Problem) : undefined;
  } catch {
    return undefined;
  }
}

/** `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. */
function retryAfter(text: string | null, nowMs: number): number | undefined {
  if (text === null || text === "") {
    return undefined;
  }
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
