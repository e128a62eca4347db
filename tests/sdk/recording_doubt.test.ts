// Storage that answers wrongly, late or not at all, and servers that say no: nothing that was safe is thrown away for it.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Clock } from "../../client/src/interfaces.ts";
import { indexedDbStorage } from "../../client/src/recording/index.ts";
import { Notebook } from "../../client/src/recording/notes.ts";
import { chainOf, NOTHING, nameOf, type Piece, pieceOf } from "../../client/src/recording/pieces.ts";
import { Spool } from "../../client/src/recording/spool.ts";
import type { MemoryPlace } from "./recording_places.ts";
import { type RecordingPage, RecordingWorld, Tap, until } from "./recording_scene.ts";

const MIB = 1024 * 1024;

function equal(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(Buffer.compare(Buffer.from(actual), Buffer.from(expected)), 0, `${actual.length}, ${expected.length}`);
}

/** No page looks at the place any more; what is there stays. */
function folders(world: RecordingWorld): string[] {
  return [...world.place.folders.keys()].filter((id) => id !== "probe");
}

/** A recording of three pieces that never left the device. */
async function leftOffline() {
  const world = new RecordingWorld();
  const page = world.page();
  const tap = new Tap();
  world.server.fate = () => "lost";
  const recording = page.record(tap);
  recording.start();
  for (let turn = 1; turn <= 3; turn++) {
    tap.give(1000);
    await until(recording, ({ safeHereBytes }) => safeHereBytes === 1000 * turn);
  }
  page.kill();
  world.server.fate = () => "arrives";
  return { world, tap };
}

/** From here on every read of a piece fails, until it is called. */
function withoutReading(place: MemoryPlace, name: string): () => void {
  const open = place.open.bind(place);
  place.open = async (id) => {
    const folder = await open(id);
    return { ...folder, read: () => Promise.reject(new DOMException("the connection to the database is lost", name)) };
  };
  return () => {
    place.open = open;
  };
}

test("pieces that cannot be read just now are not taken for torn: whoever lists then throws nothing away", async () => {
  const { world, tap } = await leftOffline();
  const mend = withoutReading(world.place, "UnknownError");
  assert.deepEqual(await world.page().left(), []);
  mend();
  const [left] = await world.page().left();
  assert.equal(left?.recordedBytes, 3000);
  await left?.resume().start();
  equal(world.server.object(), tap.bytes);
});

test("the same while it is sent on: it is not ended earlier, and goes when it can be read", async () => {
  const { world, tap } = await leftOffline();
  const [left] = await world.page().left();
  const mend = withoutReading(world.place, "UnknownError");
  const recording = left?.resume();
  await assert.rejects(Promise.resolve(recording?.start()), /database is lost/);
  mend();
  await recording?.start();
  equal(world.server.object(), tap.bytes);
});

test("a folder with pieces and without a note is not removed", async () => {
  const { world } = await leftOffline();
  const [id = ""] = folders(world);
  world.place.folders.get(id)?.delete("note-0");
  world.place.folders.get(id)?.delete("note-1");
  assert.deepEqual(await world.page().left(), []);
  assert.deepEqual(folders(world), [id]);
});

test("all that is here looks torn: it may not be tomorrow, and is not removed", async () => {
  const { world, tap } = await leftOffline();
  const mend = withoutReading(world.place, "NotReadableError");
  assert.deepEqual(await world.page().left(), []);
  mend();
  const [left] = await world.page().left();
  await left?.resume().start();
  equal(world.server.object(), tap.bytes);
});

test("no piece is written before there is a note of it", async () => {
  const world = new RecordingWorld();
  const page = world.page();
  const tap = new Tap();
  world.server.fate = () => "lost";
  const open = world.place.open.bind(world.place);
  let isFull = true;
  world.place.open = async (id) => {
    const folder = await open(id);
    const writeNote = (slot: 0 | 1, text: string) =>
      isFull ? Promise.reject(new DOMException("full", "QuotaExceededError")) : folder.writeNote(slot, text);
    return { ...folder, writeNote };
  };
  const recording = page.record(tap);
  recording.start();
  tap.give(1000);
  await until(recording, ({ warnings }) => warnings.includes("storage-full"));
  assert.equal(recording.status.safeHereBytes, 0);
  isFull = false;
  await until(recording, ({ safeHereBytes }) => safeHereBytes === 1000);
  page.kill();
  world.server.fate = () => "arrives";
  const [left] = await world.page().left();
  await left?.resume().start();
  equal(world.server.object(), tap.bytes);
});

test("storage that is gone for good: what the server has does not stay in memory, and the stream is read on", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  world.place.failure = new DOMException("somebody has cleared it", "NotFoundError");
  for (let turn = 1; turn <= 5; turn++) {
    tap.give(MIB);
    await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000 + turn * MIB);
  }
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
});

test("the same, and it comes back, and then a crash: there is no hole", async () => {
  const world = new RecordingWorld();
  const page = world.page();
  const tap = new Tap();
  const recording = page.record(tap);
  recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  world.place.failure = new DOMException("full", "QuotaExceededError");
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 2000);
  world.server.fate = () => "lost";
  world.place.failure = undefined;
  tap.give(1000);
  await until(recording, ({ safeHereBytes, memoryBytes }) => safeHereBytes === 3000 && memoryBytes === 0);
  page.kill();
  world.server.fate = () => "arrives";
  const [left] = await world.page().left();
  await left?.resume().start();
  equal(world.server.object(), tap.bytes);
});

test("storage that does not answer any more fails, and all of it is sent from memory", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  world.place.onWrite = () => ({ tearAt: 10 });
  for (let turn = 1; turn <= 3; turn++) {
    tap.give(MIB);
    await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000 + turn * MIB);
  }
  assert.deepEqual(recording.status.warnings, ["storage-failing"]);
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
});

