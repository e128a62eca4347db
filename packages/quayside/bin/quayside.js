#!/usr/bin/env node
// What a project with Quayside needs around wrangler: a configuration, secrets for local development, and a deployment with its bucket, its
// queues and its secrets. Each command does only what is missing, so it may be run again at any time.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { createResources, deploy, putSecrets } from "./deploy.js";
import { writeDevVars } from "./dev_vars.js";
import { init } from "./init.js";
import { Mistake, toldOf } from "./mistake.js";
import { environment } from "./wrangler.js";

const USAGE = `Usage: quayside <command>

  init                           writes wrangler.jsonc; where there is a configuration, says what that lacks, and changes nothing
  dev-vars [--auth open|token]   adds to .dev.vars what is missing: secrets for local development, and who may upload (open).
                                 Where there is a .env and no .dev.vars, to .env.local: wrangler reads either kind, not both
  deploy [--env NAME] [--dry-run]
                                 checks the configuration, and does what follows; with --dry-run it only says what is missing
  create-resources [--env NAME]  makes the bucket and the queues that wrangler's configuration names, where they are not there
  secrets [--env NAME]           gives the deployed Worker the secrets that it needs and does not have: those that are set in the
                                 environment under their names, or fresh ones

  --help, --version              this, and which version it is`;

const TEXT = { type: "string" };
const FLAG = { type: "boolean" };

/** Each command, with its options. */
const COMMANDS = {
  init: [{}, init],
  "dev-vars": [{ auth: TEXT }, ({ auth }) => writeDevVars(checkedAuth(auth))],
  deploy: [{ env: TEXT, "dry-run": FLAG }, ({ env, "dry-run": isDry }) => deploy(environment(env), isDry)],
  "create-resources": [{ env: TEXT }, ({ env }) => createResources(environment(env))],
  secrets: [{ env: TEXT }, ({ env }) => putSecrets(environment(env))],
};

try {
  await main(process.argv.slice(2));
} catch (error) {
  const told = toldOf(error);
  if (told === undefined) {
    throw error;
  }
  console.error(told);
  process.exitCode = 1;
}

async function main(args) {
  if (args.includes("--help") || args.includes("-h")) {
    return console.log(USAGE);
  }
  const [name, ...rest] = args;
  if (name === "--version" || name === "-v") {
    return console.log(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version);
  }
  if (!Object.hasOwn(COMMANDS, name ?? "")) {
    throw new Mistake(name === undefined ? USAGE : `there is no command ${name}\n\n${USAGE}`);
  }
  const [options, run] = COMMANDS[name];
  await run(parsed(rest, options));
}

function parsed(args, options) {
  try {
    return parseArgs({ args, options }).values;
  } catch {
    throw new Mistake(`unexpected: ${args.join(" ")}\n\n${USAGE}`);
  }
}

function checkedAuth(auth) {
  if (auth !== undefined && auth !== "open" && auth !== "token") {
    throw new Mistake(`--auth is neither open nor token: ${auth}`);
  }
  return auth;
}
