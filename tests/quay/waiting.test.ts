// What `quay` waits for and cannot hurry: whoever reads its output, a slow disk. It can be stopped all the same.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { fileBytes, MIB } from "../support/bytes.ts";
import { CountingProxy } from "../support/counting_proxy.ts";
import { eventOf, Quay, quayProgram } from "../support/quay.ts";
import { Stack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
after(() => stack.stop());

/** So many that what is said of them is more than a pipe holds. */
const FILES = 300;
const onLinux = { skip: process.platform === "linux" ? false : "needs /proc" };

test("Ctrl-C stops it also while nobody reads what it writes, and while a disk lets it wait", onLinux, async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  const user = new Quay(proxy.url);
  after(() => user.remove());
  const path = user.file("unread.bin", fileBytes("quay unread", 10 * MIB));
  const { uploadId: id = "" } = eventOf(await user.events(["put", path]), "finished");
  // Pipes that are open at both ends, into which nothing comes and from which nothing is taken.
  execFileSync("mkfifo", ["unread", "part.quay-part"], { cwd: user.home });
  user.file("part.quay-etag", '"x"');
  proxy.downBytes = 0;
  const script = `exec 3<>unread; exec "$0" get "$1" -o - >&3 3>&-`;
  const writing = user.start(["-c", script, quayProgram, id], { program: "/bin/bash" });
  await waitFor("some of it to come", () => proxy.downBytes >= MIB / 4);
  const reading = user.start(["get", id, "-o", "part"]);
  await waitFor("the part to be read", () => isOpen(reading.child.pid ?? 0, join(user.home, "part.quay-part")));
  for (const running of [writing, reading]) {
    running.child.kill("SIGINT");
    assert.equal((await running.ended).code, 130, running.stderr);
  }
});

test("whoever does not read what it says holds no upload up, and finds all of it later", async () => {
  const user = new Quay(stack.baseUrl);
  after(() => user.remove());
  mkdirSync(join(user.home, "many"));
  for (let number = 0; number < FILES; number += 1) {
    user.file(`many/${"n".repeat(100)}-${number}`, `file ${number}`);
  }
  execFileSync("mkfifo", ["unread"], { cwd: user.home });
  const script = `exec 3<>unread; exec "$0" put many --json >&3 3>&-`;
  const running = user.start(["-c", script, quayProgram], { program: "/bin/bash" });
  await waitFor("all to be sent", () => /waits for whoever reads/.test(running.stderr));
  assert.equal(running.child.exitCode, null, "nobody has read it");
  const reading = user.start(["-c", "exec cat unread"], { program: "/bin/bash" });
  assert.equal((await running.ended).code, 0, running.stderr);
  await waitFor("the end to be read", () => reading.events.at(-1)?.event === "end");
  const finished = reading.events.filter(({ event }) => event === "finished");
  assert.equal(new Set(finished.map(({ file }) => file)).size, FILES);
  assert.equal(eventOf(reading.events, "end").sentFiles, FILES);
});

function isOpen(pid: number, path: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === path);
}
