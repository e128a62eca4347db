// Live uploads: what is still being recorded is safe and can be read, by whoever asks once and by whoever follows; and it becomes a file
// like any other when its recorder says so, or has been silent for too long.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Follower } from "./support/follower.ts";
import { type Headers, PendingRequest, type Reply } from "./support/http.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin({ OUTBOX_RESEND_SECONDS: 2 });
const tus = new Tus(client);

async function begun(fields: Record<string, unknown> = {}): Promise<string> {
  const body = { fileName: "talk.webm", fileSize: null, contentType: "video/webm", live: true, ...fields };
  const reply = await client.init(body);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Created>().uploadId;
}

/** Sends what follows, however long that is. */
async function send(id: string, file: Buffer, from: number, to: number): Promise<void> {
  const reply = await client.put(id, from, file.subarray(from, to));
  assert.equal(reply.status, 200, reply.body.toString());
}

const content = (id: string, headers: Headers = {}, method = "GET"): Promise<Reply> =>
  client.request(method, `/upload/${id}/content`, { headers });

const follow = (id: string, headers: Headers = {}) =>
  new Follower(`${client.baseUrl}/upload/${id}/content?follow`, headers);

async function assertBecomes(id: string, file: Buffer, truncated?: true): Promise<void> {
  const { data } = await origin.waitForEvent(id, "upload.completed");
  assert.deepEqual([data.fileSize, data.truncated], [file.length, truncated]);
  const stored = await content(id);
  assert.equal(stored.status, 200);
  assert.equal(sha256(stored.body), sha256(file));
}

describe("what has come can be read", () => {
  // Two whole parts, a tail of an object and rows, each of another place.
  const file = fileBytes("live", 17 * MIB + 300_005);
  const steps = [3, 100_000, 9 * MIB, 16 * MIB + 7, 17 * MIB, 17 * MIB + 100_000, file.length];

  test("at every step, to the byte, in ranges, and afterwards as the file", async () => {
    const id = await begun();
    const nothing = await content(id);
    assert.deepEqual([nothing.status, nothing.body.length], [200, 0]);
    let from = 0;
    for (const to of steps) {
      await send(id, file, from, to);
      const all = await content(id);
      assert.deepEqual([all.status, all.header("Content-Length")], [200, String(to)]);
      assert.equal(sha256(all.body), sha256(file.subarray(0, to)), `up to ${to}`);
      from = to;
    }
    for (const [range, first, last] of [
      ["bytes=0-0", 0, 0],
      ["bytes=8388600-8388700", 8388600, 8388700],
      [`bytes=${16 * MIB}-`, 16 * MIB, file.length - 1],
      [`bytes=${17 * MIB + 5}-${17 * MIB + 200_000}`, 17 * MIB + 5, 17 * MIB + 200_000],
      ["bytes=-5", file.length - 5, file.length - 1],
      [`bytes=5-${2 ** 52}`, 5, file.length - 1],
    ] as const) {
      const part = await content(id, { Range: range });
      assert.deepEqual([part.status, part.header("Content-Range")], [206, `bytes ${first}-${last}/*`], range);
      assert.ok(part.body.equals(file.subarray(first, last + 1)), range);
    }
    assertRefused(await content(id, { Range: `bytes=${file.length}-` }), 416, "range-not-satisfiable");
    const head = await content(id, {}, "HEAD");
    assert.deepEqual([head.status, head.header("Content-Length"), head.body.length], [200, String(file.length), 0]);
    assert.deepEqual(
      [head.header("Cache-Control"), head.header("Content-Type"), head.header("ETag")],
      ["private, no-store, no-transform", "video/webm", undefined],
    );
    const done = await client.complete(id);
    assert.equal(done.status, 202, done.body.toString());
    await assertBecomes(id, file);
    const { live, truncated, state } = await client.state(id);
    assert.deepEqual([live, truncated, state], [true, false, "completed"]);
  });

  test("by a signed link, while it grows and as the file", async () => {
    const id = await begun();
    await send(id, file, 0, 9 * MIB);
    const link = await client.request("POST", `/upload/${id}/links`, { body: '{"disposition": "inline"}' });
    assert.equal(link.status, 201, link.body.toString());
    const { pathname, search } = new URL(link.json<{ url: string }>().url);
    const open = () => client.request("GET", pathname + search);
    assert.equal(sha256((await open()).body), sha256(file.subarray(0, 9 * MIB)));
    const follower = new Follower(`${client.baseUrl}${pathname}${search}&follow`);
    await send(id, file, 9 * MIB, file.length);
    await follower.has(file.length);
    await client.complete(id);
    assert.equal(await follower.ended, "whole");
    assert.equal(sha256(follower.content), sha256(file));
    await assertBecomes(id, file);
    assert.equal(sha256((await open()).body), sha256(file));
  });

  test("but of no upload that is not live, or is gone", async () => {
    const other = (await client.init({ fileName: "a", fileSize: null })).json<Created>().uploadId;
    await send(other, file, 0, 5);
    assertRefused(await content(other), 409, "incomplete");
    const id = await begun();
    await send(id, file, 0, 5);
    await client.abort(id);
    assertRefused(await content(id), 410, "upload-gone");
    assertRefused(await client.request("GET", `/upload/${id}/content?follow`), 410, "upload-gone");
  });
});

