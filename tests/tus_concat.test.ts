// tus concatenation as conversations: partial uploads of any size, finished or not, become one upload with equal parts. Each test stands for a sentence of the specification, or for something that clients rely on.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import type { Headers } from "./support/http.ts";
import { waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { encoded, idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const LIMIT_BYTES = 200 * MIB;

const { origin, stack } = await sceneWithOrigin(
  { OUTBOX_RESEND_SECONDS: 1, MAX_UPLOAD_BYTES: LIMIT_BYTES },
  { connections: 6 },
);
const tus = new Tus(stack.client);

const partial = (bytes: Uint8Array, headers: Headers = {}) => tus.partial(bytes, headers);
const final = (urls: string[], headers: Headers = {}) => tus.final(urls, headers);
const composed = (urls: string[], headers: Headers = {}) => tus.composed(urls, headers);
const whole = (url: string) => tus.whole(url);

/** A partial upload without any of its bytes. */
function promised(headers: Headers): Promise<string> {
  return tus.create({ "Upload-Concat": "partial", ...headers });
}

async function assertWhole(url: string, file: Buffer): Promise<void> {
  const head = await whole(url);
  assert.equal(head.header("Upload-Offset"), String(file.length));
  assert.equal(head.header("Upload-Length"), String(file.length));
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
}

test("the specification's example: two partial uploads become one upload, with its own metadata", async () => {
  const [hello, world] = [Buffer.from("hello"), Buffer.from(" world")];
  const a = await partial(hello, { "Upload-Metadata": `filename ${encoded("a partial upload")}` });
  const b = await promised({ "Upload-Length": world.length });
  const head = await tus.head(b);
  assert.equal(head.header("Upload-Concat"), "partial");
  assert.equal(head.header("Upload-Offset"), "0");
  assert.equal((await tus.patch(b, 0, world)).status, 204);

  const metadata = `filename ${encoded("whole.txt")},filetype ${encoded("text/plain")}`;
  const created = await final([a, b], { "Upload-Metadata": metadata });
  assert.equal(created.status, 201, created.body.toString());
  const url = created.header("Location") ?? "";
  assert.equal(created.header("Upload-Offset"), "11", "the answer has waited for the object");
  const done = await tus.head(url);
  assert.equal(done.header("Upload-Concat"), `final;${a} ${b}`);
  assert.equal(done.header("Upload-Metadata"), metadata);
  assert.equal(done.header("Upload-Length"), "11");
  assert.equal((await tus.send("GET", url)).body.toString(), "hello world");
  const record = await origin.waitForStored(idOf(url));
  assert.deepEqual([record.fileName, record.contentType], ["whole.txt", "text/plain"]);
  assert.equal((await tus.head(a)).header("Upload-Concat"), "partial", "and the partial uploads may be used again");
  assert.equal((await tus.send("GET", a)).status, 403, "but are no files of their own");
});

test("partial uploads of odd sizes become equal parts, and the origin hears of nothing else", async () => {
  const file = fileBytes("odd partial uploads", 41 * MIB + 3);
  const cuts = [0, 1, 9 * MIB, 9 * MIB, 9 * MIB + 5_000_000, 33 * MIB + 17, file.length];
  const urls = await Promise.all(cuts.slice(1).map((to, index) => partial(file.subarray(cuts[index], to))));
  const url = await composed(urls);
  await assertWhole(url, file);
  const { object, partBytes } = await stack.client.state(idOf(url));
  assert.equal(object?.crc64nvme, crc64nvme(file));
  assert.match(object?.etag ?? "", new RegExp(`-${Math.ceil(file.length / partBytes)}$`));
  await waitUntilOnlyObjectLeft(stack.persistDir, idOf(url));
  const types = async (url: string) => (await origin.events(idOf(url))).map(({ type }) => type);
  assert.deepEqual(await types(url), ["upload.completed"]);
  for (const partial of urls) {
    assert.deepEqual(await types(partial), []);
    assert.equal((await stack.client.state(idOf(partial))).delivery, "none");
  }
});

test("partial uploads by absolute URLs, in another order, and one of them twice", async () => {
  const [a, b] = [Buffer.from("a"), Buffer.from("b")];
  const [urlA, urlB] = [await partial(a), await partial(b)];
  const path = new URL(urlB).pathname;
  const url = await composed([path, urlA, `https://upload.example.com${path}`]);
  await assertWhole(url, Buffer.from("bab"));
  assert.equal((await tus.head(url)).header("Upload-Concat")?.includes("https://upload.example.com"), true, "as given");
});

test("partial uploads of no bytes", async () => {
  const none = await partial(Buffer.alloc(0));
  await assertWhole(await composed([none, none]), Buffer.alloc(0));
  await assertWhole(await composed([none, await partial(Buffer.from("x")), none]), Buffer.from("x"));
});

test("concatenation-unfinished: partial uploads are finished, and even get their length, afterwards", async () => {
  const file = fileBytes("unfinished", 20 * MIB);
  const [first, second, third] = [file.subarray(0, 5), file.subarray(5, 12 * MIB), file.subarray(12 * MIB)];
  const urls = [
    await promised({ "Upload-Length": first.length }),
    await partial(second),
    await promised({ "Upload-Defer-Length": 1 }),
  ];
  const created = await final(urls);
  assert.equal(created.status, 201, created.body.toString());
  const url = created.header("Location") ?? "";
  assert.equal(created.header("Upload-Offset"), undefined);
  const head = await tus.head(url);
  assert.equal(head.status, 200);
  for (const name of ["Upload-Offset", "Upload-Length", "Upload-Defer-Length"]) {
    assert.equal(head.header(name), undefined, name);
  }
  assert.equal(head.header("Upload-Concat"), `final;${urls.join(" ")}`);
  assert.equal((await tus.send("GET", url)).status, 204, "there is nothing to be had yet");
  assert.equal((await tus.patch(urls[0] ?? "", 0, first)).status, 204);
  await stack.client.waitUntilCounted(idOf(url), 8 * MIB);
  assert.equal((await tus.patch(urls[2] ?? "", 0, third, { "Upload-Length": third.length })).status, 204);
  await assertWhole(url, file);
});

test("the length is told when it is known, and the offset only with the object", async () => {
  const urls = [await partial(Buffer.from("there")), await promised({ "Upload-Length": 1000 })];
  const url = await composed(urls);
  const head = await tus.head(url);
  assert.deepEqual([head.header("Upload-Length"), head.header("Upload-Offset")], ["1005", undefined]);
  const deferred = await promised({ "Upload-Defer-Length": 1 });
  const other = await composed([urls[0] ?? "", deferred]);
  assert.equal((await tus.head(other)).header("Upload-Length"), undefined);
  assert.equal((await tus.patch(deferred, 0, Buffer.from("!"), { "Upload-Length": 3 })).status, 204);
  await waitFor("the length to be told", async () => (await tus.head(other)).header("Upload-Length") === "8");
  for (const unfinished of [url, other]) {
    assert.equal((await tus.send("DELETE", unfinished)).status, 204, "and it can be terminated");
    assert.equal((await tus.head(unfinished)).status, 404);
  }
});

test("nothing can be added to what is put together, in no protocol", async () => {
  const done = await composed([await partial(Buffer.from("done"))]);
  const waiting = await composed([await promised({ "Upload-Length": 5 })]);
  for (const url of [done, waiting]) {
    for (const [offset, body] of [
      [0, Buffer.from("x")],
      [4, Buffer.alloc(0)],
      [0, Buffer.alloc(0)],
    ] as const) {
      const reply = await tus.patch(url, offset, body);
      assert.equal(reply.status, 403, reply.body.toString());
    }
    assert.equal((await stack.client.put(idOf(url), 0, Buffer.from("x"))).status, 403);
  }
  await assertWhole(done, Buffer.from("done"));
});

test("the same partial uploads with the same metadata are the same upload, as long as there is one", async () => {
  const urls = [await partial(Buffer.from("same")), await partial(Buffer.from("thing"))];
  const [first, second] = await Promise.all([composed(urls), composed(urls)]);
  assert.equal(first, second);
  assert.equal(await composed(urls.map((url) => new URL(url).pathname)), first, "however they are named");
  assert.notEqual(await composed(urls, { "Upload-Metadata": "a" }), first);
  assert.notEqual(await composed([...urls].reverse()), first);
  await assertWhole(first, Buffer.from("samething"));

  const key = { "Idempotency-Key": "concat" };
  const keyed = await composed(urls, key);
  assert.notEqual(keyed, first, "a key of one's own asks for an upload of one's own");
  assert.equal(await composed(urls, key), keyed);
  assert.equal((await final([...urls].reverse(), key)).status, 422);

  for (const partial of urls) {
    assert.equal((await tus.send("DELETE", partial)).status, 204);
  }
  assert.equal(await composed(urls), first, "even when its partial uploads are gone");
  assert.equal((await final(urls, { "Upload-Metadata": "c" })).status, 400);

  const pending = await promised({ "Upload-Length": 1 });
  const terminated = await composed([pending]);
  assert.equal((await tus.send("DELETE", terminated)).status, 204);
  const anew = await composed([pending]);
  assert.notEqual(anew, terminated, "one that was terminated is no answer");
  assert.equal(await composed([pending]), anew);
});

test("a partial upload that ends without its bytes fails the whole, and everybody is told why", async () => {
  const doomed = await promised({ "Upload-Length": 100 });
  const url = await composed([await partial(Buffer.from("fine")), doomed]);
  assert.equal((await tus.send("DELETE", doomed)).status, 204);
  const { reason } = await stack.client.waitUntilState(idOf(url), "failed");
  assert.match(reason ?? "", new RegExp(`${idOf(doomed)}.*cancelled`));
  assert.equal((await tus.head(url)).status, 410);
  const event = await waitFor("the origin to hear of it", async () => (await origin.events(idOf(url)))[0]);
  assert.equal(event.type, "upload.failed");
  const again = await final([await partial(Buffer.from("fine")), doomed]);
  assert.equal(again.status, 400, "and it cannot be begun any more");
});

test("what cannot be put together is refused, and nothing is created", async () => {
  const good = await partial(Buffer.from("good"));
  const aborted = await promised({ "Upload-Length": 5 });
  await tus.send("DELETE", aborted);
  const deleted = await partial(Buffer.from("deleted"));
  await tus.send("DELETE", deleted);
  const file = await tus.create({ "Upload-Length": 5 });
  const open = await stack.client.openUploads();
  for (const [urls, what] of [
    [[], "an empty list"],
    [[`/files/${randomUUID()}`], "an unknown upload"],
    [["/files/nonsense"], "no upload"],
    [["/upload/init"], "another address"],
    [[good, aborted], "a partial upload that was aborted"],
    [[deleted], "a partial upload that was deleted"],
    [[good, file], "an upload that is no partial upload"],
    [[await composed([good])], "an upload that is put together itself"],
    [Array.from({ length: 101 }, () => good), "too many"],
  ] as [string[], string][]) {
    const reply = await final(urls);
    assert.equal(reply.status, 400, `${what}: ${reply.body}`);
    assert.equal(reply.header("Location"), undefined);
    assert.equal(reply.header("Tus-Resumable"), "1.0.0");
  }
  for (const headers of [{ "Upload-Length": 4 }, { "Upload-Defer-Length": 1 }] as Headers[]) {
    assert.equal((await final([good], headers)).status, 400, JSON.stringify(headers));
  }
  const withBody = await tus.post({ "Upload-Concat": `final;${good}` }, Buffer.from("body"));
  assert.equal(withBody.status, 400);
  assert.equal((await tus.post({ "Upload-Concat": "partially", "Upload-Length": 1 })).status, 400);
  const after = await stack.client.openUploads();
  assert.deepEqual(after.map(({ uploadId }) => uploadId).sort(), open.map(({ uploadId }) => uploadId).sort());
});

test("a hundred partial uploads", async () => {
  const file = fileBytes("a hundred", 10_000);
  const urls: string[] = [];
  for (let at = 0; at < file.length; at += 1000) {
    urls.push(await partial(file.subarray(at, at + 1000)));
  }
  const times = Array.from({ length: 10 });
  await assertWhole(await composed(times.flatMap(() => urls)), Buffer.concat(times.map(() => file)));
});

test("together larger than the limit is 413 where that is known, and fails where it turns out", async () => {
  const half = await promised({ "Upload-Length": LIMIT_BYTES / 2 + 1 });
  assert.equal((await final([half, half])).status, 413);
  const deferred = await promised({ "Upload-Defer-Length": 1 });
  assert.equal((await final([half, half, deferred])).status, 413);
  const url = await composed([half, deferred]);
  const declared = await tus.patch(deferred, 0, Buffer.alloc(0), { "Upload-Length": LIMIT_BYTES / 2 });
  assert.equal(declared.status, 204);
  const { reason } = await stack.client.waitUntilState(idOf(url), "failed");
  assert.match(reason ?? "", new RegExp(String(LIMIT_BYTES)));
});
