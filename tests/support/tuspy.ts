// tuspy from PyPI in a virtual environment of its own below target/, made once and kept.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { repositoryRoot } from "./wrangler_config.ts";

const run = promisify(execFile);

const VERSION = "1.1.0";
const ENVIRONMENT = join(repositoryRoot, "target", `tuspy-${VERSION}`);
const SCRIPT = join(repositoryRoot, "tests/support/tuspy_upload.py");

export type Run = { url: string; beganAt: number; offset: number };

/** Whether there is a Python that can make environments; Debian ships one that cannot. */
export async function hasPython(): Promise<boolean> {
  return await run("python3", ["-c", "import ensurepip, venv"]).then(
    () => true,
    () => false,
  );
}

/** Makes the environment, unless it is there. It gets its name only when it is whole. */
export async function prepare(): Promise<void> {
  if (existsSync(ENVIRONMENT)) {
    return;
  }
  const half = mkdtempSync(`${ENVIRONMENT}-`);
  try {
    await run("python3", ["-m", "venv", half]);
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `tuspy==${VERSION}`];
    await run(join(half, "bin/python"), install);
    renameSync(half, ENVIRONMENT);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    throw error;
  }
}

/** Uploads a file; `urls` remembers uploads by file, `stopAt` leaves early. */
export async function upload(
  endpoint: string,
  path: string,
  { chunkBytes, urls = "", stopAt }: { chunkBytes: number; urls?: string; stopAt?: number },
): Promise<Run> {
  const args = [SCRIPT, endpoint, path, String(chunkBytes), urls, stopAt === undefined ? "" : String(stopAt)];
  const { stdout } = await run(join(ENVIRONMENT, "bin/python"), args);
  const [url = "", beganAt, offset] = stdout.trim().split(" ");
  return { url, beganAt: Number(beganAt), offset: Number(offset) };
}

/** Runs a script of one's own; what it prints. */
export async function runScript(path: string, args: string[]): Promise<string> {
  return (await run(join(ENVIRONMENT, "bin/python"), [path, ...args])).stdout.trim();
}
