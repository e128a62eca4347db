// A place that does not answer any more is one that fails: what is recorded is sent from memory, and nobody waits for it for ever.

import type { Clock } from "../interfaces.ts";
import { orLate } from "../signals.ts";
import type { SpoolFolder } from "./interfaces.ts";

/** Twice: a page that slept for longer hears at once of what was done meanwhile. */
const LATE_MS = 30_000;

/** The same folder, whose writes end. One that is done after all does no harm: a piece says itself where it belongs. */
export function patiently(folder: SpoolFolder, clock: Clock): SpoolFolder {
  const ended = (work: Promise<void>) => orLate(work, clock, LATE_MS, () => orLate(work, clock, LATE_MS, tooLate));
  return {
    pieces: () => folder.pieces(),
    read: (piece) => folder.read(piece),
    readNote: (slot) => folder.readNote(slot),
    write: (piece, bytes) => ended(folder.write(piece, bytes)),
    remove: (piece) => ended(folder.remove(piece)),
    writeNote: (slot, text) => ended(folder.writeNote(slot, text)),
  };
}

function tooLate(): Promise<never> {
  return Promise.reject(new DOMException("storage does not answer", "TimeoutError"));
}
