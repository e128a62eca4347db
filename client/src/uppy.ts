// The SDK as an uploader for Uppy: one upload per file, driven by Uppy's buttons, told in Uppy's events.

import { BasePlugin, type Body, type Meta, type PluginOpts, type Uppy, type UppyFile } from "@uppy/core";

import { createUpload } from "./create_upload.ts";
import { UploadError } from "./errors.ts";
import type { Progress, Upload, UploadFile, UploadOptions, UploadResult } from "./interfaces.ts";
import { checkOptions } from "./options.ts";
import { systemClock } from "./platform.ts";
import { weightOf } from "./queue.ts";
import { withoutSlash } from "./server.ts";
import { Slots } from "./slots.ts";

const INFO_MS = 5_000;
/** Between two tellings of one file's progress. */
const INTERVAL_MS = 250;
/** So many files are announced in one task, since Uppy copies its list of all files for it; the next ones in a later task. */
const BATCH_FILES = 250;

export interface QuaysideUploaderOptions
  extends PluginOpts,
    Omit<UploadOptions, "metadata" | "contentType" | "fileId"> {
  /** How many files go up at the same time; 2 if not said, and three times as many of up to 1 MiB. A paused file makes room for another. */
  readonly filesAtOnce?: number;
  /** Which of a file's metadata to send; all if not said. */
  readonly allowedMetaFields?: readonly string[];
  /** Called with each upload before it begins, so that its own events can be listened to. */
  readonly onUpload?: (upload: Upload, fileId: string) => void;
}

const defaultLocale = {
  strings: {
    resumingFrom: "Resuming %{name} from %{percent} %",
    alreadyThere: "%{name} is there already",
    beganAfresh: "%{name} begins afresh: its earlier upload is gone",
    repaired: "%{name} arrived damaged; what differs is sent again",
    inAnotherTab: "%{name} is on its way in another tab",
    remoteFile: "Files from other services cannot be uploaded here",
  },
};

export class QuaysideUploader<M extends Meta, B extends Body> extends BasePlugin<QuaysideUploaderOptions, M, B> {
  readonly #slots: Slots;
  /** Of the files that are to be uploaded, by their id. */
  readonly #jobs = new Map<string, FileJob>();
  /** For the files that are announced after the others were paused. */
  #isAllPaused = false;

  constructor(uppy: Uppy<M, B>, options: QuaysideUploaderOptions) {
    super(uppy, options);
    checkOptions(uploadOptions(options));
    this.type = "uploader";
    this.id = options.id ?? "QuaysideUploader";
    this.defaultLocale = defaultLocale;
    this.i18nInit();
    this.#slots = new Slots(options.filesAtOnce ?? 2);
  }

