// Secrets for `wrangler dev` on this machine, and who may upload there: what is missing is added to the file that wrangler reads, beside the
// configuration that it reads. Lines are added at its end, and no byte that is there is changed or lost.

import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";

import { Mistake } from "./mistake.js";
import { FRESH_SECRETS, secretComplaint } from "./secrets.js";
import { configurationPath } from "./wrangler.js";

const OWN = ".dev.vars";
const SHARED = [".env", ".env.local"];

/** A line as wrangler's reader (dotenv) takes it: `NAME=value` or `NAME: value`, and a quotation may have several lines. */
const LINE =
  /^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?$/gm;
/** A quotation that does not end before the file does. */
const UNFINISHED = /^(["'`])((?!\1).)*$/s;

/** Adds what is missing. `asked` is who may upload, where somebody has said it. */
export function writeDevVars(asked) {
  const { file, alsoRead } = place();
  const read = [...alsoRead, file].filter(existsSync);
  const known = Object.assign({}, ...read.map(valuesIn));
  // Nobody but this machine reaches what `wrangler dev` serves, and the file is never deployed.
  const wanted = { ...FRESH_SECRETS, AUTH: () => asked ?? "open" };
  const missing = Object.entries(wanted).filter(([name]) => !known[name]);
  if (missing.length > 0) {
    append(file, missing.map(([name, make]) => `${name}="${make()}"\n`).join(""));
    const why = basename(file) === OWN ? "" : ` (beside a ${OWN} wrangler would no longer read .env)`;
    console.log(`${shown(file)}: ${missing.map(([name]) => name).join(", ")} added${why}`);
  }
  warn(read.map(shown).join(" and "), known, asked);
  warnOfReaders(file);
  warnOfGit(file);
}

/** wrangler reads `.dev.vars` where there is one, and else what is in `.env` and `.env.local`, the latter over the former. */
function place() {
  const configuration = configurationPath();
  const below = (name) => join(configuration === undefined ? process.cwd() : dirname(configuration), name);
  const readsEnv = process.env.CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV?.toLowerCase() !== "false";
  const isShared = readsEnv && !existsSync(below(OWN)) && SHARED.map(below).some(existsSync);
  return isShared ? { file: below(".env.local"), alsoRead: [below(".env")] } : { file: below(OWN), alsoRead: [] };
}

function shown(file) {
  return relative("", file);
}

/** What stands there. Of two lines of one name the last counts; one that is empty, as in an example that was copied, is none. */
function valuesIn(file) {
  const text = textOf(file);
  const lines = [...text.matchAll(LINE)].map(([, name, value = ""]) => [name, value.trim()]);
  const [open] = lines.find(([, value]) => UNFINISHED.test(value)) ?? [];
  if (open !== undefined) {
    throw new Mistake(
      `${shown(file)}: ${open} begins with a quotation mark that has no other: end it. What is added would be part of it`,
    );
  }
  return Object.fromEntries(lines.map(([name, value]) => [name, value.replace(/^(["'`])(.*)\1$/s, "$2")]));
}

/** Letters that are not UTF-8 are somebody's, and stand in nothing of ours. */
function textOf(file) {
  const bytes = readFileSync(file);
  if (bytes.includes(0)) {
    throw new Mistake(`${shown(file)} is not UTF-8 (it may be UTF-16), and wrangler cannot read it: save it as UTF-8`);
  }
  return bytes.toString("utf8").replace(/\r\n?/g, "\n");
}

function append(file, lines) {
  const old = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  const isAtLineStart = old.length === 0 || ["\n", "\r"].includes(String.fromCharCode(old.at(-1)));
  appendFileSync(file, isAtLineStart ? lines : `\n${lines}`, { mode: 0o600 });
}

/** Says what was left as it is, and may surprise. */
function warn(read, known, asked) {
  if (asked !== undefined && known.AUTH && known.AUTH !== asked) {
    console.error(`${read}: AUTH is ${known.AUTH} there, and stays so. For ${asked}, change that line`);
  }
  for (const name of Object.keys(FRESH_SECRETS).filter((name) => known[name])) {
    const complaint = secretComplaint(name, known[name]);
    if (complaint !== undefined) {
      console.error(`${read}: ${name} ${complaint}. Take the line away, and a fresh one is made`);
    }
  }
}

/** Where Windows keeps who may read a file, this does not look. */
function warnOfReaders(file) {
  const isForOthers = process.platform !== "win32" && existsSync(file) && (statSync(file).mode & 0o077) !== 0;
  if (isForOthers) {
    console.error(`${shown(file)} has secrets, and others on this machine may read it: chmod 600 ${shown(file)}`);
  }
}

function warnOfGit(file) {
  const options = { stdio: "ignore", cwd: dirname(file) };
  const { status } = spawnSync("git", ["check-ignore", "--quiet", basename(file)], options);
  if (status === 1) {
    console.error(`${shown(file)} has secrets, and git does not ignore it: add it to .gitignore`);
  }
}
