// Where a recording is spooled: the first place that really takes something. A private window may have none, or have one that throws at
// the first write, or a database that never opens, so it is tried and not asked for.

import type { Clock } from "../interfaces.ts";
import { orLate } from "../signals.ts";
import { indexedDbStorage } from "./indexed_db.ts";
import type { SpoolStorage } from "./interfaces.ts";
import { opfsStorage } from "./opfs.ts";
import { NOTHING, pieceOf } from "./pieces.ts";

const ANSWER_MS = 5_000;
const PROBE = "probe";

/** One of each in a page: a database has one connection. */
const OPFS = opfsStorage();
const INDEXED_DB = indexedDbStorage();

/** All the places that recordings may have been left in. */
export function placesOf(wanted: SpoolStorage | null | undefined): SpoolStorage[] {
  return wanted === undefined ? [OPFS, INDEXED_DB] : wanted === null ? [] : [wanted];
}

/** Undefined where nothing is kept. */
export async function workingPlace(
  wanted: SpoolStorage | null | undefined,
  clock: Clock,
): Promise<SpoolStorage | undefined> {
  for (const storage of placesOf(wanted)) {
    const answer = probed(storage).then(() => true);
    // Asked late, a database may still open one day; nobody waits for it.
    if (await orLate(answer, clock, ANSWER_MS, () => false).catch(() => false)) {
      return storage;
    }
  }
  return undefined;
}

/** Writes and reads something. Pages may do this at the same time, so each has a piece of its own. */
async function probed(storage: SpoolStorage): Promise<void> {
  const bytes = new Uint8Array([1]);
  const folder = await storage.open(PROBE);
  const piece = pieceOf(Math.floor(Math.random() * 2 ** 40), NOTHING, bytes);
  await folder.write(piece, bytes);
  await folder.read(piece);
  await folder.remove(piece);
}

/** Names of recordings there. */
export async function recordingsIn(storage: SpoolStorage): Promise<string[]> {
  return (await storage.list()).filter((id) => id !== PROBE);
}
