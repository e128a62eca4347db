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

function threeTimes(answer: Answer): Line[] {
  return [1, 2, 3].flatMap((): Line[] => [
    ["PUT /upload/{id} 0-10", answer],
    ["HEAD /upload/{id}", offset(0)],
  ]);
}

test("three failures in a row on one chunk end resumably, and starting again goes on", async () => {
  const talk = new Dialogue(
    init,
    ...threeTimes({ status: 500, body: "oops" }),
    ["GET /upload/{id}/status", status("open", 0, 25)],
    ["HEAD /upload/{id}", offset(0)],
    ["PUT /upload/{id} 0-10", taken(10, 25)],
    ["PUT /upload/{id} 10-20", taken(20, 25)],
    ["PUT /upload/{id} 20-25", taken(25, 25)],
    ["GET /upload/{id}/status", status("completed", 25, 25)],
  );
  const scene = new Scene(fileOf(25), talk, sequential);
  assertSays(await failing(scene), "server", "resume", /^The chunk at byte 0 failed 3 times in a row\. .*500/);
  assert.deepEqual(scene.clock.slept, [500, 1000], "doubling");
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
  const talk = new Dialogue(init, ...threeTimes("no answer"));
  const error = await failing(new Scene(fileOf(25), talk, sequential));
  talk.end();
  assertSays(error, "network", "resume", /server can be reached.*[Pp]robably a proxy.*1 MiB.*413.*smaller chunkBytes/);
});

test("a connection that breaks after chunks got through is not blamed on a proxy", async () => {
  const broken = threeTimes("no answer").map(([request, answer]): Line => {
    return [request.replace("0-10", "10-20"), answer === "no answer" ? answer : offset(10)];
  });
  const talk = new Dialogue(init, ["PUT /upload/{id} 0-10", taken(10, 25)], ...broken);
  const error = await failing(new Scene(fileOf(25), talk, sequential));
  assert.doesNotMatch(error.message, /proxy/);
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

test("401 ends at once; with a new token it goes on", async () => {
  let token = "old";
  const talk = new Dialogue(
    init,
    ["PUT /upload/{id} 0-5", problem(401, "unauthorized")],
    ["GET /upload/{id}/status", status("open", 0, 5)],
    ["HEAD /upload/{id}", offset(0)],
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    completed,
  );
  const scene = new Scene(fileOf(5), talk, { headers: async () => ({ Authorization: token }) });
  assertSays(await failing(scene), "unauthorized", "resume", /Sign in/);
  token = "new";
  await scene.upload.start();
  talk.end();
  assert.deepEqual([talk.header(1, "Authorization"), talk.header(2, "Authorization")], ["old", "new"]);
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
  const talk = new Dialogue(["POST /upload/init", problem(429, "quota-exceeded", {}, { "Retry-After": "7200" })]);
  const scene = new Scene(fileOf(5), talk);
  assertSays(await failing(scene), "too-many-requests", "resume", /Try again in 120 minutes/);
  assert.deepEqual(scene.clock.slept, []);
});

test("a server that is away is asked for a while, less and less often, and then given up, resumably", async () => {
  const talk = new Dialogue(...Array.from({ length: 7 }, (): Line => ["POST /upload/init", "no answer"]));
  const scene = new Scene(fileOf(5), talk);
  assertSays(await failing(scene), "network", "resume", /could not be reached/);
  talk.end();
  assert.deepEqual(scene.clock.slept, [500, 1_000, 2_000, 4_000, 8_000, 15_000], "capped at half of 30 s");
});

test("a refusal that no repetition mends ends at once", async () => {
  const talk = new Dialogue(["POST /upload/init", problem(400, "bad-request", { field: "contentType" })]);
  assertSays(await failing(new Scene(fileOf(5), talk)), "rejected", "none", /Title of bad-request/);
  talk.end();
});

for (const [state, code, words] of [
  ["expired", "expired", /has expired.*afresh/],
  ["failed", "failed", /has failed\. It had no luck\. It can be started afresh/],
  ["aborted", "gone", /cancelled elsewhere/],
] as const) {
  const reason = state === "failed" ? "It had no luck." : null;
  const gone = problem(410, "upload-gone", { state, detail: reason ?? "Too late." });
  for (const answer of [status(state, 0, 5, { reason }), gone]) {
    test(`an upload that is ${state} says so by ${answer.status}, and starting again begins a fresh one`, async () => {
      const talk = new Dialogue(
        init,
        ["PUT /upload/{id} 0-5", problem(410, "upload-gone", { state })],
        ["GET /upload/{id}/status", answer],
        init,
        ["PUT /upload/{id} 0-5", taken(5, 5)],
        completed,
      );
      const scene = new Scene(fileOf(5), talk);
      assertSays(await failing(scene), code, "start-over", words);
      assert.equal(scene.store.records.size, 0);
      scene.random = 0.25;
      await scene.upload.start();
      talk.end();
      assert.notEqual(talk.header(0, "Idempotency-Key"), talk.header(3, "Idempotency-Key"));
    });
  }
}

test("a record of an upload that nobody remembers is dropped", async () => {
  const store = new MemoryStore();
  await failing(new Scene(fileOf(5), new Dialogue(init, ["PUT /upload/{id} 0-5", problem(401, "x")]), { store }));
  const talk = new Dialogue(
    ["GET /upload/{id}/status", problem(404, "upload-not-found")],
    init,
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    completed,
  );
  const scene = new Scene(fileOf(5), talk, { store });
  assertSays(await failing(scene), "gone", "start-over", /no longer knows/);
  await scene.upload.start();
  talk.end();
});

test("a failure found while the object is put together is told with its reason", async () => {
  const reason = "The file does not have its digest.";
  const talk = new Dialogue(
    init,
    ["PUT /upload/{id} 0-5", taken(5, 5)],
    ["GET /upload/{id}/status", status("verifying", 5, 5)],
    ["GET /upload/{id}/status", status("failed", 5, 5, { reason })],
  );
  assertSays(await failing(new Scene(fileOf(5), talk)), "failed", "start-over", /does not have its digest/);
});

test("an answer that is not Quayside's, such as a hotel's sign-in page, is no success", async () => {
  const page: Answer = { status: 200, body: "<html>Welcome</html>" };
  const talk = new Dialogue(["POST /upload/init", page], init, ["PUT /upload/{id} 0-5", taken(5, 5)], completed);
  const scene = new Scene(fileOf(5), talk);
  await scene.upload.start();
  talk.end();
  assert.match(scene.retries[0]?.error.message ?? "", /other than Quayside/);
});

test("a store that does not work does not stop an upload", async () => {
  const store = new MemoryStore();
  const broken = () => Promise.reject(new Error("QuotaExceededError"));
  Object.assign(store, { get: broken, set: broken, remove: broken });
  const talk = new Dialogue(init, ["PUT /upload/{id} 0-5", taken(5, 5)], completed);
  await new Scene(fileOf(5), talk, { store }).upload.start();
  talk.end();
});
