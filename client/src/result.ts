// What the application answers when it hears of the object, for whoever wants to wait for it: with it, or without it when the time is over.
// The upload is complete either way.

import { UploadError } from "./errors.ts";
import type { Runtime, Status, UploadResult } from "./interfaces.ts";
import type { Live } from "./live.ts";
import type { Settings } from "./options.ts";
import type { RemoteUpload } from "./remote_upload.ts";
import { linked } from "./signals.ts";

export interface ResultParts {
  readonly live: Live;
  readonly remote: RemoteUpload;
  readonly runtime: Runtime;
  readonly settings: Settings;
}

/** What an upload has come to. */
export function resultOf({ uploadId, object }: Pick<Status, "uploadId" | "object">): UploadResult {
  return { uploadId, duplicate: false, object, result: object?.result };
}

/** The same, with what the application has to say, once it has, or has been told and says nothing. */
export async function withResult(
  { live, remote, runtime, settings }: ResultParts,
  completed: UploadResult,
  signal: AbortSignal,
): Promise<UploadResult> {
  if (settings.resultWithinMs === 0 || completed.duplicate || completed.result !== undefined) {
    return completed;
  }
  const { uploadId } = completed;
  const { controller, unlink } = linked(signal);
  const stop = runtime.clock.timer(settings.resultWithinMs, () => controller.abort());
  try {
    const ask = () => remote.status(uploadId, controller.signal);
    for await (const { object, delivery } of live.statuses(uploadId, ask, controller.signal)) {
      if (object?.result !== undefined || delivery !== "queued") {
        return { ...completed, object, result: object?.result };
      }
    }
  } catch (error) {
    // It is complete, whatever becomes of the question.
    if (!controller.signal.aborted && !(error instanceof UploadError)) {
      throw error;
    }
    signal.throwIfAborted();
  } finally {
    stop();
    unlink();
  }
  return completed;
}
