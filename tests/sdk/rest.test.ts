// Nothing loops without a pause: whatever a server or a network does for an hour, an upload that waits for it costs next to
// nothing, and goes on as soon as it is over.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { HttpClient, HttpRequest, HttpResponse } from "../../client/src/interfaces.ts";
import {
  type Answer,
  answered,
  assertSays,
  created,
  describe,
  FakeChannel,
  failing,
  fileOf,
  MemoryStore,
  offset,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const SIZE = 95;
/** While it begins, requests may follow each other sooner; at rest, there is one in some seconds. */
const MOST_IN_A_MINUTE = 60;
const MOST_PER_SECOND_AT_REST = 0.4;

type Runtime = (request: string) => Answer | undefined;

const refused = problem(409, "offset-mismatch", { uploadedBytes: 0 });
const unavailable = problem(503, "storage-unavailable", { uploadedBytes: 0 }, { "Retry-After": "1" });
const whole = status("open", SIZE, SIZE).body as object;
const isPut = (request: string) => request.startsWith("PUT");
const isQuestion = (request: string) => request.startsWith("GET") || request.startsWith("HEAD");
const isCreation = (request: string) => request === "POST /upload/init";

/** What goes wrong for an hour; where nothing is said, the answer of a server that has no byte yet. */
const worlds: Record<string, Runtime> = {
  "completing for ever": (request) => (isQuestion(request) ? status("completing", SIZE, SIZE) : undefined),
  "open for ever with every byte": (request) => (isQuestion(request) ? { status: 200, body: whole } : undefined),
  "verifying for ever": (request) => (isQuestion(request) ? status("verifying", SIZE, SIZE) : undefined),
  "409 for ever": (request) => (isPut(request) ? refused : undefined),
  "409 for ever, to everything": (request) => (isCreation(request) ? undefined : refused),
  "409 to the creation": () => refused,
  "500 for chunks": (request) => (isPut(request) ? { status: 500 } : undefined),
  "500 to everything": () => ({ status: 500 }),
  "503 and a wait of a second": (request) => (isPut(request) ? unavailable : undefined),
  "423 to questions": (request) => (isQuestion(request) ? { status: 423, headers: { "Retry-After": "1" } } : undefined),
  "429 to everything": () => ({ status: 429 }),
  "a page with 200 to everything": () => ({ status: 200, body: "<html>Welcome</html>" }),
  "a page with 404 to everything but the creation": (request) => {
    return isCreation(request) ? undefined : { status: 404, body: "<html>" };
  },
  "JSON of another kind": () => ({ status: 200, body: {} }),
  "sockets refused": () => "no answer",
  "sockets refused for chunks that got through before": (request) => {
    return isPut(request) && !request.endsWith("0-10") ? "no answer" : undefined;
  },
  "sockets that open and say nothing": () => "hangs",
  "sockets that say nothing even when they are given up": () => "deaf",
};

/** The same numbers each time, spread as random ones are. */
function seeded(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Counts, and answers by the script until it is over. */
class CountingServer implements HttpClient {
  readonly askedMs: number[] = [];
  isOver = false;
  scene: Scene | undefined;
  readonly #runtime: Runtime;
  readonly #mode: string;

  constructor(runtime: Runtime, mode: string) {
    this.#runtime = runtime;
    this.#mode = mode;
  }

  send(request: HttpRequest): Promise<HttpResponse> {
    this.askedMs.push(this.scene?.clock.now ?? 0);
    const said = describe(request);
    return answered((this.isOver ? undefined : this.#runtime(said)) ?? this.#ordinary(said), request);
  }

  #ordinary(said: string): Answer {
    if (isCreation(said)) {
      return created();
    }
    if (isPut(said)) {
      return taken(this.isOver ? SIZE : 10, SIZE);
    }
    if (said.startsWith("HEAD")) {
      return offset(this.isOver ? SIZE : 0);
    }
    return status(this.isOver ? "completed" : "open", this.isOver ? SIZE : 0, SIZE, { mode: this.#mode });
  }
}

for (const [what, runtime] of Object.entries(worlds)) {
  for (const mode of ["sequential", "parallel"]) {
    test(`${what}, ${mode}: next to no requests, and then it goes on`, async () => {
      const server = new CountingServer(runtime, mode);
      const scene = new Scene(fileOf(SIZE), server, { parallel: mode === "parallel", runtime: { random: seeded() } });
      server.scene = scene;
      const sinceMs = scene.clock.now;
      const done = scene.upload.start();
      await new Promise<void>((resolve) => scene.clock.timer(HOUR_MS, resolve));
      assert.notEqual(scene.upload.state, "failed");
      assertAtRest(server.askedMs, sinceMs);
      server.isOver = true;
      await done;
      assert.ok(scene.clock.now - sinceMs < HOUR_MS + 10 * MINUTE_MS, "soon after it is over");
    });
  }
}

function assertAtRest(askedMs: readonly number[], sinceMs: number): void {
  const perMinute = Array.from({ length: 60 }, (_, minute) => {
    const fromMs = sinceMs + minute * MINUTE_MS;
    return askedMs.filter((ms) => ms >= fromMs && ms < fromMs + MINUTE_MS).length;
  });
  const most = Math.max(...perMinute);
  assert.ok(most <= MOST_IN_A_MINUTE, `${most} requests in a minute: ${perMinute}`);
  const atRest = perMinute.slice(10).reduce((sum, count) => sum + count, 0) / (50 * 60);
  assert.ok(atRest <= MOST_PER_SECOND_AT_REST, `${atRest} requests a second at rest: ${perMinute}`);
}

for (const what of ["nothing", "what is no status", "the same status again and again"]) {
  test(`a channel that says ${what} while it is completing for ever is no reason to ask more`, async () => {
    const completing = status("completing", SIZE, SIZE);
    const odd = { status: 200, body: { hello: "runtime" } };
    const pushed = { nothing: [], "what is no status": [odd, odd] }[what] ?? Array(50).fill(completing);
    const server = new CountingServer((request) => (isQuestion(request) ? completing : undefined), "sequential");
    const scene = new Scene(fileOf(SIZE), server, {
      parallel: false,
      live: new FakeChannel(...pushed, "silence"),
    });
    server.scene = scene;
    const sinceMs = scene.clock.now;
    scene.upload.start();
    await new Promise<void>((resolve) => scene.clock.timer(HOUR_MS, resolve));
    assert.equal(scene.upload.state, "completing");
    assertAtRest(server.askedMs, sinceMs);
  });
}

test("a server that takes every chunk and keeps none is not sent the file for ever", async () => {
  const server = new CountingServer(() => undefined, "sequential");
  const scene = new Scene(fileOf(SIZE), server, { parallel: false });
  const error = await failing(scene);
  assertSays(error, "server", "resume", /misses bytes that it had/);
  assert.ok(server.askedMs.length < 80, `${server.askedMs.length} requests`);
});

test("an upload that is lost again and again, each time after some bytes, begins afresh less and less often", async () => {
  let puts = 0;
  const lost = problem(404, "upload-not-found");
  const server = new CountingServer((request) => {
    if (isPut(request)) {
      puts += 1;
      return puts % 2 === 1 ? taken(10, SIZE) : lost;
    }
    return isQuestion(request) ? lost : undefined;
  }, "sequential");
  const scene = new Scene(fileOf(SIZE), server, { parallel: false });
  server.scene = scene;
  const sinceMs = scene.clock.now;
  scene.upload.start();
  await new Promise<void>((resolve) => scene.clock.timer(HOUR_MS, resolve));
  assert.ok(scene.restarts.length > 10);
  assertAtRest(server.askedMs, sinceMs);
});

test("what a page wants again and again is not more than it asks for: twenty starts, and a network that flickers", async () => {
  const server = new CountingServer(() => "no answer", "sequential");
  const scene = new Scene(fileOf(SIZE), server, { store: new MemoryStore() });
  server.scene = scene;
  const starts = Array.from({ length: 20 }, () => scene.upload.start());
  assert.equal(new Set(starts).size, 1);
  const sinceMs = scene.clock.now;
  for (let flicker = 0; flicker < 1_000; flicker++) {
    await new Promise<void>((resolve) => scene.clock.timer(10, resolve));
    scene.connectivity.become(flicker % 2 === 0);
    scene.upload.resume();
  }
  const seconds = (scene.clock.now - sinceMs) / 1000;
  assert.ok(server.askedMs.length <= seconds + 2, `${server.askedMs.length} requests in ${seconds} s`);
  server.isOver = true;
  await Promise.all(starts);
});