test("a piece that was written after all, when it was sent from memory already, hides none behind it", () => {
  const late = pieceOf(1000, NOTHING, new Uint8Array(1000));
  const next = pieceOf(1500, NOTHING, new Uint8Array(1000));
  assert.deepEqual(chainOf([late, next], 1500), { chain: [next], rest: [late] });
});

test("what only the server has is not forgotten since a token has run out", async () => {
  const { world, tap } = await leftAtServer();
  for (const files of world.place.folders.values()) {
    for (const piece of world.place.pieces) {
      files.has(nameOf(piece)) && files.set(nameOf(piece), new Uint8Array(1));
    }
  }
  const page = world.page();
  world.server.fate = () => 401;
  const [left] = await page.left();
  await assert.rejects(Promise.resolve(left?.resume().start()), { code: "unauthorized" });
  world.server.fate = () => "arrives";
  const [again] = await page.left();
  assert.equal((await again?.resume().start())?.bytes, 1000);
  equal(world.server.object(), tap.bytes);
});

async function leftAtServer() {
  const world = new RecordingWorld();
  const page: RecordingPage = world.page();
  const tap = new Tap();
  const recording = page.record(tap);
  recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  // Until that is noted.
  for (let turn = 0; turn < 5; turn++) {
    await new Promise(setImmediate);
  }
  page.kill();
  return { world, tap };
}

test("a power cut has taken the end, and the server has it: it is not whole here", async () => {
  const { world } = await leftAtServer();
  for (const files of world.place.folders.values()) {
    for (const piece of world.place.pieces) {
      files.has(nameOf(piece)) && files.set(nameOf(piece), new Uint8Array(1));
    }
  }
  const [left] = await world.page().left();
  assert.equal(left?.isWhole, false);
  assert.equal(await left?.file(), undefined);
});

test("ended by somebody else while it is recorded: it is not taken for complete", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  const [upload] = [...world.server.uploads.values()];
  assert.ok(upload !== undefined);
  // A page that woke up late, say, whose claim was taken over.
  upload.length = 1000;
  let isFirst = true;
  world.server.fate = ({ method }) => {
    const fate = method === "PUT" && isFirst ? "lost" : "arrives";
    isFirst &&= method !== "PUT";
    return fate;
  };
  tap.give(1000);
  await until(recording, ({ error }) => error !== undefined);
  assert.equal(recording.status.state, "recording");
  world.server.end(upload.id);
  tap.give(1000);
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
});

test("a proxy that takes small bodies only: they become small", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  world.server.fate = ({ body }) => (body instanceof Uint8Array && body.length > 300_000 ? 413 : "arrives");
  const recording = world.page().record(tap);
  const done = recording.start();
  for (let turn = 0; turn < 8; turn++) {
    tap.give(MIB / 2);
  }
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
  const refused = world.server.requests.filter(({ body }) => body instanceof Uint8Array && body.length > 300_000);
  assert.ok(refused.length <= 3, `${refused.length} were refused`);
});

test("the server has lost the end as the length is declared: that is sent again", async () => {
  const world = new RecordingWorld();
  const tap = new Tap();
  const recording = world.page().record(tap);
  const done = recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  tap.give(500);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1500);
  let isFirst = true;
  world.server.fate = ({ method }) => {
    if (method === "PATCH" && isFirst) {
      isFirst = false;
      [...world.server.uploads.values()][0]?.bytes.pop();
    }
    return "arrives";
  };
  tap.end();
  await done;
  equal(world.server.object(), tap.bytes);
});

test("bytes that come just as the last ones are written are written too", async () => {
  for (let ticks = 0; ticks < 12; ticks++) {
    const files = new Map<string, Uint8Array>();
    const folder = {
      pieces: async () => [],
      read: async () => new Blob([]),
      remove: async () => {},
      readNote: async () => undefined,
      writeNote: async () => {},
      async write(piece: Piece, bytes: Uint8Array<ArrayBuffer>) {
        await new Promise(setImmediate);
        files.set(nameOf(piece), bytes);
        if (files.size === 1) {
          void (async () => {
            for (let tick = 0; tick < ticks; tick++) {
              await undefined;
            }
            spool.take(new Uint8Array(10));
          })();
        }
      },
    };
    const note = {
      ...{ fileName: "", contentType: "", metadata: {}, endpoint: "", startedAtMs: 0, creationKey: "" },
      ...{ uploadId: null, confirmedBytes: 0, baseBytes: 0, baseChecksum: NOTHING, isEnded: false },
    };
    const notebook = new Notebook(folder, note);
    const spool: Spool = new Spool({ folder, notebook, clock: {} as Clock, keeps: true, onChange: () => {} });
    spool.take(new Uint8Array(10));
    for (let turn = 0; turn < 10; turn++) {
      await new Promise(setImmediate);
    }
    assert.equal(spool.safeBytes, 20, `after ${ticks} ticks`);
  }
});

test("a database whose connection is lost without a word is opened again", async () => {
  let opened = 0;
  const factory = {
    open() {
      const isLost = opened++ === 0;
      const request = (result: unknown) => {
        const asked: { result: unknown; onsuccess?: () => void } = { result };
        setImmediate(() => asked.onsuccess?.());
        return asked;
      };
      return request({
        transaction() {
          if (isLost) {
            throw new DOMException("the connection is closing", "InvalidStateError");
          }
          return { objectStore: () => ({ getAllKeys: () => request([["a", "0"]]) }) };
        },
      });
    },
  };
  const place = indexedDbStorage(() => factory as unknown as IDBFactory);
  await assert.rejects(place.list(), { name: "InvalidStateError" });
  assert.deepEqual(await place.list(), ["a"]);
});
