// How far each file was, kept across a reload, so that it is shown at once, before the server is asked.

const KEY = "quayside:progress";
/** Beyond, the oldest are forgotten. */
const MOST_FILES = 200;
const WRITE_EVERY_MS = 500;

export interface LastKnown {
  readonly uploadId: string;
  readonly uploadedBytes: number;
}

export class Remembered {
  readonly #files = new Map<string, LastKnown>(readAll());
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    addEventListener("pagehide", () => this.#write());
  }

  get(fileId: string): LastKnown | undefined {
    return this.#files.get(fileId);
  }

  set(fileId: string, known: LastKnown): void {
    this.#files.delete(fileId);
    this.#files.set(fileId, known);
    this.#writeSoon();
  }

  delete(fileId: string): void {
    if (this.#files.delete(fileId)) {
      this.#writeSoon();
    }
  }

  #writeSoon(): void {
    this.#timer ??= setTimeout(() => this.#write(), WRITE_EVERY_MS);
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      localStorage.setItem(KEY, JSON.stringify([...this.#files].slice(-MOST_FILES)));
    } catch {
      // A storage that is full or closed stops no upload.
    }
  }
}

function readAll(): [string, LastKnown][] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]") as [string, LastKnown][];
  } catch {
    return [];
  }
}
