// `quay put`: files, folders and pipes, sent by the real program, and what it does when it is killed.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { CountingProxy } from "../support/counting_proxy.ts";
import { eventOf, Quay } from "../support/quay.ts";
import { Stack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
after(() => stack.stop());

/** Slow enough to be interrupted; chunks as small as R2 takes them. */
const SLOWLY = ["--chunk-size", "5M", "--parallel", "2", "--limit-rate", "8M"];

function quay(endpoint = stack.baseUrl): Quay {
  const made = new Quay(endpoint);
  after(() => made.remove());
  return made;
}

async function storedCrc(uploadId = ""): Promise<string | undefined> {
  const { object } = await client.waitUntilState(uploadId, "completed");
  return object?.crc64nvme;
}

test("a file is sent in parallel chunks, and the digests that are told are its own", async () => {
  const user = quay();
  const bytes = fileBytes("quay put", 20 * MIB + 7);
  const path = user.file("film.mp4", bytes);
  const events = await user.events(["put", path, "--type", "video/mp4", "--metadata", "album=2026"]);
  const finished = eventOf(events, "finished");
  assert.equal(finished.sha256, sha256(bytes));
  assert.equal(finished.sentBytes, bytes.length);
  assert.equal(await storedCrc(finished.uploadId), crc64nvme(bytes));
  const status = await client.state(finished.uploadId ?? "");
  assert.equal(status.mode, "parallel");
  assert.equal(status.fileName, "film.mp4");
  assert.deepEqual(readdirSync(user.stateDir), [], "nothing is kept of what is done");
});

test("results are lines of an id and a name, and nothing else is on stdout", async () => {
  const user = quay();
  const path = user.file("a.txt", "hello\n");
  const { code, stdout, stderr } = await user.run(["put", path]);
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^[0-9a-f-]{36}  ${path}\n$`));
  assert.match(stderr, /1 file sent, 6 B/);
});

test("an empty file is sent, too", async () => {
  const user = quay();
  const finished = eventOf(await user.events(["put", user.file("empty", "")]), "finished");
  assert.equal(await storedCrc(finished.uploadId), "0000000000000000");
});

test("killed again and again, the same command goes on at the byte that counts, and sends little twice", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  const user = quay(proxy.url);
  const bytes = fileBytes("quay killed", 60 * MIB);
  const path = user.file("large.bin", bytes);
  const kills = 3;
  let uploadId = "";
  for (let kill = 1; kill <= kills; kill++) {
    const running = user.start(["put", path, "--json", ...SLOWLY]);
    const started = await running.event("started");
    uploadId ||= started.uploadId ?? "";
    assert.equal(started.uploadId, uploadId, "the same upload goes on");
    await client.waitUntilCounted(uploadId, kill * 10 * MIB);
    await running.kill();
  }
  const before = (await client.state(uploadId)).uploadedBytes;
  const events = await user.events(["put", path]);
  const [started, finished] = [eventOf(events, "started"), eventOf(events, "finished")];
  assert.ok((started.resumedFromBytes ?? 0) >= before, "what counted is not sent again");
  assert.equal(finished.sentBytes, bytes.length - (started.resumedFromBytes ?? 0));
  assert.equal(finished.sha256, sha256(bytes), "the digest was carried over every kill");
  assert.equal(await storedCrc(uploadId), crc64nvme(bytes));
  const twice = proxy.upBytes - bytes.length;
  const onTheWay = 2 * 5 * MIB;
  assert.ok(twice < kills * onTheWay + MIB, `${twice} bytes were sent twice`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`stopped by ${signal} it says so, and the same command goes on`, async () => {
    const user = quay();
    const path = user.file("stopped.bin", fileBytes(`quay stopped ${signal}`, 30 * MIB));
    const running = user.start(["put", path, "--json", ...SLOWLY]);
    const { uploadId = "" } = await running.event("started");
    await client.waitUntilCounted(uploadId, 5 * MIB);
    running.child.kill(signal);
    const { code, stderr } = await running.ended;
    assert.equal(code, 130);
    assert.match(stderr, /The same command goes on/);
    const finished = eventOf(await user.events(["put", path]), "finished");
    assert.equal(finished.uploadId, uploadId);
  });
}

test("killed before the answer to its creation, it does not create a second upload", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  const user = quay(proxy.url);
  const path = user.file("created.bin", fileBytes("quay created", 6 * MIB));
  // The request goes through, and no byte of an answer comes back.
  proxy.cutDownAfterBytes = 0;
  const running = user.start(["put", path, "--json"]);
  await running.event("note");
  await running.kill();
  proxy.cutDownAfterBytes = Number.POSITIVE_INFINITY;
  const finished = eventOf(await user.events(["put", path]), "finished");
  const { uploads } = (await client.list()).json<{ uploads: { fileName: string }[] }>();
  assert.deepEqual(
    uploads.filter(({ fileName }) => fileName === "created.bin"),
    [],
  );
  assert.equal((await client.state(finished.uploadId ?? "")).state, "completed");
});

test("a proxy that cuts every connection costs chunks, not the upload", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  proxy.cutUpAfterBytes = 7 * MIB;
  const user = quay(proxy.url);
  const bytes = fileBytes("quay cut", 31 * MIB);
  const events = await user.events(["put", user.file("cut.bin", bytes), "--chunk-size", "5M"]);
  assert.ok(proxy.cuts > 0, "connections were cut");
  assert.equal(await storedCrc(eventOf(events, "finished").uploadId), crc64nvme(bytes));
});

test("a proxy that cuts every connection after a while lets chunks through once there are few enough at once", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  // Long enough for one chunk at this rate, and too short for two at once.
  proxy.cutAfterMs = 1_900;
  const user = quay(proxy.url);
  const bytes = fileBytes("quay cut by time", 16 * MIB);
  const path = user.file("slow.bin", bytes);
  const events = await user.events(["put", path, "--chunk-size", "5M", "--limit-rate", "4M"]);
  assert.ok(proxy.cuts > 0, "connections were cut");
  assert.equal(await storedCrc(eventOf(events, "finished").uploadId), crc64nvme(bytes));
});

test("a folder keeps its paths, and what is excluded stays here", async () => {
  const user = quay();
  mkdirSync(join(user.home, "photos/2026"), { recursive: true });
  const files = { "photos/a.jpg": "one", "photos/2026/b.jpg": "two", "photos/2026/c.tmp": "three" };
  for (const [path, text] of Object.entries(files)) {
    user.file(path, text);
  }
  await user.events(["put", "photos", "--exclude", "*.tmp", "--manifest", "manifest.json"]);
  const manifest = JSON.parse(readFileSync(join(user.home, "manifest.json"), "utf8"));
  const paths = manifest.files.map(({ path }: { path: string }) => path);
  assert.deepEqual(paths, ["photos/2026/b.jpg", "photos/a.jpg"]);
  for (const { path, uploadId, sha256: digest } of manifest.files) {
    const text = files[path as keyof typeof files];
    assert.equal(digest, sha256(Buffer.from(text)));
    const status = (await client.status(uploadId)).json<{ metadata: Record<string, string> }>();
    assert.equal(status.metadata.relativePath, path);
  }
});

test("a folder that was interrupted sends what is not there yet, and nothing twice", async () => {
  const user = quay();
  mkdirSync(join(user.home, "many"));
  for (let file = 0; file < 30; file++) {
    user.file(`many/${file}.txt`, `${file}`.repeat(1000));
  }
  writeFileSync(join(user.home, "many/last.bin"), fileBytes("quay last", 20 * MIB));
  const running = user.start(["put", "many", "--json", ...SLOWLY]);
  await waitFor("some files", () => running.events.filter(({ event }) => event === "finished").length >= 10);
  await running.kill();
  const before = running.events.filter(({ event }) => event === "finished").length;
  const end = eventOf(await user.events(["put", "many"]), "end");
  assert.equal((end.sentFiles ?? 0) + (end.earlierFiles ?? 0), 31);
  assert.ok((end.earlierFiles ?? 0) >= before, `${end.earlierFiles} of ${before}`);
  assert.deepEqual(readdirSync(user.stateDir), []);
  const again = eventOf(await user.events(["put", "many"]), "end");
  assert.equal(again.earlierFiles, 0, "what is finished is a new upload the next time");
});

test("what comes from a pipe is sent as it comes, however long it is", async () => {
  const user = quay();
  const bytes = fileBytes("quay pipe", 18 * MIB + 3);
  const events = await user.events(["put", "-", "--name", "dump.sql"], { stdin: bytes });
  const finished = eventOf(events, "finished");
  assert.equal(finished.sha256, sha256(bytes));
  assert.equal(await storedCrc(finished.uploadId), crc64nvme(bytes));
  const nothing = eventOf(await user.events(["put", "-"], { stdin: Buffer.alloc(0) }), "finished");
  assert.equal(await storedCrc(nothing.uploadId), "0000000000000000");
});

test("with --dedup, what the server has is not sent", async () => {
  const user = quay();
  const bytes = fileBytes("quay dedup", 6 * MIB);
  const first = eventOf(await user.events(["put", user.file("one.bin", bytes), "--dedup"]), "finished");
  assert.equal(first.duplicate, false);
  const second = eventOf(await user.events(["put", user.file("two.bin", bytes), "--dedup"]), "finished");
  assert.deepEqual([second.duplicate, second.sentBytes, second.uploadId], [true, 0, first.uploadId]);
});

test("--limit-rate holds, over all chunks together", async () => {
  const user = quay();
  const path = user.file("limited.bin", fileBytes("quay limited", 12 * MIB));
  const beganMs = Date.now();
  await user.events(["put", path, "--limit-rate", "4M"]);
  const tookMs = Date.now() - beganMs;
  assert.ok(tookMs > 2_000, `12 MiB at 4 MiB/s took ${tookMs} ms`);
  assert.ok(existsSync(path));
});
