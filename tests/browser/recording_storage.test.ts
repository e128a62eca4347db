// The places that Chromium has for recordings, as they are: what they keep, what they do when they are full, and that a stream of 64 MiB goes
// through them with little in memory.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, type TestContext, test } from "node:test";

import type { BrowserContext } from "playwright-core";

import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import { FAKE_DEVICES, type InPage, type RecordingPage, RecordingPages } from "./recording_page.ts";

const MIB = 1024 * 1024;

let harbour: Harbour;
let pages: RecordingPages;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open({}, FAKE_DEVICES);
    pages = await RecordingPages.open(harbour.wire.url);
  });
  after(async () => {
    pages.close();
    await harbour.close();
  });
}

async function profile(t: TestContext): Promise<BrowserContext> {
  const context = await harbour.newContext();
  t.after(() => context.close());
  return context;
}

async function visit(t: TestContext): Promise<RecordingPage> {
  return pages.visit(await profile(t));
}

for (const place of ["opfs", "indexeddb"] as const) {
  test(`${place} gives back what it was given, replaces notes, and forgets`, inBrowser, async (t) => {
    const { page } = await visit(t);
    const said = await page.evaluate(async (place) => {
      const { opfsStorage, indexedDbStorage } = (globalThis as unknown as InPage).recordings;
      const storage = place === "opfs" ? opfsStorage() : indexedDbStorage();
      const folder = await storage.open("a");
      const piece = { from: 0, to: 3, before: "0".repeat(16), after: "1".repeat(16) };
      const other = { ...piece, from: 3, to: 4 };
      await folder.write(piece, new Uint8Array([1, 2, 3]));
      await folder.write(other, new Uint8Array([4]));
      await folder.remove(other);
      await folder.remove(other);
      await folder.writeNote(0, "first");
      await folder.writeNote(0, "second");
      const again = await storage.open("a");
      const missing = await again.read(other).then(
        () => "there",
        () => "missing",
      );
      const found = {
        pieces: await again.pieces(),
        bytes: [...new Uint8Array(await (await again.read(piece)).arrayBuffer())],
        missing,
        notes: [(await again.readNote(0)) ?? null, (await again.readNote(1)) ?? null],
        list: await storage.list(),
      };
      await storage.remove("a");
      await storage.remove("a");
      return { ...found, after: await storage.list(), piece };
    }, place);
    assert.deepEqual(said.pieces, [said.piece]);
    assert.deepEqual([said.bytes, said.missing, said.notes], [[1, 2, 3], "missing", ["second", null]]);
    assert.deepEqual([said.list, said.after], [["a"], []]);
  });
}

test("a piece of which the disk kept a part is cut off, and what was sent of it stays true", inBrowser, async (t) => {
  const context = await profile(t);
  const page = await pages.visit(context);
  await page.record({ audio: true });
  await page.until("some pieces", ({ safeThereBytes }) => safeThereBytes > 4000);
  harbour.wire.cut();
  const { safeThereBytes } = await page.status();
  await page.until("more to be here than there", ({ safeHereBytes }) => safeHereBytes > safeThereBytes + 6000);
  await page.kill();
  const next = await pages.visit(context);
  const [whole] = await next.left();
  const kept = await next.page.evaluate(async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("quayside-recordings");
    const { keys } = root as unknown as { keys(): AsyncIterable<string> };
    for await (const id of keys.call(root)) {
      const folder = await root.getDirectoryHandle(id);
      const names: string[] = [];
      for await (const name of keys.call(folder)) {
        /^\d{16}-/.test(name) && names.push(name);
      }
      const last = names.sort().at(-1);
      if (last !== undefined) {
        const writable = await (await folder.getFileHandle(last)).createWritable({ keepExistingData: true });
        await writable.truncate(10);
        await writable.close();
        return Number(last.slice(0, 16));
      }
    }
    return -1;
  });
  const [torn] = await next.left();
  assert.ok(kept > 0 && Number(whole?.recordedBytes) > kept);
  assert.equal(torn?.recordedBytes, kept);
  harbour.wire.mend();
  const { uploadId } = await next.resume();
  const record = await harbour.origin.waitForStored(uploadId);
  assert.deepEqual([record.fileSize, record.sha256], [kept, torn?.sha256]);
});

