// An upload of this very file that was begun elsewhere, in the owner's list. A name and a size are no proof: whoever began it has
// left a fingerprint with it, and without one it is left alone.

import { isGone } from "./errors.ts";
import { FINGERPRINT } from "./identity.ts";
import type { OpenUpload } from "./interfaces.ts";
import type { Retrier } from "./retrier.ts";
import type { Server } from "./server.ts";

/** A list longer than this is not the list of one person's uploads. */
const MOST_PAGES = 100;

export interface WantedUpload {
  readonly fileName: string;
  readonly fileSize: number;
  readonly fingerprint: string;
}

/** The newest that `take` can have. */
export async function newestOpenUpload(
  wanted: WantedUpload,
  { retrier, server }: { retrier: Retrier; server: Server },
  take: (uploadId: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const alike: OpenUpload[] = [];
  for (let page = 0, cursor: string | undefined; page < MOST_PAGES; page++) {
    const { uploads, next } = await retrier.ask(signal, () => server.openUploads(cursor, signal));
    alike.push(
      ...uploads.filter(({ fileName, fileSize }) => fileName === wanted.fileName && fileSize === wanted.fileSize),
    );
    if (!next || next === cursor) {
      break;
    }
    cursor = next;
  }
  for (const { uploadId } of alike.sort((a, b) => b.createdAt.localeCompare(a.createdAt))) {
    if ((await fingerprintOf(uploadId)) === wanted.fingerprint && (await take(uploadId))) {
      return uploadId;
    }
  }
  return undefined;

  async function fingerprintOf(uploadId: string): Promise<string | undefined> {
    try {
      const { metadata, state } = await retrier.ask(signal, () => server.status(uploadId, signal));
      return state === "open" || state === "damaged" ? metadata?.[FINGERPRINT] : undefined;
    } catch (error) {
      if (isGone(error)) {
        return undefined;
      }
      throw error;
    }
  }
}
