// A list of uploads, for whatever shows it: files are added, a few are sent at a time, and what has changed makes a new list, so that
// frameworks see it. What the hooks and the element of this folder have in common.
//
// A change touches one item. The list is made when somebody asks for it, and who listens is told of all that changes within a frame
// at once: with thousands of files a change costs no more than with one.

import type { UploadError } from "../errors.ts";
import type { Upload, UploadOptions, UploadState } from "../interfaces.ts";
import { UploadQueue } from "../queue.ts";

const FRAME_MS = 16;

export interface UploadListOptions extends UploadOptions {
  /** How many files are sent at the same time; 2 if not said, and three times as many of up to 1 MiB. */
  readonly filesAtOnce?: number;
}

/** An upload as it is now. Never changes: the next list has another. */
export interface UploadItem {
  /** Its own among those of this list. */
  readonly id: number;
  readonly file: File;
  /** To pause it, to resume it, and to hear more of it; undefined until it is its turn. */
  readonly upload: Upload | undefined;
  readonly state: UploadState;
  /** What the server has confirmed. */
  readonly uploadedBytes: number;
  readonly error: UploadError | undefined;
}

export class UploadList {
  readonly #options: UploadOptions;
  readonly #queue: UploadQueue;
  readonly #listeners = new Set<() => void>();
  /** By id, in the order in which they were added. */
  readonly #items = new Map<number, UploadItem>();
  /** What `items` gives, until something changes. */
  #list: readonly UploadItem[] | undefined;
  #isTelling = false;
  #lastId = 0;

  constructor({ filesAtOnce, ...options }: UploadListOptions) {
    this.#options = options;
    this.#queue = new UploadQueue(filesAtOnce === undefined ? {} : { filesAtOnce });
  }

  /** A function of its own, since frameworks take it as one; so are the others. */
  readonly items = (): readonly UploadItem[] => {
    this.#list ??= [...this.#items.values()];
    return this.#list;
  };

  /** Hears that there is a new list, sixty times a second at most. The function that is returned stops that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly add = (files: Iterable<File> | ArrayLike<File>): void => {
    for (const file of Array.from(files)) {
      const id = ++this.#lastId;
      this.#set({ id, file, upload: undefined, state: "idle", uploadedBytes: 0, error: undefined });
      // How it ends shows in its state and its error.
      this.#queue.add(file, this.#options, (upload) => this.#begin(id, upload)).catch(() => {});
    }
  };

  /** Takes it off the list, and what is unfinished off the server. */
  readonly remove = (id: number): void => {
    const item = this.#items.get(id);
    this.#items.delete(id);
    this.#changed();
    if (item?.upload !== undefined && item.state !== "completed") {
      cancel(item.upload);
    }
  };

  #begin(id: number, upload: Upload): void {
    if (!this.#items.has(id)) {
      // Taken off the list before its turn came. It begins before it can be cancelled.
      queueMicrotask(() => cancel(upload));
      return;
    }
    this.#change(id, { upload });
    upload.on("progress", ({ uploadedBytes }) => this.#change(id, { uploadedBytes }));
    upload.on("error", (error) => this.#change(id, { error }));
    // An error stays until its upload goes on.
    upload.on("state", ({ state }) => this.#change(id, state === "failed" ? { state } : { state, error: undefined }));
  }

  /** One that was taken off the list meanwhile has no more changes. */
  #change(id: number, change: Partial<UploadItem>): void {
    const item = this.#items.get(id);
    if (item !== undefined) {
      this.#set({ ...item, ...change });
    }
  }

  #set(item: UploadItem): void {
    this.#items.set(item.id, item);
    this.#changed();
  }

  #changed(): void {
    this.#list = undefined;
    if (!this.#isTelling) {
      this.#isTelling = true;
      setTimeout(() => this.#tell(), FRAME_MS);
    }
  }

  #tell(): void {
    this.#isTelling = false;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

/** What cannot be removed now ends by itself when its time is over. */
function cancel(upload: Upload): void {
  upload.abort().catch(() => {});
}
