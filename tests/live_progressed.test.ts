// What a live upload's receivers are told on the way: each new range under a link that leads to it at once, so that the example origin has the
// recording, byte by byte, while it goes on; and a program that knows media can read what it has.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";

import type { Created, UploadEvent } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import type { Client } from "./support/client.ts";
import { hasMediaTools } from "./support/media.ts";
import { assertBadRequest } from "./support/refusals.ts";
import { sceneWithOrigin, sceneWithScriptedOrigin } from "./support/scene.ts";
import { type Delivery, ScriptedOrigin } from "./support/scripted_origin.ts";
import { Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const run = promisify(execFile);
const EVERY = 8 * MIB;

async function begun(client: Client, fields: Record<string, unknown> = {}): Promise<string> {
  const reply = await client.init({
    fileName: "talk.ts",
    fileSize: null,
    live: true,
    tellEveryBytes: EVERY,
    ...fields,
  });
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Created>().uploadId;
}

/** Sends what follows, in pieces of a mebibyte. */
async function send(client: Client, id: string, file: Buffer, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += MIB) {
    const reply = await client.put(id, at, file.subarray(at, Math.min(at + MIB, to)));
    assert.equal(reply.status, 200, reply.body.toString());
  }
}

describe("the example origin", async () => {
  const { origin, stack, client } = await sceneWithOrigin({ OUTBOX_RESEND_SECONDS: 2, MAX_UPLOAD_BYTES: 200 * MIB });
  const growing = (id: string) => readFileSync(origin.growingFile(id));
  const has = (id: string, bytes: number) =>
    waitFor(`the origin to have ${bytes} bytes`, () => growing(id).length >= bytes && growing(id));

  test("has a recording while it goes on, and the file when it has ended", async () => {
    const file = fileBytes("on the way", 37 * MIB + 5);
    const id = await begun(client);
    await send(client, id, file, 0, 20 * MIB);
    const early = await has(id, EVERY);
    assert.equal(sha256(early), sha256(file.subarray(0, early.length)));
    assert.equal((await client.state(id)).state, "open");
    await send(client, id, file, 20 * MIB, file.length);
    const late = await has(id, 29 * MIB);
    assert.equal(sha256(late), sha256(file.subarray(0, late.length)));
    assert.equal((await client.complete(id)).status, 202);
    assert.equal((await origin.waitForStored(id)).sha256, sha256(file));
    await waitFor("the growing file to go", async () => {
      await client.waitUntilDelivery(id, "delivered");
      return growingIsGone(() => growing(id));
    });
    const kinds = (await origin.events(id)).map(({ type }) => type);
    assert.equal(kinds[0], "upload.completed", "newest first");
    assert.ok(kinds.length >= 3 && kinds.slice(1).every((type) => type === "upload.progressed"), kinds.join());
  });

  test("misses nothing while it is down, or where the Worker dies", async () => {
    const file = fileBytes("down", 40 * MIB);
    const id = await begun(client);
    await origin.stop();
    await send(client, id, file, 0, 30 * MIB);
    await stack.kill();
    await stack.restart();
    await origin.start(stack.secrets.WEBHOOK_SECRET);
    // The range that became due first, and then in one all that has come since.
    const all = await has(id, 30 * MIB);
    assert.equal(sha256(all), sha256(file.subarray(0, 30 * MIB)));
    const told = (await origin.events(id)).map(({ eventId }) => eventId).toReversed();
    const name = `evt_${id.replaceAll("-", "")}_progressed`;
    assert.deepEqual(told, [`${name}_0`, `${name}_${EVERY}`]);
    assert.equal((await client.abort(id)).status, 204);
    await waitFor("the growing file to go", () => growingIsGone(() => growing(id)));
  });

  const skip = (await hasMediaTools()) ? false : "there is no ffmpeg with ffprobe";
  test("can have ffprobe read what is there", { skip }, async () => {
    const source = ["-f", "lavfi", "-i", "testsrc=duration=10:size=1280x720:rate=25"];
    const made = [
      "-c:v",
      "mpeg2video",
      "-b:v",
      "12M",
      "-minrate",
      "12M",
      "-maxrate",
      "12M",
      "-bufsize",
      "4M",
      "-muxrate",
      "14M",
    ];
    const { stdout: file } = await run("ffmpeg", ["-v", "error", ...source, ...made, "-f", "mpegts", "-"], {
      encoding: "buffer",
      maxBuffer: 64 * MIB,
    });
    assert.ok(file.length > 12 * MIB, `${file.length}`);
    const id = await begun(client, { contentType: "video/mp2t" });
    await send(client, id, file, 0, 10 * MIB);
    await has(id, EVERY);
    const asked = ["-v", "error", "-show_entries", "format=format_name,duration:stream=codec_name", "-of", "json"];
    const { stdout } = await run("ffprobe", [...asked, origin.growingFile(id)]);
    const seen = JSON.parse(stdout) as {
      format: { format_name: string; duration: string };
      streams: { codec_name: string }[];
    };
    assert.equal(seen.format.format_name, "mpegts");
    assert.deepEqual(
      seen.streams.map(({ codec_name }) => codec_name),
      ["mpeg2video"],
    );
    assert.ok(Number(seen.format.duration) > 3 && Number(seen.format.duration) < 9, seen.format.duration);
    assert.equal((await client.state(id)).state, "open", "and it goes on");
    assert.equal((await client.abort(id)).status, 204);
  });
});

