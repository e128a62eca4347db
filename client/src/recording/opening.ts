// All the wiring of a recording's place: the claim that makes this page the only one to write and send it, the folder with its note, and
// whoever works on them. One way for what begins here and for what another page has left.

import { randomName } from "../creation.ts";
import { asUploadError, UploadError } from "../errors.ts";
import type { Claim, Runtime } from "../interfaces.ts";
import type { Live } from "../live.ts";
import { Retrier } from "../retrier.ts";
import type { Server } from "../server.ts";
import { orLate } from "../signals.ts";
import type { Discarded, RecordingRestart, SpoolStorage } from "./interfaces.ts";
import { defaultName } from "./names.ts";
import { type Note, Notebook } from "./notes.ts";
import { patiently } from "./patience.ts";
import { NOTHING } from "./pieces.ts";
import { workingPlace } from "./places.ts";
import { Pressure } from "./pressure.ts";
import { takenOver } from "./reasons.ts";
import { RemoteRecording } from "./remote.ts";
import { Sender } from "./sender.ts";
import { Spool } from "./spool.ts";

/** Whoever discards does not want to wait for a network. What the server keeps then, it drops by itself in time. */
const REMOVING_MS = 60_000;
/** A write that is on its way is waited for, and one that never ends is not. */
const SETTLED_MS = 5_000;
const CLAIM_TRIES = 4;
const CLAIM_PAUSE_MS = 250;

/** What is open while a recording runs. */
export interface Opened {
  /** Undefined where nothing is kept. */
  readonly storage: SpoolStorage | undefined;
  readonly spool: Spool;
  readonly notebook: Notebook;
  readonly sender: Sender;
  readonly pressure: Pressure | undefined;
}

export interface Told {
  readonly onChange: () => void;
  readonly onSent: (bytes: number) => void;
  /** The server has said how much it has. */
  readonly onAnswer: () => void;
  readonly onCompleting: () => void;
}

/** What is known of it before its place is open. */
export type About = Pick<Note, "fileName" | "contentType" | "metadata" | "endpoint" | "live"> &
  Partial<Pick<Note, "uploadId" | "earlierUploadIds">>;

export interface OpeningParts {
  readonly id: string;
  readonly runtime: Runtime;
  readonly server: Server;
  readonly retrier: Retrier;
  readonly live: Live;
  readonly keeps: boolean;
  readonly sendEveryMs: number;
  readonly onRestart: (restart: RecordingRestart) => void;
  /** Where it is, for what another page has left; otherwise where it may be, and what is to be noted of it. */
  readonly left?: SpoolStorage;
  readonly wanted?: SpoolStorage | null | undefined;
  readonly about: About;
}

/** The name of the claim on a recording. */
export function claimName(id: string): string {
  return `quayside:recording:${id}`;
}

export class Opening {
  readonly #parts: OpeningParts;
  /** Whether this page has removed it here. */
  #isRemoved = false;

  constructor(parts: OpeningParts) {
    this.#parts = parts;
  }

  /** The right to write and to send it, which ends with the page. */
  async claim(): Promise<Claim> {
    const { id, runtime } = this.#parts;
    for (let tries = 1; ; tries++) {
      const claim = await runtime.claims.claim(claimName(id), this);
      if (typeof claim !== "string") {
        return claim;
      }
      runtime.claims.leave(claimName(id), this);
      if (tries === CLAIM_TRIES) {
        const message = "This recording is in use: it is being recorded or sent by another page, or in this one.";
        throw new UploadError("rejected", "resume", message);
      }
      // Whoever lists recordings has it for a moment.
      await runtime.clock.sleep(CLAIM_PAUSE_MS, new AbortController().signal);
    }
  }

  async open(told: Told): Promise<Opened> {
    const { left } = this.#parts;
    return left === undefined ? this.#begun(told) : this.#recovered(left, told);
  }

  /** What the recorder says of itself with its first bytes: before there is anything to send, and so before the upload is asked for. */
  describe({ spool, notebook }: Opened, bytes: Uint8Array, contentType: string): void {
    if (spool.recordedBytes > 0 || bytes.length === 0) {
      return;
    }
    const { note } = notebook;
    const type = note.contentType || contentType;
    const fileName = note.fileName || defaultName(note.startedAtMs, type);
    notebook.write({ contentType: type, fileName }).catch(() => {});
  }