  override install(): void {
    this.#setResumable(true);
    this.uppy.addUploader(this.#uploadFiles);
    this.uppy.on("upload-pause", this.#onPause);
    this.uppy.on("file-removed", this.#onRemoved);
    this.uppy.on("pause-all", this.#onPauseAll);
    this.uppy.on("resume-all", this.#onResumeAll);
    this.uppy.on("cancel-all", this.#onCancelAll);
  }

  override uninstall(): void {
    this.#setResumable(false);
    this.uppy.removeUploader(this.#uploadFiles);
    this.uppy.off("upload-pause", this.#onPause);
    this.uppy.off("file-removed", this.#onRemoved);
    this.uppy.off("pause-all", this.#onPauseAll);
    this.uppy.off("resume-all", this.#onResumeAll);
    this.uppy.off("cancel-all", this.#onCancelAll);
  }

  // One listener for all files: Uppy asks each of thousands at every event.
  readonly #onPause = (file: UppyFile<M, B> | undefined, isPaused: boolean) =>
    file && this.#jobs.get(file.id)?.setPaused(isPaused);
  readonly #onRemoved = (file: UppyFile<M, B>) => this.#jobs.get(file.id)?.cancel();
  readonly #onPauseAll = () => this.#pauseAll(true);
  readonly #onResumeAll = () => this.#pauseAll(false);
  readonly #onCancelAll = () => this.#each((job) => job.cancel());

  #pauseAll(isPaused: boolean): void {
    this.#isAllPaused = isPaused;
    this.#each((job) => job.setPaused(isPaused));
  }

  #each(act: (job: FileJob) => void): void {
    for (const job of [...this.#jobs.values()]) {
      act(job);
    }
  }

  /** Dashboards show a pause button only for uploaders that can. */
  #setResumable(resumableUploads: boolean): void {
    this.uppy.setState({ capabilities: { ...this.uppy.getState().capabilities, resumableUploads } });
  }

  /** The first files are on their way before the last ones are announced. */
  readonly #uploadFiles = async (ids: string[]): Promise<void> => {
    const running: Promise<void>[] = [];
    this.#isAllPaused = false;
    for (let at = 0; at < ids.length; at += BATCH_FILES) {
      if (ids.length > BATCH_FILES) {
        await nextTask();
      }
      running.push(...this.#announced(ids.slice(at, at + BATCH_FILES)).map((file) => this.#uploadFile(file)));
    }
    await Promise.all(running);
  };

  #announced(ids: string[]): UppyFile<M, B>[] {
    // One that was taken away meanwhile is not there any more.
    const isWanted = (file?: UppyFile<M, B>) => file && !file.error && !file.progress.uploadComplete;
    const files = this.uppy.getFilesByIds(ids).filter(isWanted);
    // Restored files have begun before; to begin again would reset their progress.
    this.uppy.emit(
      "upload-start",
      files.filter(({ isRestored, progress }) => !isRestored || !progress.uploadStarted),
    );
    return files;
  }

  async #uploadFile(file: UppyFile<M, B>): Promise<void> {
    const { id, data, size } = file;
    if (file.isRemote || !(data instanceof Blob)) {
      this.uppy.emit("upload-error", file, new UploadError("rejected", "none", this.i18n("remoteFile")));
      return;
    }
    const { name = "unnamed" } = file;
    const job = new FileJob(() => this.#begun(file, data, name), this.#slots, weightOf(size ?? 0));
    this.#jobs.set(id, job);
    try {
      job.setPaused(this.#isAllPaused || this.uppy.getFile(id)?.isPaused === true);
      const result = await job.done;
      if (result !== undefined) {
        this.#succeeded(id, name, result);
      }
    } catch (error) {
      const isCancelled = error instanceof UploadError && error.code === "aborted";
      if (!isCancelled) {
        this.uppy.emit("upload-error", this.uppy.getFile(id), error as Error);
      }
    } finally {
      if (this.#jobs.get(id) === job) {
        this.#jobs.delete(id);
      }
    }
  }

  /** It is this file's turn: nothing of it has been read before. */
  #begun(file: UppyFile<M, B>, data: File | Blob, name: string): Upload {
    const upload = createUpload(uploadFile(data, name, file.type), {
      ...uploadOptions(this.opts),
      // Two files of one name are two files to Uppy.
      fileId: file.id,
      contentType: file.type,
      metadata: metadataOf(this.uppy.getFile(file.id)?.meta ?? file.meta, this.opts.allowedMetaFields),
    });
    this.#tell(file.id, name, upload);
    this.opts.onUpload?.(upload, file.id);
    return upload;
  }

  #tell(id: string, name: string, upload: Upload): void {
    // Uppy copies its list of all files at each of these, so a file that is sent in no time is only told to have arrived.
    const { clock } = { clock: systemClock, ...this.opts.runtime };
    let toldMs = clock.nowMs();
    let told: Progress | undefined;
    let untold: Progress | undefined;
    const tell = (progress: Progress) => {
      toldMs = clock.nowMs();
      [told, untold] = [progress, undefined];
      const { sentBytes, fileBytes } = progress;
      const file = this.uppy.getFile(id);
      const uploadStarted = file?.progress.uploadStarted ?? Date.now();
      this.uppy.emit("upload-progress", file, { uploadStarted, bytesUploaded: sentBytes, bytesTotal: fileBytes });
    };
    upload.on("progress", (progress) => {
      const isBack = progress.sentBytes < (told?.sentBytes ?? 0);
      untold = progress;
      if (isBack || clock.nowMs() - toldMs >= INTERVAL_MS) {
        tell(progress);
      }
    });
    // What is waited for then may take its time.
    upload.on(
      "state",
      ({ state }) => state !== "completed" && untold !== undefined && untold.sentBytes > 0 && tell(untold),
    );
    const inform = (key: string, more: object = {}) =>
      this.uppy.info(this.i18n(key, { name, ...more }), "info", INFO_MS);
    let wasPaused = false;
    upload.on("state", ({ state, resumedFromBytes }) => {
      if (resumedFromBytes !== undefined && !wasPaused) {
        inform("resumingFrom", { percent: Math.floor((100 * resumedFromBytes) / (this.uppy.getFile(id)?.size || 1)) });
      }
      if (state === "following") {
        inform("inAnotherTab");
      }
      wasPaused ||= state === "paused";
    });
    upload.on("duplicate", () => inform("alreadyThere"));
    upload.on("restart", () => inform("beganAfresh"));
    upload.on("repair", () => inform("repaired"));
    upload.on("retry", ({ error }) => this.uppy.log(`[Quayside] ${error.message}`, "warning"));
  }

  #succeeded(id: string, name: string, result: UploadResult): void {
    const uploadURL = `${withoutSlash(this.opts.endpoint)}/upload/${result.uploadId}`;
    const body = { ...result } as unknown as B;
    this.uppy.log(`[Quayside] ${name} is upload ${result.uploadId}`);
    this.uppy.emit("upload-success", this.uppy.getFile(id), { status: 200, uploadURL, body });
  }
}

/** One file, from its turn on: what the user wants of it is said by Uppy's events. Nothing exists of it before there is room. */
class FileJob {
  /** The result; undefined where it was cancelled. */
  readonly done: Promise<UploadResult | undefined>;
  readonly #begin: () => Upload;
  readonly #slots: Slots;
  readonly #weight: number;
  #upload: Upload | undefined;
  #settle: (result: Promise<UploadResult> | undefined) => void = () => {};
  #isCancelled = false;

  constructor(begin: () => Upload, slots: Slots, weight: number) {
    this.#begin = begin;
    this.#slots = slots;
    this.#weight = weight;
    this.done = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  setPaused(isPaused: boolean): void {
    if (this.#isCancelled) {
      return;
    }
    if (isPaused) {
      this.#upload?.pause();
      this.#slots.release(this);
    } else {
      this.#slots.acquire(this, () => this.#goOn(), this.#weight);
    }
  }

  /** The file is gone from the page whether or not the server can be told; what it keeps, it drops by itself in time. */
  cancel(): void {
    if (!this.#isCancelled) {
      this.#isCancelled = true;
      this.#settle(undefined);
      const end = () => this.#slots.release(this);
      const abort = () => (this.#upload ?? this.#begin()).abort().then(end, end);
      // One that has not begun may have an upload of an earlier visit, which only its content tells: it is read in its turn.
      this.#upload === undefined ? this.#slots.acquire(this, abort, this.#weight) : abort();
    }
  }

  #goOn(): void {
    if (this.#upload !== undefined) {
      this.#upload.resume();
      return;
    }
    try {
      this.#upload = this.#begin();
      const running = this.#upload.start();
      const end = () => this.#slots.release(this);
      running.then(end, end);
      this.#settle(running);
    } catch (error) {
      this.#slots.release(this);
      this.#settle(Promise.reject(error));
    }
  }
}

/** Lets the page do something else. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** What is the plugin's own, and no upload's. */
function uploadOptions({
  id,
  locale,
  filesAtOnce,
  allowedMetaFields,
  onUpload,
  ...options
}: QuaysideUploaderOptions): UploadOptions {
  return options;
}

/** The same object for the same file, so that a hash that was computed once is known when it is tried again. */
const files = new WeakMap<Blob, UploadFile>();

/** Uppy also takes blobs, which have neither name nor date. Nothing is copied; only a real file can be handed to a Web Worker. */
function uploadFile(data: File | Blob, name: string, type: string): UploadFile {
  if (data instanceof File && data.name === name) {
    return data;
  }
  const known = files.get(data);
  if (known?.name === name && known.type === type) {
    return known;
  }
  const lastModified = "lastModified" in data ? data.lastModified : 0;
  const file = new File([data], name, { type, lastModified });
  files.set(data, file);
  return file;
}

function metadataOf(meta: Meta, allowed: readonly string[] | undefined): Record<string, string> {
  const own = Object.entries(meta).filter(([name, value]) => {
    const isWanted = allowed === undefined ? name !== "name" && name !== "type" : allowed.includes(name);
    return isWanted && value !== undefined && value !== null;
  });
  return Object.fromEntries(own.map(([name, value]) => [name, String(value)]));
}
