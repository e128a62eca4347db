// `quay put --live -`: an input that grows for hours. It arrives as it comes, nothing of it is lost when connections break or the server
// restarts, and neither memory nor disk hold more than they must.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { crc64nvme, fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { CountingProxy } from "../support/counting_proxy.ts";
import { eventOf, Quay, quayProgram, type Running } from "../support/quay.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { Stack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
after(() => stack.stop());

const LIVE = ["put", "--live", "-", "--json"];
const onLinux = { skip: process.platform === "linux" ? false : "needs /proc" };

function quay(endpoint = stack.baseUrl): Quay {
  const made = new Quay(endpoint);
  after(() => made.remove());
  return made;
}

/** Insists that the upload has ended well, as these bytes. */
async function assertSent(running: Running, bytes: Uint8Array): Promise<void> {
  const { code, stderr } = await running.ended;
  assert.equal(code, 0, `${stderr} ${JSON.stringify(running.events.at(-2))}`);
  const finished = eventOf(running.events, "finished");
  assert.equal(finished.sha256, sha256(bytes));
  const { object } = await client.waitUntilState(finished.uploadId ?? "", "completed");
  assert.equal(object?.crc64nvme, crc64nvme(bytes));
}

/** Writes all of it, as fast as it is taken. */
async function feed({ child: { stdin }, ended }: Running, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += MIB) {
    if (stdin?.write(bytes.subarray(at, at + MIB)) === false) {
      await Promise.race([once(stdin, "drain"), ended]);
    }
  }
}

test("what has come arrives while the input pauses, and the end makes it whole", async () => {
  const running = quay().start(LIVE, { stdin: "open" });
  running.child.stdin?.write("first");
  const { uploadId = "" } = await running.event("started");
  await client.waitUntilCounted(uploadId, 5);
  running.child.stdin?.end("second");
  await assertSent(running, Buffer.from("firstsecond"));
});

test("what has come leaves at once, also while the input does not pause and no chunk is full", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  const running = quay(proxy.url).start(LIVE, { stdin: "open" });
  const { uploadId = "" } = await running.event("started");
  let text = "";
  let arrived = 0;
  // Never a second without a line. Each has left before the third after it is written.
  for (let line = 0; arrived < 200; line++) {
    const before = proxy.upBytes;
    const next = `${"x".repeat(1000)} ${line}\n`;
    text += next;
    running.child.stdin?.write(next);
    await waitFor("the line to leave", () => proxy.upBytes >= before + 1000);
    await sleep(50);
    arrived = (await client.state(uploadId)).uploadedBytes;
  }
  assert.equal(running.child.exitCode, null, "it counts before the input has ended");
  running.child.stdin?.end();
  await assertSent(running, Buffer.from(text));
});

test("with --tell-every the origin hears of what is new on the way, and of nothing less than the server tells", async () => {
  const origin = await ScriptedOrigin.start();
  after(() => origin.stop());
  const other = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl } });
  after(() => other.stop());
  origin.trust(other.secrets.WEBHOOK_SECRET);
  const user = quay(other.baseUrl);
  const running = user.start([...LIVE, "--tell-every", "8M"], { stdin: "open" });
  const bytes = fileBytes("quay live told", 9 * MIB);
  await feed(running, bytes);
  const { uploadId = "" } = await running.event("started");
  const { data } = await origin.waitForEvent(uploadId, "upload.progressed");
  assert.equal(data.fromBytes, 0);
  assert.ok(Number(data.toBytes) >= 8 * MIB);
  assert.equal(running.child.exitCode, null, "it is told while the input goes on");
  running.child.stdin?.end();
  assert.equal((await running.ended).code, 0);
  assert.equal(eventOf(running.events, "finished").sha256, sha256(bytes));
  for (const wrong of [
    ["put", "--live", "-", "--tell-every", "7M"],
    ["put", "-", "--tell-every", "8M"],
    ["put", "--live", "-", "--end-after", "25h"],
    ["put", "--live", "-", "--end-after", "0s"],
    ["put", "-", "--end-after", "60s"],
  ]) {
    const { code, stderr } = await user.run(wrong);
    assert.equal(code, 2, wrong.join(" "));
    assert.match(stderr, /--tell-every|--end-after|--live/);
  }
});

