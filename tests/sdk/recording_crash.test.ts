// Whatever moment a crash chooses: what was said to be safe arrives, once, and nothing that was torn ever does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { nameOf, pieceNamed } from "../../client/src/recording/pieces.ts";
import { type RecordingPage, RecordingWorld, Tap, until } from "./recording_scene.ts";

/** The only recording that is left behind. */
async function only(page: RecordingPage) {
  const [left, ...others] = await page.left();
  assert.deepEqual(others, []);
  assert.ok(left !== undefined, "something is left behind");
  return left;
}

/** The one recording's files. */
function filesOf(world: RecordingWorld): Map<string, Uint8Array<ArrayBuffer>> {
  const [files] = [...world.place.folders].filter(([id]) => id !== "probe").map(([, files]) => files);
  assert.ok(files !== undefined);
  return files;
}

function assertStarts(whole: Uint8Array, part: Uint8Array): void {
  assert.equal(Buffer.compare(Buffer.from(whole.subarray(0, part.length)), Buffer.from(part)), 0);
}

/** Writes until the page is killed: notes and pieces, of which some go to the server and some do not. */
for (const network of ["there", "away", "bad"] as const) {
  test(`killed in the middle of each write, the network ${network}: what was safe arrives, and nothing torn`, async () => {
    for (let fatal = 1; fatal <= 14; fatal++) {
      const world = new RecordingWorld();
      const page = world.page();
      const tap = new Tap();
      let writes = 0;
      let isDead = false;
      let killed: () => void = () => {};
      const death = new Promise<void>((resolve) => {
        killed = resolve;
      });
      let safeHereBytes = 0;
      // What the dead page would do from here on, and would say of it, counts for nothing.
      const kill = () => {
        safeHereBytes = recording.status.safeHereBytes;
        page.kill();
        killed();
      };
      world.server.fate = (_, turn) => {
        return network === "there" ? "arrives" : network === "away" || turn % 3 === 1 ? "lost" : "late";
      };
      world.place.onWrite = (name) => {
        writes += name.startsWith("note") || pieceNamed(name) ? 1 : 0;
        if (writes !== fatal + 1 || isDead) {
          return undefined;
        }
        isDead = true;
        queueMicrotask(() => setImmediate(kill));
        return { tearAt: (fatal * 37) % 100 };
      };
      const recording = page.record(tap);
      recording.start().catch(() => {});
      for (let turn = 0; turn < 12 && !isDead; turn++) {
        tap.give(100 + turn);
        const given = tap.bytes.length;
        await Promise.race([until(recording, ({ safeHereBytes }) => safeHereBytes === given), death]);
      }
      if (!isDead) {
        isDead = true;
        kill();
      }
      await death;
      world.server.fate = () => "arrives";
      const next = world.page();
      const [left] = await next.left();
      if (left === undefined) {
        assert.equal(safeHereBytes, 0, `write ${fatal}: ${safeHereBytes} bytes were said to be safe`);
        continue;
      }
      assert.ok(
        left.recordedBytes >= safeHereBytes,
        `write ${fatal}: ${left.recordedBytes} of ${safeHereBytes} are left`,
      );
      const { bytes } = await left.resume().start();
      assert.ok(bytes >= safeHereBytes);
      const object = world.server.object();
      assert.equal(object.length, bytes);
      assertStarts(tap.bytes, object);
      assert.equal(world.server.uploads.size, 1, "one upload");
      assert.deepEqual(await next.left(), []);
    }
  });
}

test("killed after the upload was complete, before what is here went: it is found complete, and goes", async () => {
  const world = new RecordingWorld();
  const page = world.page();
  const tap = new Tap();
  const { place } = world;
  const remove = place.remove.bind(place);
  let isReached: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    isReached = resolve;
  });
  place.remove = () => {
    isReached();
    return new Promise(() => {});
  };
  const recording = page.record(tap);
  recording.start();
  tap.give(5000);
  tap.end();
  await reached;
  page.kill();
  place.remove = remove;
  const next = world.page();
  await (await only(next)).resume().start();
  assert.equal(world.server.uploads.size, 1);
  assert.equal(Buffer.compare(Buffer.from(world.server.object()), tap.bytes), 0);
  assert.deepEqual(await next.left(), []);
});

test("the answer to the creation was lost, and then the page: it is the same upload", async () => {
  const world = new RecordingWorld();
  const page = world.page();
  const tap = new Tap();
  world.server.fate = ({ method }) => (method === "POST" ? "late" : "lost");
  const recording = page.record(tap);
  recording.start();
  tap.give(5000);
  await new Promise<void>((resolve) => recording.on("retry", () => resolve()));
  page.kill();
  world.server.fate = () => "arrives";
  await (await only(world.page())).resume().start();
  assert.equal(world.server.uploads.size, 1);
});

/** A page that has recorded three pieces, of which the first was sent, and was killed. */
async function leftBehind(keepUntilComplete: boolean) {
  const world = new RecordingWorld();
  const page = world.page();
  const tap = new Tap();
  const recording = page.record(tap, { keepUntilComplete });
  recording.start();
  for (const sent of [1000, 2000]) {
    tap.give(1000);
    await until(recording, ({ safeThereBytes, spooledBytes }) => {
      return safeThereBytes === sent && (keepUntilComplete || spooledBytes === 1000);
    });
  }
  world.server.fate = () => "lost";
  tap.give(1000);
  await until(recording, ({ safeHereBytes }) => safeHereBytes === 3000);
  page.kill();
  world.server.fate = () => "arrives";
  const [id] = [...world.server.uploads.keys()];
  return { world, tap, id: String(id) };
}

