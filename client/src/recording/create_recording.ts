// A recording out of a source, settings and the outside world; and the same out of what another page has left.

import { browserClaims } from "../claims.ts";
import { Deadlines } from "../deadlines.ts";
import { Emitter } from "../emitter.ts";
import { BrowserHasher } from "../hash.ts";
import { HeaderSource } from "../headers.ts";
import type { Runtime } from "../interfaces.ts";
import { Live } from "../live.ts";
import { checkOptions, endpointOf } from "../options.ts";
import {
  browserConnectivity,
  browserHttp,
  serverSentEvents,
  systemClock,
  systemRandom,
  uniqueName,
  webSockets,
} from "../platform.ts";
import { Retrier } from "../retrier.ts";
import { Server } from "../server.ts";
import type { Recording, RecordingEvents, RecordingOptions, RecordingSource, SpoolStorage } from "./interfaces.ts";
import { liveQuery } from "./live_creation.ts";
import type { Note } from "./notes.ts";
import { Opening, type OpeningParts } from "./opening.ts";
import { QuaysideRecording } from "./recording.ts";
import { saidOf } from "./remote.ts";
import { type Source, sourceOf } from "./sources.ts";

const SEND_EVERY_MS = 1_000;
/** Among the metadata of what is created so, the server takes the first three for what makes an upload live; a part has the last. */
const TAKEN = ["live", "endAfterSeconds", "tellEveryBytes", "fromBytes"];
const MOST_MEMORY_BYTES = 256 * 1024 * 1024;

/** Every option there is; the compiler sees to it that none is missing. */
const KNOWN: Readonly<Record<keyof RecordingOptions, true>> = {
  endpoint: true,
  headers: true,
  metadata: true,
  retry: true,
  fileName: true,
  contentType: true,
  recorder: true,
  pieceMs: true,
  sendEveryMs: true,
  live: true,
  keepUntilComplete: true,
  storage: true,
  persist: true,
  mostMemoryBytes: true,
  keepAwake: true,
  runtime: true,
};

/** A recording that has not begun. Throws a `TypeError` when an option makes no sense, or the source is none. */
export function createRecording(source: RecordingSource, options: RecordingOptions): Recording {
  checked(options);
  const { fileName = "", metadata = {}, sendEveryMs = SEND_EVERY_MS, pieceMs = 0 } = options;
  const contentType = options.contentType ?? "";
  // A part says where it begins, in sixteen digits at most. What is not said is found out later: a name of 34 letters, and a type.
  const later = "0".repeat(40);
  const longest = {
    fileName: fileName || later,
    contentType: contentType || later,
    metadata: { ...metadata, fromBytes: later },
  };
  if (TAKEN.some((name) => name in metadata) || saidOf(longest) === undefined) {
    const names = `letters, digits and dashes, other than ${TAKEN.join(", ")}`;
    throw new TypeError(`metadata of a recording has names of ${names}, and 2 kB at most`);
  }
  const endpoint = endpointOf(options.endpoint);
  const about = {
    fileName,
    contentType,
    metadata,
    endpoint,
    live: liveQuery(options.live, Math.max(sendEveryMs, pieceMs)),
  };
  // No more than a browser's folder may be called.
  const id = uniqueName();
  return wired(id, options, sourceOf(source, options), { wanted: options.storage, about });
}

/** One that was left in this place. */
export function resumedRecording(id: string, left: SpoolStorage, note: Note, options: RecordingOptions): Recording {
  checked(options);
  return wired(id, options, undefined, { left, about: note });
}

/** The world as it is here, but for what is said to be otherwise. */
export function runtimeOf({ runtime }: Pick<RecordingOptions, "runtime">): Runtime {
  return {
    http: browserHttp,
    clock: systemClock,
    random: systemRandom,
    connectivity: browserConnectivity,
    hasher: runtime?.hasher ?? new BrowserHasher(),
    live: webSockets,
    stream: serverSentEvents,
    claims: browserClaims,
    ...runtime,
  };
}

type Place = Pick<OpeningParts, "left" | "wanted" | "about">;

function wired(id: string, options: RecordingOptions, source: Source | undefined, place: Place): Recording {
  const runtime = runtimeOf(options);
  const { clock, random } = runtime;
  const emitter = new Emitter<RecordingEvents>();
  const retrier = new Retrier({
    clock,
    random,
    policy: options.retry,
    onRetry: (retry) => emitter.emit("retry", retry),
    onMended: () => recording.mended(),
  });
  const deadlines = new Deadlines(runtime.http, clock);
  const server = new Server(endpointOf(options.endpoint), new HeaderSource(options.headers, clock), deadlines, clock);
  const live = new Live(server, runtime);
  const opening = new Opening({
    ...{ id, runtime, server, retrier, live, ...place },
    keeps: options.keepUntilComplete ?? true,
    sendEveryMs: options.sendEveryMs ?? SEND_EVERY_MS,
    onRestart: (restart) => emitter.emit("restart", restart),
  });
  const recording: QuaysideRecording = new QuaysideRecording({
    ...{ id, runtime, emitter, retrier, deadlines, opening, source, about: place.about },
    mostMemoryBytes: options.mostMemoryBytes ?? MOST_MEMORY_BYTES,
    persist: options.persist ?? true,
  });
  if (options.keepAwake) {
    keepAwakeDuring(recording);
  }
  return recording;
}

function keepAwakeDuring(recording: Recording): void {
  // Where it cannot be loaded, the screen goes off.
  const loading = import("../wake_lock.ts").catch(() => undefined);
  const sender = {
    get state() {
      const isAtWork = ["starting", "recording", "sending"].includes(recording.status.state);
      return isAtWork ? ("uploading" as const) : ("idle" as const);
    },
  };
  recording.on("status", async () => (await loading)?.keepAwake(sender));
}

function checked(options: RecordingOptions): void {
  const { endpoint, retry = {}, pieceMs = 1, sendEveryMs = 1, mostMemoryBytes = 1 } = options ?? {};
  checkOptions({ endpoint, retry });
  const unknown = Object.keys(options).find((name) => !(name in KNOWN));
  if (unknown !== undefined) {
    throw new TypeError(`there is no option ${unknown}`);
  }
  if (!(pieceMs > 0) || !(sendEveryMs > 0) || !(mostMemoryBytes > 0)) {
    throw new TypeError("pieceMs, sendEveryMs and mostMemoryBytes are numbers above 0");
  }
}
