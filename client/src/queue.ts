// Thousands of files, a few at a time, in the order in which they were added. Those that wait are not read, and cost nothing.

import { createUpload } from "./create_upload.ts";
import type { Upload, UploadFile, UploadOptions, UploadResult } from "./interfaces.ts";
import { checkOptions } from "./options.ts";
import { Slots } from "./slots.ts";

/** Three of these go up in the place of one: with them, most of the time goes into waiting for answers. */
const SMALL_BYTES = 1024 * 1024;
const SMALL_WEIGHT = 1 / 3;

/** How much room a file of this size takes among those that go up at the same time. */
export function weightOf(sizeBytes: number): number {
  return sizeBytes <= SMALL_BYTES ? SMALL_WEIGHT : 1;
}

export class UploadQueue {
  readonly #slots: Slots;

  /** So many files at the same time, and three times as many of up to 1 MiB. */
  constructor({ filesAtOnce = 2 }: { readonly filesAtOnce?: number } = {}) {
    this.#slots = new Slots(filesAtOnce);
  }

  /**
   * Settles as the upload does. `onBegin` is called when it is the file's turn, before anything of it is read: its events can be
   * listened to from there, and it can be cancelled. An upload that is paused keeps its place.
   */
  add(file: UploadFile, options: UploadOptions, onBegin?: (upload: Upload) => void): Promise<UploadResult> {
    checkOptions(options);
    return new Promise((resolve, reject) => {
      const begin = () => {
        const upload = createUpload(file, options);
        onBegin?.(upload);
        const end = () => this.#slots.release(begin);
        upload.start().finally(end).then(resolve, reject);
      };
      this.#slots.acquire(begin, begin, weightOf(file.size));
    });
  }
}
