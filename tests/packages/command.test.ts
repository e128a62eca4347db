// The command `quayside` around a deployment, with something in wrangler's place that writes down what it is asked. `init` and `dev-vars` are in
// begin.test.ts, and what a configuration must have in dry_run.test.ts.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { repositoryRoot } from "../support/wrangler_config.ts";
import { Project, QUAYSIDE, SECRETS, VARS } from "./project.ts";

const run = promisify(execFile);

test("create-resources makes the bucket and each queue once, and takes what is there", async () => {
  const taken = 'if [ "$1" = queues ]; then echo "Queue name is already taken. [code: 11009]" >&2; exit 1; fi';
  const project = new Project(taken);
  const said = await project.run("create-resources");
  assert.deepEqual(project.lines("calls"), [
    "whoami",
    "r2 bucket create quayside-uploads",
    "queues create quayside-events",
    "queues create quayside-tasks",
    "queues create quayside-dead-letters",
  ]);
  assert.match(said, /bucket quayside-uploads: made\n.*queue quayside-tasks: there already/s);
});

test("create-resources ends with wrangler's own words where wrangler fails otherwise", async () => {
  const project = new Project('echo "R2 is not enabled. [code: 10042]" >&2; exit 1');
  await assert.rejects(project.run("create-resources"), /wrangler r2 bucket create .* failed:\nR2 is not enabled/);
});

/** A Worker that has one secret. */
const HAS_TOKENS = `if [ "$2" = list ]; then echo '[{"name":"TOKEN_SECRETS","type":"secret_text"}]'; fi`;
const HAS_NONE = `if [ "$2" = list ]; then echo '[]'; fi`;

test("secrets gives the Worker those that it does not have, and none in an argument", async () => {
  const project = new Project(HAS_TOKENS).configure([VARS, `"env": { "staging": {} }, ${VARS}`]);
  await project.run("secrets", "--env", "staging");
  assert.deepEqual(project.lines("calls"), [
    "whoami",
    "secret list --format json --env staging",
    "secret put WEBHOOK_SECRET --env staging",
    "secret put DOWNLOAD_SECRET --env staging",
  ]);
  const [webhook = "", download = ""] = project.lines("inputs");
  assert.equal(Buffer.from(webhook.replace(/^whsec_/, ""), "base64").length, 32);
  assert.ok(download.length >= 32);
});

test("secrets takes what the environment says, asks for none that is not needed, and cannot make R2's", async () => {
  const project = new Project(HAS_NONE).configure([
    VARS,
    `${VARS} "TOKEN_JWKS_URL": "https://keys.mine.net", "R2_S3_ENDPOINT": "https://r2.mine.net",`,
  ]);
  const mine = `whsec_${Buffer.alloc(24).toString("base64")}`;
  const given = { WEBHOOK_SECRET: mine, R2_ACCESS_KEY_ID: "an id" };
  const failed = await project.runWith(given, "secrets").then(
    () => assert.fail("R2's secret is missing"),
    (error: { stdout: string }) => error.stdout,
  );
  assert.match(
    failed,
    /secret WEBHOOK_SECRET: put, as the environment has it\nsecret DOWNLOAD_SECRET: put, a fresh one\n/,
  );
  assert.match(failed, /secret R2_SECRET_ACCESS_KEY: missing/);
  const [webhook, , id] = project.lines("inputs");
  assert.deepEqual([webhook, id], [mine, "an id"]);
  assert.ok(!project.lines("calls").some((call) => call.includes("TOKEN_SECRETS")));
});

test("deploy makes what is missing, deploys, and gives the Worker its secrets", async () => {
  const project = new Project(HAS_NONE);
  await project.run("deploy");
  const kinds = project.lines("calls").map((call) => call.split(" ").slice(0, 2).join(" "));
  assert.deepEqual(kinds, [
    ...["whoami", "r2 bucket", "queues create", "queues create", "queues create", "deploy"],
    ...["secret list", "secret put", "secret put", "secret put"],
  ]);
});

test("who is not logged in is told so before anything is done", async () => {
  for (const command of ["deploy", "create-resources", "secrets"]) {
    const project = new Project('echo "You are not authenticated. Please run wrangler login."');
    assert.match(
      await project.fails(command),
      /^wrangler is not logged in: run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN\n$/,
    );
    assert.deepEqual(project.lines("calls"), ["whoami"]);
  }
});

test("a bucket is made where its jurisdiction is", async () => {
  const project = new Project().configure(['"quayside-uploads" }', '"quayside-uploads", "jurisdiction": "eu" }']);
  assert.match(await project.run("create-resources"), /^bucket quayside-uploads: made$/m);
  assert.equal(project.lines("calls")[1], "r2 bucket create quayside-uploads --jurisdiction eu");
});

