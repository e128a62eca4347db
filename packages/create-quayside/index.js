#!/usr/bin/env node
// `npm create quayside [folder]`: a new application from `template/`. Installs nothing, and writes over nothing.

import { randomInt } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

const USAGE = "Usage: npm create quayside [folder]    (default: uploads)";
const LEAST_NODE = 20;

function main(args) {
  if (args.includes("--help") || args.includes("-h")) {
    return console.log(USAGE);
  }
  const unknown = args.find((argument) => argument.startsWith("-"));
  if (unknown !== undefined || args.length > 1) {
    return fail(`${unknown ?? args[1]} is one too many.\n${USAGE}`);
  }
  const [major] = process.versions.node.split(".");
  if (Number(major) < LEAST_NODE) {
    return fail(`Node ${process.versions.node} is too old: get ${LEAST_NODE} or newer from https://nodejs.org`);
  }
  const given = args[0] ?? "uploads";
  const folder = resolve(given);
  if (existsSync(folder) && readdirSync(folder).some((name) => name !== ".git")) {
    return fail(`${folder} is not empty: choose another folder.`);
  }
  cpSync(join(import.meta.dirname, "template"), folder, { recursive: true });
  // npm takes no .gitignore into a package.
  renameSync(join(folder, "_gitignore"), join(folder, ".gitignore"));
  const name = nameOf(folder);
  change(join(folder, "package.json"), { '"quayside-app"': `"${name}"` });
  // An account may have several applications with Quayside: each has names and numbers of its own.
  change(join(folder, "wrangler.jsonc"), {
    '"quayside-app"': `"${name}"`,
    '"quayside-uploads"': `"${name}-uploads"`,
    '"quayside-(events|tasks|dead-letters)"': `"${name}-quayside-$1"`,
    '"100([12])"': `"${randomInt(10_000, 100_000_000)}$1"`,
  });
  const quoted = /^[\w./-]+$/.test(given) ? given : JSON.stringify(given);
  console.log(`${folder} is ready:\n\n  cd ${quoted}\n  npm install\n  npm run dev\n`);
}

/** Replaces each of the patterns, of which there must be one at least. */
function change(path, replacements) {
  let text = readFileSync(path, "utf8");
  for (const [pattern, replacement] of Object.entries(replacements)) {
    const changed = text.replace(new RegExp(pattern, "g"), replacement);
    if (changed === text) {
      throw new Error(`${path} has no ${pattern}`);
    }
    text = changed;
  }
  writeFileSync(path, text);
}

/** A name that npm and wrangler both take. */
function nameOf(folder) {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name === "" ? "uploads" : name.slice(0, 40);
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}

main(process.argv.slice(2));
