// The packages' two commands: `quayside`, with something in wrangler's place that writes down what it is asked, and `create-quayside`.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { repositoryRoot } from "../support/wrangler_config.ts";

const run = promisify(execFile);
const QUAYSIDE = join(repositoryRoot, "packages/quayside/bin/quayside.js");
const CREATE = join(repositoryRoot, "packages/create-quayside/index.js");
const SECRETS = ["DOWNLOAD_SECRET", "TOKEN_SECRETS", "WEBHOOK_SECRET"];

const root = mkdtempSync(join(tmpdir(), "quayside-command-"));
after(() => rmSync(root, { recursive: true }));

/** A project whose wrangler is a script: it writes down its arguments and its input, and goes on as `script` says. */
class Project {
  readonly folder = mkdtempSync(join(root, "project-"));

  constructor(script = "") {
    cpSync(join(repositoryRoot, "packages/quayside/wrangler.jsonc"), join(this.folder, "wrangler.jsonc"));
    mkdirSync(join(this.folder, "node_modules"));
    symlinkSync(join(repositoryRoot, "node_modules/wrangler"), join(this.folder, "node_modules/wrangler"));
    mkdirSync(join(this.folder, "bin"));
    const record = 'echo "$*" >> calls\nif [ "$2" = put ]; then cat >> inputs; echo >> inputs; fi\n';
    writeFileSync(join(this.folder, "bin/wrangler"), `#!/bin/sh\n${record}${script}\n`, { mode: 0o755 });
  }

  async run(...args: string[]): Promise<string> {
    return this.runWith({}, ...args);
  }

  async runWith(given: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
    const env = { ...process.env, ...given, PATH: `${join(this.folder, "bin")}${delimiter}${process.env.PATH}` };
    return (await run(process.execPath, [QUAYSIDE, ...args], { cwd: this.folder, env })).stdout;
  }

  /** Changes wrangler.jsonc by words. */
  configure(...changes: [string, string][]): this {
    const path = join(this.folder, "wrangler.jsonc");
    let text = readFileSync(path, "utf8");
    for (const [from, to] of changes) {
      assert.ok(text.includes(from), from);
      text = text.replace(from, to);
    }
    writeFileSync(path, text);
    return this;
  }

  lines(file: string): string[] {
    return readFileSync(join(this.folder, file), "utf8").trim().split("\n");
  }
}

test("dev-vars makes what is missing, keeps what is there, and lets nobody else read it", async () => {
  const project = new Project();
  const file = join(project.folder, ".dev.vars");
  writeFileSync(file, "DOWNLOAD_SECRET=mine", { mode: 0o600 });
  await project.run("dev-vars", "--auth", "token");
  const lines = project.lines(".dev.vars");
  assert.deepEqual(lines.map((line) => line.split("=")[0]).toSorted(), ["AUTH", ...SECRETS]);
  assert.ok(lines.includes("DOWNLOAD_SECRET=mine") && lines.includes('AUTH="token"'));
  assert.equal(statSync(file).mode & 0o077, 0);
  assert.equal(await project.run("dev-vars"), "", "a second time there is nothing to do");
  assert.deepEqual(project.lines(".dev.vars"), lines);
});