test("what wrangler warns of is shown", async () => {
  const project = new Project(`${HAS_NONE}\nif [ "$1" = deploy ]; then echo "an old setting" >&2; fi`);
  for (const args of [["deploy", "--dry-run"], ["deploy"]]) {
    assert.deepEqual(await project.end({}, ...args).then(({ code, stderr }) => [code, stderr]), [
      0,
      "an old setting\n",
    ]);
  }
});

test("a secret of the environment that is not put is said, and one that is set and empty is refused", async () => {
  const project = new Project(HAS_TOKENS);
  const long = "x".repeat(32);
  const given = { TOKEN_SECRETS: `k1:${long}`, DOWNLOAD_SECRET: long, R2_ACCESS_KEY_ID: "an id" };
  const { stdout } = await project.end(given, "secrets");
  assert.match(stdout, /^secret TOKEN_SECRETS: there already, and stays. .* npx wrangler secret put TOKEN_SECRETS$/m);
  assert.match(stdout, /^secret R2_ACCESS_KEY_ID: is set in the environment, and not needed with these settings$/m);
  assert.match(stdout, /^secret DOWNLOAD_SECRET: put, as the environment has it$/m);
  const { code, stderr } = await project.end({ DOWNLOAD_SECRET: "", WEBHOOK_SECRET: " " }, "deploy", "--dry-run");
  assert.deepEqual(stderr.trim().split("\n  ").slice(1), [
    "WEBHOOK_SECRET in the environment is empty",
    "DOWNLOAD_SECRET in the environment is empty",
  ]);
  assert.equal(code, 1);
});

test("secrets that the configuration requires come with the deployment", async () => {
  const asked = `if [ "$1" = deploy ]; then cat "$3" > given; stat -c %a "$3" > mode; fi`;
  const none = `if [ "$2" = list ]; then echo "There is no such Worker. [code: 10007]" >&2; exit 1; fi`;
  const project = new Project(`${none}\n${asked}`).configure([
    VARS,
    `"secrets": { "required": ["WEBHOOK_SECRET", "MINE"] }, ${VARS}`,
  ]);
  const { code, stdout, stderr } = await project.end({ MINE: "my own" }, "deploy");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^secret WEBHOOK_SECRET: put, a fresh one$/m);
  const given = JSON.parse(readFileSync(project.path("given"), "utf8"));
  assert.deepEqual(Object.keys(given).toSorted(), [...SECRETS, "MINE"].toSorted());
  assert.equal(given.MINE, "my own");
  assert.deepEqual(project.lines("mode"), ["600"]);
  const [, file = ""] = /--secrets-file (\S+)/.exec(project.lines("calls").join("\n")) ?? [];
  assert.ok(file !== "" && !existsSync(file), "nothing of it is left");
  const there = ["WEBHOOK_SECRET", "DOWNLOAD_SECRET", "TOKEN_SECRETS"].map((name) => ({ name }));
  const again = new Project(`if [ "$2" = list ]; then echo '${JSON.stringify(there)}'; fi`);
  await again.configure([VARS, `"secrets": { "required": ["WEBHOOK_SECRET"] }, ${VARS}`]).run("deploy");
  assert.equal(again.lines("calls").at(-1), "deploy");
});

test("deploy --dry-run asks wrangler alone, says which secrets are needed, and leaves the account alone", async () => {
  const project = new Project();
  const said = await project.run("deploy", "--dry-run");
  assert.deepEqual(project.lines("calls"), ["deploy --dry-run"]);
  assert.equal(said, "secrets that it needs: WEBHOOK_SECRET, DOWNLOAD_SECRET, TOKEN_SECRETS\nit could be deployed\n");
});

test("a secret of the environment that the Worker would not take is refused before anything is put or made", async () => {
  const project = new Project(HAS_NONE);
  const given = { WEBHOOK_SECRET: "whsec_mine", TOKEN_SECRETS: `k1:${"x".repeat(31)}`, DOWNLOAD_SECRET: "tiny" };
  for (const command of [["secrets"], ["deploy"], ["deploy", "--dry-run"]]) {
    const { code, stderr } = await project.end(given, ...command);
    assert.equal(code, 1);
    const said = [
      "WEBHOOK_SECRET in the environment is not `whsec_` and 24 to 64 bytes in base64",
      "DOWNLOAD_SECRET in the environment is shorter than 32 characters",
      "TOKEN_SECRETS in the environment has a secret that is shorter than 32 characters",
    ];
    assert.deepEqual(stderr.trim().split("\n  ").slice(1), said, command.join(" "));
    assert.ok(!existsSync(project.path("calls")));
  }
});

