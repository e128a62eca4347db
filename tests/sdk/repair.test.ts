// A file that arrives damaged is repaired by itself: only what differs is sent again. Where that cannot help, the error says why.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PageClaims } from "../../client/src/claims.ts";
import { type Hasher, type LiveChannel, UploadError } from "../../client/src/index.ts";
import {
  assertSays,
  FakeChannel,
  FakeClock,
  failing,
  fileOf,
  hasher,
  ID,
  MemoryLocks,
  MemoryStore,
  problem,
  Scene,
  status,
} from "./dialogue.ts";
import { RepairServer } from "./repair_server.ts";

const MANIFEST = "GET /upload/{id}/manifest";
const STATUS = "GET /upload/{id}/status";
const REPAIR = "POST /upload/{id}/repair";
const REMOVE = "DELETE /upload/{id}";
const SIZE = 35;

/** An upload with a declared SHA-256, to a server where the chunks at these offsets arrive damaged once, or so often. */
function damagedScene(parallel: boolean, spoilt: readonly (readonly [from: number, times: number])[], options = {}) {
  const server = new RepairServer(SIZE);
  for (const [from, times] of spoilt) {
    server.spoilt.set(from, times);
  }
  const file = fileOf(SIZE);
  const scene = new Scene(file, server, { dedup: true, parallel, ...options });
  const repairs: object[] = [];
  scene.upload.on("repair", (repair) => repairs.push(repair));
  return { server, scene, file, repairs };
}

async function assertSame(server: RepairServer, file: File): Promise<void> {
  assert.deepEqual(server.bytes, Buffer.from(await file.arrayBuffer()));
}

for (const parallel of [false, true]) {
  const how = parallel ? "in parallel" : "in order";

  test(`sent ${how}, the one chunk that arrived damaged is sent again, and only that`, async () => {
    const { server, scene, file, repairs } = damagedScene(parallel, [[10, 1]]);
    await scene.upload.start();
    await assertSame(server, file);
    assert.deepEqual(server.repairs, [[{ offset: 10, length: 10 }]]);
    assert.deepEqual(server.putsAfter(REPAIR), ["PUT /upload/{id} 10-20"]);
    assert.deepEqual(repairs, [{ uploadId: ID, missingBytes: 10, reason: "The file has another SHA-256." }]);
    const last = scene.states.slice(scene.states.indexOf("repairing"));
    assert.deepEqual([...new Set(last)], ["repairing", "uploading from 25", "completing", "completed"]);
    assert.deepEqual(scene.progress.slice(-3), [35, 25, 35]);
    assert.equal(scene.errors.length + scene.retries.length, 0);
    assert.equal(scene.store.records.size, 0);
  });
}

test("chunks that differ side by side are named in one range, others in ranges of their own", async () => {
  const { server, scene, file } = damagedScene(true, [
    [0, 1],
    [10, 1],
    [30, 1],
  ]);
  await scene.upload.start();
  await assertSame(server, file);
  assert.deepEqual(server.repairs, [
    [
      { offset: 0, length: 20 },
      { offset: 30, length: 5 },
    ],
  ]);
});

test("it is told how much of the file has been compared", async () => {
  const { scene } = damagedScene(false, [[10, 1]]);
  const compared: unknown[] = [];
  scene.upload.on("state", ({ state, hashed }) => state === "repairing" && compared.push(hashed));
  await scene.upload.start();
  assert.deepEqual(compared, [0, 10 / SIZE, 20 / SIZE, 30 / SIZE, 1]);
});

test("damaged again, it is repaired again", async () => {
  const { server, scene, file } = damagedScene(false, [[10, 2]]);
  await scene.upload.start();
  await assertSame(server, file);
  assert.equal(server.repairs.length, 2);
});

test("damaged after two repairs, it is given up, and starting again begins a fresh upload", async () => {
  const { server, scene, file } = damagedScene(false, [[10, 3]]);
  assertSays(await failing(scene), "failed", "start-over", /another SHA-256.*after 2 repairs.*started afresh/);
  assert.equal(server.repairs.length, 2);
  assert.equal(server.count(REMOVE), 1, "what nobody can use does not stay");
  assert.equal(scene.store.records.size, 0);
  await scene.upload.start();
  await assertSame(server, file);
  assert.equal(server.count("POST /upload/init"), 2);
});

test("where nothing differs the declared digest was wrong: that is said, and starting again hashes anew", async () => {
  let hashed = 0;
  // The first time, the file is read wrong while it is hashed.
  const misled: Hasher = {
    ...hasher,
    file: async (...args) => (++hashed === 1 ? "0".repeat(64) : hasher.file(...args)),
  };
  const { server, scene, file } = damagedScene(false, [], { runtime: { hasher: misled } });
  assertSays(await failing(scene), "failed", "start-over", /another SHA-256.*as it is.*not the one that was declared/);
  assert.equal(server.repairs.length, 0);
  await scene.upload.start();
  await assertSame(server, file);
  assert.equal(hashed, 2);
});

