// Chunks past the server, in dialogues: a signature for each sending, nothing but bytes to storage, and what storage has is not
// sent again.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type Answer,
  assertSays,
  created,
  Dialogue,
  failing,
  fileOf,
  ID,
  type Line,
  MemoryStore,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const SIZE = 25;
const init: Line = ["POST /upload/init", created()];
const completed: Line = ["GET /upload/{id}/status", status("completed", SIZE, SIZE)];

const url = (partNumber: number) => `https://storage.example/part/${partNumber}`;

function signed(chunk: number, partNumber: number): Line {
  const part = {
    chunk,
    partNumber,
    offset: chunk * 10,
    bytes: 10,
    method: "PUT",
    url: url(partNumber),
    validSeconds: 900,
  };
  return ["POST /upload/{id}/parts/sign", { status: 200, body: { uploadId: ID, parts: [part] } }];
}

function stored(partNumber: number, bytes: number, answer?: Answer): Line {
  return [
    `PUT ${url(partNumber)} ${bytes} bytes`,
    answer ?? { status: 200, headers: { ETag: `"etag ${partNumber}"` } },
  ];
}

const recorded = (uploadedBytes: number): Line => ["POST /upload/{id}/parts", taken(uploadedBytes, SIZE)];

const standing = (missing: [number, number][], uploadedBytes: number): Line => [
  "GET /upload/{id}/status",
  status("open", uploadedBytes, SIZE, { mode: "direct", missing }),
];

/** One chunk after the other, so that there is one order to write down. */
function scene(dialogue: Dialogue, more: { store?: MemoryStore; headers?: () => Record<string, string> } = {}): Scene {
  return new Scene(fileOf(SIZE), dialogue, { direct: true, parallel: false, ...more });
}

test("each chunk is signed for, sent to storage without a token, and recorded", async () => {
  const dialogue = new Dialogue(
    init,
    ...[signed(0, 1), stored(1, 10), recorded(10)],
    ...[signed(1, 9), stored(9, 10), recorded(20)],
    ...[signed(2, 17), stored(17, 5), recorded(25)],
    completed,
  );
  const { upload, progress } = scene(dialogue, { headers: () => ({ Authorization: "Bearer secret" }) });
  await upload.start();
  dialogue.end();
  const { direct, parallel, chunkSize } = dialogue.json(0);
  assert.deepEqual({ direct, parallel, chunkSize }, { direct: true, parallel: undefined, chunkSize: 10 });
  assert.deepEqual(dialogue.json(4), { chunks: [1] });
  assert.deepEqual(dialogue.json(6), { parts: [{ partNumber: 9, etag: '"etag 9"' }] });
  assert.deepEqual(dialogue.requests[2]?.headers, {}, "storage is sent bytes and nothing else");
  assert.equal(dialogue.header(3, "Authorization"), "Bearer secret");
  assert.deepEqual(progress, [0, 10, 20, 25]);
});

test("a URL that has run out, and a connection that broke, are followed by a signature of their own", async () => {
  const dialogue = new Dialogue(
    init,
    ...[signed(0, 1), stored(1, 10, { status: 403, body: "<Code>ExpiredRequest</Code>" }), standing([[0, 25]], 0)],
    ...[signed(0, 2), stored(2, 10, "no answer"), standing([[0, 25]], 0)],
    ...[signed(0, 3), stored(3, 10), recorded(10)],
    ...[signed(1, 9), stored(9, 10), recorded(20)],
    ...[signed(2, 17), stored(17, 5), recorded(25)],
    completed,
  );
  const { upload, retries } = scene(dialogue);
  await upload.start();
  dialogue.end();
  assert.deepEqual(
    retries.map(({ error, offset }) => [error.code, offset]),
    [
      ["server", 0],
      ["network", 0],
    ],
  );
});