describe("what is told", async () => {
  const search = await ScriptedOrigin.start();
  after(() => search.stop());
  const receiver = { name: "search", url: search.webhookUrl, secret: "WEBHOOK_SECRET" };
  const { origin, stack, client } = await sceneWithScriptedOrigin({
    DELIVERY_FIRST_DELAY_SECONDS: 1,
    OUTBOX_RESEND_SECONDS: 2,
    EVENT_RECEIVERS: JSON.stringify([{ ...receiver, kinds: ["upload.progressed", "upload.completed"] }]),
  });
  search.trust(stack.secrets.WEBHOOK_SECRET);
  const file = fileBytes("told", 30 * MIB);
  const range = ({ event: { data } }: Delivery) => [data.fromBytes, data.toBytes];

  async function fetched({ data }: UploadEvent): Promise<Buffer> {
    const { pathname, search: query } = new URL(data.downloadUrl ?? "");
    const headers = { Range: `bytes=${data.fromBytes}-${Number(data.toBytes) - 1}` };
    const reply = await client.request("GET", pathname + query, { headers });
    assert.equal(reply.status, 206, reply.body.toString());
    return reply.body;
  }

  test("is what is new, the same again until it is acknowledged, and the rest with the end", async () => {
    const id = await begun(client);
    // It takes the first range only once the rest has come.
    const { promise: rest, resolve: hasCome } = Promise.withResolvers<void>();
    const then = (status: number) => rest.then(() => ({ status }));
    origin.script(id, { status: 500 }, then(503), then(200));
    await send(client, id, file, 0, EVERY);
    const [first] = await origin.waitForDeliveries(id, 1);
    assert.ok(first?.genuine);
    assert.equal(first.webhookId, `evt_${id.replaceAll("-", "")}_progressed_0`);
    assert.deepEqual([first.event.type, ...range(first)], ["upload.progressed", 0, EVERY]);
    assert.deepEqual([first.event.data.fileSize, first.event.data.endedAt], [null, undefined]);
    await send(client, id, file, EVERY, 25 * MIB);
    hasCome();
    const [, second, third, fourth] = await origin.waitForDeliveries(id, 4);
    for (const again of [second, third]) {
      assert.deepEqual([again?.webhookId, again && range(again)], [first.webhookId, [0, EVERY]]);
    }
    assert.ok(fourth);
    assert.deepEqual(range(fourth), [EVERY, 25 * MIB]);
    for (const delivery of [first, fourth]) {
      const { fromBytes, toBytes } = delivery.event.data;
      assert.ok((await fetched(delivery.event)).equals(file.subarray(fromBytes, toBytes)));
    }
    // The other receiver heard by itself, and was not held up.
    const others = await search.waitForDeliveries(id, 2);
    assert.ok(others.every(({ genuine, event }) => genuine && event.type === "upload.progressed"));
    await client.waitUntilDelivery(id, "delivered");
    await send(client, id, file, 25 * MIB, 26 * MIB);
    assert.equal((await client.complete(id)).status, 202);
    const told = await origin.waitForDeliveries(id, 5);
    assert.deepEqual([told[4]?.event.type, told[4]?.event.data.fileSize], ["upload.completed", 26 * MIB]);
    assert.ok((await fetched(first.event)).equals(file.subarray(0, EVERY)), "the link leads to the file now");
  });

  test("does not hold up the end, where its receiver is down", async () => {
    const id = await begun(client);
    search.script(id, ...Array.from({ length: 3 }, () => ({ status: 500 })));
    await send(client, id, file, 0, 9 * MIB);
    await search.waitForDeliveries(id, 2);
    assert.equal((await client.complete(id)).status, 202);
    const kinds = await waitFor("search to hear of the end", () => {
      const kinds = search.of(id).map(({ event }) => event.type);
      return kinds.includes("upload.completed") && kinds;
    });
    assert.deepEqual(kinds.slice(kinds.indexOf("upload.completed")), ["upload.completed"], "nothing comes behind it");
  });

  test("is nothing where nobody has asked for it", async () => {
    const id = await begun(client, { tellEveryBytes: undefined });
    await send(client, id, file, 0, 9 * MIB);
    assert.equal((await client.complete(id)).status, 202);
    await origin.waitForEvent(id, "upload.completed");
  });

  test("can be asked for in any protocol, of what is live, and not too often", async () => {
    const tus = new Tus(client);
    const url = await tus.send("POST", `/files?live&tellEveryBytes=${EVERY}`, { "Upload-Defer-Length": "1" });
    assert.equal(url.status, 201);
    const id = url.header("Location")?.split("/").at(-1) ?? "";
    await send(client, id, file, 0, EVERY);
    await origin.waitForEvent(id, "upload.progressed");
    const wrong = (tellEveryBytes: unknown) =>
      client.init({ fileName: "a", fileSize: null, live: true, tellEveryBytes });
    assertBadRequest(await wrong(EVERY - 1), "tellEveryBytes");
    assertBadRequest(await wrong("often"), "tellEveryBytes");
  });
});

function growingIsGone(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
