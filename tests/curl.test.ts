// The real curl, as people use it: `-T` with a header of our own, and `-T -C N`, whose Content-Range has inclusive ends.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import type { ChunkTaken } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB } from "./support/bytes.ts";
import { Stack } from "./support/stack.ts";

const noCurl = spawnSync("curl", ["--version"]).error === undefined ? false : "curl is not installed";
const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
after(() => stack.stop());

function localFile(name: string, bytes: Uint8Array): string {
  const path = join(stack.stateDir, name);
  writeFileSync(path, bytes);
  return path;
}

function startCurl(args: string[]): ChildProcess {
  return spawn("curl", ["--silent", "--show-error", ...args], { stdio: ["ignore", "pipe", "inherit"] });
}

async function curl(...args: string[]): Promise<string> {
  const child = startCurl(args);
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = await once(child, "close");
  assert.equal(code, 0, `curl ${args.join(" ")} ended with ${code}: ${output}`);
  return output;
}

test("curl -T with X-Upload-Offset puts a file chunk by chunk", { skip: noCurl }, async () => {
  const file = fileBytes("curl chunks", 20 * MIB);
  const { uploadId, uploadUrl: url, limits } = await client.create(file);
  const first = localFile("chunk.0", file.subarray(0, limits.partBytes));
  const rest = localFile("chunk.1", file.subarray(limits.partBytes));

  const taken = JSON.parse(await curl("-T", first, "-H", "X-Upload-Offset: 0", url)) as ChunkTaken;
  assert.equal(taken.uploadedBytes, limits.partBytes);
  await curl("-T", rest, "-H", `X-Upload-Offset: ${limits.partBytes}`, url);

  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});

test("curl -T puts a whole file without a word about offsets", { skip: noCurl }, async () => {
  const file = fileBytes("curl whole", 10 * MIB);
  const { uploadId, uploadUrl } = await client.create(file);
  await curl("-T", localFile("whole", file), uploadUrl);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});

test("curl killed in the middle resumes with -C and the offset that HEAD told", { skip: noCurl }, async () => {
  const file = fileBytes("curl resume", 30 * MIB);
  const { uploadId, uploadUrl: url, limits } = await client.create(file);
  const path = localFile("resumed", file);

  const slow = startCurl(["-T", path, "--limit-rate", "10M", url]);
  await client.waitUntilCounted(uploadId, limits.partBytes);
  slow.kill("SIGKILL");
  await once(slow, "close");

  const head = await curl("--head", url);
  const offset = Number(/^upload-offset: (\d+)/im.exec(head)?.[1]);
  assert.equal(offset % limits.partBytes, 0);
  assert.ok(offset >= limits.partBytes && offset < file.length, `offset ${offset}`);

  const taken = JSON.parse(await curl("-T", path, "-C", String(offset), url)) as ChunkTaken;
  assert.equal(taken.uploadedBytes, file.length);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});
