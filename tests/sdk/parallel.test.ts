// Chunks side by side, against a small server in memory: how many at once, each byte once, and failures that touch only
// their own chunk.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Concurrency } from "../../client/src/concurrency.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../../client/src/interfaces.ts";
import {
  type Answer,
  answered,
  bytesOf,
  created,
  describe,
  fileOf,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const CHUNK_BYTES = 10;

type Fate = (request: string, time: number) => Answer | "lost answer" | undefined;

/** Takes chunks in any order. `fate` may spoil a request: by the count of requests for the same, from 1. */
export class MemoryServer implements HttpClient {
  readonly file: Buffer;
  readonly puts: number[] = [];
  mostAtOnce = 0;
  #atOnce = 0;
  readonly #stored = new Set<number>();
  readonly #asked = new Map<string, number>();
  readonly #fate: Fate;

  constructor(sizeBytes: number, fate: Fate = () => undefined) {
    this.file = Buffer.alloc(sizeBytes);
    this.#fate = fate;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const said = describe(request);
    const time = (this.#asked.get(said) ?? 0) + 1;
    this.#asked.set(said, time);
    const fate = this.#fate(said, time);
    if (fate !== undefined && fate !== "lost answer") {
      return answered(fate, request);
    }
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    await new Promise(setImmediate);
    this.#atOnce -= 1;
    const answer = this.#answer(request, await bytesOf(request.body));
    return answered(fate === "lost answer" ? "no answer" : answer, request);
  }

  #answer({ method, url, headers, body }: HttpRequest, bytes: Uint8Array): Answer {
    if (method === "POST") {
      assert.equal(JSON.parse(String(body)).parallel, true);
      return created(0, CHUNK_BYTES);
    }
    if (method === "GET" && url.endsWith("/status")) {
      const missing = this.#chunks().filter(([from]) => !this.#stored.has(from));
      const state = missing.length === 0 ? "completed" : "open";
      return status(state, this.#uploadedBytes(), this.file.length, { mode: "parallel", missing });
    }
    assert.equal(method, "PUT");
    const from = Number(headers["X-Upload-Offset"]);
    if (this.#stored.has(from)) {
      return taken(this.#uploadedBytes(), this.file.length);
    }
    this.puts.push(from);
    this.file.set(bytes, from);
    this.#stored.add(from);
    return taken(this.#uploadedBytes(), this.file.length);
  }

  #chunks(): [number, number][] {
    const count = Math.ceil(this.file.length / CHUNK_BYTES);
    return Array.from({ length: count }, (_, at) => [at * CHUNK_BYTES, this.#end(at * CHUNK_BYTES)]);
  }

  #end(from: number): number {
    return Math.min(this.file.length, from + CHUNK_BYTES);
  }

  #uploadedBytes(): number {
    return [...this.#stored].reduce((sum, from) => sum + this.#end(from) - from, 0);
  }
}

async function assertSame(server: MemoryServer, file: File): Promise<void> {
  assert.deepEqual(server.file, Buffer.from(await file.arrayBuffer()));
}

test("every byte is sent once, at least two chunks at once and at most eight, and progress only grows", async () => {
  const file = fileOf(1005);
  const server = new MemoryServer(1005);
  const scene = new Scene(file, server);
  await scene.upload.start();
  await assertSame(server, file);
  assert.equal(server.puts.length, 101);
  assert.ok(server.mostAtOnce >= 2 && server.mostAtOnce <= 8, `${server.mostAtOnce} at once`);
  assert.deepEqual(
    scene.progress,
    [...scene.progress].sort((a, b) => a - b),
  );
  assert.equal(scene.progress.at(-1), 1005);
});

test("a file of one chunk does not ask for parallel mode", async () => {
  const server: HttpClient = {
    send: async (request) => {
      assert.equal(JSON.parse(String(request.body)).parallel, false);
      return answered(problem(401, "unauthorized"), request);
    },
  };
  await assert.rejects(new Scene(fileOf(10), server).upload.start(), { code: "unauthorized" });
});

test("chunks that break are sent again, chunks whose answer was lost are not", async () => {
  const file = fileOf(205);
  const fates: Record<string, Answer | "lost answer"> = {
    "PUT /upload/{id} 30-40": "no answer",
    "PUT /upload/{id} 70-80": "lost answer",
  };
  const server = new MemoryServer(205, (request, time) => (time === 1 ? fates[request] : undefined));
  const scene = new Scene(file, server);
  await scene.upload.start();
  await assertSame(server, file);
  assert.equal(server.puts.length, 21);
  assert.deepEqual(
    scene.retries.map(({ offset }) => offset),
    [30],
  );
});

test("a chunk that fails again and again keeps nobody else, and the others' pauses are not its own", async () => {
  const file = fileOf(205);
  const fate = (request: string, time: number) =>
    request === "PUT /upload/{id} 50-60" && time <= 12 ? { status: 502 } : undefined;
  const server = new MemoryServer(205, fate);
  const scene = new Scene(file, server);
  await scene.upload.start();
  await assertSame(server, file);
  assert.equal(server.puts.length, 21);
  assert.equal(server.puts.at(-1), 50);
  assert.deepEqual(
    scene.retries.map(({ offset, failures }) => [offset, failures]),
    Array.from({ length: 12 }, (_, at) => [50, at + 1]),
  );
});

test("an answer that comes while the network is away counts in what is said to go on", async () => {
  const file = fileOf(25);
  let away = Promise.resolve();
  const server = new MemoryServer(25, (request, time) => {
    const isLost = time === 1 && (request === "PUT /upload/{id} 0-10" || request.startsWith("GET"));
    return isLost ? "no answer" : undefined;
  });
  const link: HttpClient = {
    send: async (request) => {
      const isLate = describe(request) === "PUT /upload/{id} 10-20";
      const answer = await server.send(request);
      await (isLate ? away : undefined);
      return answer;
    },
  };
  const scene = new Scene(file, link);
  away = scene.state("offline");
  scene.connectivity.become(false);
  const done = scene.upload.start();
  await away;
  scene.connectivity.become(true);
  await done;
  await assertSame(server, file);
  const wentOn = scene.states.filter((state) => state.startsWith("uploading from"));
  assert.ok(wentOn.length > 0);
  for (const state of wentOn) {
    assert.ok(Number(state.split(" ").at(-1)) >= 10, String(scene.states));
  }
});

test("chunks that fail together ask together, and a chunk that cannot be sent for good stops the others", async () => {
  const isChunk = (request: string) => request.startsWith("PUT");
  let isBroken = true;
  const server: MemoryServer = new MemoryServer(205, (request) => {
    if (!isBroken || !isChunk(request)) {
      return undefined;
    }
    return server.puts.length < 3 ? undefined : problem(403, "not-permitted");
  });
  const file = fileOf(205);
  const scene = new Scene(file, server);
  await assert.rejects(scene.upload.start(), { code: "unauthorized", remedy: "resume" });
  isBroken = false;
  await scene.upload.start();
  await assertSame(server, file);
  assert.equal(server.puts.length, 21, "what had counted was not sent again");
});

/** Plays rounds on a link whose rate depends on how many share it, and tells the limits that were chosen. */
function limitsOn(bytesPerMs: (atOnce: number) => number, rounds: number): number[] {
  let nowMs = 0;
  const concurrency = new Concurrency(nowMs, CHUNK_BYTES);
  return Array.from({ length: rounds }, () => {
    const { limit } = concurrency;
    nowMs += (limit * 1000) / bytesPerMs(limit);
    for (let chunk = 0; chunk < limit; chunk++) {
      concurrency.confirmed(nowMs, 1000);
    }
    return limit;
  });
}

test("where each connection is slow, there are soon eight", () => {
  assert.deepEqual(
    limitsOn((atOnce) => 10 * atOnce, 9),
    [2, 3, 4, 5, 6, 7, 8, 8, 8],
  );
});

test("where one connection fills the line, there stay few", () => {
  assert.ok(Math.max(...limitsOn(() => 10, 50)) <= 3);
});

test("where more than four make it slower, there are about four", () => {
  const limits = limitsOn((atOnce) => (atOnce <= 4 ? 10 * atOnce : 40 - 12 * (atOnce - 4)), 60).slice(10);
  const mean = limits.reduce((sum, limit) => sum + limit, 0) / limits.length;
  assert.ok(mean > 3 && mean < 5, `${mean} on average: ${limits}`);
});

test("a failure halves how many there are, but not below two", () => {
  const concurrency = new Concurrency(0, CHUNK_BYTES);
  for (let nowMs = 1; concurrency.limit < 8; nowMs++) {
    concurrency.confirmed(nowMs, 1000 * 2 ** nowMs);
  }
  const seen = [1, 2, 3].map((nowMs) => {
    concurrency.failed(nowMs);
    return concurrency.limit;
  });
  assert.deepEqual(seen, [4, 2, 2]);
});

test("however large the chunks are, those in memory at once stay below 96 MiB, or are a single one", () => {
  const mib = 1024 * 1024;
  for (const chunkMib of [1, 8, 12, 13, 32, 48, 49, 82, 96, 97, 5_000]) {
    const concurrency = new Concurrency(0, chunkMib * mib);
    let most = 0;
    // The more at once, the faster: it climbs as far as it may.
    for (let round = 1, nowMs = 0; round < 40; round++) {
      const { limit } = concurrency;
      most = Math.max(most, limit);
      nowMs += 1000 / round;
      for (let chunk = 0; chunk < limit; chunk++) {
        concurrency.confirmed(nowMs, chunkMib * mib);
      }
    }
    assert.equal(most, Math.max(1, Math.min(8, Math.floor(96 / chunkMib))), `${chunkMib} MiB`);
    concurrency.failed(50_000);
    assert.ok(concurrency.limit * chunkMib <= 96 || concurrency.limit === 1);
  }
});
