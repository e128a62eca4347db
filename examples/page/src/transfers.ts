// What a person can do to files that Uppy has: begin, hold, go on, take away. Uppy's own buttons are not on this page.

import type Uppy from "@uppy/core";

import type { Chosen } from "./pick.ts";

export class Transfers {
  readonly #uppy: Uppy;

  constructor(uppy: Uppy) {
    this.#uppy = uppy;
  }

  /** What is not taken, Uppy says by itself. */
  add(chosen: readonly Chosen[]): void {
    const files = chosen.map(({ file, relativePath }) => ({
      name: file.name,
      type: file.type,
      data: file,
      meta: relativePath === "" ? {} : { relativePath },
    }));
    try {
      this.#uppy.addFiles(files);
    } catch {
      // Said already, for each file that is not taken.
    }
  }

  /** All that have not begun, and all that were interrupted. */
  start(): void {
    for (const { id, isGhost, progress } of this.#uppy.getFiles()) {
      if (!isGhost && progress.uploadStarted && !progress.uploadComplete && !this.#isRunning(id)) {
        this.goOn(id);
      }
    }
    if (this.#uppy.getFiles().some(({ progress }) => !progress.uploadStarted)) {
      this.#uppy.upload().catch(() => {});
    }
  }

  goOn(fileId: string): void {
    this.#uppy.setFileState(fileId, { isPaused: false });
    // How it ends is told by events.
    this.#uppy.retryUpload(fileId).catch(() => {});
  }

  pause(fileId: string): void {
    if (!this.#uppy.getFile(fileId)?.isPaused) {
      this.#uppy.pauseResume(fileId);
    }
  }

  resume(fileId: string): void {
    if (this.#uppy.getFile(fileId)?.isPaused) {
      this.#uppy.pauseResume(fileId);
    }
  }

  remove(fileId: string): void {
    if (this.#uppy.getFile(fileId) !== undefined) {
      this.#uppy.removeFile(fileId);
    }
  }

  /** Those of an earlier visit: nothing of them is running, whatever was then. */
  forgetRunning(): void {
    this.#uppy.setState({ currentUploads: {}, recoveredState: null });
  }

  #isRunning(fileId: string): boolean {
    return Object.values(this.#uppy.getState().currentUploads).some(({ fileIDs }) => fileIDs.includes(fileId));
  }
}