test("create-resources makes the bucket and each queue once, and takes what is there", async () => {
  const taken = 'if [ "$1" = queues ]; then echo "Queue name is already taken. [code: 11009]" >&2; exit 1; fi';
  const project = new Project(taken);
  const said = await project.run("create-resources");
  assert.deepEqual(project.lines("calls"), [
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
const VARS = '"vars": {';

test("secrets gives the Worker those that it does not have, and none in an argument", async () => {
  const project = new Project(HAS_TOKENS).configure([VARS, `"env": { "staging": {} }, ${VARS}`]);
  await project.run("secrets", "--env", "staging");
  assert.deepEqual(project.lines("calls"), [
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
  const given = { WEBHOOK_SECRET: "whsec_mine", R2_ACCESS_KEY_ID: "an id" };
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
  assert.deepEqual([webhook, id], ["whsec_mine", "an id"]);
  assert.ok(!project.lines("calls").some((call) => call.includes("TOKEN_SECRETS")));
});

test("deploy makes what is missing, deploys, and gives the Worker its secrets", async () => {
  const project = new Project(HAS_NONE);
  await project.run("deploy");
  const kinds = project.lines("calls").map((call) => call.split(" ").slice(0, 2).join(" "));
  assert.deepEqual(kinds, [
    ...["r2 bucket", "queues create", "queues create", "queues create", "deploy"],
    ...["secret list", "secret put", "secret put", "secret put"],
  ]);
});

test("deploy --dry-run asks wrangler alone, says which secrets are needed, and leaves the account alone", async () => {
  const project = new Project();
  const said = await project.run("deploy", "--dry-run");
  assert.deepEqual(project.lines("calls"), ["deploy --dry-run"]);
  assert.equal(said, "secrets that it needs: WEBHOOK_SECRET, DOWNLOAD_SECRET, TOKEN_SECRETS\nit could be deployed\n");
});

/** What is wrong with a configuration, and what is said of it. */
const mistakes: [string, [string, string][], RegExp][] = [
  ["the bucket missing", [['"binding": "BUCKET"', '"binding": "PAIL"']], /r2_buckets has no BUCKET/],
  ["a class missing", [['"UPLOAD_SESSIONS"', '"SESSIONS"']], /durable_objects has no UPLOAD_SESSIONS/],
  ["a rate limit missing", [['"CREATIONS_BY_OWNER"', '"OTHER"']], /ratelimits has no CREATIONS_BY_OWNER/],
  [
    "a queue nobody reads",
    [['"queue": "quayside-tasks",\n        "dead', '"queue": "other",\n        "dead']],
    /none for quayside-tasks, which TASKS writes to/,
  ],
  ["an old date", [['"2026-10-01"', '"2026-09-30"']], /compatibility_date is before 2026-10-01/],
  ["anybody", [[VARS, `${VARS} "AUTH": "open",`]], /AUTH is "open"/],
  ["an example's address", [['"PUBLIC_URL": ""', '"PUBLIC_URL": "https://upload.example.com"']], /still the example's/],
  ["an example's route", [[VARS, `"routes": ["example.com/files/*"], ${VARS}`]], /route = example.com.* the example's/],
  ["rules that are no text", [[VARS, `${VARS} "TOKEN_RULES": { "sub": "a" },`]], /TOKEN_RULES is not text/],
  ["an issuer that is nothing", [[VARS, `${VARS} "TOKEN_ISSUER": null,`]], /TOKEN_ISSUER is not text/],
  ["an issuer that is a number", [[VARS, `${VARS} "TOKEN_ISSUER": 7,`]], /TOKEN_ISSUER is not text: put it between/],
  ["half a byte", [[VARS, `${VARS} "QUOTA_OPEN_BYTES": 0.5,`]], /QUOTA_OPEN_BYTES is not text/],
  ["nowhere to download", [['"ORIGIN_WEBHOOK_URL": ""', '"ORIGIN_WEBHOOK_URL": "https://a.net"']], /PUBLIC_URL is not/],
];

for (const [what, changes, said] of mistakes) {
  test(`deploy refuses ${what}, before anything is asked of an account`, async () => {
    const project = new Project().configure(...changes);
    for (const options of [["--dry-run"], []]) {
      await assert.rejects(project.run("deploy", ...options), said);
    }
    assert.throws(() => project.lines("calls"), /ENOENT/);
  });
}

test("a number may stand without quotes, and an application's own vars are its own", async () => {
  const vars = `${VARS} "QUOTA_OPEN_BYTES": 1000, "MY_RULES": { "mine": [1] },`;
  await new Project().configure([VARS, vars]).run("deploy", "--dry-run");
});

test("each setting that the Worker has is known to be text or a number", async () => {
  const path = join(repositoryRoot, "packages/quayside/bin/settings.js");
  const { TEXTS, NUMBERS }: Record<string, string[]> = await import(pathToFileURL(path).href);
  const defaults = readFileSync(join(repositoryRoot, "src/defaults.rs"), "utf8").matchAll(
    /^ {4}\("(\w+)", "(.*)"\),$/gm,
  );
  const [texts, numbers]: [string[], string[]] = [[], []];
  for (const [, name = "", value = ""] of defaults) {
    (/^\d+$/.test(value) ? numbers : texts).push(name);
  }
  assert.ok(texts.length > 0 && numbers.length > 0);
  assert.deepEqual({ TEXTS, NUMBERS }, { TEXTS: texts, NUMBERS: numbers });
});

test("somebody's own address is nobody's example", async () => {
  const project = new Project().configure(['"PUBLIC_URL": ""', '"PUBLIC_URL": "https://up.myexample.com"']);
  await project.run("deploy", "--dry-run");
});

test("what is misspelt is said", async () => {
  const project = new Project();
  await assert.rejects(project.run("devvars"), /there is no command devvars/);
  await assert.rejects(project.run("dev-vars", "--auth", "nobody"), /neither open nor token/);
  await assert.rejects(project.run("secrets", "--environment", "staging"), /unexpected: --environment staging/);
});

function create(cwd: string, ...args: string[]) {
  return run(process.execPath, [CREATE, ...args], { cwd });
}

test("create-quayside names what an account holds after its folder", async () => {
  await create(root, "My App 2!");
  const read = (file: string) => readFileSync(join(root, "My App 2!", file), "utf8");
  assert.equal(JSON.parse(read("package.json")).name, "my-app-2");
  const configuration = read("wrangler.jsonc");
  for (const name of ["my-app-2", "my-app-2-uploads", "my-app-2-quayside-events", "my-app-2-quayside-dead-letters"]) {
    assert.ok(configuration.includes(`"${name}"`), name);
  }
  assert.doesNotMatch(configuration, /"quayside-(app|uploads|events|tasks)|"100[12]"/);
  assert.match(read(".gitignore"), /^\.dev\.vars$/m);
});

test("create-quayside makes a project that npm and wrangler take, whatever its folder is called", async () => {
  const names = {
    quayside: "quayside-app",
    "quayside-app": "quayside-app",
    wrangler: "wrangler-app",
    "./---": "uploads",
    ЖЖЖ: "uploads",
    "42": "42",
  };
  for (const [folder, name] of Object.entries(names)) {
    await create(root, folder);
    assert.equal(JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).name, name);
  }
  const long = `${"a".repeat(39)}-${"b".repeat(40)}`;
  await create(root, long);
  assert.equal(JSON.parse(readFileSync(join(root, long, "package.json"), "utf8")).name, "a".repeat(39));
});

test("create-quayside says what stands in its way", async () => {
  writeFileSync(join(root, "file"), "");
  await assert.rejects(create(root, "file"), (error: { stderr: string }) =>
    /^.*file is a file.*\n$/.test(error.stderr),
  );
  await assert.rejects(create(root, "file/below"), (error: { stderr: string }) =>
    /^.*below cannot be made: .*\n$/.test(error.stderr),
  );
  // An older Node: the version is said before anything is used that it does not have.
  const old = "Object.defineProperty(process.versions, 'node', { value: '18.20.4' })";
  writeFileSync(join(root, "old.cjs"), old);
  await assert.rejects(
    run(process.execPath, ["--require", join(root, "old.cjs"), CREATE, "new"], { cwd: root }),
    (error: { stderr: string }) =>
      /^Node 18.20.4 is too old: get 20 or newer from https:\/\/nodejs.org\n$/.test(error.stderr),
  );
});

test("create-quayside writes over nothing", async () => {
  const folder = mkdtempSync(join(root, "mine-"));
  writeFileSync(join(folder, "thesis.txt"), "");
  await assert.rejects(create(folder, "."), /is not empty/);
  await assert.rejects(create(folder, "--template"), /Usage/);
});

test("create-quayside takes packages that are files, where each is there once", async () => {
  const packages = mkdtempSync(join(root, "pack ages-"));
  await assert.rejects(
    create(root, "unpacked", "--packages", packages),
    /does not have each of quayside, quayside-client/,
  );
  for (const name of ["quayside", "quayside-client", "quayside-server", "create-quayside"]) {
    writeFileSync(join(packages, `${name}-1.0.0-rc.1.tgz`), "");
  }
  await create(root, "unpacked", "--packages", packages);
  const { dependencies } = JSON.parse(readFileSync(join(root, "unpacked/package.json"), "utf8"));
  const file = (name: string) => `file:${join(packages, name)}-1.0.0-rc.1.tgz`;
  const names = ["quayside", "quayside-client", "quayside-server"];
  assert.deepEqual(dependencies, Object.fromEntries(names.map((name) => [name, file(name)])));
});
