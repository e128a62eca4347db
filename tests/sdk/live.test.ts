// How an upload stands is pushed by the server where that works, and asked for where it does not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { type Status, watchUpload } from "../../client/src/index.ts";
import {
  created,
  Dialogue,
  ENDPOINT,
  FakeChannel,
  FakeClock,
  FakeStream,
  failing,
  fileOf,
  ID,
  problem,
  type Reply,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const SENT = [
  ["POST /upload/init", created()],
  ["PUT /upload/{id} 0-5", taken(5, 5)],
] as const;

test("after the last byte the server is listened to, and not asked", async () => {
  const talk = new Dialogue(...SENT);
  const live = new FakeChannel(status("completing", 5, 5), status("verifying", 5, 5), status("completed", 5, 5));
  const scene = new Scene(fileOf(5), talk, { live });
  assert.equal((await scene.upload.start()).uploadId, ID);
  talk.end();
  assert.deepEqual(scene.states, ["starting", "uploading", "completing", "verifying", "completed"]);
  assert.deepEqual(live.opened, [{ url: `wss://upload.example.com/upload/${ID}/events`, protocols: ["quayside"] }]);
  assert.ok(live.isClosed);
});

test("a channel that ends is replaced by asking, soon and then less often", async () => {
  const talk = new Dialogue(
    ...SENT,
    ["GET /upload/{id}/status", status("verifying", 5, 5)],
    ["GET /upload/{id}/status", status("verifying", 5, 5)],
    ["GET /upload/{id}/status", status("completed", 5, 5)],
  );
  const scene = new Scene(fileOf(5), talk, { live: new FakeChannel(status("completing", 5, 5), "ends") });
  await scene.upload.start();
  talk.end();
  assert.deepEqual(scene.states.slice(-3), ["completing", "verifying", "completed"]);
  assert.deepEqual(scene.clock.slept.slice(-2), [250, 500]);
});

test("a channel that falls silent for a quarter of a minute is not believed", async () => {
  const talk = new Dialogue(...SENT, ["GET /upload/{id}/status", status("completed", 5, 5)]);
  const scene = new Scene(fileOf(5), talk, { live: new FakeChannel(status("verifying", 5, 5), "silence") });
  await scene.upload.start();
  talk.end();
  assert.deepEqual(scene.clock.slept, [15_000]);
});

test("a channel that opens and says nothing is not waited for: the server is asked, and another channel is tried", async () => {
  const verifying = status("verifying", 5, 5);
  const talk = new Dialogue(...SENT, ...Array(4).fill(["GET /upload/{id}/status", verifying]));
  const live = new FakeChannel("silence");
  const stream = new FakeStream(status("completed", 5, 5));
  const scene = new Scene(fileOf(5), talk, { live, runtime: { stream } });
  await scene.upload.start();
  talk.end();
  assert.deepEqual(scene.clock.slept.slice(0, 3), [250, 250, 500]);
  assert.ok(live.isClosed && stream.isClosed);
});

test("where there is no WebSocket, events come over HTTP, with the page's own headers", async () => {
  const talk = new Dialogue(...SENT);
  const stream = new FakeStream(status("verifying", 5, 5), status("completed", 5, 5));
  const headers = { Authorization: "Bearer a/b" };
  const scene = new Scene(fileOf(5), talk, { live: new FakeChannel(), headers, runtime: { stream } });
  await scene.upload.start();
  talk.end();
  assert.deepEqual(stream.opened, [
    { url: `${ENDPOINT}/upload/${ID}/events`, headers: { ...headers, Accept: "text/event-stream" } },
  ]);
  assert.deepEqual(scene.states.slice(-3), ["completing", "verifying", "completed"]);
});

test("a WebSocket that has told something and ended is not replaced by another channel", async () => {
  const stream = new FakeStream(status("failed", 5, 5));
  const talk = new Dialogue(...SENT, ["GET /upload/{id}/status", status("completed", 5, 5)]);
  const live = new FakeChannel(status("verifying", 5, 5), "ends");
  await new Scene(fileOf(5), talk, { live, runtime: { stream } }).upload.start();
  talk.end();
  assert.equal(stream.opened.length, 0);
});

test("a failure that is pushed is an error like one that was asked for", async () => {
  const talk = new Dialogue(...SENT);
  const failed = status("failed", 5, 5, { reason: "The object has another SHA-256." });
  const scene = new Scene(fileOf(5), talk, { live: new FakeChannel(failed) });
  const error = await failing(scene);
  assert.deepEqual([error.code, error.remedy], ["failed", "start-over"]);
  assert.match(error.message, /another SHA-256/);
  assert.equal(scene.store.records.size, 0, "nothing to go on with");
});

test("the token goes along as a subprotocol, and where it cannot, the server is asked instead", async () => {
  for (const [token, protocols] of [
    ["ey.J0-_", ["quayside", "bearer.ey.J0-_"]],
    ["not/a token", undefined],
  ] as const) {
    const live = new FakeChannel(status("completed", 5, 5));
    const asked = [["GET /upload/{id}/status", status("completed", 5, 5)]] as const;
    const talk = new Dialogue(...SENT, ...(protocols === undefined ? asked : []));
    const headers = () => ({ authorization: `Bearer ${token}` });
    await new Scene(fileOf(5), talk, { live, headers }).upload.start();
    talk.end();
    assert.deepEqual(live.opened[0]?.protocols, protocols);
  }
});

async function watched(talk: Dialogue, live: FakeChannel): Promise<string[]> {
  const seen: string[] = [];
  const runtime = { http: talk, clock: new FakeClock(), random: () => 0.5, live, stream: new FakeStream() };
  for await (const { state, delivery } of watchUpload(ID, { endpoint: ENDPOINT, runtime })) {
    seen.push(`${state} ${delivery}`);
  }
  talk.end();
  assert.ok(live.isClosed);
  return seen;
}

test("what the application has to say comes with the delivery, and nothing follows it", async () => {
  const object = { key: "k", etag: "e", crc64nvme: "c", sha256: null };
  const talk = new Dialogue(
    ["GET /upload/{id}/status", status("completed", 5, 5, { delivery: "queued", object })],
    ["GET /upload/{id}/status", status("completed", 5, 5, { delivery: "delivered", object: { ...object, result: 7 } })],
  );
  const runtime = {
    http: talk,
    clock: new FakeClock(),
    random: () => 0.5,
    live: new FakeChannel(),
    stream: new FakeStream(),
  };
  let result: unknown;
  for await (const { object } of watchUpload(ID, { endpoint: ENDPOINT, runtime })) {
    result = object?.result;
  }
  talk.end();
  assert.equal(result, 7);
});

function completed(delivery: Status["delivery"]): Reply {
  return status("completed", 5, 5, { delivery });
}

test("watching ends when the origin was told, however that was heard", async () => {
  const pushed = new FakeChannel(
    status("open", 2, 5),
    completed("queued"),
    completed("delivered"),
    completed("failed"),
  );
  assert.deepEqual(await watched(new Dialogue(), pushed), ["open none", "completed queued", "completed delivered"]);
  const talk = new Dialogue(
    ["GET /upload/{id}/status", completed("queued")],
    ["GET /upload/{id}/status", "no answer"],
    ["GET /upload/{id}/status", completed("delivered")],
  );
  assert.deepEqual(await watched(talk, new FakeChannel()), ["completed queued", "completed delivered"]);
});

test("watching ends with every end", async () => {
  for (const end of ["failed", "aborted", "expired"]) {
    assert.deepEqual(await watched(new Dialogue(), new FakeChannel(status(end, 2, 5))), [`${end} none`]);
  }
});

test("watching what is not there is an error, and a signal ends it", async () => {
  const talk = new Dialogue(["GET /upload/{id}/status", problem(404, "upload-not-found")]);
  await assert.rejects(watched(talk, new FakeChannel()), { name: "UploadError", code: "gone" });
  const stop = new AbortController();
  const runtime = {
    http: new Dialogue(),
    clock: new FakeClock(),
    live: new FakeChannel(status("open", 2, 5), "silence"),
    stream: new FakeStream(),
  };
  const watching = watchUpload(ID, { endpoint: ENDPOINT, signal: stop.signal, runtime });
  assert.equal((await watching.next()).value?.state, "open");
  stop.abort(new Error("enough"));
  await assert.rejects(watching.next(), /enough/);
});

test("of many uploads at once a few listen, the others ask; one that has ended makes room", async () => {
  const live = new FakeChannel("silence");
  const send = async (to: FakeChannel) => {
    const states = ["verifying", "verifying", "completed"].map((state) => status(state, 5, 5));
    const questions = states.map((answer) => ["GET /upload/{id}/status", answer] as const);
    const talk = new Dialogue(...SENT, ...questions);
    await new Scene(fileOf(5), talk, { live: to }).upload.start();
    talk.end();
  };
  await Promise.all(Array.from({ length: 20 }, () => send(live)));
  assert.equal(live.opened.length, 3);
  const next = new FakeChannel("silence");
  await send(next);
  assert.equal(next.opened.length, 1);
});
