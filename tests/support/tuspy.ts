// tuspy from PyPI in a virtual environment of its own below target/, made once and kept.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { environmentWith } from "./python.ts";
import { repositoryRoot } from "./wrangler_config.ts";

const run = promisify(execFile);

const REQUIREMENT = "tuspy==1.1.0";
const SCRIPT = join(repositoryRoot, "tests/support/tuspy_upload.py");

export type Run = { url: string; beganAt: number; offset: number };

/** Makes the environment, unless it is there. */
export async function prepare(): Promise<void> {
  await environmentWith(REQUIREMENT);
}

/** Uploads a file; `urls` remembers uploads by file, `stopAt` leaves early. */
export async function upload(
  endpoint: string,
  path: string,
  { chunkBytes, urls = "", stopAt }: { chunkBytes: number; urls?: string; stopAt?: number },
): Promise<Run> {
  const args = [SCRIPT, endpoint, path, String(chunkBytes), urls, stopAt === undefined ? "" : String(stopAt)];
  const { stdout } = await run(join(await environmentWith(REQUIREMENT), "python"), args);
  const [url = "", beganAt, offset] = stdout.trim().split(" ");
  return { url, beganAt: Number(beganAt), offset: Number(offset) };
}

/** Runs a script of one's own; what it prints. */
export async function runScript(path: string, args: string[]): Promise<string> {
  return (await run(join(await environmentWith(REQUIREMENT), "python"), [path, ...args])).stdout.trim();
}
