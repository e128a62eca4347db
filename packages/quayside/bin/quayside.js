#!/usr/bin/env node
// What a project with Quayside needs around wrangler: secrets for local development, and a deployment with its bucket, its queues and its
// secrets. Each command does only what is missing, so it may be run again at any time.

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { complaints, neededSecrets } from "./checks.js";

const FILE = ".dev.vars";
const USAGE = `Usage: quayside <command>

  dev-vars [--auth open|token]   adds to .dev.vars what is missing: secrets for local development, and who may upload (open)
  deploy [--env NAME] [--dry-run]
                                 checks the configuration, and does what follows; with --dry-run it only says what is missing
  create-resources [--env NAME]  makes the bucket and the queues that wrangler's configuration names, where they are not there
  secrets [--env NAME]           gives the deployed Worker the secrets that it needs and does not have: those that are set in the
                                 environment under their names, or fresh ones`;

const random = () => randomBytes(32).toString("base64url");

const SECRETS = {
  WEBHOOK_SECRET: () => `whsec_${randomBytes(32).toString("base64")}`,
  DOWNLOAD_SECRET: random,
  TOKEN_SECRETS: () => `k1:${random()}`,
};

const COMMANDS = { "dev-vars": writeDevVars, deploy, "create-resources": createResources, secrets: putSecrets };

const [name, ...args] = process.argv.slice(2);
if (Object.hasOwn(COMMANDS, name ?? "")) {
  await COMMANDS[name](args);
} else {
  fail(name === undefined || name === "--help" ? USAGE : `there is no command ${name}\n\n${USAGE}`);
}

function writeDevVars(args) {
  const auth = option(args, "--auth") ?? "open";
  if (auth !== "open" && auth !== "token") {
    fail(`--auth is neither open nor token: ${auth}`);
  }
  // Nobody but this machine reaches what `wrangler dev` serves, and the file is never deployed.
  const wanted = { ...SECRETS, AUTH: () => auth };
  const old = existsSync(FILE) ? readFileSync(FILE, "utf8") : "";
  // One that is empty, as in an example that was copied, is none: of two lines of one name the last counts.
  const isThere = (name) => new RegExp(`^\\s*(export\\s+)?${name}\\s*=\\s*(?!["']{2}\\s*$)\\S`, "m").test(old);
  const missing = Object.entries(wanted).filter(([name]) => !isThere(name));
  if (missing.length > 0) {
    const begin = old === "" || old.endsWith("\n") ? old : `${old}\n`;
    writeFileSync(FILE, begin + missing.map(([name, make]) => `${name}="${make()}"\n`).join(""), { mode: 0o600 });
    console.log(`${FILE}: ${missing.map(([name]) => name).join(", ")} added`);
  }
}

async function deploy(args) {
  const isDry = args.includes("--dry-run");
  const forEnv = args.filter((argument) => argument !== "--dry-run");
  const config = await configuration(option(forEnv, "--env"));
  const wrong = complaints(config);
  const { own, given } = neededSecrets(config);
  console.log(`secrets that it needs: ${[...own, ...given].join(", ")}`);
  if (wrong.length > 0) {
    fail(`not deployed:\n${wrong.map((complaint) => `  ${complaint}`).join("\n")}`);
  }
  if (isDry) {
    wranglerSays(["deploy", "--dry-run", ...forEnv]);
    return console.log("it could be deployed");
  }
  await createResources(forEnv);
  console.log(wranglerSays(["deploy", ...forEnv]).trimEnd());
  await putSecrets(forEnv);
}

async function createResources(args) {
  const env = option(args, "--env");
  const { r2_buckets: buckets, queues } = await configuration(env);
  for (const { bucket_name: bucket } of buckets.filter(({ bucket_name: bucket }) => bucket)) {
    create("bucket", ["r2", "bucket", "create", bucket]);
  }
  const named = [...queues.producers, ...queues.consumers].map(({ queue }) => queue);
  for (const queue of new Set(named)) {
    create("queue", ["queues", "create", queue]);
  }
}

/** Makes it, unless the account has it. */
function create(kind, args) {
  const { status, said } = wrangler(args);
  const isThere = /already (exists|taken)|\[code: (10004|11009)\]/i.test(said);
  if (status !== 0 && !isThere) {
    fail(`wrangler ${args.join(" ")} failed:\n${said}`);
  }
  console.log(`${kind} ${args.at(-1)}: ${status === 0 ? "made" : "there already"}`);
}

async function putSecrets(args) {
  const env = option(args, "--env");
  const forEnv = env === undefined ? [] : ["--env", env];
  const { own, given } = neededSecrets(await configuration(env));
  const listed = JSON.parse(wranglerSays(["secret", "list", "--format", "json", ...forEnv]));
  const there = new Set(listed.map(({ name }) => name));
  for (const name of [...own, ...given].filter((name) => !there.has(name))) {
    const value = process.env[name] || SECRETS[name]?.();
    if (value === undefined) {
      console.log(`secret ${name}: missing. It is R2's: npx wrangler secret put ${[name, ...forEnv].join(" ")}`);
      process.exitCode = 1;
      continue;
    }
    wranglerSays(["secret", "put", name, ...forEnv], value);
    console.log(`secret ${name}: put, ${!process.env[name] ? "a fresh one" : "as the environment has it"}`);
  }
}

/** What wrangler understands of the project's configuration. */
async function configuration(env) {
  const installed = createRequire(join(process.cwd(), "package.json"));
  const { unstable_readConfig: readConfig } = await import(pathToFileURL(installed.resolve("wrangler")).href);
  return readConfig({ env });
}

/** The value of the one option that a command has. */
function option(args, name) {
  const [first, value, ...rest] = args;
  if (first === undefined) {
    return undefined;
  }
  if (first !== name || value === undefined || rest.length > 0) {
    fail(`unexpected: ${args.join(" ")}\n\n${USAGE}`);
  }
  return value;
}

/** Runs wrangler. A secret goes by its standard input, where nobody sees it. */
function wrangler(args, input) {
  const stdio = [input === undefined ? "inherit" : "pipe", "pipe", "pipe"];
  const { status, stdout, stderr, error } = spawnSync("wrangler", args, { input, stdio, encoding: "utf8" });
  return { status, stdout, said: error === undefined ? stdout + stderr : `${error.message}\n` };
}

/** What wrangler prints where it must succeed. */
function wranglerSays(args, input) {
  const { status, stdout, said } = wrangler(args, input);
  if (status !== 0) {
    fail(`wrangler ${args.join(" ")} failed:\n${said}`);
  }
  return stdout;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
