// A recording in a made-up world: a source by hand, a place and a server in memory, and time that passes only while nothing else happens.

import { PageClaims } from "../../client/src/claims.ts";
import type { Runtime } from "../../client/src/interfaces.ts";
import {
  createRecording,
  type LeftRecording,
  listRecordings,
  type Recording,
  type RecordingOptions,
  type RecordingStatus,
  type ResumeOptions,
} from "../../client/src/recording/index.ts";
import { ENDPOINT, FakeChannel, FakeClock, FakeConnectivity, FakeStream, hasher, MemoryLocks } from "./dialogue.ts";
import { MemoryPlace } from "./recording_places.ts";
import { RecordingServer } from "./recording_server.ts";

/** What a browser has, whichever of its pages looks. */
export class RecordingWorld {
  readonly place = new MemoryPlace();
  readonly server = new RecordingServer();
  readonly clock = new FakeClock();
  readonly connectivity = new FakeConnectivity();
  readonly locks = new MemoryLocks();

  page(): RecordingPage {
    return new RecordingPage(this);
  }
}

/** One of its pages. */
export class RecordingPage {
  readonly #world: RecordingWorld;
  readonly #locks: ReturnType<MemoryLocks["page"]>;
  readonly runtime: Runtime;
  /** Until it is killed. */
  #isAlive = true;

  constructor(world: RecordingWorld) {
    this.#world = world;
    const { clock, connectivity, server } = world;
    this.#locks = world.locks.page();
    const http = {
      send: (request: Parameters<RecordingServer["send"]>[0]) =>
        this.#isAlive ? server.send(request) : new Promise<never>(() => {}),
    };
    this.runtime = {
      http,
      clock,
      connectivity,
      hasher,
      random: Math.random,
      live: new FakeChannel(),
      stream: new FakeStream(),
      claims: new PageClaims(this.#locks),
    };
  }

  /** Nothing that runs in it has any effect from here on. Whoever writes finds that out by never hearing of it again. */
  kill(): void {
    this.#isAlive = false;
    this.#world.locks.close(this.#locks);
    const { folders } = this.#world.place;
    // What the dead page still holds is not what is there any more.
    for (const [id, files] of folders) {
      folders.set(id, new Map(files));
    }
  }

  record(source: Tap | ReadableStream<Uint8Array>, options: Partial<RecordingOptions> = {}): Recording {
    const stream = source instanceof Tap ? source.stream : source;
    const { place } = this.#world;
    return createRecording(stream, { endpoint: ENDPOINT, storage: place, runtime: this.runtime, ...options });
  }

  left(options: ResumeOptions = {}): Promise<LeftRecording[]> {
    return listRecordings({ storage: this.#world.place, runtime: this.runtime, ...options });
  }
}

/** A stream that is filled by hand. */
export class Tap {
  readonly given: Uint8Array[] = [];
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      this.#controller = controller;
    },
  });

  give(sizeBytes: number): void {
    const seed = this.given.length + 1;
    const bytes = Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 31 + seed * 7) % 253);
    this.given.push(bytes.slice());
    this.#controller.enqueue(bytes);
  }

  end(): void {
    this.#controller.close();
  }

  break(error: unknown): void {
    this.#controller.error(error);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.given);
  }
}

/** Settles as soon as the status is like this. */
export function until(recording: Recording, is: (status: RecordingStatus) => boolean): Promise<RecordingStatus> {
  return new Promise((resolve) => {
    const look = (status: RecordingStatus) => {
      if (is(status)) {
        off();
        resolve(status);
      }
    };
    let off = () => {};
    off = recording.on("status", look);
    look(recording.status);
  });
}
