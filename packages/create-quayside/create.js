// A new application from `template/`. Installs nothing, and writes over nothing.

import { randomInt } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const USAGE = `Usage: npm create quayside [folder] [-- --packages FOLDER]

  folder               what is made (uploads)
  --packages FOLDER    where Quayside's packages are as files, where they are not in npm's registry`;
/** A queue's name, which begins with it, has 63 characters at most. */
const LONGEST_NAME = 40;
const PACKAGES = ["quayside", "quayside-client", "quayside-server"];
const TEMPLATE = fileURLToPath(new URL("template", import.meta.url));

/** Makes it, or says why not. */
export function main(args) {
  if (args.includes("--help") || args.includes("-h")) {
    return console.log(USAGE);
  }
  let parsed;
  try {
    parsed = parseArgs({ args, options: { packages: { type: "string" } }, allowPositionals: true });
  } catch (error) {
    return fail(`${error.message}\n\n${USAGE}`);
  }
  const { positionals, values } = parsed;
  if (positionals.length > 1) {
    return fail(`${positionals[1]} is one too many.\n\n${USAGE}`);
  }
  const given = positionals[0] ?? "uploads";
  const folder = resolve(given);
  const packages = values.packages === undefined ? {} : filesOfPackages(resolve(values.packages));
  if (packages === undefined) {
    return fail(`${values.packages} does not have each of ${PACKAGES.join(", ")} as a file (.tgz).`);
  }
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
  change(join(folder, "package.json"), { '"quayside-app"': () => `"${name}"`, ...packages });
  // An account may have several applications with Quayside: each has names and numbers of its own.
  const first = randomInt(10_000, 100_000_000);
  change(join(folder, "wrangler.jsonc"), {
    '"quayside-app"': () => `"${name}"`,
    '"quayside-uploads"': () => `"${name}-uploads"`,
    '"quayside-(events|tasks|dead-letters)"': (_, queue) => `"${name}-quayside-${queue}"`,
    '"100([12])"': (_, number) => `"${first}${number}"`,
  });
  console.log(`${folder} is ready:\n\n  cd ${quoted(given)}\n  npm install\n  npm run dev\n`);
}

/** What to write for each package; undefined where one has no file there, or several. */
function filesOfPackages(folder) {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const found = PACKAGES.map((name) => [name, names.filter((file) => new RegExp(`^${name}-\\d.*\\.tgz$`).test(file))]);
  if (found.some(([, files]) => files.length !== 1)) {
    return undefined;
  }
  const entries = found.map(([name, [file]]) => [
    `"${name}": ".*"`,
    () => `"${name}": ${JSON.stringify(`file:${join(folder, file)}`)}`,
  ]);
  return Object.fromEntries(entries);
}

/** Replaces each of the patterns, of which there must be one at least, by what its function says: a text could have `$&` in it. */
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

/** As a shell takes it for what it is. */
function quoted(folder) {
  const path = folder.startsWith("-") ? `./${folder}` : folder;
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
