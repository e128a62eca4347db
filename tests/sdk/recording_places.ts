// Places to spool to, in memory, that outlive a page: they count what is on its way, and can be full, fail, or be torn in the middle of a
// write, as the one that a browser has when its machine loses its power.

import type { SpoolFolder, SpoolStorage } from "../../client/src/recording/interfaces.ts";
import { nameOf, type Piece, pieceNamed } from "../../client/src/recording/pieces.ts";

export class MemoryPlace implements SpoolStorage {
  readonly kind = "opfs";
  readonly folders = new Map<string, Map<string, Uint8Array<ArrayBuffer>>>();
  /** Bytes that writes have, and that are not stored yet; and how many there were at most. */
  writingBytes = 0;
  mostWritingBytes = 0;
  quotaBytes = Number.POSITIVE_INFINITY;
  isPersistent = true;
  /** Thrown by the next writes. */
  failure: Error | undefined;
  /** What is called before a piece is written; what it throws is thrown, and so many bytes are left behind. */
  onWrite: (name: string) => { readonly tearAt: number } | undefined = () => undefined;

  /** Waited for before a piece is removed. */
  onRemove: () => Promise<void> | undefined = () => undefined;

  get storedBytes(): number {
    return [...this.folders.values()]
      .flatMap((files) => [...files.values()])
      .reduce((sum, { length }) => sum + length, 0);
  }

  /** Every piece of the one recording there is. */
  get pieces(): Piece[] {
    const names = [...this.folders.entries()]
      .filter(([id]) => id !== "probe")
      .flatMap(([, files]) => [...files.keys()]);
    return names.map(pieceNamed).filter((piece) => piece !== undefined);
  }

  async list(): Promise<string[]> {
    return [...this.folders.keys()];
  }

  async open(id: string): Promise<SpoolFolder> {
    const files = this.folders.get(id) ?? new Map<string, Uint8Array<ArrayBuffer>>();
    this.folders.set(id, files);
    const put = async (name: string, bytes: Uint8Array<ArrayBuffer>) => {
      const tear = this.onWrite(name);
      if (this.failure !== undefined) {
        throw this.failure;
      }
      if (this.storedBytes + bytes.length > this.quotaBytes) {
        throw new DOMException("full", "QuotaExceededError");
      }
      this.writingBytes += bytes.length;
      this.mostWritingBytes = Math.max(this.mostWritingBytes, this.writingBytes);
      await new Promise(setImmediate);
      this.writingBytes -= bytes.length;
      files.set(name, bytes.slice(0, tear?.tearAt));
      if (tear !== undefined) {
        await new Promise(() => {});
      }
    };
    return {
      pieces: async () => [...files.keys()].map(pieceNamed).filter((piece) => piece !== undefined),
      write: (piece, bytes) => put(nameOf(piece), bytes),
      async read(piece) {
        const bytes = files.get(nameOf(piece));
        if (bytes === undefined) {
          throw new DOMException("no such piece", "NotFoundError");
        }
        return new Blob([bytes]);
      },
      remove: async (piece) => {
        await this.onRemove();
        files.delete(nameOf(piece));
      },
      async readNote(slot) {
        const bytes = files.get(`note-${slot}`);
        return bytes && new TextDecoder().decode(bytes);
      },
      writeNote: (slot, text) => put(`note-${slot}`, new TextEncoder().encode(text)),
    };
  }

  async remove(id: string): Promise<void> {
    this.folders.delete(id);
  }

  async estimate(): Promise<{ usage: number; quota: number } | undefined> {
    return Number.isFinite(this.quotaBytes) ? { usage: this.storedBytes, quota: this.quotaBytes } : undefined;
  }

  async persist(): Promise<boolean> {
    return this.isPersistent;
  }
}
