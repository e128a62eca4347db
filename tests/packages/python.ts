// The Python package in an environment of its own below target/, which is kept: what it depends on is installed once, and it itself is
// used from where it is written.

import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { madeOnce } from "../support/made_once.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";

const run = promisify(execFile);

const PACKAGE = join(repositoryRoot, "packages/python");
const MANIFEST = readFileSync(join(PACKAGE, "pyproject.toml"), "utf8");
const hash = createHash("sha256").update(MANIFEST).digest("hex").slice(0, 12);
const ENVIRONMENT = join(repositoryRoot, "target", `python-package-${hash}`);

/** Makes the environment, unless it is there. */
export async function preparePython(): Promise<void> {
  await madeOnce(ENVIRONMENT, async (half) => {
    await run("python3", ["-m", "venv", half]);
    const list = /^dependencies = (\[.*\])$/m.exec(MANIFEST)?.[1] ?? "[]";
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...JSON.parse(list)];
    await run(join(half, "bin/python"), install);
  });
}

/** What one of the fixtures prints when it is asked this. */
export function askPython(fixture: string, question: object): Promise<string> {
  const env = { ...process.env, PYTHONPATH: join(PACKAGE, "src"), PYTHONDONTWRITEBYTECODE: "1" };
  const script = join(import.meta.dirname, "fixtures", fixture);
  const child = spawn(join(ENVIRONMENT, "bin/python"), [script], { env, stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  let complaint = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    complaint += text;
  });
  child.stdin.end(JSON.stringify(question));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve(said.trim()) : reject(new Error(complaint))));
  });
}