  /** Nothing of it is needed here any more. */
  async forget(opened: Opened | undefined): Promise<void> {
    opened?.spool.close();
    await this.#settled(opened);
    this.#isRemoved = true;
    await opened?.storage?.remove(this.#parts.id);
  }

  /** What is being written cannot be removed, and what is written later would come back. */
  async #settled(opened: Opened | undefined): Promise<void> {
    await (opened && orLate(opened.spool.settled(), this.#parts.runtime.clock, SETTLED_MS, () => {}));
  }

  /** Nothing of it shall remain, here or at the server; that does not answer for ever. */
  async remove(opened: Opened | undefined): Promise<Discarded> {
    const { left, id, about } = this.#parts;
    const storage = opened?.storage ?? left;
    await this.#settled(opened);
    // Another page may have begun it anew since.
    const stored = await storage
      ?.open(id)
      .then(Notebook.read)
      .catch(() => ({ note: about }));
    // Here first: whoever discards wants that to be certain.
    await storage?.remove(id);
    if (storage && !stored && opened?.notebook.isStored && !this.#isRemoved) {
      // Another page has sent all of it, and removed it.
      throw takenOver();
    }
    this.#isRemoved = true;
    const notes = [stored?.note, opened?.notebook.note];
    const uploadIds = notes.flatMap((note) => (note?.earlierUploadIds ?? []).concat(note?.uploadId ?? []));
    const tried = await Promise.all([...new Set(uploadIds)].map((uploadId) => this.#removeThere(uploadId)));
    return { staying: tried.flat() };
  }

  /** Nothing, or that it stays. */
  async #removeThere(uploadId: string): Promise<Discarded["staying"]> {
    const { runtime, server } = this.#parts;
    const retrier = new Retrier({ ...runtime, policy: { giveUpAfterMs: REMOVING_MS }, onRetry: () => {} });
    const { signal } = new AbortController();
    try {
      await retrier.ask(signal, () => server.remove(uploadId, signal));
      return [];
    } catch (error) {
      return [{ uploadId, error: asUploadError(error) }];
    }
  }

  async #begun(told: Told): Promise<Opened> {
    const { id, runtime, wanted, keeps, about } = this.#parts;
    const { clock } = runtime;
    const storage = await workingPlace(wanted, clock);
    const opened = await storage?.open(id);
    const folder = opened && patiently(opened, clock);
    // The clock on the wall is for people to read; nothing is decided by it.
    const startedAtMs = Date.now();
    const notebook = new Notebook(folder, {
      ...about,
      startedAtMs,
      creationKey: randomName(runtime.random),
      uploadId: null,
      confirmedBytes: 0,
      baseBytes: 0,
      baseChecksum: NOTHING,
      isEnded: false,
    });
    // Dies before this line: an empty folder, which whoever lists removes.
    await notebook.write({}).catch(() => {});
    const spool = new Spool({ folder, notebook, clock, keeps, onChange: told.onChange });
    return this.#opened({ storage, spool, notebook }, told);
  }

  async #recovered(storage: SpoolStorage, told: Told): Promise<Opened> {
    const { id, runtime, keeps } = this.#parts;
    const folder = patiently(await storage.open(id), runtime.clock);
    const recovered = await Spool.recovered({ folder, clock: runtime.clock, keeps, onChange: told.onChange });
    if (recovered === undefined) {
      throw new UploadError("file-unreadable", "none", "This recording is no longer on this device.");
    }
    recovered.spool.finish();
    return this.#opened({ storage, ...recovered }, told);
  }

  #opened(found: Omit<Opened, "sender" | "pressure">, told: Told): Opened {
    const { runtime, server, left } = this.#parts;
    const { storage, spool, notebook } = found;
    const { clock } = runtime;
    const pressure = storage && new Pressure(storage, clock, () => spool.recordedBytes, told.onChange);
    const remote = new RemoteRecording(server, clock, notebook);
    const isRecovered = left !== undefined;
    const sender = new Sender({ ...this.#parts, ...told, spool, notebook, remote, isRecovered });
    return { ...found, pressure, sender };
  }
}