for (const [what, request, fate] of [
  ["an answer that was lost", REPAIR, "lost answer"],
  ["a server that is away for a moment", REPAIR, { status: 503 }],
  ["a connection that breaks", MANIFEST, "no answer"],
] as const) {
  test(`${what} costs a pause, and nothing else`, async () => {
    const { server, scene, file } = damagedScene(true, [[20, 1]]);
    server.fate = (said, time) => (said === request && time === 1 ? fate : undefined);
    await scene.upload.start();
    await assertSame(server, file);
    assert.equal(server.count(request), 2);
    assert.equal(server.repairs.length, 1);
    assert.deepEqual(server.putsAfter(REPAIR), ["PUT /upload/{id} 20-30"]);
    assert.deepEqual(
      scene.retries.map(({ failures, delayMs }) => [failures, delayMs]),
      [[1, 500]],
    );
  });
}

for (const [what, request] of [
  ["while the file is compared", MANIFEST],
  ["while the repair is asked for", REPAIR],
  ["while chunks are sent again", "PUT /upload/{id} 10-20"],
] as const) {
  test(`paused ${what}, it goes on with the same repair`, async () => {
    const { server, scene, file } = damagedScene(false, [[10, 1]]);
    const time = request.startsWith("PUT") ? 2 : 1;
    server.fate = (said, count) => {
      if (said !== request || count !== time) {
        return undefined;
      }
      scene.upload.pause();
      return "hangs";
    };
    const paused = scene.state("paused");
    const done = scene.upload.start();
    await paused;
    scene.upload.resume();
    await done;
    await assertSame(server, file);
    assert.equal(server.repairs.length, 1);
    assert.equal(server.count("POST /upload/init"), 1);
    assert.equal(scene.errors.length, 0);
  });
}

test("paused while the file is read, it stops reading", async () => {
  let compared = 0;
  const slow: Hasher = {
    ...hasher,
    parts: (...args) => {
      if (++compared === 1) {
        scene.upload.pause();
      }
      return hasher.parts(...args);
    },
  };
  const { server, scene, file } = damagedScene(false, [[10, 1]], { runtime: { hasher: slow } });
  const paused = scene.state("paused");
  const done = scene.upload.start();
  await paused;
  assert.equal(server.count(REPAIR), 0);
  scene.upload.resume();
  await done;
  await assertSame(server, file);
});

test("pauses while it is repaired are no repairs", async () => {
  const { server, scene, file } = damagedScene(false, [[10, 1]]);
  let pauses = 0;
  server.fate = (said) => {
    if (said !== REPAIR || pauses === 3) {
      return undefined;
    }
    pauses += 1;
    scene.upload.pause();
    return "hangs";
  };
  scene.upload.on("state", ({ state }) => state === "paused" && queueMicrotask(() => scene.upload.resume()));
  await scene.upload.start();
  await assertSame(server, file);
  assert.deepEqual([pauses, server.repairs.length], [3, 1]);
});

test("cancelled while it is repaired, it is removed", async () => {
  const { server, scene } = damagedScene(false, [[10, 1]]);
  server.fate = (said) => (said === REPAIR ? "hangs" : said === "DELETE /upload/{id}" ? { status: 204 } : undefined);
  const done = scene.upload.start();
  await scene.state("repairing");
  await scene.upload.abort();
  await assert.rejects(done, { code: "aborted" });
  assert.equal(server.asked.at(-1), "DELETE /upload/{id}");
});

test("an upload that is remembered, and damaged, is repaired when the file is chosen again", async () => {
  const store = new MemoryStore();
  const first = damagedScene(false, [[20, 1]], { store });
  first.server.fate = (said) => (said === MANIFEST ? problem(401, "unauthorized") : undefined);
  assert.equal((await failing(first.scene)).code, "unauthorized");
  const { server, file } = first;
  server.fate = () => undefined;
  const scene = new Scene(file, server, { dedup: true, parallel: false, store });
  await scene.upload.start();
  await assertSame(server, file);
  assert.equal(server.count("POST /upload/init"), 1);
  assert.deepEqual(server.putsAfter(REPAIR), ["PUT /upload/{id} 20-30"]);
  assert.deepEqual(
    [...new Set(scene.states)],
    ["starting", "repairing", "uploading from 25", "completing", "completed"],
  );
});

test("what somebody else has repaired meanwhile goes on as it stands", async () => {
  const { server, scene, file } = damagedScene(false, [[10, 1]]);
  server.fate = (said, time) => {
    if (said === MANIFEST && time === 1) {
      void server.send({
        method: "POST",
        url: `/upload/${ID}/repair`,
        headers: {},
        body: JSON.stringify({ ranges: [{ offset: 5, length: 10 }] }),
      });
    }
    return undefined;
  };
  await scene.upload.start();
  await assertSame(server, file);
  assert.deepEqual(server.putsAfter(MANIFEST), ["PUT /upload/{id} 0-10", "PUT /upload/{id} 10-20"]);
});