test("with --end-after what a process that was killed has sent is the whole, soon after", async () => {
  const running = quay().start([...LIVE, "--end-after", "2s"], { stdin: "open" });
  const bytes = fileBytes("quay live killed", 9 * MIB);
  await feed(running, bytes);
  const { uploadId = "" } = await running.event("started");
  await client.waitUntilCounted(uploadId, bytes.length);
  running.child.kill("SIGKILL");
  const { fileSize, truncated } = await client.waitUntilState(uploadId, "completed");
  assert.deepEqual({ fileSize, truncated }, { fileSize: bytes.length, truncated: true });
});

/** An upload that the server has ended, after two seconds in which nothing came. */
async function endedBySilence(text: string): Promise<{ running: Running; uploadId: string }> {
  const running = quay().start(["put", "--live", "-", "--end-after", "2s"], { stdin: "open" });
  running.child.stdin?.write(text);
  const uploadId = await waitFor("an upload", () => /upload ([0-9a-f-]{36})/.exec(running.stderr)?.[1]);
  await client.waitUntilState(uploadId, "completed");
  return { running, uploadId };
}

test("with --end-after, what comes after a silence that has ended it is said not to be in it", async () => {
  const { running, uploadId } = await endedBySilence("before");
  running.child.stdin?.end("after");
  const { code, stdout, stderr } = await running.ended;
  assert.equal(code, 3, stderr);
  assert.equal(stdout, "");
  const said = stderr.split("\n").filter((line) => line.startsWith("stdin: ") && !line.includes("unknown length"));
  assert.equal(said.length, 1, stderr);
  assert.match(
    said[0] ?? "",
    /^stdin: The server has ended it, as it does after 2 s without a byte at the latest, and keeps 6 bytes as the whole: upload [0-9a-f-]{36}\. What has come since is not in it\.$/,
  );
  assert.ok(said[0]?.includes(uploadId));
  const { fileSize, truncated } = await client.state(uploadId);
  assert.deepEqual({ fileSize, truncated }, { fileSize: 6, truncated: true });
});

test("with --end-after, an input that ends after such a silence without another byte has arrived", async () => {
  const { running, uploadId } = await endedBySilence("all of it");
  running.child.stdin?.end();
  const { code, stdout, stderr } = await running.ended;
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `${uploadId}  stdin\n`);
});

test("an input that says nothing is an empty file", async () => {
  await assertSent(quay().start(LIVE), Buffer.alloc(0));
});

test("connections that are cut in the middle of a body cost nothing of it", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  const bytes = fileBytes("quay live cut", 24 * MIB + 5);
  const running = quay(proxy.url).start(LIVE, { stdin: "open" });
  await running.event("started");
  proxy.cutUpAfterBytes = 5 * MIB;
  await feed(running, bytes);
  running.child.stdin?.end();
  await assertSent(running, bytes);
  assert.ok(proxy.cuts >= 2, `${proxy.cuts} connections were cut`);
});

test("a proxy that cuts every connection after a while only costs what was on its way", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  proxy.cutAfterMs = 1_000;
  const running = quay(proxy.url).start([...LIVE, "--limit-rate", "4M"], { stdin: "open" });
  const bytes = fileBytes("quay live cut by time", 16 * MIB);
  await feed(running, bytes);
  await waitFor("some cuts", () => proxy.cuts >= 2);
  running.child.stdin?.end();
  await assertSent(running, bytes);
});

test("a server that is killed and starts again is gone on with, at what it had counted", async () => {
  const other = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
  after(() => other.stop());
  const [first, second] = [fileBytes("quay live before", 9 * MIB), fileBytes("quay live after", 9 * MIB)];
  const running = quay(other.baseUrl).start(LIVE, { stdin: "open" });
  await feed(running, first);
  const { uploadId = "" } = await running.event("started");
  await other.client.waitUntilCounted(uploadId, MIB);
  await other.kill();
  await feed(running, second);
  await running.event("note");
  await other.restart();
  running.child.stdin?.end();
  assert.equal((await running.ended).code, 0);
  const { object } = await other.client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(Buffer.concat([first, second])));
});

