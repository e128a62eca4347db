// A new application from `template/`. Installs nothing, and writes over nothing.

import { randomInt } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const USAGE = "Usage: npm create quayside [folder]    (default: uploads)";
/** A queue's name, which begins with it, has 63 characters at most. */
const LONGEST_NAME = 40;
const TEMPLATE = fileURLToPath(new URL("template", import.meta.url));

/** Makes it, or says why not. */
export function main(args) {
  if (args.includes("--help") || args.includes("-h")) {
    return console.log(USAGE);
  }
  const unknown = args.find((argument) => argument.startsWith("-"));
  if (unknown !== undefined || args.length > 1) {
    return fail(`${unknown ?? args[1]} is one too many.\n${USAGE}`);
  }
  const given = args[0] ?? "uploads";
  const folder = resolve(given);
  if (existsSync(folder) && !statSync(folder).isDirectory()) {
    return fail(`${folder} is a file: choose another name.`);
  }
  if (existsSync(folder) && readdirSync(folder).some((name) => name !== ".git")) {
    return fail(`${folder} is not empty: choose another folder.`);
  }
  try {
    cpSync(TEMPLATE, folder, { recursive: true });
  } catch (error) {
    return fail(`${folder} cannot be made: ${error.message}`);
  }
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
    if (!new RegExp(pattern).test(text)) {
      throw new Error(`${path} has no ${pattern}`);
    }
    text = text.replace(new RegExp(pattern, "g"), replacement);
  }
  writeFileSync(path, text);
}

/** A name that npm and wrangler both take. npm takes none that is a dependency's. */
function nameOf(folder) {
  const plain = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, LONGEST_NAME)
    .replace(/^-+|-+$/g, "");
  const name = plain === "" ? "uploads" : plain;
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(TEMPLATE, "package.json"), "utf8"));
  return Object.hasOwn({ ...dependencies, ...devDependencies }, name) ? `${name}-app` : name;
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
