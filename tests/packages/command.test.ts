// The packages' two commands: `quayside`, with something in wrangler's place that writes down what it is asked, and `create-quayside`.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
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
    const env = { ...process.env, PATH: `${join(this.folder, "bin")}${delimiter}${process.env.PATH}` };
    return (await run(process.execPath, [QUAYSIDE, ...args], { cwd: this.folder, env })).stdout;
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

test("secrets gives the Worker those that it does not have, and none in an argument", async () => {
  const project = new Project(`if [ "$2" = list ]; then echo '[{"name":"TOKEN_SECRETS","type":"secret_text"}]'; fi`);
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

test("create-quayside writes over nothing", async () => {
  const folder = mkdtempSync(join(root, "mine-"));
  writeFileSync(join(folder, "thesis.txt"), "");
  await assert.rejects(create(folder, "."), /is not empty/);
  await assert.rejects(create(folder, "--template"), /Usage/);
});
