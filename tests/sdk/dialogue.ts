// The SDK's outside world, scripted: each line is a request that is expected next and the answer to it. Time stands still
// but for what is slept, and what was slept is noted.

import assert from "node:assert/strict";
import {
  BrowserHasher,
  createUpload,
  type Remedy,
  type Upload,
  UploadError,
  type UploadEvents,
} from "../../client/src/index.ts";
import type {
  Clock,
  Connectivity,
  HttpRequest,
  HttpResponse,
  LiveChannel,
  RecordStore,
  ResumeRecord,
  UploadOptions,
  World,
} from "../../client/src/interfaces.ts";

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
  #mistake: Error | undefined;

  constructor(...script: Line[]) {
    this.#script = [...script];
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    this.requests.push(request);
    const said = describe(request);
    const [expected, answer] = this.#script.shift() ?? ["nothing", "no answer" as const];
    if (said !== expected) {
      this.#mistake ??= new Error(`expected: ${expected}; came: ${said}`);
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

export function describe({ method, url, headers, body }: HttpRequest): string {
  const path = url.replace(ENDPOINT, "").replace(ID, "{id}");
  if (method === "PUT" && headers["X-Upload-Offset"] === undefined) {
    return `PUT ${path} ${body?.length} bytes`;
  }
  const from = Number(headers["X-Upload-Offset"]);
  return method === "PUT" ? `PUT ${path} ${from}-${from + (body?.length ?? 0)}` : `${method} ${path}`;
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

export class FakeClock implements Clock {
  now = 1_000_000;
  readonly slept: number[] = [];

  nowMs(): number {
    return this.now;
  }

  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.slept.push(delayMs);
    this.now += delayMs;
  }
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

type SceneOptions = Partial<UploadOptions> & { store?: MemoryStore; live?: FakeChannel };

/** An upload in a scripted world, and all that it told. */
export class Scene {
  readonly clock = new FakeClock();
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

  constructor(file: File, http: World["http"], options: SceneOptions = {}) {
    this.store = options.store ?? new MemoryStore();
    this.live = options.live ?? new FakeChannel();
    const { clock, connectivity, live } = this;
    const world = {
      http,
      clock,
      connectivity,
      live,
      random: () => this.random,
      hasher: new BrowserHasher(() => undefined),
    };
    this.upload = createUpload(file, { endpoint: ENDPOINT, chunkBytes: 10, ...options, store: this.store, world });
    this.upload.on("state", ({ state, resumedFromBytes }) => {
      this.states.push(resumedFromBytes === undefined ? state : `${state} from ${resumedFromBytes}`);
    });
    this.upload.on("progress", ({ uploadedBytes }) => this.progress.push(uploadedBytes));
    this.upload.on("retry", (retry) => this.retries.push(retry));
    this.upload.on("error", (error) => this.errors.push(error));
  }
}

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

// ---- The answers of the server, in the shapes of `core/src/dialect/json/render.rs`.

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
  const type = `https://quayside.dev/problems/${code}`;
  const body = { type, title: `Title of ${code}`, status: httpStatus, detail: "Some detail.", ...more };
  return { status: httpStatus, body, headers };
}
