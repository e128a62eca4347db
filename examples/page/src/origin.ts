// The origin's own record of an upload, where the origin shows it.

import type { OriginRecord } from "./journey.ts";

/** Undefined where there is none, or none is shown. */
export async function recordOf(originUrl: string | null, uploadId: string): Promise<OriginRecord | undefined> {
  if (originUrl === null) {
    return undefined;
  }
  try {
    const response = await fetch(`${originUrl}/uploads/${uploadId}`, { cache: "no-store" });
    return response.ok ? ((await response.json()) as OriginRecord) : undefined;
  } catch {
    return undefined;
  }
}
