// Recordings in the origin private file system: a folder for each, in it a file for each piece, and two notes.
//
// A file is written aside and put in its place when it is closed, so a page that is killed leaves it out or whole. A machine that loses
// its power may leave anything, which the name of a piece gives away.

import type { SpoolFolder, SpoolStorage } from "./interfaces.ts";
import { nameOf, type Piece, pieceNamed } from "./pieces.ts";

const FOLDER = "quayside-recordings";

/** As much of `StorageManager` as is used. */
export type OriginStorage = Pick<StorageManager, "getDirectory"> &
  Partial<Pick<StorageManager, "estimate" | "persist">>;

/** The browser's private file system. Needs `createWritable` in pages: Chromium 86, Firefox 111, Safari 26. */
export function opfsStorage(manager: () => OriginStorage = () => navigator.storage): SpoolStorage {
  const root = async () => (await manager().getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  return {
    kind: "opfs",
    list: async () => namesIn(await root()),
    open: async (id) => new OpfsFolder(await (await root()).getDirectoryHandle(id, { create: true })),
    remove: async (id) => forgivingMissing((await root()).removeEntry(id, { recursive: true })),
    estimate: () => estimateOf(manager()),
    persist: () => persistIn(manager()),
  };
}

/** Undefined where the browser says only half of it. */
export async function estimateOf(
  manager: Partial<Pick<StorageManager, "estimate">>,
): Promise<{ usage: number; quota: number } | undefined> {
  const { usage, quota } = (await manager.estimate?.()) ?? {};
  return usage === undefined || quota === undefined ? undefined : { usage, quota };
}

export async function persistIn(manager: Partial<Pick<StorageManager, "persist">>): Promise<boolean> {
  return (await manager.persist?.()) ?? false;
}

class OpfsFolder implements SpoolFolder {
  readonly #folder: FileSystemDirectoryHandle;

  constructor(folder: FileSystemDirectoryHandle) {
    this.#folder = folder;
  }

  async pieces(): Promise<Piece[]> {
    return (await namesIn(this.#folder)).map(pieceNamed).filter((piece) => piece !== undefined);
  }

  write(piece: Piece, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#put(nameOf(piece), bytes);
  }

  async read(piece: Piece): Promise<Blob> {
    return (await this.#folder.getFileHandle(nameOf(piece))).getFile();
  }

  remove(piece: Piece): Promise<void> {
    return forgivingMissing(this.#folder.removeEntry(nameOf(piece)));
  }

  readNote(slot: 0 | 1): Promise<string | undefined> {
    const file = this.#folder.getFileHandle(`note-${slot}`);
    return forgivingMissing(file.then(async (file) => (await file.getFile()).text()));
  }

  writeNote(slot: 0 | 1, text: string): Promise<void> {
    return this.#put(`note-${slot}`, text);
  }

  async #put(name: string, content: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const file = await this.#folder.getFileHandle(name, { create: true });
    try {
      const writable = await file.createWritable();
      try {
        await writable.write(content);
      } catch (error) {
        await writable.abort().catch(() => {});
        throw error;
      }
      // Dies before this line's end: an empty file of this name, or what was there before. After it: the whole content.
      await writable.close();
    } catch (error) {
      if (pieceNamed(name) !== undefined) {
        await this.#folder.removeEntry(name).catch(() => {});
      }
      throw error;
    }
  }
}

/** Its types know nothing of iteration yet. */
async function namesIn(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const { keys } = folder as unknown as { keys(): AsyncIterable<string> };
  const names: string[] = [];
  for await (const name of keys.call(folder)) {
    names.push(name);
  }
  return names;
}

/** Undefined where it is not there. */
function forgivingMissing<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error) => {
    if (!(error instanceof DOMException && error.name === "NotFoundError")) {
      throw error;
    }
    return undefined;
  });
}
