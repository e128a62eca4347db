// Packages from npm's registry that only one test needs, each in a folder of its own below target/, made once and kept.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { repositoryRoot } from "./wrangler_config.ts";

const run = promisify(execFile);

/** A folder below which programs find these packages, each `name@version`. It gets its name only when it is whole. */
export async function folderWith(...requirements: string[]): Promise<string> {
  const names = requirements.map((requirement) => requirement.replace(/^@/, "").replace(/[/@]/g, "-"));
  const folder = join(repositoryRoot, "target", `npm-${names.join("-")}`);
  if (!existsSync(folder)) {
    mkdirSync(join(repositoryRoot, "target"), { recursive: true });
    const half = mkdtempSync(`${folder}-`);
    try {
      writeFileSync(join(half, "package.json"), '{ "private": true, "type": "module" }\n');
      const quietly = ["--silent", "--no-audit", "--no-fund", "--no-save"];
      await run("npm", ["install", ...quietly, ...requirements], { cwd: half });
      renameSync(half, folder);
    } catch (error) {
      rmSync(half, { recursive: true, force: true });
      throw error;
    }
  }
  return folder;
}
