// A list of uploads, for whatever shows it: files are added, a few are sent at a time, and every change makes a new list, so that
// frameworks see it. What the hooks and the element of this folder have in common.

import type { UploadError } from "../errors.ts";
import type { Upload, UploadOptions, UploadState } from "../interfaces.ts";
import { UploadQueue } from "../queue.ts";

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
  #items: readonly UploadItem[] = [];
  #lastId = 0;

  constructor({ filesAtOnce, ...options }: UploadListOptions) {
    this.#options = options;
    this.#queue = new UploadQueue(filesAtOnce === undefined ? {} : { filesAtOnce });
  }

  /** A function of its own, since frameworks take it as one; so are the others. */
  readonly items = (): readonly UploadItem[] => this.#items;

  /** Hears that there is a new list. The function that is returned stops that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly add = (files: Iterable<File> | ArrayLike<File>): void => {
    for (const file of Array.from(files)) {
      const id = ++this.#lastId;
      this.#items = [
        ...this.#items,
        { id, file, upload: undefined, state: "idle", uploadedBytes: 0, error: undefined },
      ];
      // How it ends shows in its state and its error.
      this.#queue.add(file, this.#options, (upload) => this.#begin(id, upload)).catch(() => {});
    }
    this.#tell();
  };

  /** Takes it off the list, and what is unfinished off the server. */
  readonly remove = (id: number): void => {
    const item = this.#find(id);
    this.#items = this.#items.filter((other) => other !== item);
    this.#tell();
    if (item?.upload !== undefined && item.state !== "completed") {
      cancel(item.upload);
    }
  };

  #begin(id: number, upload: Upload): void {
    if (this.#find(id) === undefined) {
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

  #find(id: number): UploadItem | undefined {
    return this.#items.find((item) => item.id === id);
  }

  #change(id: number, change: Partial<UploadItem>): void {
    this.#items = this.#items.map((item) => (item.id === id ? { ...item, ...change } : item));
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

/** What cannot be removed now ends by itself when its time is over. */
function cancel(upload: Upload): void {
  upload.abort().catch(() => {});
}
