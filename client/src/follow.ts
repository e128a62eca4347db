// Another page of this browser sends the same file: here is shown how far it is, until it is done, or until it has gone and this
// page goes on. Nothing is sent meanwhile.

import type { Claim, Runtime, Status } from "./interfaces.ts";
import type { Live } from "./live.ts";
import type { RemoteUpload } from "./remote_upload.ts";
import { linked } from "./signals.ts";

const LOOK_MS = 1_000;
/** Whoever has the claim says within this what it sends, or does not share its records. */
const NAMELESS_MS = 30_000;
/** A page that the system has put to sleep keeps its claim, and sends nothing. */
const STANDSTILL_MS = 2 * 60_000;

export interface FollowParts {
  readonly remote: RemoteUpload;
  readonly live: Live;
  readonly runtime: Runtime;
}

/** The other is done; or the claim, to go on in its stead; or nothing, where it does not say what it sends. */
export type Followed = { readonly completed: Status } | { readonly claim: Claim } | undefined;

export async function follow(
  { remote, live, runtime: { clock } }: FollowParts,
  onStatus: (status: Status) => void,
  signal: AbortSignal,
): Promise<Followed> {
  const { controller, unlink } = linked(signal);
  let uploadedBytes = -1;
  let movedMs = clock.nowMs();
  let isOpen = false;
  const free = untilFree(controller.signal);
  try {
    return await Promise.race([free, untilCompleted(controller.signal)]);
  } finally {
    unlink();
    controller.abort();
    // A claim that comes too late is given back before anybody asks for the next.
    await free.catch(() => {});
  }

  async function untilFree(signal: AbortSignal): Promise<Followed> {
    for (;;) {
      await clock.sleep(LOOK_MS, signal);
      const isStanding = isOpen && clock.nowMs() - movedMs > STANDSTILL_MS;
      const claim = await (isStanding ? remote.takeOver() : remote.claimAgain());
      if (signal.aborted) {
        remote.release();
      } else if (claim !== undefined) {
        return { claim };
      }
    }
  }

  async function untilCompleted(signal: AbortSignal): Promise<Followed> {
    const uploadId = await untilNamed(signal);
    if (uploadId === undefined) {
      return undefined;
    }
    for await (const told of live.statuses(uploadId, () => remote.status(uploadId, signal), signal)) {
      const status = await remote.judged(told);
      if (status.uploadedBytes !== uploadedBytes) {
        uploadedBytes = status.uploadedBytes;
        movedMs = clock.nowMs();
      }
      isOpen = status.state === "open" && status.missing.length > 0;
      onStatus(status);
      if (status.state === "completed") {
        return { completed: status };
      }
    }
    throw signal.reason;
  }

  async function untilNamed(signal: AbortSignal): Promise<string | undefined> {
    for (const sinceMs = clock.nowMs(); clock.nowMs() - sinceMs < NAMELESS_MS; ) {
      const uploadId = await remote.followed();
      if (uploadId !== undefined) {
        return uploadId;
      }
      await clock.sleep(LOOK_MS, signal);
    }
    return undefined;
  }
}
