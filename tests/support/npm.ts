// Packages from npm's registry that only one test needs, each in a folder of its own below target/, made once and kept.

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { madeOnce } from "./made_once.ts";
import { repositoryRoot } from "./wrangler_config.ts";

const run = promisify(execFile);

/** A folder below which programs find these packages, each `name@version`. */
export function folderWith(...requirements: string[]): Promise<string> {
  const names = requirements.map((requirement) => requirement.replace(/^@/, "").replace(/[/@]/g, "-"));
  return madeOnce(join(repositoryRoot, "target", `npm-${names.join("-")}`), async (half) => {
    writeFileSync(join(half, "package.json"), '{ "private": true, "type": "module" }\n');
    const quietly = ["--silent", "--no-audit", "--no-fund", "--no-save"];
    await run("npm", ["install", ...quietly, ...requirements], { cwd: half });
  });
}
