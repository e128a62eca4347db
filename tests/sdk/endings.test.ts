// Uploads that have ended, by themselves or by somebody else: success stays success, and what is gone begins afresh, by itself where
// that is what anybody would want.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  assertSays,
  created,
  Dialogue,
  failing,
  fileOf,
  ID,
  type Line,
  MemoryStore,
  offset,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const init: Line = ["POST /upload/init", created()];
const completed: Line = ["GET /upload/{id}/status", status("completed", 5, 5)];

for (const [state, code, words] of [
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

const unknown = problem(404, "upload-not-found");
const expired = problem(410, "upload-gone", { state: "expired" });

for (const [what, answer, words] of [
  ["has run out of time", expired, /has expired/],
  ["is not known any more", unknown, /no longer knows/],
] as const) {
  test(`an upload that ${what} while it goes up begins afresh by itself, and says so`, async () => {
    const talk = new Dialogue(
      init,
      ["PUT /upload/{id} 0-5", answer],
      ["GET /upload/{id}/status", answer],
      init,
      ["PUT /upload/{id} 0-5", taken(5, 5)],
      completed,
    );
    const scene = new Scene(fileOf(5), talk);
    await scene.upload.start();
    talk.end();
    assert.deepEqual([scene.restarts.length, scene.errors.length], [1, 0]);
    assert.equal(scene.restarts[0]?.uploadId, ID);
    assert.match(scene.restarts[0]?.error.message ?? "", words);
  });
}

for (const [what, answer] of [
  ["nobody remembers", unknown],
  ["has run out of time", expired],
  ["has failed", status("failed", 0, 5)],
  ["was cancelled elsewhere", status("aborted", 0, 5)],
] as const) {
  test(`a record of an upload that ${what} is dropped, and a fresh one begins by itself`, async () => {
    const store = new MemoryStore();
    await failing(new Scene(fileOf(5), new Dialogue(init, ["PUT /upload/{id} 0-5", problem(401, "x")]), { store }));
    const talk = new Dialogue(
      ["GET /upload/{id}/status", answer],
      init,
      ["PUT /upload/{id} 0-5", taken(5, 5)],
      completed,
    );
    const scene = new Scene(fileOf(5), talk, { store });
    await scene.upload.start();
    talk.end();
    assert.equal(scene.restarts.length, 1);
  });
}

test("a fresh beginning in vain is the last", async () => {
  const vain: Line[] = [init, ["PUT /upload/{id} 0-5", unknown], ["GET /upload/{id}/status", unknown]];
  const talk = new Dialogue(...vain, ...vain);
  const scene = new Scene(fileOf(5), talk);
  assertSays(await failing(scene), "gone", "start-over", /no longer knows/);
  talk.end();
  assert.equal(scene.restarts.length, 1);
});

test("taken by the origin and deleted, it is a success; so it is without a word about the object", async () => {
  for (const more of [{ deletedAt: "2026-11-21T12:00:00.000Z" }, { object: null }]) {
    const done = status("completed", 5, 5, more);
    const store = new MemoryStore();
    const talk = new Dialogue(
      init,
      ["PUT /upload/{id} 0-5", "no answer"],
      ["HEAD /upload/{id}", offset(5)],
      ["GET /upload/{id}/status", done],
    );
    const { uploadId, object } = await new Scene(fileOf(5), talk, { store }).upload.start();
    assert.deepEqual([uploadId, object === null], [ID, "object" in more]);
    talk.end();
    assert.equal(store.records.size, 0);
  }
});

test("a record of an upload that is complete settles at once, and nothing is sent", async () => {
  for (const bytes of [5, 0]) {
    const store = new MemoryStore();
    const first = new Dialogue(init, [
      bytes === 0 ? "POST /upload/{id}/complete" : "PUT /upload/{id} 0-5",
      problem(401, "x"),
    ]);
    await failing(new Scene(fileOf(bytes), first, { store }));
    const done = status("completed", bytes, bytes, { deletedAt: "2026-11-21T12:00:00.000Z" });
    const talk = new Dialogue(["GET /upload/{id}/status", done]);
    await new Scene(fileOf(bytes), talk, { store }).upload.start();
    talk.end();
  }
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
