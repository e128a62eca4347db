// Begins a project: a configuration for wrangler, where there is none. One that is there stays as it is, and what it lacks is said.

import { constants, copyFileSync, existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { complaints } from "./checks.js";
import { Mistake } from "./mistake.js";
import { CONFIGURATIONS, configuration } from "./wrangler.js";

const TEMPLATE = fileURLToPath(new URL("../wrangler.jsonc", import.meta.url));
const WRITTEN = "wrangler.jsonc";

export async function init() {
  const there = existing();
  if (there === undefined) {
    copyFileSync(TEMPLATE, WRITTEN, constants.COPYFILE_EXCL);
    return console.log(`${WRITTEN}: written. Next: npx quayside dev-vars`);
  }
  const missing = complaints(await configuration());
  if (missing.length === 0) {
    return console.log(`${there} is there, and has what Quayside needs: nothing is changed`);
  }
  const list = missing.map((complaint) => `  ${complaint}`).join("\n");
  throw new Mistake(
    `${there} is there, so nothing is changed. Merge into it what it lacks; node_modules/quayside/wrangler.jsonc has each of them:\n${list}`,
  );
}

/** The configuration that wrangler reads here, or would read in place of a new one: a wrangler.json of a folder above goes first. */
function existing() {
  const here = CONFIGURATIONS.find(existsSync);
  const above = folders(dirname(process.cwd())).map((folder) => join(folder, CONFIGURATIONS[0]));
  const found = here ?? above.find(existsSync);
  return found && relative("", found);
}

function folders(folder) {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...folders(above)];
}
