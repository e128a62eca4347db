// Packages from PyPI, each set in a virtual environment of its own below target/, made once and kept.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { repositoryRoot } from "./wrangler_config.ts";

const run = promisify(execFile);

/** Whether there is a Python that can make environments; Debian ships one that cannot. */
export async function hasPython(): Promise<boolean> {
  return await run("python3", ["-c", "import ensurepip, venv"]).then(
    () => true,
    () => false,
  );
}

/** The `bin` folder of an environment with these packages, each like `name==version`. It gets its name only when it is whole. */
export async function environmentWith(...requirements: string[]): Promise<string> {
  const folder = join(repositoryRoot, "target", requirements.join(" ").replace(/[^\w.]+/g, "-"));
  if (!existsSync(folder)) {
    mkdirSync(join(repositoryRoot, "target"), { recursive: true });
    const half = mkdtempSync(`${folder}-`);
    try {
      await run("python3", ["-m", "venv", half]);
      await run(join(half, "bin/python"), [
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        ...requirements,
      ]);
      renameSync(half, folder);
    } catch (error) {
      rmSync(half, { recursive: true, force: true });
      throw error;
    }
  }
  return join(folder, "bin");
}
