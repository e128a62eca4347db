// What is noted of a recording beside its pieces: what it is called, which upload it is, and where its pieces begin. Two notes are
// written in turn, each with its checksum, so that the newest whole one is always there, whatever tore the other.

import type { Problem } from "../interfaces.ts";
import type { SpoolFolder } from "./interfaces.ts";
import { checksumAfter, NOTHING } from "./pieces.ts";

export interface Note {
  readonly fileName: string;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly endpoint: string;
  /** What is said behind the address where it is created; missing where it is no live upload. */
  readonly live?: string | undefined;
  readonly startedAtMs: number;
  /** Noted before the upload is asked for: asked again under this key, it is the same one. */
  readonly creationKey: string;
  readonly uploadId: string | null;
  /** Of this recording, before that one. */
  readonly earlierUploadIds?: readonly string[];
  /** The upload has the recording from here on, where not all of it was here any more as it began. */
  readonly fromBytes?: number;
  /** The server has refused this recording, as more than it takes. */
  readonly tooLarge?: Problem | undefined;
  /** Confirmed by the server when this was written, and more by now. */
  readonly confirmedBytes: number;
  /** What lies in front of this was sent and is not here; with its checksum. */
  readonly baseBytes: number;
  readonly baseChecksum: string;
  /** Nothing more is recorded. */
  readonly isEnded: boolean;
}

interface Stored extends Note {
  readonly sequence: number;
}

export class Notebook {
  readonly #folder: SpoolFolder | undefined;
  #note: Note;
  #sequence: number;
  #writing: Promise<unknown> = Promise.resolve();
  #isStored: boolean;

  /** The newest whole note; undefined where there is none. */
  static async read(folder: SpoolFolder): Promise<Notebook | undefined> {
    const texts = await Promise.all([folder.readNote(0), folder.readNote(1)]);
    const notes = texts.map(parsed).filter((note) => note !== undefined);
    const [newest] = notes.sort((a, b) => b.sequence - a.sequence);
    return newest && new Notebook(folder, newest, newest.sequence);
  }

  /** Without a folder it is remembered in memory alone. */
  constructor(folder: SpoolFolder | undefined, note: Note, sequence = 0) {
    this.#folder = folder;
    this.#note = note;
    this.#sequence = sequence;
    this.#isStored = sequence > 0;
  }

  /** Whether the last note that was to be stored could be. */
  get isStored(): boolean {
    return this.#isStored;
  }

  get note(): Note {
    return this.#note;
  }

  /** Settles when it is stored; rejects where it could not be, and holds in memory all the same. */
  write(change: Partial<Note>): Promise<void> {
    this.#note = { ...this.#note, ...change };
    const writing = this.#writing.then(() => this.#store());
    this.#writing = writing.catch(() => {});
    return writing;
  }

  /** Settles when no note is on its way any more. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #store(): Promise<void> {
    const sequence = this.#sequence + 1;
    const text = JSON.stringify({ ...this.#note, sequence } satisfies Stored);
    try {
      await this.#folder?.writeNote(sequence % 2 === 0 ? 0 : 1, `${checksumOf(text)} ${text}`);
    } catch (error) {
      this.#isStored = false;
      throw error;
    }
    // Only now: a write that was torn is repeated in the same place, and the other note stays.
    this.#sequence = sequence;
    this.#isStored = true;
  }
}

function parsed(stored: string | undefined): Stored | undefined {
  const [checksum, text] = [stored?.slice(0, 16), stored?.slice(17)];
  return text !== undefined && checksum === checksumOf(text) ? (JSON.parse(text) as Stored) : undefined;
}

function checksumOf(text: string): string {
  return checksumAfter(NOTHING, new TextEncoder().encode(text));
}
