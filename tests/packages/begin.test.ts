// How a project begins with the command `quayside`: `init`, which writes a configuration, and `dev-vars`, which writes secrets for one machine.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { Project, QUAYSIDE, SECRETS } from "./project.ts";

const run = promisify(execFile);

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

/** The names that a file of `NAME=value` has, in order. */
const namesIn = (lines: string[]) => lines.map((line) => line.split("=")[0]).toSorted();

test("dev-vars writes where wrangler goes on reading an application's .env", async () => {
  const project = new Project();
  writeFileSync(project.path(".env"), `DATABASE=mine\nDOWNLOAD_SECRET=${"x".repeat(32)} # shared\n`);
  const said = await project.run("dev-vars");
  assert.match(said, /^\.env\.local: .* added \(beside a \.dev\.vars wrangler would no longer read \.env\)\n$/);
  assert.ok(!existsSync(project.path(".dev.vars")));
  assert.deepEqual(namesIn(project.lines(".env.local")), ["AUTH", "TOKEN_SECRETS", "WEBHOOK_SECRET"]);
  assert.equal(await project.run("dev-vars"), "", "a second time there is nothing to do");
  // Where wrangler is told not to read .env, or there is a .dev.vars already, that is the place.
  await project.end({ CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: "false" }, "dev-vars");
  assert.deepEqual(namesIn(project.lines(".dev.vars")), ["AUTH", ...SECRETS]);
  writeFileSync(project.path(".dev.vars"), "MINE=1\n");
  assert.match(await project.run("dev-vars"), /^\.dev\.vars: .* added\n$/);
});

test("wrangler reads .env.local over .env, and neither beside .dev.vars", async () => {
  const project = new Project();
  writeFileSync(project.path(".env"), "DATABASE=mine\nAUTH=token\n");
  await project.run("dev-vars");
  const asked = `import { unstable_getVarsForDev as vars } from "wrangler";
    const read = Object.entries(vars("wrangler.jsonc", undefined, {}, undefined, true));
    console.log(JSON.stringify(Object.fromEntries(read.map(([name, { value }]) => [name, value]))));`;
  writeFileSync(project.path("asked.mjs"), asked);
  const read = async () =>
    JSON.parse((await run(process.execPath, ["asked.mjs"], { cwd: project.folder })).stdout) as Record<string, string>;
  const { DATABASE, AUTH, WEBHOOK_SECRET = "" } = await read();
  assert.deepEqual([DATABASE, AUTH, WEBHOOK_SECRET.slice(0, 6)], ["mine", "token", "whsec_"]);
  writeFileSync(project.path(".dev.vars"), "MINE=1\n");
  assert.deepEqual(await read(), { MINE: "1" });
});

test("dev-vars says which line it has left as it is, and changes none", async () => {
  const project = new Project();
  const text = `export AUTH='open'\nTOKEN_SECRETS=mine\nDOWNLOAD_SECRET: ${"x".repeat(32)}\nWEBHOOK_SECRET="whsec_${"A".repeat(32)}"\n`;
  writeFileSync(project.path(".dev.vars"), text, { mode: 0o600 });
  const { code, stdout, stderr } = await project.end({}, "dev-vars", "--auth=token");
  assert.deepEqual([code, stdout], [0, ""]);
  const entry = "TOKEN_SECRETS has an entry that is not `kid:secret`. Take the line away, and a fresh one is made";
  assert.equal(
    stderr,
    `.dev.vars: AUTH is open there, and stays so. For token, change that line\n.dev.vars: ${entry}\n`,
  );
  assert.equal(readFileSync(project.path(".dev.vars"), "utf8"), text);
  assert.doesNotMatch((await project.end({}, "dev-vars")).stderr, /AUTH/, "nobody has asked for another");
});

test("dev-vars says where git would take the secrets along", async () => {
  const project = new Project();
  await run("git", ["init", "--quiet"], { cwd: project.folder });
  assert.match((await project.end({}, "dev-vars")).stderr, /^\.dev\.vars has secrets, and git does not ignore it/);
  writeFileSync(project.path(".gitignore"), ".dev.vars\n");
  assert.equal((await project.end({}, "dev-vars")).stderr, "");
});

test("init writes a configuration where there is none, and nothing where there is one", async () => {
  const project = new Project();
  const template = readFileSync(project.path("wrangler.jsonc"), "utf8");
  rmSync(project.path("wrangler.jsonc"));
  assert.match(await project.run("init"), /^wrangler\.jsonc: written/);
  assert.equal(readFileSync(project.path("wrangler.jsonc"), "utf8"), template);
  assert.match(await project.run("init"), /is there, and has what Quayside needs/);
  const own = 'name = "mine"\ncompatibility_date = "2026-11-01"\n[vars]\nAUTH = "Open"\n';
  rmSync(project.path("wrangler.jsonc"));
  writeFileSync(project.path("wrangler.toml"), own);
  const said = await project.fails("init");
  assert.match(said, /^wrangler\.toml is there, so nothing is changed\. .*node_modules\/quayside\/wrangler\.jsonc/);
  for (const missing of ["r2_buckets has no BUCKET", "queues.producers has no EVENTS", "AUTH is neither"]) {
    assert.ok(said.includes(`\n  ${missing}`), said);
  }
  assert.ok(!existsSync(project.path("wrangler.jsonc")) && !said.includes("compatibility_date"));
  assert.equal(readFileSync(project.path("wrangler.toml"), "utf8"), own);
});

