// A playlist of what is recorded: where a player can come in, while the recording goes on and afterwards. What ffmpeg has recorded it reads again
// through the playlist, and no byte is missing from it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Playlist, played, recorded, withMediaTools } from "./support/hls.ts";
import type { Headers, Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const { stack, client } = await sceneWithScriptedOrigin({ OUTBOX_RESEND_SECONDS: 2 });

async function begun(fields: Record<string, unknown> = {}): Promise<string> {
  const reply = await client.init({ fileName: "talk", fileSize: null, live: true, ...fields });
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Created>().uploadId;
}

async function send(id: string, file: Buffer, from: number, to: number): Promise<void> {
  const reply = await client.put(id, from, file.subarray(from, to));
  assert.equal(reply.status, 200, reply.body.toString());
}

const ask = (id: string, query = "", headers: Headers = {}, method = "GET"): Promise<Reply> =>
  client.request(method, `/upload/${id}/index.m3u8${query}`, { headers });

async function playlist(id: string, query = ""): Promise<Playlist> {
  const reply = await ask(id, query);
  assert.equal(reply.status, 200, reply.body.toString());
  assert.equal(reply.header("Content-Type"), "application/vnd.apple.mpegurl");
  assert.equal(reply.header("Cache-Control"), "private, no-store");
  return new Playlist(reply.body.toString());
}

const ended = (id: string, query = "") =>
  waitFor("the playlist to end", async () => {
    const found = await playlist(id, query);
    return found.hasEnded ? found : undefined;
  });

/** All bytes that a playlist names, fetched as a player does. */
async function fetched(id: string, { pieces }: Playlist): Promise<Buffer> {
  const bytes: Buffer[] = [];
  for (const { from, to, address } of pieces) {
    const reply = await client.request("GET", `/upload/${id}/${address}`, {
      headers: { Range: `bytes=${from}-${to - 1}` },
    });
    assert.equal(reply.status, 206, reply.body.toString());
    bytes.push(reply.body);
  }
  return Buffer.concat(bytes);
}

const SECONDS = 21;

for (const container of ["mp4", "ts"] as const) {
  describe(`a recording in ${container}`, withMediaTools, () => {
    const file = recorded(container, SECONDS);

    test("can be played while it grows and when it has ended", async () => {
      const [id, bytes] = [await begun(), await file];
      assert.deepEqual((await playlist(id)).segments, []);
      let before = new Playlist("#EXTM3U\n#EXT-X-TARGETDURATION:10\n");
      const steps = 15;
      for (let step = 0; step < steps; step++) {
        const at = (part: number) => Math.floor((bytes.length * part) / steps);
        await send(id, bytes, at(step), at(step + 1));
        const now = await playlist(id);
        now.follows(before);
        assert.ok(now.cutBytes <= at(step + 1), "of what is there");
        assert.ok(!now.hasEnded);
        before = now;
      }
      assert.ok(before.segments.length >= 4, before.text);
      assert.ok((await fetched(id, before)).equals(bytes.subarray(0, before.cutBytes)));
      assert.equal((await client.complete(id)).status, 202);
      const whole = await ended(id);
      whole.follows(before);
      // An MP4 ends with a list of its fragments, which no player needs.
      const rest = bytes.subarray(whole.cutBytes);
      assert.ok(rest.length === 0 || rest.subarray(4, 8).toString() === "mfra", `${rest.length} bytes are missing`);
      await client.waitUntilState(id, "completed");
      assert.ok((await fetched(id, whole)).equals(bytes.subarray(0, whole.cutBytes)));
      assert.ok(Math.abs(whole.seconds - SECONDS) < 1, `${whole.seconds} s`);
      assert.ok(whole.segments.slice(0, -1).every(({ seconds }) => seconds >= 3 && seconds <= 6));
      const seconds = await played(`${client.baseUrl}/upload/${id}/index.m3u8`);
      assert.ok(Math.abs(seconds - SECONDS) < 1, `${seconds} s`);
    });

    test("can be played by a link, and by nothing that is no link", async () => {
      const [id, bytes] = [await begun(), await file];
      await send(id, bytes, 0, Math.floor(bytes.length / 2));
      const link = await client.request("POST", `/upload/${id}/links`, { body: "{}" });
      const { search } = new URL(link.json<{ url: string }>().url);
      const half = await playlist(id, search);
      assert.ok(half.segments.length > 0);
      for (const { address } of half.pieces) {
        assert.ok(address.startsWith(`content${search}&`), address);
      }
      assert.ok((await fetched(id, half)).equals(bytes.subarray(0, half.cutBytes)));
      await send(id, bytes, Math.floor(bytes.length / 2), bytes.length);
      await client.complete(id);
      await ended(id, search);
      assert.ok(Math.abs((await played(`${client.baseUrl}/upload/${id}/index.m3u8${search}&follow`)) - SECONDS) < 1);
      for (const wrong of ["?expires=1&signature=00", search.replace(/=\d+/, "=9999999999"), search.slice(0, -2)]) {
        assertRefused(await ask(id, wrong), 403, "bad-signature");
      }
    });

    test("is cut in the same places whoever asks at once, and where the Worker dies meanwhile", async () => {
      const [id, bytes] = [await begun(), await file];
      let at = 0;
      let before: Playlist | undefined;
      for (const to of [bytes.length / 3, (2 * bytes.length) / 3, bytes.length].map(Math.floor)) {
        await send(id, bytes, at, to);
        at = to;
        for (const found of await Promise.all(Array.from({ length: 6 }, () => playlist(id)))) {
          found.follows(before ?? found);
          assert.ok(found.cutBytes <= to);
        }
        const dying = ask(id).catch(() => undefined);
        await stack.kill();
        await dying;
        await stack.restart();
        const now = await playlist(id);
        now.follows(before ?? now);
        before = now;
      }
      await client.complete(id);
      const whole = await ended(id);
      assert.ok(before);
      whole.follows(before);
      // Somebody else has the same file, and asks only now.
      const other = await client.upload(bytes);
      assert.equal((await ended(other.uploadId)).text, whole.text);
    });

    test("is asked for without its lines, and from other pages", async () => {
      const { uploadId } = await client.upload(await file);
      const head = await ask(uploadId, "", {}, "HEAD");
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      assert.equal(head.header("Content-Type"), "application/vnd.apple.mpegurl");
      assertRefused(await ask(uploadId, "", {}, "PUT"), 405, "method-not-allowed");
      const preflight = await ask(uploadId, "", { Origin: "http://localhost:5173" }, "OPTIONS");
      assert.equal(preflight.status, 204);
    });
  });
}

test("what cannot be cut is said to be so, while it grows and afterwards", async () => {
  const webm = Buffer.concat([Buffer.from([0x1a, 0x45, 0xdf, 0xa3]), fileBytes("webm", MIB)]);
  const id = await begun({ contentType: "video/webm" });
  assert.deepEqual((await playlist(id)).segments, [], "nobody knows yet");
  await send(id, webm, 0, 5000);
  assertRefused(await ask(id), 415, "no-playlist");
  await send(id, webm, 5000, webm.length);
  await client.complete(id);
  await client.waitUntilState(id, "completed");
  assertRefused(await ask(id), 415, "no-playlist");
  const content = await client.request("GET", `/upload/${id}/content`);
  assert.equal(sha256(content.body), sha256(webm));
  const { uploadId } = await client.upload(fileBytes("no media", 100));
  assert.equal(
    (await ask(uploadId, "", {}, "HEAD")).status,
    200,
    "nobody has looked, and a question for the head does not",
  );
  assertRefused(await ask(uploadId), 415, "no-playlist");
  assert.equal((await ask(uploadId, "", {}, "HEAD")).status, 415);
});

test("there is none of what is not live and not whole, or is gone", async () => {
  const file = fileBytes("not live", 9 * MIB);
  const upload = await client.create(file);
  await client.putPiece(upload.uploadId, file, 0, MIB);
  assertRefused(await ask(upload.uploadId), 409, "incomplete");
  const id = await begun();
  await send(id, file, 0, 5);
  await client.abort(id);
  assertRefused(await ask(id), 410, "upload-gone");
  assertRefused(await ask("00000000-0000-4000-8000-000000000000"), 404, "upload-not-found");
});
