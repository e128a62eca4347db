// What the application answers when it hears of the object, for whoever wants to wait for it: with it, or without it when the time is over.
// The upload is complete either way. Loaded when somebody wants to wait.

import { UploadError } from "./errors.ts";
import type { Clock, UploadResult } from "./interfaces.ts";
import type { Live } from "./live.ts";
import type { RemoteUpload } from "./remote_upload.ts";

/** What browsers can count: a longer time would be over at once. */
const LONGEST_MS = 2 ** 31 - 1;

export interface ResultParts {
  readonly live: Live;
  readonly remote: RemoteUpload;
  readonly clock: Clock;
}

/** The same, with what the application has to say, once it has, or has been told and says nothing. */
export async function withResult(
  { live, remote, clock }: ResultParts,
  completed: UploadResult,
  withinMs = 0,
): Promise<UploadResult> {
  const { uploadId, duplicate, object: known } = completed;
  if (duplicate || known?.result !== undefined) {
    return { ...completed, result: duplicate ? undefined : known?.result };
  }
  const over = new AbortController();
  const stop = clock.timer(Math.min(withinMs, LONGEST_MS), () => over.abort());
  try {
    const ask = () => remote.status(uploadId, over.signal);
    for await (const { object, delivery } of live.statuses(uploadId, ask, over.signal)) {
      if (object?.result !== undefined || delivery !== "queued") {
        return { ...completed, object, result: object?.result };
      }
    }
  } catch (error) {
    if (!over.signal.aborted && !(error instanceof UploadError)) {
      throw error;
    }
  } finally {
    stop();
  }
  return completed;
}
