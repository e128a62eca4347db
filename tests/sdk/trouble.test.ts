// What goes wrong on the way: when the SDK tries again, what it asks first, how long it waits, and what it says in the end.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type Answer,
  assertSays,
  created,
  Dialogue,
  failing,
  fileOf,
  type Line,
  MemoryStore,
  offset,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const sequential = { parallel: false };
const init: Line = ["POST /upload/init", created()];
const completed: Line = ["GET /upload/{id}/status", status("completed", 5, 5)];

test("after a broken chunk the truth is asked first, then there is a pause with full jitter, then the rest is sent", async () => {
  const talk = new Dialogue(
    init,
    ["PUT /upload/{id} 0-5", "no answer"],
    ["HEAD /upload/{id}", offset(0)],
    ["PUT /upload/{id} 0-5", "no answer"],
    ["HEAD /upload/{id}", offset(3)],
    ["PUT /upload/{id} 3-5", taken(5, 5)],
    completed,
  );
  const scene = new Scene(fileOf(5), talk);
  await scene.upload.start();
  talk.end();
  // Half of 1 s, as the randomness here is always a half; after the second failure bytes had counted: no wait.
  assert.deepEqual(scene.clock.slept, [500]);
  assert.deepEqual(
    scene.retries.map(({ failures, offset, delayMs }) => ({ failures, offset, delayMs })),
    [{ failures: 1, offset: 0, delayMs: 500 }],
  );
  assert.deepEqual(scene.progress, [0, 3, 5]);
});

test("a chunk whose answer was lost is not sent again", async () => {
  const talk = new Dialogue(init, ["PUT /upload/{id} 0-5", "no answer"], ["HEAD /upload/{id}", offset(5)], completed);
  await new Scene(fileOf(5), talk).upload.start();
  talk.end();
});

function times(count: number, answer: Answer): Line[] {
  return Array.from({ length: count }).flatMap((): Line[] => [
    ["PUT /upload/{id} 0-10", answer],
    ["HEAD /upload/{id}", offset(0)],
  ]);
}

const rest: Line[] = [
  ["PUT /upload/{id} 0-10", taken(10, 25)],
  ["PUT /upload/{id} 10-20", taken(20, 25)],
  ["PUT /upload/{id} 20-25", taken(25, 25)],
  ["GET /upload/{id}/status", status("completed", 25, 25)],
];

test("a chunk that the server cannot take is tried until it can, less and less often", async () => {
  const talk = new Dialogue(init, ...times(9, { status: 500, body: "oops" }), ...rest);
  const scene = new Scene(fileOf(25), talk, sequential);
  await scene.upload.start();
  talk.end();
  assert.deepEqual(scene.clock.slept.slice(0, 9), [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]);
  assert.match(scene.retries.at(-1)?.error.message ?? "", /^The chunk at byte 0 failed 9 times in a row\. .*500/);
});

test("whoever wants an end says so: then it fails, resumably, and starting again goes on", async () => {
  const talk = new Dialogue(
    init,
    ...times(3, { status: 500, body: "oops" }),
    ["GET /upload/{id}/status", status("open", 0, 25)],
    ["HEAD /upload/{id}", offset(0)],
    ...rest,
  );
  const scene = new Scene(fileOf(25), talk, { ...sequential, retry: { giveUpAfterMs: 3_000 } });
  assertSays(await failing(scene), "server", "resume", /^The chunk at byte 0 failed 3 times in a row\. .*500/);
  assert.deepEqual(scene.clock.slept, [500, 1000], "doubling; another 2 s would have been too long");
  await scene.upload.start();
  talk.end();
});

test("failures of different chunks do not add up", async () => {
  const twice = (from: number, to: number): Line[] =>
    [1, 2].flatMap((): Line[] => [
      [`PUT /upload/{id} ${from}-${to}`, problem(422, "checksum-mismatch")],
      ["HEAD /upload/{id}", offset(from)],
    ]);
  const talk = new Dialogue(
    init,
    ...twice(0, 10),
    ["PUT /upload/{id} 0-10", taken(10, 15)],
    ...twice(10, 15),
    ["PUT /upload/{id} 10-15", taken(15, 15)],
    ["GET /upload/{id}/status", status("completed", 15, 15)],
  );
  await new Scene(fileOf(15), talk, sequential).upload.start();
  talk.end();
});

