// All files on their way: a journey and a card for each, fed by the uploader, by the server's live state, and at the end by the
// origin.

import { UploadError, watchUpload } from "quayside-client";

import type { Announcer } from "./announcer.ts";
import { Card } from "./card.ts";
import { Journey, type OriginRecord, type Stage } from "./journey.ts";
import type { Reports } from "./protocols.ts";
import { authorization } from "./token.ts";

export interface BoardParts {
  readonly list: Element;
  /** Shown while there are no cards. */
  readonly empty: HTMLElement;
  readonly announcer: Announcer;
  readonly endpoint: string;
  readonly recordOf: (uploadId: string) => Promise<OriginRecord | undefined>;
}

interface Entry {
  readonly journey: Journey;
  readonly card: Card;
  readonly stop: AbortController;
}

export class Board implements Reports {
  readonly #parts: BoardParts;
  readonly #entries = new Map<string, Entry>();

  constructor(parts: BoardParts) {
    this.#parts = parts;
  }

  add(fileId: string, name: string, fileBytes: number): void {
    this.#entries.get(fileId)?.card.element.remove();
    const journey = new Journey(name, fileBytes);
    const entry = { journey, card: new Card(journey), stop: new AbortController() };
    this.#entries.set(fileId, entry);
    this.#parts.list.prepend(entry.card.element);
    this.#parts.empty.hidden = true;
  }

  /** A file that was taken away before it arrived has no card; one that arrived keeps it. */
  remove(fileId: string): void {
    const entry = this.#entries.get(fileId);
    if (entry !== undefined && !entry.journey.isSent) {
      entry.stop.abort();
      entry.card.element.remove();
      this.#entries.delete(fileId);
    }
    this.#parts.empty.hidden = this.#entries.size > 0;
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

  confirmed(fileId: string, uploadedBytes: number): void {
    this.#change(fileId, (journey) => journey.confirmed(uploadedBytes, Date.now()));
  }

  turned(fileId: string, stage: Stage, remark = ""): void {
    this.#change(fileId, (journey) => journey.turn(stage, remark));
  }

  duplicate(fileId: string): void {
    this.#change(fileId, (journey) => {
      journey.isDuplicate = true;
    });
  }

  #change(fileId: string, change: (journey: Journey) => void): void {
    const entry = this.#entries.get(fileId);
    if (entry !== undefined) {
      change(entry.journey);
      this.#show(entry);
    }
  }

  #show({ journey, card }: Entry): void {
    card.show(journey);
    this.#parts.announcer.hear(journey);
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
      journey.record = await this.#parts.recordOf(uploadId);
      this.#show(entry);
    } catch (error) {
      if (isCurrent() && error instanceof UploadError && journey.isSent) {
        journey.remark = `How it stands cannot be told: ${error.message}`;
        this.#show(entry);
      }
    }
  }
}
