// What the application answers to an event, as the result of `start()`: with it, or without it when the time is over or nothing comes.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Status } from "../../client/src/interfaces.ts";
import { created, Dialogue, fileOf, ID, type Line, problem, type Reply, Scene, status, taken } from "./dialogue.ts";

const sequential = { parallel: false };
const object = { key: "k", etag: "e", crc64nvme: "c", sha256: null };

const completed = (delivery: Status["delivery"], result?: unknown): Reply =>
  status("completed", 5, 5, { delivery, object: result === undefined ? object : { ...object, result } });

const sent: Line[] = [
  ["POST /upload/init", created()],
  ["PUT /upload/{id} 0-5", taken(5, 5)],
];

const asked = (...replies: Line[1][]): Line[] => replies.map((reply) => ["GET /upload/{id}/status", reply]);

test("what has come already is not asked for", async () => {
  for (const more of [{}, { resultWithinMs: 1 }]) {
    const talk = new Dialogue(...sent, ...asked(completed("delivered", { record: 7 })));
    const told = await new Scene(fileOf(5), talk, { ...sequential, ...more }).upload.start();
    talk.end();
    assert.deepEqual(told.object?.result, { record: 7 });
    assert.deepEqual(told.result, "resultWithinMs" in more ? { record: 7 } : undefined);
  }
});

test("nobody waits who has not said so", async () => {
  const talk = new Dialogue(...sent, ...asked(completed("queued")));
  const told = await new Scene(fileOf(5), talk, sequential).upload.start();
  talk.end();
  assert.ok(!("result" in told));
});

test("waited for, it is asked for until the application has been told", async () => {
  const talk = new Dialogue(
    ...sent,
    ...asked(completed("queued"), completed("queued"), "no answer", completed("delivered", 0)),
  );
  const scene = new Scene(fileOf(5), talk, { ...sequential, resultWithinMs: Number.POSITIVE_INFINITY });
  const told = await scene.upload.start();
  talk.end();
  assert.deepEqual([told.result, told.duplicate, told.object?.key], [0, false, "k"]);
  assert.equal(scene.states.at(-1), "completed");
});

test("an application that has nothing to say, or cannot be told, is not waited for", async () => {
  for (const delivery of ["delivered", "failed", "none"] as const) {
    const talk = new Dialogue(...sent, ...asked(completed("queued"), completed(delivery)));
    const told = await new Scene(fileOf(5), talk, { ...sequential, resultWithinMs: 60_000 }).upload.start();
    talk.end();
    assert.equal(told.result, undefined, delivery);
  }
});

test("when the time is over, or nothing can be asked any more, the upload is complete without it", async () => {
  const queued = Array.from({ length: 200 }, () => completed("queued"));
  const slow = new Scene(fileOf(5), new Dialogue(...sent, ...asked(...queued)), {
    ...sequential,
    resultWithinMs: 3_000,
  });
  assert.equal((await slow.upload.start()).result, undefined);
  assert.equal(slow.upload.state, "completed");
  const refused = new Dialogue(...sent, ...asked(completed("queued"), problem(404, "upload-not-found")));
  const scene = new Scene(fileOf(5), refused, { ...sequential, resultWithinMs: 60_000 });
  assert.equal((await scene.upload.start()).result, undefined);
  assert.equal(scene.upload.state, "completed");
});

test("a small file in one request is asked about, too", async () => {
  const talk = new Dialogue(
    [
      "POST /files",
      { status: 201, headers: { Location: `/files/${ID}`, "Upload-Offset": "5", "Tus-Resumable": "1.0.0" } },
    ],
    ...asked(completed("delivered", "r")),
  );
  const told = await new Scene(fileOf(5), talk, { oneRequest: true, resultWithinMs: 60_000 }).upload.start();
  talk.end();
  assert.deepEqual([told.result, told.object?.key], ["r", "k"]);
});

test("a time that is none is a mistake", () => {
  for (const resultWithinMs of [-1, 0, Number.NaN, "soon" as unknown as number]) {
    assert.throws(() => new Scene(fileOf(5), new Dialogue(), { resultWithinMs }), TypeError, String(resultWithinMs));
  }
});
