// Two files are never one: what differs in name, place, date, content, metadata or by the page's own word has an upload of its own,
// and so has what cannot be told apart but is sent at the same time.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PageClaims } from "../../client/src/claims.ts";
import {
  created,
  Dialogue,
  ENDPOINT,
  fileOf,
  ID,
  type Line,
  MemoryLocks,
  MemoryStore,
  offset,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const init: Line = ["POST /upload/init", created()];
const completed: Line = ["GET /upload/{id}/status", status("completed", 5, 5)];
const whole: Line[] = [init, ["PUT /upload/{id} 0-5", taken(5, 5)], completed];
const OTHER_ID = ID.replace("067e6162", "167e6162");

/** Begins an upload that stays in the store, since the server takes nothing of it. */
async function begin(store: MemoryStore, file: File, options: { endpoint?: string } = {}): Promise<void> {
  const base = options.endpoint?.replace(ENDPOINT, "") ?? "";
  const talk = new Dialogue(
    [`POST ${base}/upload/init`, created()],
    [`PUT ${base}/upload/{id} 0-5`, problem(401, "unauthorized")],
  );
  await assert.rejects(new Scene(file, talk, { store, ...options }).upload.start(), { code: "unauthorized" });
  talk.end();
}

function at(file: File, webkitRelativePath: string): File {
  return Object.defineProperty(file, "webkitRelativePath", { value: webkitRelativePath });
}

const dated = (lastModified: number) => new File([fileOf(5)], "film.mp4", { type: "video/mp4", lastModified });

const others: [what: string, file: File, options?: object][] = [
  ["of another name", fileOf(5, "other.mp4")],
  ["of another date", dated(1_800_000_000_000)],
  ["of another content", fileOf(5, "film.mp4", 2)],
  ["from another folder", at(fileOf(5), "b/film.mp4")],
  ["from no folder", fileOf(5)],
  ["with other metadata", at(fileOf(5), "a/film.mp4"), { metadata: { album: "b" } }],
  ["with another name given by the page", at(fileOf(5), "a/film.mp4"), { fileId: "2" }],
  ["for another server", at(fileOf(5), "a/film.mp4"), { endpoint: `${ENDPOINT}/base` }],
];

for (const [what, file, options = {}] of others) {
  test(`a file ${what} is another upload`, async () => {
    const store = new MemoryStore();
    await begin(store, at(fileOf(5), "a/film.mp4"));
    await begin(store, file, options);
    assert.equal(store.records.size, 2);
  });
}

test("the same file for the same server is the same upload, whether its address ends with a slash or not", async () => {
  const store = new MemoryStore();
  await begin(store, fileOf(5), { endpoint: `${ENDPOINT}/base` });
  const done = status("completed", 5, 5);
  const talk = new Dialogue(["GET /base/upload/{id}/status", done]);
  await new Scene(fileOf(5), talk, { store, endpoint: `${ENDPOINT}/base//` }).upload.start();
  talk.end();
});

test("a record tells nothing of the file to whoever reads the storage", async () => {
  const store = new MemoryStore();
  await begin(store, at(fileOf(5, "secret.mp4"), "private/secret.mp4"));
  const [[name, record] = []] = store.records;
  assert.match(String(name), /^quayside:[0-9a-f]{64}$/);
  assert.deepEqual(record, { uploadId: ID });
});

test("a folder's file tells where it lay, and a page that says so itself is right", async () => {
  for (const [metadata, expected] of [
    [undefined, "album/one\u{fffd}.mp4"],
    [{ relativePath: "mine" }, "mine"],
  ] as const) {
    const talk = new Dialogue(...whole);
    const file = at(fileOf(5), "album/on\re\ud800.mp4");
    await new Scene(file, talk, metadata === undefined ? {} : { metadata }).upload.start();
    assert.equal((talk.json(0).metadata as Record<string, string>).relativePath, expected);
  }
});

test("metadata that leaves no room is sent as it is", async () => {
  const metadata = { a: "x".repeat(8 * 1024 - 1) };
  const talk = new Dialogue(...whole);
  await new Scene(at(fileOf(5), "a/film.mp4"), talk, { metadata }).upload.start();
  assert.deepEqual(talk.json(0).metadata, metadata);
});

const names: [given: string, sent: string][] = [
  ["Icon\r", "Icon"],
  ["a\u0000b\u007fc\u0085d\n.txt", "abcd.txt"],
  ["\r\n", "unnamed"],
  ["", "unnamed"],
  ["lone \ud83c.txt", "lone \u{fffd}.txt"],
  ["🏖️ Ferien.mp4", "🏖️ Ferien.mp4"],
  ["é".repeat(600), "é".repeat(512)],
  [`a${"🏖".repeat(300)}`, `a${"🏖".repeat(255)}`],
];

for (const [given, sent] of names) {
  test(`a name ${JSON.stringify(given).slice(0, 30)} is sent as ${JSON.stringify(sent).slice(0, 30)}`, async () => {
    const talk = new Dialogue(...whole);
    const { size, type, lastModified } = fileOf(5);
    const slice = (from: number, to: number) => fileOf(5).slice(from, to);
    const file = { name: given, size, type, lastModified, slice } as unknown as File;
    await new Scene(file, talk).upload.start();
    talk.end();
    assert.equal(talk.json(0).fileName, sent);
  });
}

test("two namesakes that cannot be told apart, at the same time: two uploads, and two records", async () => {
  const store = new MemoryStore();
  const claims = new PageClaims(new MemoryLocks().page());
  const scenes: Scene[] = [];
  let sending = 0;
  const send = () => {
    sending += 1;
    queueMicrotask(() => sending === 2 && scenes.map(({ upload }) => upload.pause()));
    return "hangs" as const;
  };
  const talks = [ID, OTHER_ID].map((uploadId) => {
    const answer = { status: 201, body: { uploadId, chunkSize: 10, uploadedBytes: 0 } };
    return new Dialogue(["POST /upload/init", answer], [`PUT /upload/${uploadId.replace(ID, "{id}")} 0-5`, send]);
  });
  scenes.push(...talks.map((talk) => new Scene(fileOf(5), talk, { store, claims })));
  const paused = scenes.map((scene) => scene.state("paused"));
  for (const { upload } of scenes) {
    upload.start();
  }
  await Promise.all(paused);
  for (const talk of talks) {
    talk.end();
  }
  assert.deepEqual([...store.records.values()].map(({ uploadId }) => uploadId).sort(), [ID, OTHER_ID]);
});

test("one that waits is cancelled: the one that runs is left alone", async () => {
  const store = new MemoryStore();
  const claims = new PageClaims(new MemoryLocks().page());
  let waiting!: Scene;
  const aborting: Promise<void>[] = [];
  const cancel = () => {
    aborting.push(waiting.upload.abort());
    return taken(5, 5);
  };
  const running = new Scene(fileOf(5), new Dialogue(init, ["PUT /upload/{id} 0-5", cancel], completed), {
    store,
    claims,
  });
  // Paused before it has begun, as Uppy's files are while they wait for their turn.
  const silent = new Dialogue();
  waiting = new Scene(fileOf(5), silent, { store, claims });
  waiting.upload.start().catch(() => {});
  waiting.upload.pause();
  await running.upload.start();
  await Promise.all(aborting);
  silent.end();
});

test("a hundred uploads of one file are a hundred uploads", async () => {
  const store = new MemoryStore();
  const claims = new PageClaims(new MemoryLocks().page());
  const file = fileOf(5);
  const ids = new Set<string>();
  const uploads = Array.from({ length: 100 }, (_, at) => {
    const id = ID.replace("067e6162", String(10_000_000 + at));
    ids.add(id);
    const talk = new Dialogue(
      ["POST /upload/init", { status: 201, body: { uploadId: id, chunkSize: 10, uploadedBytes: 0 } }],
      [`PUT /upload/${id} 0-5`, taken(5, 5)],
      [`GET /upload/${id}/status`, status("completed", 5, 5, { uploadId: id })],
    );
    return new Scene(file, talk, { store, claims }).upload.start();
  });
  const done = await Promise.all(uploads);
  assert.deepEqual(new Set(done.map(({ uploadId }) => uploadId)), ids);
  assert.equal(store.records.size, 0);
});

// ---- From the owner's list.

const listed = (uploadId: string, more: object = {}) => {
  return { uploadId, fileName: "film.mp4", fileSize: 25, createdAt: "2026-11-21T11:00:00.000Z", ...more };
};

/** What an upload of this file leaves with the server. */
async function metadataOf(file: File): Promise<Record<string, string>> {
  const talk = new Dialogue(["POST /upload/init", problem(401, "unauthorized")]);
  await assert.rejects(new Scene(file, talk).upload.start());
  return talk.json(0).metadata as Record<string, string>;
}

test("another device goes on with the newest upload that has this file's fingerprint, wherever in the list it stands", async () => {
  const file = fileOf(25);
  const [mine, others] = [await metadataOf(file), await metadataOf(fileOf(25, "film.mp4", 2))];
  const page = (uploads: object[], next?: string) => ({ status: 200, body: { uploads, next } });
  const talk = new Dialogue(
    [
      "GET /uploads",
      page(
        [
          listed("older", { createdAt: "2026-11-21T10:00:00.000Z" }),
          listed("no-size", { fileSize: null }),
          listed("other-size", { fileSize: 26 }),
        ],
        "a b",
      ),
    ],
    [
      "GET /uploads?cursor=a%20b",
      page([
        listed(ID),
        listed("unfingered", { createdAt: "2026-11-21T14:00:00.000Z" }),
        listed("gone", { createdAt: "2026-11-21T13:00:00.000Z" }),
        listed("another", { createdAt: "2026-11-21T12:00:00.000Z" }),
      ]),
    ],
    ["GET /upload/unfingered/status", status("open", 20, 25)],
    ["GET /upload/gone/status", problem(404, "upload-not-found")],
    ["GET /upload/another/status", status("open", 20, 25, { metadata: others })],
    ["GET /upload/{id}/status", status("open", 20, 25, { metadata: mine })],
    ["GET /upload/{id}/status", status("open", 20, 25)],
    ["HEAD /upload/{id}", offset(20)],
    ["PUT /upload/{id} 20-25", taken(25, 25)],
    ["GET /upload/{id}/status", status("completed", 25, 25)],
  );
  await new Scene(file, talk, { parallel: false, resumeFromServer: true }).upload.start();
  talk.end();
});

test("with nothing to go on with in the list, or a list without end, a new upload begins", async () => {
  const empty = { status: 200, body: { uploads: [] } };
  const same = { status: 200, body: { uploads: [], next: "c" } };
  for (const list of [
    [["GET /uploads", empty]],
    [
      ["GET /uploads", same],
      ["GET /uploads?cursor=c", same],
    ],
  ] as Line[][]) {
    const talk = new Dialogue(...list, ...whole);
    await new Scene(fileOf(5), talk, { resumeFromServer: true }).upload.start();
    talk.end();
  }
});

test("what another upload of this page sends is not taken from the list", async () => {
  const claims = new PageClaims(new MemoryLocks().page());
  const options = { claims, resumeFromServer: true, parallel: false };
  const metadata = await metadataOf(fileOf(25));
  const list = { status: 200, body: { uploads: [listed(ID)] } };
  const second = new Dialogue(
    ["GET /uploads", list],
    ["GET /upload/{id}/status", status("open", 0, 25, { metadata })],
    ["POST /upload/init", problem(401, "unauthorized")],
  );
  let other!: Promise<unknown>;
  const first = new Dialogue(["GET /uploads", { status: 200, body: { uploads: [] } }], init, [
    "PUT /upload/{id} 0-10",
    () => {
      other = assert.rejects(new Scene(fileOf(25), second, options).upload.start(), { code: "unauthorized" });
      other.then(() => scene.upload.pause());
      return "hangs";
    },
  ]);
  const scene: Scene = new Scene(fileOf(25), first, options);
  const paused = scene.state("paused");
  scene.upload.start();
  await paused;
  await other;
  second.end();
  first.end();
});
