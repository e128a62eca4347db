// The packages' two commands: `quayside`, with something in wrangler's place that writes down what it is asked, and `create-quayside`.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { repositoryRoot } from "../support/wrangler_config.ts";
import { Project, QUAYSIDE, root, VARS } from "./project.ts";

const run = promisify(execFile);
const CREATE = join(repositoryRoot, "packages/create-quayside/index.js");
const SECRETS = ["DOWNLOAD_SECRET", "TOKEN_SECRETS", "WEBHOOK_SECRET"];

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

test("create-quayside says how to get into a folder whatever it is called", async () => {
  for (const folder of ["a $(touch here) `b` \"c\" 'd' $&", "plain-1.0", "-x"]) {
    const { stdout } = await create(root, "--", folder);
    const [, cd = ""] = /^ {2}(cd .*)$/m.exec(stdout) ?? [];
    const { stdout: reached } = await run("sh", ["-c", `${cd} && pwd`], { cwd: root });
    assert.equal(reached, `${join(root, folder)}\n`, cd);
  }
  assert.ok(!existsSync(join(root, "here")));
});

test("create-quayside takes packages that are files, where each is there once", async () => {
  const packages = mkdtempSync(join(root, "pack $& $1 ages-"));
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
