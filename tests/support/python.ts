// Packages from PyPI, each set in a virtual environment of its own below target/, made once and kept.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { madeOnce } from "./made_once.ts";
import { repositoryRoot } from "./wrangler_config.ts";

const run = promisify(execFile);

/** Whether there is a Python that can make environments; Debian ships one that cannot. */
export async function hasPython(): Promise<boolean> {
  return await run("python3", ["-c", "import ensurepip, venv"]).then(
    () => true,
    () => false,
  );
}

/** The `bin` folder of an environment with these packages, each like `name==version`. */
export async function environmentWith(...requirements: string[]): Promise<string> {
  const folder = join(repositoryRoot, "target", requirements.join(" ").replace(/[^\w.]+/g, "-"));
  await madeOnce(folder, async (half) => {
    await run("python3", ["-m", "venv", half]);
    const quietly = ["-q", "--disable-pip-version-check"];
    await run(join(half, "bin/python"), ["-m", "pip", "install", ...quietly, ...requirements]);
  });
  return join(folder, "bin");
}

/** HTTPie, for a shell, as `http`. */
export async function httpie(): Promise<string> {
  const bin = await environmentWith("httpie==3.2.4");
  // What pip makes of it names the folder in which the environment was made.
  return `http() { "${join(bin, "python")}" -m httpie "$@"; }\n`;
}
