// The list of all files: a journey and a row for each, fed by the uploader, by the server's live state, and at the end by the origin.
// What changes is shown with the next frame, however often it changes.

import { UploadError, watchUpload } from "quayside-client";

import type { Announcer } from "./announcer.ts";
import { Journey, type Moving, type OriginRecord, type Stage } from "./journey.ts";
import { groupOf, OrderedList } from "./list.ts";
import type { Help, Message } from "./messages.ts";
import type { Reports } from "./protocols.ts";
import type { Remembered } from "./remembered.ts";
import { Row } from "./row.ts";
import { authorization } from "./token.ts";

/** What a row's buttons do to a file. */
export interface Acts {
  pause(fileId: string): void;
  resume(fileId: string): void;
  remove(fileId: string): void;
  goOn(fileId: string): void;
  chooseAgain(fileId: string, isGone: boolean): void;
}

export interface BoardParts {
  readonly list: Element;
  readonly announcer: Announcer;
  readonly remembered: Remembered;
  readonly endpoint: string;
  readonly acts: Acts;
  readonly recordOf: (uploadId: string) => Promise<OriginRecord | undefined>;
  /** Called after anything was shown. */
  readonly onShown: () => void;
}

interface Entry {
  readonly fileId: string;
  readonly journey: Journey;
  readonly row: Row;
  readonly stop: AbortController;
  tryNow: () => void;
}

export class Board implements Reports {
  readonly #parts: BoardParts;
  readonly #list: OrderedList;
  readonly #entries = new Map<string, Entry>();
  readonly #changed = new Set<Entry>();

  constructor(parts: BoardParts) {
    this.#parts = parts;
    this.#list = new OrderedList(parts.list);
  }

  get journeys(): Journey[] {
    return Array.from(this.#entries.values(), ({ journey }) => journey);
  }

  stageOf(fileId: string): Stage | undefined {
    return this.#entries.get(fileId)?.journey.stage;
  }

  add(fileId: string, name: string, folder: string, fileBytes: number): void {
    const before = this.#entries.get(fileId);
    if (before !== undefined) {
      this.#drop(before);
    }
    const journey = new Journey(name, folder, fileBytes);
    const entry: Entry = {
      fileId,
      journey,
      row: new Row(journey, this.#actsOf(fileId, journey)),
      stop: new AbortController(),
      tryNow: () => {},
    };
    this.#entries.set(fileId, entry);
    this.#show(entry);
  }

  /** Begun in an earlier visit: what was known of it then is shown at once, and what the server knows as soon as it says so. */
  restore(fileId: string, isMissing: boolean): void {
    const known = this.#parts.remembered.get(fileId);
    this.#change(fileId, (journey) => {
      if (known !== undefined) {
        journey.confirmed(known.uploadedBytes, Date.now());
      }
      const text = "The browser has not kept this file. Choose it again, and it goes on where it was.";
      isMissing ? journey.turn("missing", { text, help: "choose-again" }) : journey.turn("interrupted");
    });
    if (known !== undefined) {
      this.named(fileId, known.uploadId);
    }
  }

  /** A file that was taken away before it arrived has no row; one that arrived keeps it. */
  remove(fileId: string): void {
    const entry = this.#entries.get(fileId);
    if (entry !== undefined && !entry.journey.isSent) {
      this.#drop(entry);
    }
  }

