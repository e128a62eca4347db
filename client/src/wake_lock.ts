// Keeps the screen on while something is sent, since a phone whose screen goes off soon sends nothing more. One lock for all uploads of
// the page. The browser takes it back when the page is hidden; it is asked for again when the page is seen.

import type { Upload, UploadState } from "./interfaces.ts";

/** Undefined where there is no such thing. Rejects where it is refused, as with a battery that is nearly empty, or a hidden page. */
type Request = () => Promise<{ release(): Promise<void> } | undefined>;

const SENDING: readonly UploadState[] = ["hashing", "uploading", "starting"];

/** Gives the function that is told what each sender has become. */
export function wakeLock(
  request: Request,
  onSeen: (listener: () => void) => void,
): (sender: Pick<Upload, "state">) => void {
  const senders = new Set<object>();
  /** The lock, or the question for it. */
  let lock: Promise<{ release(): Promise<void> } | void> | undefined;
  const update = () => {
    if (senders.size) {
      lock ??= request().catch(() => {});
    } else {
      lock?.then((held) => held?.release());
      lock = undefined;
    }
  };
  onSeen(() => {
    // Whatever there was is gone since the page was hidden.
    lock = undefined;
    update();
  });
  return (sender) => {
    senders.delete(sender);
    SENDING.includes(sender.state) && senders.add(sender);
    update();
  };
}

/** What an upload of this page has become. */
export const keepAwake = wakeLock(
  async () => navigator.wakeLock?.request("screen"),
  (listener) => globalThis.addEventListener?.("visibilitychange", listener),
);
