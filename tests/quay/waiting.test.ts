// What `quay` waits for and cannot hurry: whoever reads its output, a slow disk. It can be stopped all the same.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { fileBytes, MIB } from "../support/bytes.ts";
import { CountingProxy } from "../support/counting_proxy.ts";
import { eventOf, Quay, quayProgram } from "../support/quay.ts";
import { Stack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
after(() => stack.stop());

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

function isOpen(pid: number, path: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === path);
}