test("chunks that never get through although the server answers: probably a proxy's limit, hidden by CORS", async () => {
  const talk = new Dialogue(init, ...times(8, "no answer"));
  const scene = new Scene(fileOf(25), talk, sequential);
  const error = await failing(scene);
  talk.end();
  assertSays(error, "network", "resume", /server can be reached.*[Pp]robably a proxy.*1 MiB.*413.*smaller chunkBytes/);
  const said = scene.retries.map(({ error }) => /proxy/.test(error.message));
  assert.deepEqual(said, [false, false, true, true, true, true, true], "said before it is given up");
});

test("a connection that breaks after chunks got through is not blamed on a proxy, and is tried for ever", async () => {
  const broken = times(20, "no answer").map(([request, answer]): Line => {
    return [request.replace("0-10", "10-20"), answer === "no answer" ? answer : offset(10)];
  });
  const [first, ...others] = rest;
  const talk = new Dialogue(init, first as Line, ...broken, ...others);
  const scene = new Scene(fileOf(25), talk, sequential);
  await scene.upload.start();
  talk.end();
  assert.ok(scene.retries.every(({ error }) => !/proxy/.test(error.message)));
});

test("chunks that break while the server is away too say nothing about a proxy", async () => {
  const outage = times(10, "no answer").flatMap(([request, answer]): Line[] => {
    return answer === "no answer"
      ? [[request, answer]]
      : [
          [request, "no answer"],
          [request, answer],
        ];
  });
  const talk = new Dialogue(init, ...outage, ...rest);
  await new Scene(fileOf(25), talk, sequential).upload.start();
  talk.end();
});

test("a proxy's 413 that can be read says the same at once", async () => {
  const talk = new Dialogue(init, ["PUT /upload/{id} 0-5", { status: 413, body: "<html>Too Large</html>" }]);
  assertSays(await failing(new Scene(fileOf(5), talk)), "too-large", "none", /proxy.*smaller chunkBytes/);
  talk.end();
});

test("the server's own 413 says what the server says", async () => {
  const talk = new Dialogue(["POST /upload/init", problem(413, "upload-too-large", { limitBytes: 4 })]);
  assertSays(
    await failing(new Scene(fileOf(5), talk)),
    "too-large",
    "none",
    /^Title of upload-too-large. Some detail.$/,
  );
});

test("429 waits as long as it is told, before anything else is asked", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", problem(429, "quota-exceeded", {}, { "Retry-After": "7" })],
    init,
    ["PUT /upload/{id} 0-5", { status: 429, headers: { "Retry-After": "20" } }],
    ["HEAD /upload/{id}", offset(0)],
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    completed,
  );
  const scene = new Scene(fileOf(5), talk);
  await scene.upload.start();
  talk.end();
  assert.deepEqual(scene.clock.slept, [7_500, 20_500]);
  assert.equal(talk.header(0, "Idempotency-Key"), talk.header(1, "Idempotency-Key"));
});

test("a date in Retry-After is understood", async () => {
  const answer = (): Answer => {
    const at = Math.ceil(scene.clock.now / 1000) * 1000 + 3_000;
    return { status: 503, headers: { "Retry-After": new Date(at).toUTCString() } };
  };
  const talk = new Dialogue(["POST /upload/init", answer], init, ["PUT /upload/{id} 0-5", taken(5, 5)], completed);
  const scene: Scene = new Scene(fileOf(5), talk);
  await scene.upload.start();
  assert.deepEqual(scene.clock.slept, [3_500]);
});

test("whoever would have to wait for hours is told so", async () => {
  const talk = new Dialogue([
    "POST /upload/init",
    problem(429, "rate-limited", { detail: "Try again in 7200 s." }, { "Retry-After": "7200" }),
  ]);
  const scene = new Scene(fileOf(5), talk);
  assertSays(await failing(scene), "too-many-requests", "resume", /^Title of rate-limited. Try again in 120 minutes.$/);
  assert.deepEqual(scene.clock.slept, []);
});

test("a server that is away is asked until it is back, less and less often", async () => {
  const away = Array.from({ length: 100 }, (): Line => ["POST /upload/init", "no answer"]);
  const talk = new Dialogue(...away, init, ["PUT /upload/{id} 0-5", taken(5, 5)], completed);
  const scene = new Scene(fileOf(5), talk);
  await scene.upload.start();
  talk.end();
  const [longest] = scene.clock.slept.slice(5);
  assert.deepEqual(scene.clock.slept.slice(0, 6), [500, 1_000, 2_000, 4_000, 8_000, 15_000], "capped at half of 30 s");
  assert.ok(scene.clock.slept.slice(5, 100).every((ms) => ms === longest));
});

