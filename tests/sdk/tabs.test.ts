// Two tabs of one browser with the same file: one sends, the other shows how far it is, and takes over when the first goes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PageClaims } from "../../client/src/claims.ts";
import type { HttpRequest } from "../../client/src/interfaces.ts";
import {
  answered,
  created,
  Dialogue,
  FakeClock,
  fileOf,
  ID,
  type Line,
  MemoryLocks,
  MemoryStore,
  OBJECT,
  offset,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const standing = (bytes: number): Line => ["GET /upload/{id}/status", status("open", bytes, 25)];
const done: Line = ["GET /upload/{id}/status", status("completed", 25, 25)];

/** A browser with two tabs; the first sends until its second chunk, whose answer is `second`. */
class Browser {
  readonly store = new MemoryStore();
  readonly clock = new FakeClock();
  readonly locks = new MemoryLocks();
  readonly pages = [this.locks.page(), this.locks.page()] as const;
  readonly first: Scene;
  readonly firstTalk: Dialogue;

  constructor(...more: Line[]) {
    this.firstTalk = new Dialogue(
      ["POST /upload/init", created()],
      ["PUT /upload/{id} 0-10", taken(10, 25)],
      ["PUT /upload/{id} 10-20", "hangs"],
      ...more,
    );
    this.first = this.tab(0, this.firstTalk);
  }

  tab(page: 0 | 1, talk: Dialogue): Scene {
    const { store, clock } = this;
    return new Scene(fileOf(25), talk, { store, clock, claims: new PageClaims(this.pages[page]), parallel: false });
  }

  /** The first tab is in the middle, and its request on its way. */
  async midway(): Promise<void> {
    const counted = new Promise<void>((resolve) =>
      this.first.upload.on("progress", ({ uploadedBytes }) => uploadedBytes === 10 && setImmediate(resolve)),
    );
    this.first.upload.start().catch(() => {});
    await counted;
  }

  /** The first tab is closed, as by a crash: it says nothing to anybody. */
  close(): void {
    this.first.upload.pause();
    this.locks.close(this.pages[0]);
  }
}

test("the second tab sends nothing, shows the progress, and has the result when the first has", async () => {
  const browser = new Browser();
  await browser.midway();
  const talk = new Dialogue(standing(10), standing(20), done);
  const second = browser.tab(1, talk);
  const result = await second.upload.start();
  talk.end();
  assert.deepEqual(result, { uploadId: ID, duplicate: false, object: OBJECT });
  assert.deepEqual(second.states, ["starting", "following", "completed"]);
  assert.deepEqual(second.progress, [10, 20, 25]);
  assert.equal(second.upload.uploadId, ID);
});

test("when the first tab has gone, the second takes over at what counts", async () => {
  const browser = new Browser();
  await browser.midway();
  const close = () => {
    browser.close();
    return status("open", 10, 25);
  };
  const talk = new Dialogue(
    ["GET /upload/{id}/status", close],
    ...[standing(10), standing(10), standing(10)],
    ["HEAD /upload/{id}", offset(13)],
    ["PUT /upload/{id} 13-20", taken(20, 25)],
    ["PUT /upload/{id} 20-25", taken(25, 25)],
    done,
  );
  const second = browser.tab(1, talk);
  await second.upload.start();
  talk.end();
  const expected = ["starting", "following", "uploading from 13", "completing", "completed"];
  assert.deepEqual(second.states, expected);
  assert.equal(browser.store.records.size, 0);
});

test("a paused tab lets the other go on, and follows it when it is resumed", async () => {
  const browser = new Browser(standing(20), done);
  await browser.midway();
  const paused = browser.first.state("paused");
  browser.first.upload.pause();
  await paused;
  const second = browser.tab(
    1,
    new Dialogue(standing(10), ["HEAD /upload/{id}", offset(10)], ["PUT /upload/{id} 10-20", "hangs"]),
  );
  const sending = second.state("uploading");
  second.upload.start().catch(() => {});
  await sending;
  browser.first.upload.resume();
  await browser.first.upload.start();
  browser.firstTalk.end();
  assert.deepEqual(browser.first.states.slice(-3), ["starting", "following", "completed"]);
});

test("cancelled in the tab that only follows, the upload goes on in the other", async () => {
  const browser = new Browser();
  await browser.midway();
  const aborting: Promise<void>[] = [];
  const cancel = () => {
    queueMicrotask(() => aborting.push(second.upload.abort()));
    return status("open", 10, 25);
  };
  const talk = new Dialogue(["GET /upload/{id}/status", cancel]);
  const second: Scene = browser.tab(1, talk);
  await assert.rejects(second.upload.start(), { code: "aborted" });
  await Promise.all(aborting);
  talk.end();
  assert.equal(browser.store.records.size, 1);
  assert.equal(browser.first.upload.state, "uploading");
});

test("cancelled in the tab that sends, it has ended in the other too, which says so", async () => {
  const browser = new Browser(["DELETE /upload/{id}", { status: 204 }]);
  await browser.midway();
  const cancel = () => {
    browser.first.upload.abort();
    return status("open", 10, 25);
  };
  const gone = problem(410, "upload-gone", { state: "aborted" });
  const talk = new Dialogue(["GET /upload/{id}/status", cancel], ["GET /upload/{id}/status", gone]);
  const second = browser.tab(1, talk);
  await assert.rejects(second.upload.start(), { code: "gone", message: /cancelled elsewhere/ });
  talk.end();
  browser.firstTalk.end();
});

test("a tab that has the claim and says nothing of its upload is not waited for", async () => {
  const browser = new Browser();
  await browser.midway();
  browser.store.records.clear();
  const talk = new Dialogue(
    ["POST /upload/init", created()],
    ["PUT /upload/{id} 0-10", taken(10, 25)],
    ["PUT /upload/{id} 10-20", taken(20, 25)],
    ["PUT /upload/{id} 20-25", taken(25, 25)],
    done,
  );
  const second = browser.tab(1, talk);
  await second.upload.start();
  talk.end();
});

test("a tab that has been put to sleep loses its claim; awake again, it follows", async () => {
  const browser = new Browser(done);
  await browser.midway();
  browser.clock.fallAsleep();
  const puts = new Dialogue(["PUT /upload/{id} 10-20", taken(20, 25)], ["PUT /upload/{id} 20-25", taken(25, 25)]);
  const http = {
    async send(request: HttpRequest) {
      if (request.method === "PUT") {
        return puts.send(request);
      }
      const isWhole = puts.requests.length === 2;
      const standing = status(isWhole ? "completed" : "open", isWhole ? 25 : 10, 25);
      return answered(request.method === "HEAD" ? offset(10) : standing, request);
    },
  };
  const claims = new PageClaims(browser.pages[1]);
  const second = new Scene(fileOf(25), http, { store: browser.store, claims, parallel: false });
  await second.upload.start();
  puts.end();
  assert.ok(second.clock.now - 1_000_000 > 120_000, "not before two minutes");
  browser.clock.wake();
  assert.equal((await browser.first.upload.start()).uploadId, ID);
  browser.firstTalk.end();
});

test("of two files in a tab that cannot be told apart, one follows the other tab, and one goes up by itself", async () => {
  const browser = new Browser();
  await browser.midway();
  const claims = new PageClaims(browser.pages[1]);
  const otherId = ID.replace("067e6162", "167e6162");
  const own = new Dialogue(
    ["POST /upload/init", { status: 201, body: { uploadId: otherId, chunkSize: 10, uploadedBytes: 0 } }],
    [`PUT /upload/${otherId} 0-10`, taken(10, 25)],
    [`PUT /upload/${otherId} 10-20`, taken(20, 25)],
    [`PUT /upload/${otherId} 20-25`, taken(25, 25)],
    [`GET /upload/${otherId}/status`, status("completed", 25, 25, { uploadId: otherId })],
  );
  const followed = new Dialogue(standing(10), done);
  const options = { store: browser.store, clock: browser.clock, claims, parallel: false };
  const scenes = [followed, own].map((talk) => new Scene(fileOf(25), talk, options));
  const results = await Promise.all(scenes.map(({ upload }) => upload.start()));
  followed.end();
  own.end();
  assert.deepEqual(
    results.map(({ uploadId }) => uploadId),
    [ID, otherId],
  );
});