test("a mistake is told in one line", async () => {
  const project = new Project();
  assert.equal(await project.fails("deploy", "--env", "staging"), "wrangler.jsonc has no environment staging\n");
  project.configure(['"name": "quayside",', '"name": "quayside"']);
  assert.match(await project.fails("deploy", "--dry-run"), /^wrangler\.jsonc, line 7: .*\n$/);
  rmSync(project.path("wrangler.jsonc"));
  assert.match(
    await project.fails("secrets"),
    /^there is no wrangler\.json, .* here: `npx quayside init` writes one\n$/,
  );
  rmSync(project.path("node_modules/wrangler"));
  assert.match(await project.fails("create-resources"), /^wrangler is not installed here: npm install .*\n$/);
  mkdirSync(project.path(".dev.vars"));
  assert.match(await project.fails("dev-vars"), /^EISDIR: .*\n$/);
});

test("CLOUDFLARE_ENV names an environment, as the option does", async () => {
  const project = new Project().configure([VARS, `"env": { "staging": {} }, ${VARS}`]);
  const given = { CLOUDFLARE_ENV: "staging" };
  const { stderr } = await project.end(given, "deploy", "--dry-run");
  assert.match(stderr, /^ {2}r2_buckets has no BUCKET$/m);
  assert.equal((await project.end({ CLOUDFLARE_ENV: "" }, "deploy", "--dry-run")).code, 0);
  assert.equal((await project.end(given, "deploy", "--dry-run", "--env=")).code, 0);
  assert.deepEqual(project.lines("calls"), ["deploy --dry-run", "deploy --dry-run --env"]);
  const other = await project.end({ CLOUDFLARE_ENV: "other" }, "deploy", "--dry-run");
  assert.equal(other.stderr, "wrangler.jsonc has no environment other\n");
});

test("what a build has put in the configuration's place is what is checked", async () => {
  const project = new Project();
  mkdirSync(project.path(".wrangler/deploy"), { recursive: true });
  mkdirSync(project.path("dist"));
  writeFileSync(project.path(".wrangler/deploy/config.json"), '{ "configPath": "../../dist/wrangler.json" }');
  writeFileSync(project.path("dist/wrangler.json"), '{ "name": "built", "targetEnvironment": "staging" }');
  const said = await project.fails("deploy", "--dry-run");
  assert.match(said, /^ {2}r2_buckets has no BUCKET$/m);
  assert.match(await project.fails("deploy", "--dry-run", "--env", "other"), /does not match the target environment/);
});

test("a configuration that another one hides is said", async () => {
  const project = new Project();
  writeFileSync(project.path("wrangler.toml"), 'name = "mine"\n');
  const { code, stderr } = await project.end({}, "deploy", "--dry-run");
  assert.deepEqual([code, stderr], [0, "wrangler.jsonc is read, and wrangler.toml beside it is not\n"]);
});

test("wrangler's own program is run where it is not in the path", async () => {
  const project = new Project();
  const { code, stdout } = await project.end({}, "deploy", "--dry-run");
  assert.equal(code, 0, stdout);
  rmSync(project.path("bin/wrangler"));
  const bare = { PATH: project.path("bin") };
  const { stderr } = await run(process.execPath, [QUAYSIDE, "deploy", "--dry-run"], {
    cwd: project.folder,
    env: { ...process.env, ...bare },
  }).catch((ended) => ended);
  // It has read the configuration, and misses what `main` names.
  assert.match(stderr, /^wrangler deploy --dry-run failed:\n/);
  assert.doesNotMatch(stderr, /ENOENT/);
});

test("help and version", async () => {
  const project = new Project();
  for (const args of [["--help"], ["-h"], ["deploy", "--help"], ["secrets", "--env", "staging", "-h"]]) {
    assert.match(await project.run(...args), /^Usage: quayside <command>/);
  }
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, "packages/quayside/package.json"), "utf8"));
  assert.equal(await project.run("--version"), `${version}\n`);
  assert.match(await project.fails(), /^Usage/);
  assert.match(await project.fails("init", "here"), /^unexpected: here/);
});

test("what is misspelt is said", async () => {
  const project = new Project();
  await assert.rejects(project.run("devvars"), /there is no command devvars/);
  await assert.rejects(project.run("dev-vars", "--auth", "nobody"), /neither open nor token/);
  await assert.rejects(project.run("secrets", "--environment", "staging"), /unexpected: --environment staging/);
});
