// The SDK as an uploader for Uppy: one upload per file, driven by Uppy's buttons, told in Uppy's events.

import { BasePlugin, type Body, type Meta, type PluginOpts, type Uppy, type UppyFile } from "@uppy/core";

import { createUpload } from "./create_upload.ts";
import { UploadError } from "./errors.ts";
import type { Upload, UploadFile, UploadOptions, UploadResult } from "./interfaces.ts";
import { checkOptions } from "./options.ts";
import { withoutSlash } from "./server.ts";
import { Slots } from "./slots.ts";

const INFO_MS = 5_000;

export interface QuaysideUploaderOptions
  extends PluginOpts,
    Omit<UploadOptions, "metadata" | "contentType" | "fileId"> {
  /** How many files go up at the same time; 2 if not said. A paused file makes room for another. */
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
  }

  override uninstall(): void {
    this.#setResumable(false);
    this.uppy.removeUploader(this.#uploadFiles);
  }

  /** Dashboards show a pause button only for uploaders that can. */
  #setResumable(resumableUploads: boolean): void {
    this.uppy.setState({ capabilities: { ...this.uppy.getState().capabilities, resumableUploads } });
  }

  readonly #uploadFiles = async (ids: string[]): Promise<void> => {
    const files = this.uppy.getFilesByIds(ids).filter((file) => !file.error && !file.progress.uploadComplete);
    // Restored files have begun before; to begin again would reset their progress.
    this.uppy.emit(
      "upload-start",
      files.filter(({ isRestored, progress }) => !isRestored || !progress.uploadStarted),
    );
    await Promise.all(files.map((file) => this.#uploadFile(file)));
  };

  async #uploadFile(file: UppyFile<M, B>): Promise<void> {
    const { data } = file;
    if (file.isRemote || !(data instanceof Blob)) {
      this.uppy.emit("upload-error", file, new UploadError("rejected", "none", this.i18n("remoteFile")));
      return;
    }
    const { name = "unnamed" } = file;
    const upload = createUpload(uploadFile(data, name, file.type), {
      ...uploadOptions(this.opts),
      // Two files of one name are two files to Uppy.
      fileId: file.id,
      contentType: file.type,
      metadata: metadataOf(file.meta, this.opts.allowedMetaFields),
    });
    this.#tell(file.id, name, upload);
    this.opts.onUpload?.(upload, file.id);
    const wanted = new WantedState(this.uppy, file.id, upload, this.#slots);
    try {
      const result = await wanted.run();
      this.#succeeded(file.id, name, result);
    } catch (error) {
      const isCancelled = error instanceof UploadError && error.code === "aborted";
      if (!isCancelled) {
        this.uppy.emit("upload-error", this.uppy.getFile(file.id), error as Error);
      }
    } finally {
      wanted.end();
    }
  }

  #tell(id: string, name: string, upload: Upload): void {
    upload.on("progress", ({ uploadedBytes, fileBytes }) => {
      const file = this.uppy.getFile(id);
      const uploadStarted = file?.progress.uploadStarted ?? Date.now();
      this.uppy.emit("upload-progress", file, { uploadStarted, bytesUploaded: uploadedBytes, bytesTotal: fileBytes });
    });
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

/** What the user wants of one file, said by Uppy's events: to go on, to wait, or to be gone. */
class WantedState<M extends Meta, B extends Body> {
  readonly #upload: Upload;
  readonly #slots: Slots;
  readonly #stopListening: () => void;
  readonly #isPaused: () => boolean;

  constructor(uppy: Uppy<M, B>, id: string, upload: Upload, slots: Slots) {
    this.#upload = upload;
    this.#slots = slots;
    this.#isPaused = () => uppy.getFile(id)?.isPaused === true;
    const onPause = (file: UppyFile<M, B> | undefined, isPaused: boolean) => {
      if (file?.id === id) {
        this.#setPaused(isPaused);
      }
    };
    const onRemoved = (file: UppyFile<M, B>) => {
      if (file.id === id) {
        this.#cancel();
      }
    };
    const onPauseAll = () => this.#setPaused(true);
    const onResumeAll = () => this.#setPaused(false);
    const onCancelAll = () => this.#cancel();
    uppy.on("upload-pause", onPause);
    uppy.on("file-removed", onRemoved);
    uppy.on("pause-all", onPauseAll);
    uppy.on("resume-all", onResumeAll);
    uppy.on("cancel-all", onCancelAll);
    this.#stopListening = () => {
      uppy.off("upload-pause", onPause);
      uppy.off("file-removed", onRemoved);
      uppy.off("pause-all", onPauseAll);
      uppy.off("resume-all", onResumeAll);
      uppy.off("cancel-all", onCancelAll);
    };
  }

  /** Settles as the upload does. It begins paused until there is a slot for it, and may lose that by a pause. */
  run(): Promise<UploadResult> {
    const running = this.#upload.start();
    this.#upload.pause();
    this.#setPaused(this.#isPaused());
    return running;
  }

  end(): void {
    this.#stopListening();
    this.#slots.release(this);
  }

  #setPaused(isPaused: boolean): void {
    if (isPaused) {
      this.#upload.pause();
      this.#slots.release(this);
    } else {
      this.#slots.acquire(this, () => this.#upload.resume());
    }
  }

  #cancel(): void {
    // The file is gone from the page whether or not the server can be told; what it keeps, it drops by itself in time.
    this.#upload.abort().catch(() => {});
  }
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
