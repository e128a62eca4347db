// A server in memory that knows what the file should be: it notices a file that is damaged, says what it has of it, takes what is sent
// again, and copies the rest, a chunk whenever somebody asks how the upload stands. What it has yet to copy does not count, and is not
// missing.

import assert from "node:assert/strict";

import type { HttpClient, HttpRequest, HttpResponse, ServerState } from "../../client/src/interfaces.ts";
import { crc64nvme, sha256 } from "../support/bytes.ts";
import {
  type Answer,
  answered,
  bytesOf,
  created,
  describe,
  ID,
  offset,
  problem,
  type Reply,
  status,
  taken,
} from "./dialogue.ts";

export const CHUNK_BYTES = 10;

/** May answer in the server's stead, or lose its answer: by the request, and the count of requests for the same, from 1. */
type Fate = (request: string, time: number) => Answer | "lost answer" | undefined;

interface Creation {
  readonly fileName: string;
  readonly fileSize: number;
  readonly sha256: string;
  readonly parallel: boolean;
  readonly metadata: object;
}

export class RepairServer implements HttpClient {
  /** All that was asked, in order. */
  readonly asked: string[] = [];
  /** What was to be repaired, each time. */
  readonly repairs: { offset: number; length: number }[][] = [];
  state: ServerState = "open";
  mode: "sequential" | "parallel" = "sequential";
  /** Bytes that arrive changed: where they are, and how often. */
  readonly spoilt = new Map<number, number>();
  fate: Fate = () => undefined;
  readonly bytes: Buffer;
  #file = { fileName: "", fileSize: 0 };
  #metadata: object = {};
  #sha256 = "";
  #missing: number[] = [];
  #toCopy: number[] = [];

  constructor(sizeBytes: number) {
    this.bytes = Buffer.alloc(sizeBytes);
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const said = describe(request);
    this.asked.push(said);
    const fate = this.fate(said, this.count(said));
    if (fate !== undefined && fate !== "lost answer") {
      return answered(fate, request);
    }
    const answer = this.#answer(request, Buffer.from(await bytesOf(request.body)));
    return answered(fate === "lost answer" ? "no answer" : answer, request);
  }

  count(said: string): number {
    return this.asked.filter((asked) => asked === said).length;
  }

  /** The chunks that came, in order, since the first of this request. */
  putsAfter(said: string): string[] {
    return this.asked.slice(this.asked.indexOf(said)).filter((asked) => asked.startsWith("PUT"));
  }

  #answer(request: HttpRequest, bytes: Buffer): Reply {
    const { method, url, body } = request;
    const what = `${method} ${url.split("/").at(-1)}`;
    switch (what) {
      case "POST init":
        return this.#create(JSON.parse(String(body)));
      case "GET uploads":
        return { status: 200, body: { uploads: [{ uploadId: ID, ...this.#file, createdAt: "2026-11-21T00:00:00Z" }] } };
      case "GET status":
        return this.#status();
      case "GET manifest":
        return this.state === "damaged" ? { status: 200, body: { parts: this.#parts() } } : NOT_DAMAGED;
      case "POST repair":
        return this.#repair(JSON.parse(String(body)).ranges);
    }
    if (method === "HEAD") {
      return this.state === "damaged" ? { status: 409 } : offset(this.#uploadedBytes);
    }
    assert.equal(method, "PUT", what);
    return this.#put(Number(request.headers["X-Upload-Offset"]), bytes);
  }

  #create({ sha256, parallel, metadata, ...file }: Creation): Reply {
    this.#sha256 = sha256;
    this.#file = file;
    this.#metadata = metadata;
    this.mode = parallel ? "parallel" : "sequential";
    this.#missing = this.#chunks();
    this.state = "open";
    return created(0, CHUNK_BYTES);
  }

  #put(from: number, bytes: Buffer): Reply {
    if (this.state !== "open") {
      return problem(409, "damaged", { state: this.state });
    }
    assert.ok(this.#missing.includes(from), `the chunk at ${from} is not missing`);
    const spoiltTimes = this.spoilt.get(from) ?? 0;
    if (spoiltTimes > 0) {
      this.spoilt.set(from, spoiltTimes - 1);
      bytes[0] = ~(bytes[0] ?? 0);
    }
    this.bytes.set(bytes, from);
    this.#missing = this.#missing.filter((at) => at !== from);
    const isDamaged = this.#finish() === "damaged";
    return isDamaged && this.mode === "sequential"
      ? problem(422, "digest-mismatch", { repairable: true })
      : taken(this.#uploadedBytes, this.bytes.length);
  }

  #finish(): ServerState {
    if (this.state === "open" && this.#missing.length === 0 && this.#toCopy.length === 0) {
      this.state = sha256(this.bytes) === this.#sha256 ? "completed" : "damaged";
    }
    return this.state;
  }

  #repair(ranges: { offset: number; length: number }[]): Reply {
    // Repeated, it is answered with how the upload stands.
    if (this.state === "damaged") {
      this.repairs.push(ranges);
      const isNamed = (at: number) =>
        ranges.some(({ offset, length }) => offset < this.#end(at) && at < offset + length);
      this.#missing = this.#chunks().filter(isNamed);
      this.#toCopy = this.#chunks().filter((at) => !isNamed(at));
      this.state = "open";
      this.mode = "parallel";
    }
    return this.state === "open" ? this.#facts() : NOT_DAMAGED;
  }

  #status(): Reply {
    this.#toCopy.pop();
    this.#finish();
    return this.#facts();
  }

  #facts(): Reply {
    const missing = this.#missing.map((at) => [at, this.#end(at)]);
    const reason = this.state === "damaged" ? "The file has another SHA-256." : null;
    const more = { mode: this.mode, missing, reason, metadata: this.#metadata };
    return status(this.state, this.#uploadedBytes, this.bytes.length, more);
  }

  #parts(): object[] {
    return this.#chunks().map((at) => {
      const part = this.bytes.subarray(at, this.#end(at));
      return { offset: at, length: part.length, crc64nvme: crc64nvme(part) };
    });
  }

  get #uploadedBytes(): number {
    const uncounted = [...this.#missing, ...this.#toCopy];
    return this.bytes.length - uncounted.reduce((sum, at) => sum + this.#end(at) - at, 0);
  }

  #chunks(): number[] {
    return Array.from({ length: Math.ceil(this.bytes.length / CHUNK_BYTES) }, (_, at) => at * CHUNK_BYTES);
  }

  #end(from: number): number {
    return Math.min(this.bytes.length, from + CHUNK_BYTES);
  }
}

const NOT_DAMAGED = problem(409, "not-damaged");