test("a server that asks for an hour gets it, and a date by another clock costs no more", async () => {
  const talk = new Dialogue(
    ["POST /upload/init", { status: 503, headers: { "Retry-After": "1800" } }],
    ["POST /upload/init", { status: 503, headers: { "Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT" } }],
    init,
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    completed,
  );
  const scene = new Scene(fileOf(5), talk);
  await scene.upload.start();
  talk.end();
  assert.deepEqual(scene.clock.slept, [1_800_500, 3_601_000]);
});

test("a quota that does not say when there is room again is no matter of waiting", async () => {
  const talk = new Dialogue(["POST /upload/init", problem(429, "quota-exceeded")]);
  assertSays(await failing(new Scene(fileOf(5), talk)), "too-many-requests", "resume", /quota-exceeded/);
  talk.end();
});

test("a refusal that no repetition mends ends at once", async () => {
  const talk = new Dialogue(["POST /upload/init", problem(400, "bad-request", { field: "contentType" })]);
  assertSays(await failing(new Scene(fileOf(5), talk)), "rejected", "none", /Title of bad-request/);
  talk.end();
});

test("what a proxy does not know is not gone", async () => {
  const page: Answer = { status: 404, body: "<html>Not Found</html>" };
  const talk = new Dialogue(
    init,
    ["PUT /upload/{id} 0-5", page],
    ["HEAD /upload/{id}", page],
    ["GET /upload/{id}/status", page],
    ["GET /upload/{id}/status", status("open", 0, 5)],
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    completed,
  );
  const scene = new Scene(fileOf(5), talk);
  await scene.upload.start();
  talk.end();
  assert.deepEqual(scene.restarts, []);
});

test("where no Quayside answers at all, that is said at once", async () => {
  const talk = new Dialogue(["POST /upload/init", { status: 404, body: "<html>Not Found</html>" }]);
  assertSays(await failing(new Scene(fileOf(5), talk)), "rejected", "resume", /is the endpoint right/);
});

test("an answer that is not Quayside's, such as a hotel's sign-in page, is no success", async () => {
  const page: Answer = { status: 200, body: "<html>Welcome</html>" };
  const talk = new Dialogue(["POST /upload/init", page], init, ["PUT /upload/{id} 0-5", taken(5, 5)], completed);
  const scene = new Scene(fileOf(5), talk);
  await scene.upload.start();
  talk.end();
  assert.match(scene.retries[0]?.error.message ?? "", /other than Quayside/);
});

test("answers of another shape are nobody's either", async () => {
  const odd: Answer = { status: 200, body: { ok: true } };
  const talk = new Dialogue(
    ["POST /upload/init", odd],
    ["POST /upload/init", { status: 200, body: "null" }],
    init,
    ["PUT /upload/{id} 0-5", odd],
    ["HEAD /upload/{id}", { status: 200, body: "" }],
    ["HEAD /upload/{id}", offset(5)],
    ["GET /upload/{id}/status", odd],
    completed,
  );
  await new Scene(fileOf(5), talk).upload.start();
  talk.end();
});

test("a store that does not work, never answers, or is cleared meanwhile does not stop an upload", async () => {
  const fails = () => Promise.reject(new Error("QuotaExceededError"));
  const hangs = () => new Promise<never>(() => {});
  const forbidden = () => {
    throw new DOMException("not here", "SecurityError");
  };
  for (const broken of [fails, hangs, forbidden]) {
    const store = new MemoryStore();
    Object.assign(store, { get: broken, set: broken, remove: broken, scope: forbidden });
    const talk = new Dialogue(init, ["PUT /upload/{id} 0-5", taken(5, 5)], completed);
    await new Scene(fileOf(5), talk, { store }).upload.start();
    talk.end();
  }
  const store = new MemoryStore();
  const cleared = () => {
    store.records.clear();
    return "no answer" as const;
  };
  const talk = new Dialogue(init, ["PUT /upload/{id} 0-5", cleared], ["HEAD /upload/{id}", offset(5)], completed);
  await new Scene(fileOf(5), talk, { store }).upload.start();
  talk.end();
});
