// Why a recording does not go on here, in words.

import { answerError, endedError, UploadError } from "../errors.ts";
import type { Problem } from "../interfaces.ts";

export function takenOver(): UploadError {
  return new UploadError("rejected", "none", "Another page has taken this recording over.");
}

/** It was ended before all was there. A live one is an object then, and as good as run out of time. */
export function endedByOthers(isLive: boolean | undefined): UploadError {
  if (!isLive) {
    return endedError("failed", "Somebody else has ended it.");
  }
  const message = "Nothing came for long: what was there is the whole.";
  return new UploadError("expired", "start-over", message, { ending: "completed" });
}

/** As it was said, also on an earlier page. */
export function tooLarge(problem: Problem): UploadError {
  return answerError({ status: 413, header: () => null, body: JSON.stringify(problem) }, 0);
}

export function couldNotBegin(cause: unknown): UploadError {
  return new UploadError("rejected", "resume", `The recording could not begin: ${wordsOf(cause)}`, { cause });
}

/** Of what is of no use in part. */
export function brokeOff(cause: unknown): UploadError {
  const message = `What was recorded broke off: ${wordsOf(cause)} Started again, it is sent so far.`;
  return new UploadError("file-unreadable", "resume", message, { cause });
}

export function unreadable(cause: unknown): UploadError {
  return new UploadError("file-unreadable", "resume", `It cannot be read: ${wordsOf(cause)}`, {
    cause,
  });
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