/** What is said in a folder below the project. */
async function runBelow(project: Project, ...args: string[]) {
  mkdirSync(project.path("packages/app"), { recursive: true });
  const cwd = project.path("packages/app");
  return run(process.execPath, [QUAYSIDE, ...args], { cwd }).then(
    (ended) => ({ code: 0, ...ended }),
    (ended) => ended as { code: number; stdout: string; stderr: string },
  );
}

test("init leaves a folder alone whose configuration is above it, where wrangler would read that one", async () => {
  for (const name of ["wrangler.json", "wrangler.jsonc", "wrangler.toml"]) {
    const project = new Project();
    rmSync(project.path("wrangler.jsonc"));
    writeFileSync(project.path(name), name.endsWith("toml") ? "" : "{}");
    const { stderr } = await runBelow(project, "init");
    assert.ok(stderr.startsWith(`../../${name} is there, so nothing is changed.`), stderr);
    assert.ok(!existsSync(project.path("packages/app/wrangler.jsonc")));
  }
});

test("init gives a package of its own a configuration of its own, unless wrangler would not read it", async () => {
  for (const [name, isWritten] of [
    ["wrangler.jsonc", true],
    ["wrangler.json", false],
  ] as const) {
    const project = new Project();
    rmSync(project.path("wrangler.jsonc"));
    writeFileSync(project.path(name), "{}");
    mkdirSync(project.path("packages/app"), { recursive: true });
    writeFileSync(project.path("packages/app/package.json"), "{}");
    await runBelow(project, "init");
    assert.equal(existsSync(project.path("packages/app/wrangler.jsonc")), isWritten, name);
  }
});

test("init in a workspace names the packages where they are", async () => {
  const project = new Project();
  rmSync(project.path("wrangler.jsonc"));
  mkdirSync(project.path("node_modules/quayside"));
  assert.match((await runBelow(project, "init")).stdout, /^wrangler\.jsonc: written/);
  const text = readFileSync(project.path("packages/app/wrangler.jsonc"), "utf8");
  assert.ok(text.includes('"$schema": "../../node_modules/wrangler/config-schema.json"'), text);
  assert.ok(text.includes('"main": "../../node_modules/quayside/worker.js"'), text);
});

test("dev-vars writes beside the configuration that wrangler reads, from whatever folder below", async () => {
  const project = new Project();
  const { code, stdout } = await runBelow(project, "dev-vars");
  assert.deepEqual([code, stdout.split(":")[0]], [0, "../../.dev.vars"]);
  assert.deepEqual(namesIn(project.lines(".dev.vars")), ["AUTH", ...SECRETS]);
  assert.ok(!existsSync(project.path("packages/app/.dev.vars")));
});

test("dev-vars adds lines at the end, and changes no byte that is there", async () => {
  const project = new Project();
  const old = Buffer.concat([Buffer.from("\ufeffNAME=Ren"), Buffer.from([0xe9]), Buffer.from("\r\nAUTH: token")]);
  writeFileSync(project.path(".dev.vars"), old, { mode: 0o640 });
  const { code, stderr } = await project.end({}, "dev-vars");
  assert.deepEqual(
    [code, stderr],
    [0, ".dev.vars has secrets, and others on this machine may read it: chmod 600 .dev.vars\n"],
  );
  const now = readFileSync(project.path(".dev.vars"));
  assert.deepEqual(now.subarray(0, old.length), old);
  const added = now.subarray(old.length).toString();
  assert.match(added, /^\n\w+=/);
  assert.deepEqual(namesIn(added.trim().split("\n")), SECRETS);
});

test("dev-vars adds nothing to a file that would swallow it", async () => {
  for (const [bytes, said] of [
    ['A=1\nB="two\nlines', /^\.dev\.vars: B begins with a quotation mark that has no other/],
    ["A='one\n", /A begins with a quotation mark/],
    ["A=`one", /A begins with a quotation mark/],
    [Buffer.from("A=1\n", "utf16le"), /^\.dev\.vars is not UTF-8/],
  ] as const) {
    const project = new Project();
    writeFileSync(project.path(".dev.vars"), bytes);
    assert.match(await project.fails("dev-vars"), said);
    assert.deepEqual(readFileSync(project.path(".dev.vars")), Buffer.from(bytes as string));
  }
});