test("a week offline, and the upload is gone: with every byte here another one begins, and the page is told", async () => {
  for (const ending of ["expired", undefined]) {
    const { world, tap, id } = await leftBehind(true);
    world.server.end(id, ending);
    const left = await only(world.page());
    assert.ok(left.isWhole);
    const recording = left.resume();
    const gone: string[] = [];
    recording.on("restart", ({ uploadId }) => gone.push(uploadId));
    const { uploadId } = await recording.start();
    assert.deepEqual(gone, [id]);
    assert.notEqual(uploadId, id);
    assert.equal(Buffer.compare(Buffer.from(world.server.object()), tap.bytes), 0);
  }
});

test("the same without its first bytes is said, and what is left stays", async () => {
  const { world, id } = await leftBehind(false);
  world.server.end(id, "expired");
  const page = world.page();
  const left = await only(page);
  assert.equal(left.isWhole, false);
  assert.equal(await left.file(), undefined);
  const refused = { code: "expired", remedy: "none", message: /its first \d+ bytes are no longer on this device/ };
  await assert.rejects(left.resume().start(), refused);
  assert.equal((await page.left()).length, 1);
});

test("cancelled elsewhere: it does not begin anew by itself, but when somebody says so", async () => {
  const { world, tap, id } = await leftBehind(true);
  world.server.end(id, "aborted");
  const recording = (await only(world.page())).resume();
  await assert.rejects(recording.start(), { code: "gone", remedy: "start-over" });
  await recording.start();
  assert.equal(Buffer.compare(Buffer.from(world.server.object()), tap.bytes), 0);
});

test("a power cut has taken what was sent: the server has more than is here, and it ends there", async () => {
  const { world, tap } = await leftBehind(true);
  const files = filesOf(world);
  for (const piece of world.place.pieces.filter(({ from }) => from >= 1000)) {
    files.set(nameOf(piece), new Uint8Array(piece.to - piece.from));
  }
  const left = await only(world.page());
  assert.equal(left.recordedBytes, 1000, "pieces full of zeros are torn");
  const { bytes } = await left.resume().start();
  assert.equal(bytes, 2000);
  assert.equal(Buffer.compare(Buffer.from(world.server.object()), tap.bytes.subarray(0, 2000)), 0);
});

test("the same of everything: what the server has is the recording", async () => {
  const { world, tap } = await leftBehind(true);
  const files = filesOf(world);
  for (const piece of world.place.pieces) {
    files.set(nameOf(piece), new Uint8Array(1));
  }
  const left = await only(world.page());
  assert.equal(left.recordedBytes, 0);
  assert.equal((await left.resume().start()).bytes, 2000);
  assert.equal(Buffer.compare(Buffer.from(world.server.object()), tap.bytes.subarray(0, 2000)), 0);
});

test("the creation whose answer was lost has ended meanwhile: another is asked for, under another key", async () => {
  const world = new RecordingWorld();
  const page = world.page();
  const tap = new Tap();
  world.server.fate = ({ method }) => (method === "POST" ? "late" : "lost");
  const recording = page.record(tap);
  recording.start();
  tap.give(5000);
  await new Promise<void>((resolve) => recording.on("retry", () => resolve()));
  page.kill();
  const [id] = [...world.server.uploads.keys()];
  world.server.end(String(id), "expired");
  world.server.fate = () => "arrives";
  await (await only(world.page())).resume().start();
  assert.equal(Buffer.compare(Buffer.from(world.server.object()), tap.bytes), 0);
});

test("what is damaged in the middle, where no crash reaches, is never sent", async () => {
  const world = new RecordingWorld();
  const page = world.page();
  const tap = new Tap();
  world.server.fate = () => "lost";
  const recording = page.record(tap);
  recording.start();
  for (let turn = 1; turn <= 30; turn++) {
    tap.give(1000);
    await until(recording, ({ safeHereBytes }) => safeHereBytes === 1000 * turn);
  }
  page.kill();
  world.server.fate = () => "arrives";
  const piece = world.place.pieces.find(({ from }) => from === 4000);
  assert.ok(piece !== undefined);
  const files = filesOf(world);
  files.get(nameOf(piece))?.set([1, 2, 3], 10);
  await assert.rejects((await only(world.page())).resume().start(), { code: "file-unreadable", message: /byte 4000/ });
  const [upload] = [...world.server.uploads.values()];
  assertStarts(tap.bytes.subarray(0, 4000), Buffer.concat(upload?.bytes ?? []));
});

test("one page has it: another neither sends nor discards it, until it is gone", async () => {
  const world = new RecordingWorld();
  const [page, other] = [world.page(), world.page()];
  const tap = new Tap();
  const recording = page.record(tap);
  recording.start();
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  const left = await only(other);
  assert.ok(left.isInUse);
  await assert.rejects(left.resume().start(), /another page/);
  await assert.rejects(left.discard(), /in use/);
  page.kill();
  const again = await only(other);
  assert.equal(again.isInUse, false);
  await again.resume().start();
  assert.equal(Buffer.compare(Buffer.from(world.server.object()), tap.bytes), 0);
});

test("what is left behind can be had as a file, and be discarded, here and at the server", async () => {
  const { world, tap } = await leftBehind(true);
  const page = world.page();
  const left = await only(page);
  const file = await left.file();
  assert.equal(Buffer.compare(Buffer.from((await file?.arrayBuffer()) ?? new ArrayBuffer()), tap.bytes), 0);
  await left.discard();
  assert.deepEqual(await page.left(), []);
  assert.equal(world.server.uploads.size, 0);
});
