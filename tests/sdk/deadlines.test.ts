// Every request has an end: what no longer moves is given up, the server is asked, and it goes on. What is only slow is left alone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Deadlines } from "../../client/src/deadlines.ts";
import { isTimeout } from "../../client/src/errors.ts";
import type { HttpRequest, HttpResponse } from "../../client/src/interfaces.ts";
import {
  type Answer,
  answered,
  created,
  Dialogue,
  FakeClock,
  fileOf,
  offset,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const MINUTE_MS = 60_000;

for (const silent of ["hangs", "deaf"] as const) {
  test(`a chunk without an answer (${silent}) is given up after a minute; what counts is asked, and only the rest sent`, async () => {
    const talk = new Dialogue(
      ["POST /upload/init", created()],
      ["PUT /upload/{id} 0-10", silent],
      ["HEAD /upload/{id}", offset(4)],
      ["PUT /upload/{id} 4-10", taken(10, 15)],
      ["PUT /upload/{id} 10-15", taken(15, 15)],
      ["GET /upload/{id}/status", status("completed", 15, 15)],
    );
    const scene = new Scene(fileOf(15), talk, { parallel: false });
    const sinceMs = scene.clock.now;
    await scene.upload.start();
    talk.end();
    assert.equal(Math.round((scene.clock.now - sinceMs) / 1000), 60);
  });
}

test("each kind of request has its end, and says what was waited for", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", "hangs"],
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-5", "no answer"],
    ["HEAD /upload/{id}", "deaf"],
    ["HEAD /upload/{id}", offset(5)],
    ["GET /upload/{id}/status", "hangs"],
    ["GET /upload/{id}/status", status("completed", 5, 5)],
  );
  const scene = new Scene(fileOf(5), talk);
  await scene.upload.start();
  talk.end();
  assert.deepEqual(
    scene.retries.map(({ error }) => error.message),
    ["No answer came for 60 s.", "No answer came for 60 s.", "No answer came for 60 s."],
  );
});

test("cancelling does not wait for a server that is away for longer than a minute", async () => {
  const away = Array.from({ length: 20 }, () => ["DELETE /upload/{id}", "hangs"] as const);
  const aborting: Promise<void>[] = [];
  const cancel = () => {
    queueMicrotask(() => aborting.push(scene.upload.abort()));
    return "hangs" as const;
  };
  const talk = new Dialogue(["POST /upload/init", created()], ["PUT /upload/{id} 0-5", cancel], ...away);
  const scene: Scene = new Scene(fileOf(5), talk);
  await assert.rejects(scene.upload.start(), { code: "aborted" });
  const sinceMs = scene.clock.now;
  await assert.rejects(Promise.all(aborting), { code: "network", message: /could not be told/ });
  assert.ok(scene.clock.now - sinceMs <= MINUTE_MS);
  assert.equal(scene.upload.state, "aborted");
  assert.equal(scene.store.records.size, 0, "and the same file, chosen again, begins afresh");
});

/** What a body does: at which second how many bytes have left, and what is answered when. */
type Course = { sent?: [second: number, bytes: number][]; answerAt?: number; reports?: boolean };

/** When the request has settled, in seconds, and how. */
async function outcome(clock: FakeClock, deadlines: Deadlines, request: Partial<HttpRequest>): Promise<string> {
  const sinceMs = clock.now;
  const seconds = () => Math.round((clock.now - sinceMs) / 1000);
  const { signal = new AbortController().signal } = request;
  const whole = { method: "PUT", url: "/", headers: {}, ...request, signal } as const;
  return deadlines.send(whole).then(
    () => `answered at ${seconds()}`,
    (error) => (isTimeout(error) ? `${error.message} at ${seconds()}` : `${error} at ${seconds()}`),
  );
}

function client(clock: FakeClock, { sent = [], answerAt, reports = true }: Course) {
  return {
    reportsSending: reports,
    send(request: HttpRequest): Promise<HttpResponse> {
      for (const [second, bytes] of sent) {
        clock.timer(second * 1000, () => request.signal?.aborted || request.onSent?.(bytes));
      }
      const answer: Answer = { status: 200 };
      return answerAt === undefined
        ? answered("hangs", request)
        : new Promise((resolve) => clock.timer(answerAt * 1000, () => resolve(answered(answer, request))));
    },
  };
}

const body = new Uint8Array(1_000_000);
const slowly = (to: number): [number, number][] => {
  return Array.from({ length: 20 }, (_, at) => [((at + 1) * to) / 20, (at + 1) * 50_000]);
};

const courses: [what: string, course: Course, outcome: string][] = [
  ["nothing leaves", {}, "Nothing could be sent for 30 s. at 30"],
  ["half leaves, then nothing", { sent: [[10, 500_000]] }, "Nothing could be sent for 30 s. at 40"],
  ["all leaves, and no answer comes", { sent: [[10, 1_000_000]] }, "No answer came for 60 s. at 70"],
  ["a slow line", { sent: slowly(500), answerAt: 510 }, "answered at 510"],
  ["a slow line with much in its buffers", { sent: slowly(500), answerAt: 900 }, "answered at 900"],
  ["a slow line and no answer", { sent: slowly(500) }, "No answer came for 500 s. at 1000"],
  ["nobody tells what leaves, and it takes its time", { reports: false, answerAt: 100 }, "answered at 100"],
  ["nobody tells what leaves, and nothing comes", { reports: false }, "No answer came for 121 s. at 121"],
];

for (const [what, course, expected] of courses) {
  test(`a body: ${what}`, async () => {
    const clock = new FakeClock();
    assert.equal(await outcome(clock, new Deadlines(client(clock, course), clock), { body }), expected);
  });
}

test("each request that is given up gives the next ones more time, until one is answered", async () => {
  const clock = new FakeClock();
  let course: Course = {};
  const deadlines = new Deadlines(
    { reportsSending: true, send: (request) => client(clock, course).send(request) },
    clock,
  );
  const outcomes: string[] = [];
  for (let time = 0; time < 5; time++) {
    outcomes.push(await outcome(clock, deadlines, { body }));
  }
  course = { answerAt: 1 };
  outcomes.push(await outcome(clock, deadlines, { body }));
  course = {};
  outcomes.push(await outcome(clock, deadlines, { body }));
  assert.deepEqual(
    outcomes.map((text) => text.split(" ").at(-1)),
    ["30", "60", "120", "240", "240", "1", "30"],
  );
});

test("when the browser reports that the network has gone, what moves is left alone, and what does not has five seconds", async () => {
  for (const [sent, expected] of [
    [[[20, 1_000]], "Nothing could be sent for 5 s. at 26"],
    [
      [
        [20, 1_000],
        [23, 2_000],
        [50, 3_000],
      ],
      "Nothing could be sent for 30 s. at 80",
    ],
  ] as [[number, number][], string][]) {
    const clock = new FakeClock();
    const deadlines = new Deadlines(client(clock, { sent }), clock);
    clock.timer(21_000, () => deadlines.hurry());
    assert.equal(await outcome(clock, deadlines, { body }), expected);
  }
});

test("a signal ends a request at once, with its reason", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  clock.timer(3_000, () => stop.abort(new Error("enough")));
  const deadlines = new Deadlines({ send: () => new Promise(() => {}) }, clock);
  assert.equal(await outcome(clock, deadlines, { signal: stop.signal }), "Error: enough at 3");
  assert.equal(await outcome(clock, deadlines, { signal: stop.signal }), "Error: enough at 0");
});
