// Secrets for `wrangler dev` on this machine, and who may upload there: what is missing is added to the file that wrangler reads, and no
// line of it is lost or changed.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

import { FRESH_SECRETS, secretComplaint } from "./secrets.js";

const OWN = ".dev.vars";
const SHARED = [".env", ".env.local"];

/** Adds what is missing. `asked` is who may upload, where somebody has said it. */
export function writeDevVars(asked) {
  const { file, alsoRead } = place();
  const read = [...alsoRead, file].filter(existsSync);
  const known = valuesIn(read.map((name) => readFileSync(name, "utf8")).join("\n"));
  // Nobody but this machine reaches what `wrangler dev` serves, and the file is never deployed.
  const wanted = { ...FRESH_SECRETS, AUTH: () => asked ?? "open" };
  const missing = Object.entries(wanted).filter(([name]) => !known[name]);
  if (missing.length > 0) {
    append(file, missing.map(([name, make]) => `${name}="${make()}"\n`).join(""));
    const why = file === OWN ? "" : ` (beside a ${OWN} wrangler would no longer read .env)`;
    console.log(`${file}: ${missing.map(([name]) => name).join(", ")} added${why}`);
  }
  warn(read.join(" and "), known, asked);
  warnOfGit(file);
}

/** wrangler reads `.dev.vars` where there is one, and else what is in `.env` and `.env.local`, the latter over the former. */
function place() {
  const readsEnv = process.env.CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV?.toLowerCase() !== "false";
  const isShared = readsEnv && !existsSync(OWN) && SHARED.some(existsSync);
  return isShared ? { file: ".env.local", alsoRead: [".env"] } : { file: OWN, alsoRead: [] };
}

/** What stands there. Of two lines of one name the last counts; one that is empty, as in an example that was copied, is none. */
function valuesIn(text) {
  const lines = text.matchAll(/^\s*(?:export\s+)?(\w+)\s*=[^\S\n]*("[^"]*"|'[^']*'|[^\n#]*)/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value.trim().replace(/^(["'])(.*)\1$/s, "$2")]));
}

function append(file, lines) {
  const old = existsSync(file) ? readFileSync(file, "utf8") : "";
  const begin = old === "" || old.endsWith("\n") ? old : `${old}\n`;
  writeFileSync(file, begin + lines, { mode: 0o600 });
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

function warnOfGit(file) {
  const { status } = spawnSync("git", ["check-ignore", "--quiet", file], { stdio: "ignore" });
  if (status === 1) {
    console.error(`${file} has secrets, and git does not ignore it: add it to .gitignore`);
  }
}
