// What is recorded, as bytes in their order: a recorder that is asked for a piece every second, or a stream that is read as fast as it
// can be stored and no faster.

import type { RecordingOptions, RecordingSource } from "./interfaces.ts";

/** Where the bytes go. */
export interface Sink {
  /** `type` is the media type, where it is known by now. */
  take(bytes: Uint8Array<ArrayBuffer>, type: string): void;
  /** Settles when more would be welcome. */
  room(): Promise<void>;
  /** Nothing more comes; with why, where it broke. */
  end(ending: "source-ended" | "source-failed", error?: unknown): void;
}

export interface Source {
  /** Whether what came before it broke is of use by itself: a film is, half of a file is not. */
  readonly isUsefulInPart: boolean;
  /** Throws where it cannot begin. The first bytes may come late: a camera warms up, and a screen on which nothing moves has no frames. */
  begin(sink: Sink): void;
  pause(): void;
  resume(): void;
  /** Settles when the last byte has been taken. */
  stop(): Promise<void>;
}

const PIECE_MS = 1_000;
/** A fragment of MP4 ends at a key frame: what is shorter can be watched, and is safe, earlier. */
const LIVE_KEY_FRAMES_MS = 2_000;

/** Throws a `TypeError` where it is nothing that can be recorded. */
export function sourceOf(given: RecordingSource, { recorder, live, pieceMs = PIECE_MS }: RecordingOptions): Source {
  if (given instanceof ReadableStream) {
    return new StreamSource(given);
  }
  const canRecord = typeof MediaRecorder !== "undefined";
  if (canRecord && given instanceof MediaRecorder) {
    if (given.state !== "inactive") {
      // What it began with is lost.
      throw new TypeError("createRecording: the MediaRecorder has been started already");
    }
    return new RecorderSource(given, pieceMs);
  }
  if (canRecord && given instanceof MediaStream) {
    return new RecorderSource(new MediaRecorder(given, encodedAs(given, live, recorder)), pieceMs);
  }
  throw new TypeError("createRecording: no MediaStream, MediaRecorder or ReadableStream");
}

/**
 * As is asked for; where no type is, under the first that the browser has of two, or its own. Live, MP4 comes first: it has a playlist while
 * it grows, and WebM has none.
 */
function encodedAs(stream: MediaStream, live: RecordingOptions["live"], asked: MediaRecorderOptions = {}): object {
  if (asked.mimeType !== undefined) {
    return asked;
  }
  const kind = stream.getVideoTracks().length > 0 ? "video" : "audio";
  const types = [`${kind}/webm`, `${kind}/mp4`];
  live && types.reverse();
  const mimeType = types.find((type) => MediaRecorder.isTypeSupported(type));
  // A browser takes one of the two.
  const isShort = live && !("videoKeyFrameIntervalCount" in asked);
  return { ...(isShort && { videoKeyFrameIntervalDuration: LIVE_KEY_FRAMES_MS }), ...asked, mimeType };
}

class RecorderSource implements Source {
  readonly isUsefulInPart = true;
  readonly #recorder: MediaRecorder;
  readonly #pieceMs: number;
  /** Pieces are read one after the other, so that they stay in order. */
  #reading: Promise<void> = Promise.resolve();
  #stopped: Promise<void> = Promise.resolve();

  constructor(recorder: MediaRecorder, pieceMs: number) {
    this.#recorder = recorder;
    this.#pieceMs = pieceMs;
  }

  begin(sink: Sink): void {
    const recorder = this.#recorder;
    // What has not begun does not end. It tells of nothing before this function has returned.
    recorder.start(this.#pieceMs);
    let failure: unknown;
    let isBroken = false;
    recorder.addEventListener("dataavailable", ({ data }) => {
      this.#reading = this.#reading.then(async () => {
        const bytes = new Uint8Array(await data.arrayBuffer());
        if (!isBroken) {
          sink.take(bytes, bare(recorder.mimeType));
        }
      });
      this.#reading = this.#reading.catch((error) => {
        failure ??= error;
        // It ends in front of the hole.
        isBroken = true;
        this.#end();
      });
    });
    recorder.addEventListener("error", (event) => {
      failure ??= (event as Event & { error?: unknown }).error ?? new Error("the recorder has failed");
    });
    // Whoever is put into the background may not come back: what is encoded by now is taken.
    const onHidden = () => {
      if (document.visibilityState === "hidden" && recorder.state === "recording") {
        recorder.requestData();
      }
    };
    globalThis.document?.addEventListener("visibilitychange", onHidden);
    this.#stopped = new Promise<void>((resolve) => {
      recorder.addEventListener("stop", async () => {
        globalThis.document?.removeEventListener("visibilitychange", onHidden);
        await this.#reading;
        // Whoever tells of the last piece only now is heard as well.
        await new Promise((late) => setTimeout(late));
        await this.#reading;
        sink.end(failure === undefined ? "source-ended" : "source-failed", failure);
        resolve();
      });
    });
  }

  pause(): void {
    if (this.#recorder.state === "recording") {
      this.#recorder.pause();
      this.#recorder.requestData();
    }
  }

  resume(): void {
    if (this.#recorder.state === "paused") {
      this.#recorder.resume();
    }
  }

  async stop(): Promise<void> {
    this.#end();
    await this.#stopped;
  }

  #end(): void {
    if (this.#recorder.state !== "inactive") {
      this.#recorder.stop();
    }
  }
}

class StreamSource implements Source {
  readonly isUsefulInPart = false;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array | ArrayBuffer | Blob | string>;
  #isStopped = false;
  #isPaused = false;
  #wake: () => void = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(stream: ReadableStream<Uint8Array | ArrayBuffer | Blob | string>) {
    this.#reader = stream.getReader();
  }

  begin(sink: Sink): void {
    this.#running = this.#run(sink);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    // What is being read when it is stopped is no longer wanted; the stream is told so, and may take its time.
    this.#reader.cancel().catch(() => {});
    await this.#running;
  }

  async #run(sink: Sink): Promise<void> {
    try {
      while (!this.#isStopped) {
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        await (this.#isPaused ? woken : Promise.race([sink.room(), woken]));
        if (this.#isPaused || this.#isStopped) {
          continue;
        }
        const { done, value } = await this.#reader.read();
        if (done) {
          break;
        }
        sink.take(await bytesOf(value), value instanceof Blob ? bare(value.type) : "");
      }
      sink.end("source-ended");
    } catch (error) {
      sink.end("source-failed", error);
    }
  }
}

/** A copy of its own: whoever fills a stream may use its buffers again. */
async function bytesOf(value: Uint8Array | ArrayBuffer | Blob | string): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof value === "string") {
    return new TextEncoder().encode(value);
  }
  if (value instanceof Blob) {
    return new Uint8Array(await value.arrayBuffer());
  }
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  }
  if (!(Object(value).byteLength >= 0)) {
    throw new TypeError("the stream gave something other than bytes.");
  }
  return new Uint8Array(value).slice();
}

/** Without its parameters, which the rules for media types do not know. */
function bare(mimeType: string): string {
  return mimeType.split(";")[0]?.trim() ?? "";
}