test(
  "full for real, without a network: it goes on in memory and says so; then all of it arrives",
  inBrowser,
  async (t) => {
    const page = await visit(t);
    const session = await page.page.context().newCDPSession(page.page);
    const origin = new URL(page.page.url()).origin;
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 3 * MIB });
    harbour.wire.cut();
    await page.page.evaluate((size) => {
      const world = globalThis as unknown as InPage;
      // As fast as it is taken: a recorder does not wait either.
      const { endpoint } = world;
      let given = 0;
      const stream = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new Uint8Array(256 * 1024).fill(given));
          given += 1;
          given * 256 * 1024 === size && controller.close();
        },
      });
      world.recording = world.recordings.createRecording(stream, { endpoint, retry: { longestDelayMs: 1000 } });
      world.done = world.recording.start();
      world.done.catch(() => {});
    }, 6 * MIB);
    const full = await page.until("it to be full", ({ warnings }) => warnings.includes("storage-full"));
    assert.ok(full.safeHereBytes < 3 * MIB && full.memoryBytes > 0);
    harbour.wire.mend();
    await page.until("all of it to be there", ({ state }) => state === "completed");
    const { uploadId, recordedBytes } = await page.status();
    const hash = createHash("sha256");
    for (let at = 0; at < 24; at++) {
      hash.update(Buffer.alloc(256 * 1024, at));
    }
    const record = await harbour.origin.waitForStored(String(uploadId));
    assert.deepEqual([record.fileSize, recordedBytes, record.sha256], [6 * MIB, 6 * MIB, hash.digest("hex")]);
  },
);

test("a stream of 64 MiB: what is pulled and not stored yet is two pieces at most", inBrowser, async (t) => {
  const page = await visit(t);
  harbour.wire.cut();
  const mostBytes = await page.page.evaluate(async (size) => {
    const world = globalThis as unknown as InPage;
    const { endpoint } = world;
    const chunk = 64 * 1024;
    let given = 0;
    let most = 0;
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          most = Math.max(most, given - world.recording.status.safeHereBytes);
          if (given === size) {
            controller.close();
            return;
          }
          controller.enqueue(new Uint8Array(chunk).fill(given / chunk));
          given += chunk;
        },
      },
      { highWaterMark: 0 },
    );
    world.recording = world.recordings.createRecording(stream, { endpoint, retry: { longestDelayMs: 1000 } });
    const spooled = new Promise<void>((resolve) => {
      world.recording.on("status", ({ safeHereBytes }) => safeHereBytes === size && resolve());
    });
    world.done = world.recording.start();
    world.done.catch(() => {});
    await spooled;
    return most;
  }, 64 * MIB);
  assert.ok(mostBytes > 0 && mostBytes <= 2 * MIB + 64 * 1024, `${mostBytes} bytes`);
  harbour.wire.mend();
  const { uploadId } = await page.until("all of it to be there", ({ state }) => state === "completed");
  const hash = createHash("sha256");
  for (let at = 0; at < 1024; at++) {
    hash.update(Buffer.alloc(64 * 1024, at));
  }
  const record = await harbour.origin.waitForStored(String(uploadId));
  assert.deepEqual([record.fileSize, record.sha256], [64 * MIB, hash.digest("hex")]);
});

test("the guide's example records and shows two bars; after a crash its other half goes on", inBrowser, async (t) => {
  const context = await profile(t);
  const page = await pages.visit(context);
  await page.page.evaluate(async () => {
    const world = globalThis as unknown as InPage;
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    world.recording = world.recordings.record(stream, world.endpoint, (status) => {
      document.title = `${status.safeHereBytes} ${status.safeThereBytes} of ${status.recordedBytes}`;
    });
  });
  const { uploadId } = await page.until("bytes at the server", ({ safeThereBytes }) => safeThereBytes > 0);
  await waitFor("the bars", async () => /^[1-9]\d* [1-9]\d* of [1-9]/.test(await page.page.title()));
  await page.kill();
  const next = await pages.visit(context);
  const count = await next.page.evaluate(async () => {
    const world = globalThis as unknown as InPage;
    return world.recordings.goOn(world.endpoint);
  });
  assert.equal(count, 1);
  await harbour.origin.waitForStored(String(uploadId));
});
