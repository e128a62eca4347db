// Why a recording does not go on here, in words.

import { endedError, UploadError } from "../errors.ts";

export function takenOver(): UploadError {
  return new UploadError("rejected", "none", "Another page has taken this recording over.");
}

/** Of a live upload: the server has ended it before all was there. */
export function cutShort(): UploadError {
  return endedError("expired", "Nothing came for so long that the server took what was there for the whole.");
}

export function couldNotBegin(cause: unknown): UploadError {
  return new UploadError("rejected", "resume", `The recording could not begin: ${wordsOf(cause)}`, { cause });
}

/** Of what is of no use in part. */
export function brokeOff(cause: unknown): UploadError {
  const message = `What was recorded broke off: ${wordsOf(cause)} Started again, what there is of it is sent.`;
  return new UploadError("file-unreadable", "resume", message, { cause });
}

export function unreadable(cause: unknown): UploadError {
  return new UploadError("file-unreadable", "resume", `This device does not give the bytes: ${wordsOf(cause)}`, {
    cause,
  });
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
