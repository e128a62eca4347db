// A deployment: what the configuration lacks is said first, then the bucket and the queues are made, the Worker is deployed, and it is given
// its secrets. What is wrong with a secret, and that nobody is logged in, is said before anything is done.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { complaints, neededSecrets } from "./checks.js";
import { Mistake } from "./mistake.js";
import { FRESH_SECRETS, secretComplaint, signingComplaint } from "./secrets.js";
import { SECRETS } from "./settings.js";
import { deployedConfiguration, wrangler, wranglerSays } from "./wrangler.js";

/** An empty one is said where CLOUDFLARE_ENV has another. */
const withEnv = (env) => (env === undefined && !process.env.CLOUDFLARE_ENV ? [] : ["--env", env ?? ""]);

export async function deploy(env, isDry) {
  const config = await deployedConfiguration(env);
  const needed = neededSecrets(config);
  console.log(`secrets that it needs: ${namesOf(needed).join(", ")}`);
  refuse("deployed", [...complaints(config), ...givenComplaints(needed)]);
  if (isDry) {
    wranglerSays(["deploy", "--dry-run", ...withEnv(env)]);
    return console.log("it could be deployed");
  }
  assertLoggedIn();
  makeResources(config);
  const required = config.secrets?.required ?? [];
  if (required.length > 0) {
    return deployWithSecrets(needed, required, env);
  }
  console.log(wranglerSays(["deploy", ...withEnv(env)]).trimEnd());
  putMissing(needed, env);
}

/** Where the configuration says `secrets.required`, wrangler deploys nothing without them: they come with it, in a file that nobody else reads. */
function deployWithSecrets(needed, required, env) {
  const others = required.filter((name) => !namesOf(needed).includes(name) && process.env[name]);
  const missing = missingSecrets({ ...needed, given: [...needed.given, ...others] }, secretsThere(env, true), env);
  const folder = mkdtempSync(join(tmpdir(), "quayside-"));
  try {
    const file = join(folder, "secrets.json");
    writeFileSync(file, JSON.stringify(Object.fromEntries(missing)), { mode: 0o600 });
    const withSecrets = missing.length > 0 ? ["--secrets-file", file] : [];
    console.log(wranglerSays(["deploy", ...withSecrets, ...withEnv(env)]).trimEnd());
  } finally {
    rmSync(folder, { recursive: true });
  }
  missing.forEach(sayPut);
}

export async function createResources(env) {
  const config = await deployedConfiguration(env);
  assertLoggedIn();
  makeResources(config);
}

export async function putSecrets(env) {
  const needed = neededSecrets(await deployedConfiguration(env));
  refuse("put", givenComplaints(needed));
  assertLoggedIn();
  putMissing(needed, env);
}

function refuse(what, wrong) {
  if (wrong.length > 0) {
    throw new Mistake(`not ${what}:\n${wrong.map((complaint) => `  ${complaint}`).join("\n")}`);
  }
}

function namesOf({ own, given }) {
  return [...own, ...given];
}

/** What is wrong with the secrets that the environment has. */
function givenComplaints(needed) {
  const set = namesOf(needed).filter((name) => process.env[name] !== undefined);
  const complaintOf = (name, value) =>
    secretComplaint(name, value) ?? (needed.signing.includes(name) ? signingComplaint(value) : undefined);
  const said = set.map((name) => [name, process.env[name].trim() ? complaintOf(name, process.env[name]) : "is empty"]);
  return said
    .filter(([, complaint]) => complaint)
    .map(([name, complaint]) => `${name} in the environment ${complaint}`);
}

/** wrangler tells nobody by its status who is not. */
function assertLoggedIn() {
  const { said } = wrangler(["whoami"]);
  if (/not (authenticated|logged in)/i.test(said)) {
    throw new Mistake("wrangler is not logged in: run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN");
  }
}

function makeResources({ r2_buckets: buckets, queues }) {
  for (const { bucket_name: name, jurisdiction } of buckets.filter(({ bucket_name: name }) => name)) {
    create("bucket", name, ["r2", "bucket", "create", name, ...(jurisdiction ? ["--jurisdiction", jurisdiction] : [])]);
  }
  const named = [...queues.producers, ...queues.consumers].map(({ queue }) => queue);
  for (const queue of new Set(named)) {
    create("queue", queue, ["queues", "create", queue]);
  }
}

/** Makes it, unless the account has it. */
function create(kind, name, args) {
  const { status, said } = wrangler(args);
  const isThere = /already (exists|taken)|\[code: (10004|11009)\]/i.test(said);
  if (status !== 0 && !isThere) {
    throw new Mistake(`wrangler ${args.join(" ")} failed:\n${said}`);
  }
  console.log(`${kind} ${name}: ${status === 0 ? "made" : "there already"}`);
}

function putMissing(needed, env) {
  for (const [name, value] of missingSecrets(needed, secretsThere(env), env)) {
    wranglerSays(["secret", "put", name, ...withEnv(env)], value);
    sayPut([name]);
  }
}

function sayPut([name]) {
  console.log(`secret ${name}: put, ${process.env[name] ? "as the environment has it" : "a fresh one"}`);
}

/** Those that the Worker needs and does not have, with their values. Says which are missing, and which of the environment's are not taken. */
function missingSecrets(needed, there, env) {
  const names = namesOf(needed);
  const set = [...new Set([...names, ...SECRETS])].filter((name) => process.env[name]);
  for (const name of set.filter((name) => there.has(name) || !names.includes(name))) {
    const why = names.includes(name)
      ? `there already, and stays. To put the environment's: npx wrangler secret put ${[name, ...withEnv(env)].join(" ")}`
      : "is set in the environment, and not needed with these settings";
    console.log(`secret ${name}: ${why}`);
  }
  const values = names
    .filter((name) => !there.has(name))
    .map((name) => [name, process.env[name] || FRESH_SECRETS[name]?.()]);
  for (const [name] of values.filter(([, value]) => value === undefined)) {
    console.log(`secret ${name}: missing. It is R2's: npx wrangler secret put ${[name, ...withEnv(env)].join(" ")}`);
    process.exitCode = 1;
  }
  return values.filter(([, value]) => value !== undefined);
}

/** Those that the Worker has. One that may not be there yet has none. */
function secretsThere(env, mayBeNew = false) {
  const args = ["secret", "list", "--format", "json", ...withEnv(env)];
  const { status, stdout, said } = wrangler(args);
  if (mayBeNew && status !== 0 && /\[code: 10007\]|not (exist|found)/i.test(said)) {
    return new Set();
  }
  if (status !== 0) {
    throw new Mistake(`wrangler ${args.join(" ")} failed:\n${said}`);
  }
  try {
    return new Set(JSON.parse(stdout).map(({ name }) => name));
  } catch {
    throw new Mistake(`wrangler secret list has not answered with a list:\n${stdout}`);
  }
}