describe("whoever follows", () => {
  const file = fileBytes("followed", 20 * MIB + 12_345);

  test("gets every byte once, from wherever they begin, and is told the end", async () => {
    const id = await begun();
    const early = follow(id);
    assert.equal(await early.status(), 200);
    let offset = 0;
    let late: Follower | undefined;
    for (const bytes of [1, 5_000, 200_000, 3 * MIB, 9 * MIB, 1, file.length]) {
      const to = Math.min(offset + bytes, file.length);
      await send(id, file, offset, to);
      offset = to;
      await early.has(offset);
      late ??= offset > MIB ? follow(id, { Range: "bytes=5000-" }) : undefined;
    }
    await client.complete(id);
    assert.deepEqual([await early.ended, await late?.ended], ["whole", "whole"]);
    assert.equal(sha256(early.content), sha256(file));
    assert.equal(await late?.status(), 206);
    assert.match(late?.header("Content-Range") ?? "", /^bytes 5000-\d{16}\/\*$/);
    assert.equal(sha256(late?.content ?? Buffer.alloc(0)), sha256(file.subarray(5000)));
    await assertBecomes(id, file);
    // Who comes when all is over gets the file.
    const after = follow(id);
    assert.equal(await after.ended, "whole");
    assert.equal(sha256(after.content), sha256(file));
  });

  test("and stops reading, or leaves, holds up neither the recorder nor the others", async () => {
    const id = await begun();
    await send(id, file, 0, MIB);
    const [stalled, gone, good] = [follow(id), follow(id), follow(id)];
    await Promise.all([stalled, gone, good].map((follower) => follower.has(MIB)));
    stalled.stall();
    gone.leave();
    await send(id, file, MIB, file.length);
    await client.complete(id);
    assert.equal(await good.ended, "whole");
    assert.equal(sha256(good.content), sha256(file));
    await assertBecomes(id, file);
    stalled.goOn();
    assert.equal(await stalled.ended, "whole");
    assert.equal(sha256(stalled.content), sha256(file));
  });

  test("is cut off where the recording is thrown away", async () => {
    const id = await begun();
    await send(id, file, 0, 5_000);
    const follower = follow(id);
    await follower.has(5_000);
    assert.equal((await client.abort(id)).status, 204);
    assert.equal(await follower.ended, "broken");
  });
});

