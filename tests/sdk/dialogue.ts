// The SDK's outside world, scripted: each line is a request that is expected next and the answer to it. Time passes only when
// nothing else happens, and what was slept is noted.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { PageClaims, type PageLocks } from "../../client/src/claims.ts";
import { sizeOf } from "../../client/src/file_reader.ts";
import {
  BrowserHasher,
  createUpload,
  type Remedy,
  type Upload,
  UploadError,
  type UploadEvents,
} from "../../client/src/index.ts";
import type {
  Claims,
  Connectivity,
  Hasher,
  HttpRequest,
  HttpResponse,
  LiveChannel,
  LiveStream,
  RecordStore,
  ResumeRecord,
  Runtime,
  UploadOptions,
} from "../../client/src/interfaces.ts";

import { FakeClock } from "./fake_clock.ts";

export { FakeClock } from "./fake_clock.ts";

export const ENDPOINT = "https://upload.example.com";
export const ID = "067e6162-3b6f-4ae2-a171-2470b63dff00";

export type Reply = { status: number; body?: object | string; headers?: Record<string, string> };
/** `no answer` is a broken connection, `hangs` one that says nothing until it is given up, `deaf` not even then. */
export type Answer = Reply | "no answer" | "hangs" | "deaf";
/** The method, the path, and for a chunk its range, or at storage its length; and what is answered, or done to find the answer. */
export type Line = readonly [request: string, answer: Answer | (() => Answer)];

export class Dialogue {
  readonly requests: HttpRequest[] = [];
  readonly #script: Line[];
  #mistake: UploadError | undefined;

  constructor(...script: Line[]) {
    this.#script = [...script];
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    this.requests.push(request);
    const said = describe(request);
    const [expected, answer] = this.#script.shift() ?? ["nothing", "no answer" as const];
    if (said !== expected) {
      this.#mistake ??= new UploadError("rejected", "none", `expected: ${expected}; came: ${said}`);
      throw this.#mistake;
    }
    return answered(typeof answer === "function" ? answer() : answer, request);
  }

  /** Everything was asked as scripted, and nothing else. */
  end(): void {
    assert.equal(this.#mistake, undefined);
    assert.deepEqual(
      this.#script.map(([request]) => request),
      [],
      "was never asked",
    );
  }

  header(index: number, name: string): string | undefined {
    return this.requests[index]?.headers[name];
  }

  json(index: number): Record<string, unknown> {
    return JSON.parse(String(this.requests[index]?.body)) as Record<string, unknown>;
  }
}

/** What a body brings, read as the network would. */
export async function bytesOf(body: HttpRequest["body"]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(body ?? "").arrayBuffer());
}

export function describe({ method, url, headers, body }: HttpRequest): string {
  const path = url.replace(ENDPOINT, "").replace(ID, "{id}");
  if (method === "PUT" && headers["X-Upload-Offset"] === undefined) {
    return `PUT ${path} ${sizeOf(body)} bytes`;
  }
  const from = Number(headers["X-Upload-Offset"]);
  return method === "PUT" ? `PUT ${path} ${from}-${from + sizeOf(body)}` : `${method} ${path}`;
}

export async function answered(answer: Answer, { signal }: HttpRequest): Promise<HttpResponse> {
  if (answer === "no answer") {
    throw new TypeError("fetch failed");
  }
  if (answer === "hangs") {
    return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  }
  if (answer === "deaf") {
    return new Promise(() => {});
  }
  const headers = new Headers(answer.headers);
  const { body = "" } = answer;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { status: answer.status, header: (name) => headers.get(name), body: text };
}

export class FakeConnectivity implements Connectivity {
  #online = true;
  readonly #listeners = new Set<() => void>();

