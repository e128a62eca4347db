// Folders that are made once and kept, however many ask for one at the same time, in this process or in another.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";

/** Those that this process is making, or has made. */
const asked = new Map<string, Promise<string>>();

/** The folder. `make` fills it where it is not there. */
export async function madeOnce(folder: string, make: (half: string) => Promise<unknown>): Promise<string> {
  const making = asked.get(folder) ?? whole(folder, make);
  asked.set(folder, making);
  // Whoever asks after a failure is not told of that one.
  making.catch(() => asked.delete(folder));
  // Awaited here, and not handed on: whoever waits for a promise that was made in another test is taken for that test, with its `after`.
  return await making;
}

/** It gets its name only when it is whole. Where another process was faster, it is that one's. */
async function whole(folder: string, make: (half: string) => Promise<unknown>): Promise<string> {
  if (existsSync(folder)) {
    return folder;
  }
  mkdirSync(dirname(folder), { recursive: true });
  const half = mkdtempSync(`${folder}-`);
  try {
    await make(half);
    renameSync(half, folder);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(folder)) {
      throw error;
    }
  }
  return folder;
}