describe("a recording without an end", () => {
  const file = fileBytes("streamed", 9 * MIB + 5);

  test("can be one body, of which what has come is stored within seconds, though its sender never pauses", async () => {
    const headers = { "Content-Type": "video/webm", "Transfer-Encoding": "chunked" };
    const recorder = new PendingRequest(client.baseUrl, "POST", "/upload?live&name=stream.webm", headers);
    let sent = 0;
    const drip = setInterval(() => {
      recorder.write(file.subarray(sent, sent + 1_000));
      sent += 1_000;
    }, 200);
    const id = await waitFor("the recording in the list", async () => {
      return (await client.openUploads()).find(({ fileName }) => fileName === "stream.webm")?.uploadId;
    });
    const follower = follow(id);
    // Far less than a mebibyte, which anybody else would gather.
    await follower.has(10_000);
    clearInterval(drip);
    recorder.write(file.subarray(sent));
    const reply = await recorder.finish();
    assert.equal(reply.status, 201, reply.body.toString());
    assert.equal(await follower.ended, "whole");
    assert.equal(sha256(follower.content), sha256(file));
    await assertBecomes(id, file);
  });

  test("ends by itself where its recorder has died, with what was there", async () => {
    for (const bytes of [9 * MIB + 5, 8 * MIB, 5]) {
      const id = await begun({ endAfterSeconds: 2 });
      const follower = follow(id);
      await send(id, file, 0, bytes);
      await assertBecomes(id, file.subarray(0, bytes), true);
      assert.equal(await follower.ended, "whole");
      assert.equal(sha256(follower.content), sha256(file.subarray(0, bytes)));
      const { truncated, state } = await client.state(id);
      assert.deepEqual([truncated, state], [true, "completed"]);
      const late = await client.put(id, bytes, Buffer.from("late"));
      assertRefused(late, 413, "beyond-declared-length");
    }
  });

  test("ends by itself while its upload's object is asleep, since nobody asks for it", async () => {
    // An object that nobody calls is put to sleep after ten seconds, and forgets what it has not stored.
    const id = await begun({ endAfterSeconds: 13 });
    await send(id, file, 0, 5_000);
    await assertBecomes(id, file.subarray(0, 5_000), true);
  });

  test("that is to become longer than may be is what has come, and not lost", async () => {
    const small = await Stack.start({ vars: { MAX_UPLOAD_BYTES: String(20 * MIB) } });
    try {
      const headers = { "Transfer-Encoding": "chunked" };
      const recorder = new PendingRequest(small.baseUrl, "POST", "/upload?live", headers);
      const long = fileBytes("too long", 30 * MIB);
      recorder.write(long);
      const reply = await recorder.finish();
      const id = reply.json<{ uploadId: string }>().uploadId;
      const status = await waitFor("its end", async () => {
        const status = await small.client.state(id);
        return status.state === "completed" ? status : undefined;
      });
      assert.ok(status.fileSize <= 20 * MIB && status.fileSize > 5 * MIB, `${status.fileSize}`);
      const stored = await small.client.request("GET", `/upload/${id}/content`);
      assert.equal(sha256(stored.body), sha256(long.subarray(0, status.fileSize)));
    } finally {
      await small.stop();
    }
  });

  test("survives the Worker's death, at the exact byte, and so does whoever follows", async () => {
    const id = await begun();
    await send(id, file, 0, 8 * MIB + 100);
    const before = follow(id);
    await before.has(8 * MIB + 100);
    await stack.kill();
    assert.equal(await before.ended, "broken");
    await stack.restart();
    assert.equal(await client.offset(id), 8 * MIB + 100);
    const after = follow(id, { Range: `bytes=${before.content.length}-` });
    await send(id, file, 8 * MIB + 100, file.length);
    await client.complete(id);
    assert.equal(await after.ended, "whole");
    assert.equal(sha256(Buffer.concat([before.content, after.content])), sha256(file));
    await assertBecomes(id, file);
  });

  test("has one recorder: whoever repeats, or comes out of order, is told where it is", async () => {
    const id = await begun();
    await send(id, file, 0, 100);
    for (const offset of [0, 50, 101]) {
      assertRefused(await client.put(id, offset, file.subarray(offset, offset + 10)), 409, "offset-mismatch", {
        uploadedBytes: 100,
      });
    }
    assert.ok((await content(id)).body.equals(file.subarray(0, 100)));
  });

  test("and without a byte is an empty file", async () => {
    const id = await begun();
    assert.equal((await client.complete(id)).status, 202);
    await assertBecomes(id, Buffer.alloc(0));
  });
});

describe("every protocol", () => {
  const file = fileBytes("tus", 9 * MIB);

  test("of tus: by its metadata, and by its address", async () => {
    const metadata = { "Upload-Metadata": `live ${btoa("true")},filename ${btoa("talk.webm")}` };
    for (const url of [
      await tus.create({ "Upload-Defer-Length": "1", ...metadata }),
      (await tus.send("POST", "/files?live", { "Upload-Defer-Length": "1" })).header("Location") ?? "",
    ]) {
      const id = idOf(url);
      assert.equal((await client.state(id)).live, true);
      assert.equal((await tus.patch(url, 0, file.subarray(0, MIB))).status, 204);
      assert.equal(sha256((await content(id)).body), sha256(file.subarray(0, MIB)));
      assert.equal((await tus.patch(url, MIB, file.subarray(MIB), { "Upload-Length": file.length })).status, 204);
      await assertBecomes(id, file);
    }
  });

  test("refuses what cannot be live", async () => {
    const wrong = (fields: Record<string, unknown>) => client.init({ fileName: "a", fileSize: null, ...fields });
    assertBadRequest(await wrong({ live: true, fileSize: 5 }), "live");
    assertBadRequest(await wrong({ live: 1 }), "live");
    assertBadRequest(await wrong({ live: true, endAfterSeconds: 0 }), "endAfterSeconds");
    assertBadRequest(await client.request("POST", "/upload?live", { body: "five!" }), "live");
  });
});
