// What pages have left behind: recordings that nobody finished, as they lie in this browser's storage. Listing looks, and removes nothing but
// empty folders; a recording that is in use is shown as such and left alone.

import type { Claims, Clock } from "../interfaces.ts";
import { orLate } from "../signals.ts";
import { resumedRecording, runtimeOf } from "./create_recording.ts";
import type { LeftRecording, RecordingOptions, ResumeOptions, SpoolStorage } from "./interfaces.ts";
import { defaultName } from "./names.ts";
import { claimName } from "./opening.ts";
import { placesOf, recordingsIn } from "./places.ts";
import { Spool } from "./spool.ts";

/** Databases are known to open never. */
const ANSWER_MS = 5_000;

/** Newest first. What is said here of headers and the like holds for each of them, unless it is said anew. */
export async function listRecordings(options: ResumeOptions = {}): Promise<LeftRecording[]> {
  const { clock, claims } = runtimeOf(options);
  const found: LeftRecording[] = [];
  for (const storage of placesOf(options.storage)) {
    // A place that does not work has nothing to offer.
    const ids = await orLate(recordingsIn(storage), clock, ANSWER_MS, () => []).catch(() => []);
    for (const id of ids) {
      const left = await leftRecording(id, storage, { clock, claims }, options).catch(() => undefined);
      if (left !== undefined) {
        found.push(left);
      }
    }
  }
  return found.sort((a, b) => b.startedAtMs - a.startedAtMs);
}

type Recovered = NonNullable<Awaited<ReturnType<typeof Spool.recovered>>>;
type World = { readonly clock: Clock; readonly claims: Claims };

async function leftRecording(
  id: string,
  storage: SpoolStorage,
  { clock, claims }: World,
  given: ResumeOptions,
): Promise<LeftRecording | undefined> {
  const holder = {};
  const claim = await claims.claim(claimName(id), holder);
  const isInUse = typeof claim === "string";
  claim === "elsewhere" && claims.leave(claimName(id), holder);
  try {
    const folder = await storage.open(id);
    const recovered = await Spool.recovered({ folder, clock, keeps: true, onChange: () => {} });
    recovered?.spool.close();
    if (recovered === undefined || (recovered.spool.recordedBytes === 0 && recovered.notebook.note.uploadId === null)) {
      // A crash tears one. More that nobody can make sense of now may be all there is.
      const mostTorn = recovered === undefined ? 0 : 1;
      if (!isInUse && (await folder.pieces()).length <= mostTorn) {
        await storage.remove(id);
      }
      return undefined;
    }
    const { spool, notebook } = recovered;
    const { note } = notebook;
    const isWholeIn = (at: Recovered) =>
      at.spool.startBytes === 0 && at.spool.recordedBytes >= Math.max(1, at.notebook.note.confirmedBytes);
    const fileName = note.fileName || defaultName(note.startedAtMs, note.contentType);
    const resume = (options: ResumeOptions = {}) => {
      const all: RecordingOptions = { endpoint: note.endpoint, ...given, ...options };
      return resumedRecording(id, storage, note, all);
    };
    return {
      id,
      fileName,
      contentType: note.contentType,
      startedAtMs: note.startedAtMs,
      recordedBytes: spool.recordedBytes,
      safeThereBytes: Math.min(note.confirmedBytes, spool.recordedBytes),
      isWhole: isWholeIn(recovered),
      isEnded: note.isEnded,
      isInUse,
      resume,
      async file() {
        const now = await Spool.recovered({ folder, clock, keeps: true, onChange: () => {} });
        if (now === undefined || !isWholeIn(now)) {
          return undefined;
        }
        return new File(await now.spool.blobs(), fileName, { type: note.contentType, lastModified: note.startedAtMs });
      },
      discard: (options?: ResumeOptions) => resume(options).discard(),
    };
  } finally {
    if (typeof claim !== "string") {
      claim.release();
    }
  }
}