test(
  "while nothing counts the input is held back, and neither memory nor disk hold more than was said",
  onLinux,
  async () => {
    const proxy = await CountingProxy.before(stack.baseUrl);
    after(() => proxy.stop());
    const bytes = fileBytes("quay live held", 96 * MIB);
    const running = quay(proxy.url).start([...LIVE, "--spool", "24M"], { stdin: "open" });
    await running.event("started");
    proxy.cutUpAfterBytes = 0;
    const fed = feed(running, bytes);
    const pid = running.child.pid ?? 0;
    await waitFor("the spool to be full", () => spooledBytes(pid) === 24 * MIB);
    await waitFor("trouble to be told", () => running.events.filter(({ event }) => event === "note").length >= 3);
    assert.equal(spooledBytes(pid), 24 * MIB, "the input waits");
    proxy.cutUpAfterBytes = Number.POSITIVE_INFINITY;
    let most = 0;
    const looking = setInterval(() => {
      most = Math.max(most, spooledBytes(pid));
    }, 5);
    await fed;
    clearInterval(looking);
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
    running.child.stdin?.end();
    await assertSent(running, bytes);
    // What is not confirmed, and the segment that is written to.
    assert.ok(most <= (24 + 8) * MIB, `${most} bytes on disk`);
    assert.ok(peak < 64 * MIB, `${peak} bytes of memory`);
  },
);

/** What the process keeps in files that have no name. */
function spooledBytes(pid: number): number {
  let bytes = 0;
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const opened = statSync(`/proc/${pid}/fd/${fd}`);
      bytes += opened.isFile() && opened.nlink === 0 ? opened.size : 0;
    } catch {
      // Closed meanwhile.
    }
  }
  return bytes;
}

test("a disk that is full is told, and the input is sent from memory", async () => {
  const user = quay();
  const bytes = fileBytes("quay live full", 20 * MIB);
  // No file of this process may become longer than a kibibyte.
  const limited = `trap '' XFSZ; ulimit -f 1; exec "$0" put --live - --json`;
  const running = user.start(["-c", limited, quayProgram], { program: "/bin/bash", stdin: "open" });
  await feed(running, bytes);
  running.child.stdin?.end();
  await assertSent(running, bytes);
  assert.match(running.events.find(({ event }) => event === "note")?.text ?? "", /is held in memory/);
});

test("nothing of it stays on disk, however it ends", async () => {
  const user = quay();
  const running = user.start(LIVE, { stdin: "open" });
  await running.event("started");
  await feed(running, fileBytes("quay live killed", 3 * MIB));
  await running.kill();
  assert.deepEqual(readdirSync(user.stateDir), []);
});

test("Ctrl-C lets the input end, as whoever writes it does, and the upload is whole", async () => {
  const user = quay();
  // Both are told, as by a terminal. Like an encoder, the writer says its last word then.
  const writer = `trap 'printf end; exit' INT; printf begin; while :; do sleep 0.05; done`;
  const pipeline = `set -m; bash -c "$1" | "$0" put --live - --json & wait`;
  const running = user.start(["-c", pipeline, quayProgram, writer], { program: "/bin/bash" });
  const { uploadId = "" } = await running.event("started");
  await client.waitUntilCounted(uploadId, 5);
  const group = processGroupOf(quayProgram, running.child.pid ?? 0);
  process.kill(-group, "SIGINT");
  await assertSent(running, Buffer.from("beginend"));
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} twice stops at once`, async () => {
    const running = quay().start(LIVE, { stdin: "open" });
    await running.event("started");
    running.child.kill(signal);
    await waitFor("it to say what it does", () => running.stderr.includes("Ctrl-C again stops at once"));
    running.child.kill(signal);
    const { code, stderr } = await running.ended;
    assert.equal(code, 130);
    assert.match(stderr, /is no whole file/);
  });
}

/** Of the pipeline that this shell has begun. */
function processGroupOf(program: string, shell: number): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const [, after = ""] = readFileSync(join("/proc", pid, "stat"), "utf8").split(") ");
      const [, parent = "", group = ""] = after.split(" ");
      const [command] = readFileSync(join("/proc", pid, "cmdline"), "utf8").split("\0");
      if (Number(parent) === shell && command === program) {
        return Number(group);
      }
    } catch {
      // Gone meanwhile.
    }
  }
  throw new Error(`${program} does not run`);
}