test("a record whose answer was lost is asked for again; the chunk is not sent again", async () => {
  const dialogue = new Dialogue(
    init,
    ...[signed(0, 1), stored(1, 10), ["POST /upload/{id}/parts", "no answer"] as const, standing([[0, 25]], 0)],
    recorded(10),
    ...[signed(1, 9), stored(9, 10), ["POST /upload/{id}/parts", "no answer"] as const, standing([[20, 25]], 20)],
    ...[signed(2, 17), stored(17, 5), recorded(25)],
    completed,
  );
  await scene(dialogue).upload.start();
  dialogue.end();
});

test("a part that R2 does not have as it was sent is sent again under a new signature", async () => {
  const refused: Line = ["POST /upload/{id}/parts", problem(409, "part-not-stored", { uploadedBytes: 0 })];
  const dialogue = new Dialogue(
    init,
    ...[signed(0, 1), stored(1, 10), refused, standing([[0, 25]], 0)],
    ...[signed(0, 2), stored(2, 10), recorded(10)],
    ["POST /upload/{id}/parts/sign", problem(409, "chunk-already-stored", { uploadedBytes: 20 })],
    ...[signed(2, 17), stored(17, 5), recorded(25)],
    completed,
  );
  await scene(dialogue).upload.start();
  dialogue.end();
});

test("reopened, since R2 had lost a part: what it has is recorded again, and only the lost one sent", async () => {
  const dialogue = new Dialogue(
    init,
    ...[signed(0, 1), stored(1, 10), recorded(10)],
    ...[signed(1, 9), stored(9, 10), recorded(20)],
    ...[signed(2, 17), stored(17, 5), recorded(25)],
    standing([[0, 25]], 0),
    recorded(10),
    ...[
      ["POST /upload/{id}/parts", problem(409, "part-not-stored", { uploadedBytes: 10 })] as const,
      standing([[10, 25]], 10),
    ],
    ...[signed(1, 10), stored(10, 10), recorded(20)],
    recorded(25),
    completed,
  );
  await scene(dialogue).upload.start();
  dialogue.end();
});

test("after a reload it goes on past the server, with the chunks that do not count", async () => {
  const store = new MemoryStore();
  const first = new Dialogue(init, signed(0, 1), stored(1, 10), recorded(10), signed(1, 9), stored(9, 10, "hangs"));
  const before = scene(first, { store });
  before.upload.on(
    "progress",
    ({ uploadedBytes }) => uploadedBytes === 10 && setImmediate(() => before.upload.pause()),
  );
  const paused = new Promise<void>((resolve) =>
    before.upload.on("state", ({ state }) => state === "paused" && resolve()),
  );
  before.upload.start();
  await paused;
  first.end();
  const second = new Dialogue(
    standing([[10, 25]], 10),
    ...[signed(1, 10), stored(10, 10), recorded(20)],
    ...[signed(2, 17), stored(17, 5), recorded(25)],
    completed,
  );
  const again = scene(second, { store });
  await again.upload.start();
  second.end();
  assert.ok(again.states.includes("uploading from 10"));
});

test("a server without the keys of R2 says so at once, and is not asked twice", async () => {
  const body = { detail: "R2_S3_ENDPOINT is empty, so there is no direct door" };
  const dialogue = new Dialogue(["POST /upload/init", problem(503, "not-configured", body)]);
  const error = await failing(scene(dialogue));
  dialogue.end();
  assertSays(error, "rejected", "none", /R2_S3_ENDPOINT is empty, so there is no direct door/);
  assert.equal(error.problem?.type.endsWith("/not-configured"), true);
});

test("storage that a browser never gets an answer from: the message names the bucket's CORS rule", async () => {
  const attempts = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((number) => [
    signed(0, number),
    stored(number, 10, "no answer"),
    standing([[0, 25]], 0),
  ]);
  const dialogue = new Dialogue(init, ...attempts);
  assertSays(await failing(scene(dialogue)), "network", "resume", /bucket has no CORS rule/);
  dialogue.end();
});