  /** Those that have arrived go out of the list; their ids. */
  clearFinished(): string[] {
    const finished = [...this.#entries.values()].filter(({ journey }) => journey.isOver);
    for (const entry of finished) {
      this.#drop(entry);
    }
    return finished.map(({ fileId }) => fileId);
  }

  began(fileId: string, tryNow: () => void): void {
    const entry = this.#entries.get(fileId);
    if (entry !== undefined) {
      entry.tryNow = tryNow;
    }
  }

  named(fileId: string, uploadId: string): void {
    const entry = this.#entries.get(fileId);
    if (entry !== undefined && entry.journey.uploadId !== uploadId) {
      entry.journey.uploadId = uploadId;
      this.#watch(entry, uploadId);
    }
  }

  resumed(fileId: string, fromBytes: number): void {
    this.#change(fileId, (journey) => journey.resumed(fromBytes, Date.now()));
  }

  moved(fileId: string, moving: Moving): void {
    this.#change(fileId, (journey) => journey.moved(moving));
  }

  turned(fileId: string, stage: Stage, message?: Message): void {
    this.#change(fileId, (journey) => journey.turn(stage, message));
  }

  duplicate(fileId: string): void {
    this.#change(fileId, (journey) => {
      journey.isDuplicate = true;
    });
  }

  #actsOf(fileId: string, journey: Journey) {
    const { acts, recordOf } = this.#parts;
    const helps: Readonly<Record<Help, () => void>> = {
      "go-on": () => acts.goOn(fileId),
      "start-over": () => acts.goOn(fileId),
      "try-now": () => this.#entries.get(fileId)?.tryNow(),
      "choose-again": () => acts.chooseAgain(fileId, journey.stage === "failed"),
    };
    return {
      pause: () => acts.pause(fileId),
      resume: () => acts.resume(fileId),
      remove: () => {
        const entry = this.#entries.get(fileId);
        acts.remove(fileId);
        entry !== undefined && this.#drop(entry);
      },
      help: (help: Help) => helps[help](),
      record: async () => (journey.uploadId === undefined ? undefined : await recordOf(journey.uploadId)),
    };
  }

  #drop(entry: Entry): void {
    entry.stop.abort();
    entry.row.element.remove();
    this.#parts.remembered.delete(entry.fileId);
    // Another one may have taken its place meanwhile.
    if (this.#entries.get(entry.fileId) === entry) {
      this.#entries.delete(entry.fileId);
    }
    this.#parts.onShown();
  }

  #change(fileId: string, change: (journey: Journey) => void): void {
    const entry = this.#entries.get(fileId);
    if (entry !== undefined) {
      change(entry.journey);
      this.#show(entry);
    }
  }

  #show(entry: Entry): void {
    if (this.#changed.size === 0) {
      // Timers run in a tab that nobody looks at, too; frames do not.
      document.hidden ? setTimeout(() => this.#paint()) : requestAnimationFrame(() => this.#paint());
    }
    this.#changed.add(entry);
  }

  #paint(): void {
    for (const { fileId, journey, row } of this.#changed) {
      if (this.#entries.get(fileId)?.row === row) {
        row.show(journey);
        this.#list.place(row.element, groupOf(journey));
        this.#parts.announcer.hear(journey);
        this.#remember(fileId, journey);
      }
    }
    this.#changed.clear();
    this.#parts.onShown();
  }

  #remember(fileId: string, { uploadId, uploadedBytes, isOver }: Journey): void {
    const { remembered } = this.#parts;
    if (isOver) {
      remembered.delete(fileId);
    } else if (uploadId !== undefined && uploadedBytes > 0) {
      remembered.set(fileId, { uploadId, uploadedBytes });
    }
  }

  /** From the moment the upload has a name until the origin has it, whoever sends the bytes. */
  async #watch(entry: Entry, uploadId: string): Promise<void> {
    const { journey, stop } = entry;
    const isCurrent = () => journey.uploadId === uploadId && !stop.signal.aborted;
    try {
      const options = { endpoint: this.#parts.endpoint, headers: authorization, signal: stop.signal };
      for await (const status of watchUpload(uploadId, options)) {
        if (!isCurrent()) {
          return;
        }
        journey.told(status, Date.now());
        this.#show(entry);
      }
    } catch (error) {
      if (isCurrent() && error instanceof UploadError && journey.isSent) {
        journey.message = { text: `How it stands cannot be told: ${error.message}` };
        this.#show(entry);
      }
    }
  }
}
