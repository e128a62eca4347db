// The real curl, spawned, and its answer taken apart. What is asked stands in the tests as it would on a command line.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";

import { Reply } from "./http.ts";

/** A reason to skip tests, where this machine has no curl. */
export const noCurl = spawnSync("curl", ["--version"]).error === undefined ? false : "curl is not installed";

/** curl at work, for tests that interrupt it. */
export function startCurl(args: string[]): ChildProcess {
  return spawn("curl", ["--silent", "--show-error", "--include", "--max-time", "60", ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  });
}

/** One request and its final answer; interim ones (100 Continue) are left out. */
export async function curl(...args: string[]): Promise<Reply> {
  const child = startCurl(args);
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout ?? []) {
    chunks.push(chunk as Buffer);
  }
  return parse(Buffer.concat(chunks), args);
}

function parse(output: Buffer, args: string[]): Reply {
  let rest = output;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    assert.notEqual(end, -1, `curl ${args.join(" ")} brought no answer: ${rest.toString()}`);
    const [statusLine = "", ...lines] = rest.subarray(0, end).toString("latin1").split("\r\n");
    const status = Number(statusLine.split(" ")[1]);
    rest = rest.subarray(end + 4);
    if (status >= 200) {
      const headers = lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      });
      return new Reply(status, Object.fromEntries(headers), rest);
    }
  }
}
