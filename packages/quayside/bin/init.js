// Begins a project: a configuration for wrangler, where there is none. One that is there stays as it is, and what it lacks is said.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { complaints } from "./checks.js";
import { Mistake } from "./mistake.js";
import { CONFIGURATIONS, configuration, configurationPath, foldersUpwards } from "./wrangler.js";

const TEMPLATE = fileURLToPath(new URL("../wrangler.jsonc", import.meta.url));
const WRITTEN = "wrangler.jsonc";

export async function init() {
  const path = configurationPath();
  if (path === undefined || isAnothers(path)) {
    writeFileSync(WRITTEN, withPlaces(readFileSync(TEMPLATE, "utf8")), { flag: "wx" });
    return console.log(`${WRITTEN}: written. Next: npx quayside dev-vars`);
  }
  const there = relative("", path);
  const missing = complaints(await configuration());
  if (missing.length === 0) {
    return console.log(`${there} is there, and has what Quayside needs: nothing is changed`);
  }
  const list = missing.map((complaint) => `  ${complaint}`).join("\n");
  throw new Mistake(
    `${there} is there, so nothing is changed. Merge into it what it lacks; ${placeOf("quayside")}wrangler.jsonc has each of them:\n${list}`,
  );
}

/**
 * What wrangler reads here may be in a folder above, and a second one would hide it. Where this folder is a package of its own it may have
 * one of its own, unless wrangler would go on reading the other.
 */
function isAnothers(path) {
  return dirname(path) !== process.cwd() && existsSync("package.json") && basename(path) !== CONFIGURATIONS[0];
}

/** The template, with the packages where they are: npm has those of a workspace in a folder above. */
function withPlaces(text) {
  const names = ["quayside", "wrangler"];
  return names.reduce((said, name) => said.replaceAll(`node_modules/${name}/`, () => placeOf(name)), text);
}

/** Where a package is installed, or will be. */
function placeOf(name) {
  const installed = foldersUpwards().map((folder) => join(folder, "node_modules", name));
  const found = installed.find(existsSync);
  return `${found === undefined ? `node_modules/${name}` : relative("", found).split(sep).join("/")}/`;
}