test("a server that will not have it repaired is not asked for ever", async () => {
  const { server, scene } = damagedScene(false, [[10, 1]]);
  server.fate = (said) => (said === REPAIR ? problem(409, "not-damaged") : undefined);
  assertSays(await failing(scene), "failed", "start-over", /another SHA-256/);
  assert.equal(server.count(REPAIR), 2);
});

test("an answer to the last chunk that was lost leads to the repair too", async () => {
  const { server, scene, file } = damagedScene(false, [[10, 1]]);
  server.fate = (said, time) => (said === "PUT /upload/{id} 30-35" && time === 1 ? "lost answer" : undefined);
  await scene.upload.start();
  await assertSame(server, file);
  assert.deepEqual(server.putsAfter(REPAIR), ["PUT /upload/{id} 10-20"]);
});

test("pushed by the server, the damage is heard like one that was asked for", async () => {
  const channels = [new FakeChannel(status("verifying", SIZE, SIZE), status("damaged", SIZE, SIZE), "silence")];
  const live: LiveChannel = { open: (...args) => (channels.shift() ?? new FakeChannel()).open(...args) };
  const { server, scene, file } = damagedScene(true, [[10, 1]], { runtime: { live } });
  await scene.upload.start();
  await assertSame(server, file);
  assert.ok(server.asked.indexOf(STATUS) > server.asked.indexOf(REPAIR), "not asked before");
});

test("a server that keeps nothing to repair says why the upload has failed", async () => {
  const { server, scene } = damagedScene(false, [[10, 1]]);
  server.fate = (said) => {
    const reason = "The file does not have its digest: it is another one.";
    return said === STATUS ? status("failed", SIZE, SIZE, { reason }) : undefined;
  };
  assertSays(await failing(scene), "failed", "start-over", /it is another one/);
  assert.equal(server.count(MANIFEST), 0);
});

test("an upload that is deleted while the file is compared says so", async () => {
  const { server, scene } = damagedScene(false, [[10, 1]]);
  const gone = problem(410, "upload-gone", { state: "deleted" });
  server.fate = (said) => (said === MANIFEST ? gone : said === STATUS && server.count(MANIFEST) > 0 ? gone : undefined);
  assertSays(await failing(scene), "gone", "start-over", /was deleted/);
  assert.equal(scene.store.records.size, 0);
});

test("another tab follows the repair, and its progress goes back too", async () => {
  const [store, clock, locks] = [new MemoryStore(), new FakeClock(), new MemoryLocks()];
  const shared = { store, clock, claims: new PageClaims(locks.page()) };
  const { server, scene, file } = damagedScene(false, [[10, 1]], shared);
  // The chunk that is sent again is held up, until the other tab has seen that it is missing.
  server.fate = (said, time) => (said === "PUT /upload/{id} 10-20" && time === 2 ? "hangs" : undefined);
  const second = new Scene(file, server, {
    dedup: true,
    parallel: false,
    ...shared,
    claims: new PageClaims(locks.page()),
  });
  const isBack = new Promise<void>((resolve) =>
    second.upload.on("progress", ({ uploadedBytes }) => uploadedBytes === 25 && resolve()),
  );
  const done = scene.upload.start();
  await scene.state("repairing");
  const followed = second.upload.start();
  await isBack;
  assert.equal((await done).uploadId, ID);
  assert.equal((await followed).uploadId, ID);
  assert.deepEqual(second.states, ["starting", "following", "completed"]);
  assert.deepEqual(second.progress, [35, 25, 35]);
  assert.equal(server.repairs.length, 1);
});

test("another device finds a damaged upload in the owner's list, and repairs it", async () => {
  const first = damagedScene(false, [[20, 1]]);
  first.server.fate = (said) => (said === MANIFEST ? problem(401, "unauthorized") : undefined);
  await failing(first.scene);
  const { server, file } = first;
  server.fate = () => undefined;
  const scene = new Scene(file, server, { dedup: true, parallel: false, resumeFromServer: true });
  await scene.upload.start();
  await assertSame(server, file);
  assert.equal(server.count("POST /upload/init"), 1);
});

test("a digest that is refused while bytes are missing ends the upload", async () => {
  const { server, scene } = damagedScene(false, []);
  server.fate = (said) => (said === "PUT /upload/{id} 10-20" ? problem(422, "digest-mismatch") : undefined);
  const error = await failing(scene);
  assert.ok(error instanceof UploadError);
  assert.deepEqual([error.code, error.status], ["rejected", 422]);
});

test("a file that has changed on the disk meanwhile is not repaired", async () => {
  const { server, scene } = damagedScene(false, [[10, 1]], {
    runtime: {
      hasher: { ...hasher, parts: () => Promise.reject(new UploadError("file-unreadable", "pick-file", "gone")) },
    },
  });
  assertSays(await failing(scene), "file-unreadable", "pick-file", /gone/);
  assert.equal(server.count(REPAIR), 0);
  assert.equal(scene.store.records.size, 1, "chosen again, it goes on");
});