  isOnline(): boolean {
    return this.#online;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  become(online: boolean): void {
    this.#online = online;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

/** What the server pushes, in the order of the script; without one there is no channel, and whoever wants to know asks. */
export class FakeChannel implements LiveChannel {
  readonly opened: { url: string; protocols: readonly string[] }[] = [];
  isClosed = false;
  readonly #script: readonly (Reply | "ends" | "silence")[] | undefined;

  constructor(...script: (Reply | "ends" | "silence")[]) {
    this.#script = script.length === 0 ? undefined : script;
  }

  open(url: string, protocols: readonly string[], onMessage: (text: string) => void, onEnd: () => void): () => void {
    this.opened.push({ url, protocols });
    for (const line of this.#script ?? ["ends"]) {
      if (line === "ends") {
        onEnd();
      } else if (line !== "silence") {
        onMessage(JSON.stringify(line.body));
      }
    }
    return () => {
      this.isClosed = true;
    };
  }
}

/** What the server pushes over HTTP; without a script, it has no such events. */
export class FakeStream implements LiveStream {
  readonly opened: { url: string; headers: object }[] = [];
  isClosed = false;
  readonly #script: readonly Reply[];

  constructor(...script: Reply[]) {
    this.#script = script;
  }

  open(url: string, headers: object, onMessage: (text: string) => void, onEnd: () => void): () => void {
    this.opened.push({ url, headers });
    for (const { body } of this.#script) {
      onMessage(JSON.stringify(body));
    }
    if (this.#script.length === 0) {
      onEnd();
    }
    return () => {
      this.isClosed = true;
    };
  }
}

export class MemoryStore implements RecordStore {
  readonly records = new Map<string, ResumeRecord>();

  async get(key: string): Promise<ResumeRecord | undefined> {
    return this.records.get(key);
  }

  async set(key: string, record: ResumeRecord): Promise<void> {
    this.records.set(key, record);
  }

  async remove(key: string): Promise<void> {
    this.records.delete(key);
  }
}

/** What the pages of one browser know of each other. A page that is gone has left its locks. */
export class MemoryLocks {
  readonly #held = new Map<string, { page: PageLocks; onLost: () => void }>();

  page(): PageLocks {
    const held = this.#held;
    const page: PageLocks = {
      async take(name, onLost, steal) {
        const holder = held.get(name);
        if (holder !== undefined && !steal) {
          return undefined;
        }
        held.set(name, { page, onLost });
        holder?.onLost();
        return () => held.get(name)?.page === page && held.delete(name);
      },
    };
    return page;
  }

  close(page: PageLocks): void {
    for (const [name, holder] of this.#held) {
      if (holder.page === page) {
        this.#held.delete(name);
      }
    }
  }
}

type SceneOptions = Partial<UploadOptions> & {
  store?: MemoryStore;
  live?: FakeChannel;
  claims?: Claims;
  clock?: FakeClock;
};

/** An upload in a scripted runtime, and all that it told. */
export class Scene {
  readonly clock: FakeClock;
  readonly connectivity = new FakeConnectivity();
  readonly live: FakeChannel;
  readonly store: MemoryStore;
  /** What randomness gives, always. */
  random = 0.5;
  readonly upload: Upload;
  readonly states: string[] = [];
  readonly progress: number[] = [];
  readonly retries: UploadEvents["retry"][] = [];
  readonly errors: UploadEvents["error"][] = [];
  readonly restarts: UploadEvents["restart"][] = [];

  constructor(file: File, http: Runtime["http"], options: SceneOptions = {}) {
    this.store = options.store ?? new MemoryStore();
    this.live = options.live ?? new FakeChannel();
    this.clock = options.clock ?? new FakeClock();
    const { clock, connectivity, live } = this;
    const { live: _live, clock: _clock, claims = new PageClaims(new MemoryLocks().page()), ...wanted } = options;
    const runtime = {
      http,
      clock,
      connectivity,
      live,
      claims,
      random: () => this.random,
      hasher,
      stream: new FakeStream(),
      ...options.runtime,
    };
    this.upload = createUpload(file, {
      endpoint: ENDPOINT,
      chunkBytes: 10,
      oneRequest: false,
      ...wanted,
      store: this.store,
      runtime,
    });
    this.upload.on("state", ({ state, resumedFromBytes }) => {
      this.states.push(resumedFromBytes === undefined ? state : `${state} from ${resumedFromBytes}`);
    });
    this.upload.on("progress", ({ uploadedBytes }) => this.progress.push(uploadedBytes));
    this.upload.on("retry", (retry) => this.retries.push(retry));
    this.upload.on("error", (error) => this.errors.push(error));
    this.upload.on("restart", (restart) => this.restarts.push(restart));
  }

  /** Resolves when the upload comes into this state. */
  state(wanted: string): Promise<void> {
    return new Promise((resolve) => this.upload.on("state", ({ state }) => state === wanted && resolve()));
  }
}

/** Chunks are hashed at once, so that no time passes meanwhile; whole files as in browsers without workers. */
const browserHasher = new BrowserHasher(() => undefined);
export const hasher: Hasher = {
  chunk: async (bytes) => createHash("sha256").update(bytes).digest("hex"),
  file: (...args) => browserHasher.file(...args),
  parts: (...args) => browserHasher.parts(...args),
};

/** Plays until the upload ends with an error, which it returns, as rejection and as event. */
export async function failing(scene: Scene): Promise<UploadError> {
  const error = await scene.upload.start().then(
    () => assert.fail("the upload succeeded"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof UploadError, String(error));
  assert.deepEqual(scene.errors, [error]);
  assert.equal(scene.upload.state, "failed");
  return error;
}

export function assertSays(error: UploadError, code: string, remedy: Remedy, words: RegExp): void {
  assert.deepEqual([error.code, error.remedy], [code, remedy]);
  assert.match(error.message, words);
}

export function fileOf(sizeBytes: number, name = "film.mp4", seed = 1): File {
  const bytes = Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 7 + seed) % 251);
  return new File([bytes], name, { type: "video/mp4", lastModified: 1_700_000_000_000 });
}

// ---- The answers of the server, in the shapes of `core/protocols/src/json/render.rs`.

export const created = (uploadedBytes = 0, chunkSize = 10): Reply => ({
  status: 201,
  body: { uploadId: ID, uploadUrl: `/upload/${ID}`, chunkSize, uploadedBytes, expiresAt: "2026-11-22T00:00:00Z" },
});

export const taken = (uploadedBytes: number, fileSize: number): Reply => ({
  status: 200,
  body: { uploadId: ID, uploadedBytes, fileSize, state: uploadedBytes === fileSize ? "completing" : "open" },
});

export const offset = (bytes: number): Reply => ({ status: 200, headers: { "Upload-Offset": String(bytes) } });

export const OBJECT = { key: `uploads/${ID}`, etag: "e", crc64nvme: "0000000000000000", sha256: null };

export function status(state: string, uploadedBytes: number, fileSize: number, more: object = {}): Reply {
  const missing = uploadedBytes < fileSize ? [[uploadedBytes, fileSize]] : [];
  const object = state === "completed" ? OBJECT : null;
  const facts = {
    uploadId: ID,
    state,
    reason: null,
    uploadedBytes,
    fileSize,
    missing,
    mode: "sequential",
    delivery: "none",
  };
  return { status: 200, body: { ...facts, chunkSize: 10, object, ...more } };
}

export function problem(httpStatus: number, code: string, more: object = {}, headers = {}): Reply {
  const type = `https://u.example/problems/${code}`;
  const body = { type, code, title: `Title of ${code}`, status: httpStatus, detail: "Some detail.", ...more };
  return { status: httpStatus, body, headers };
}
