// A deployment: what the configuration lacks is said first, then the bucket and the queues are made, the Worker is deployed, and it is given
// its secrets. What is wrong with a secret is said before anything is done.

import { complaints, neededSecrets } from "./checks.js";
import { Mistake } from "./mistake.js";
import { FRESH_SECRETS, secretComplaint } from "./secrets.js";
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
  makeResources(config);
  console.log(wranglerSays(["deploy", ...withEnv(env)]).trimEnd());
  putMissing(needed, env);
}

export async function createResources(env) {
  makeResources(await deployedConfiguration(env));
}

export async function putSecrets(env) {
  const needed = neededSecrets(await deployedConfiguration(env));
  refuse("put", givenComplaints(needed));
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
  const set = namesOf(needed).filter((name) => process.env[name]);
  const said = set.map((name) => [name, secretComplaint(name, process.env[name])]);
  return said
    .filter(([, complaint]) => complaint)
    .map(([name, complaint]) => `${name} in the environment ${complaint}`);
}

function makeResources({ r2_buckets: buckets, queues }) {
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
    throw new Mistake(`wrangler ${args.join(" ")} failed:\n${said}`);
  }
  console.log(`${kind} ${args.at(-1)}: ${status === 0 ? "made" : "there already"}`);
}

function putMissing(needed, env) {
  const there = secretsThere(env);
  for (const name of namesOf(needed).filter((name) => !there.has(name))) {
    const value = process.env[name] || FRESH_SECRETS[name]?.();
    if (value === undefined) {
      const args = [name, ...withEnv(env)].join(" ");
      console.log(`secret ${name}: missing. It is R2's: npx wrangler secret put ${args}`);
      process.exitCode = 1;
      continue;
    }
    wranglerSays(["secret", "put", name, ...withEnv(env)], value);
    console.log(`secret ${name}: put, ${process.env[name] ? "as the environment has it" : "a fresh one"}`);
  }
}

function secretsThere(env) {
  const said = wranglerSays(["secret", "list", "--format", "json", ...withEnv(env)]);
  try {
    return new Set(JSON.parse(said).map(({ name }) => name));
  } catch {
    throw new Mistake(`wrangler secret list has not answered with a list:\n${said}`);
  }
}
