// What goes wrong, said once: a code for programs, a sentence for people, and what helps.

import type { ErrorCode, HttpResponse, Problem, Remedy, ServerState } from "./interfaces.ts";

export class UploadError extends Error {
  override readonly name = "UploadError";
  readonly code: ErrorCode;
  readonly remedy: Remedy;
  /** The HTTP status, where the server answered. */
  readonly status: number | undefined;
  /** What the server asked to wait. */
  readonly retryAfterMs: number | undefined;
  /** What the server said, where it was Quayside that answered. */
  readonly problem: Problem | undefined;

  constructor(code: ErrorCode, remedy: Remedy, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.remedy = remedy;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.problem = details.problem;
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return this.code === "network" || this.code === "server" || this.code === "too-many-requests";
  }
}

export interface ErrorDetails {
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly problem?: Problem | undefined;
  readonly cause?: unknown;
}

export function networkError(cause: unknown): UploadError {
  return new UploadError("network", "resume", "The server could not be reached.", { cause });
}

export function abortedError(): UploadError {
  return new UploadError("aborted", "none", "The upload was cancelled.");
}

export function changedError(what: string): UploadError {
  return new UploadError("file-changed", "start-over", `The file has changed: ${what}.`);
}

export function unreadableError(cause: unknown): UploadError {
  const message =
    "The file cannot be read any more: it was changed, moved or deleted, or permission ended. Please pick it again.";
  return new UploadError("file-unreadable", "pick-file", message, { cause });
}

/** An upload that has ended without an object. */
export function endedError(state: ServerState | "unknown", reason: string | null | undefined): UploadError {
  const why = reason ? ` ${reason}` : "";
  const [code, what] = ENDINGS[state] ?? (["gone", "The server no longer knows this upload."] as const);
  return new UploadError(code, "start-over", `${what}${why} It can be started afresh.`);
}

/** Of an upload that the server says is gone: how it has ended, as far as the server remembers. */
export function goneError({ problem }: UploadError): UploadError {
  const { state = "unknown", detail } = problem ?? {};
  return endedError(state, state === "failed" ? detail : undefined);
}

const ENDINGS: Partial<Record<ServerState | "unknown", readonly [ErrorCode, string]>> = {
  expired: ["expired", "The upload was not finished in time and has expired."],
  failed: ["failed", "The upload has failed."],
  aborted: ["gone", "The upload was cancelled elsewhere."],
  deleted: ["gone", "The uploaded file was deleted."],
};

/** Any answer that is not the one hoped for. */
export function answerError(response: HttpResponse, nowMs: number): UploadError {
  const { status } = response;
  const problem = problemOf(response);
  const said = problem === undefined ? `The server answered ${status}.` : `${problem.title}. ${problem.detail}`;
  const retryAfterMs = retryAfter(response.header("Retry-After"), nowMs);
  const details = { status, retryAfterMs, problem };
  const code = problemCode(problem);
  if (status === 401 || status === 403) {
    return new UploadError("unauthorized", "resume", `${said} Sign in, then go on.`, details);
  }
  if (status === 404 || status === 410) {
    return new UploadError("gone", "start-over", said, details);
  }
  if (status === 413) {
    const proxy = "A chunk is probably above the limit of a proxy in front of the server; choose a smaller chunkBytes.";
    return new UploadError("too-large", "none", problem === undefined ? `${said} ${proxy}` : said, details);
  }
  if (status === 429) {
    return new UploadError("too-many-requests", "resume", said, details);
  }
  if (status === 408 || (status >= 500 && code !== "not-configured") || PASSING.has(code)) {
    return new UploadError("server", "resume", said, details);
  }
  return new UploadError("rejected", "none", said, details);
}

/** Refusals with a 4xx status that ask for another attempt at the true offset. */
const PASSING = new Set([
  "offset-mismatch",
  "superseded",
  "busy",
  "body-cut-short",
  "checksum-mismatch",
  "completing",
  "incomplete",
  "part-not-stored",
  "part-size-mismatch",
]);

/** The problem's stable code: the last segment of its type. */
export function problemCode(problem: Problem | undefined): string {
  return problem?.type.split("/").at(-1) ?? "";
}

/** The problem document, unless the answer came from somebody else, such as a proxy. */
export function problemOf(response: HttpResponse): Problem | undefined {
  try {
    const body: unknown = JSON.parse(response.body);
    const isProblem = typeof body === "object" && body !== null && "type" in body && "title" in body;
    return isProblem && typeof body.type === "string" ? (body as Problem) : undefined;
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
