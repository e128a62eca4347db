// What `quayside deploy --dry-run` refuses: what the Worker would refuse once it is deployed, and what is right on one's own machine alone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { repositoryRoot } from "../support/wrangler_config.ts";
import { Project, VARS } from "./project.ts";

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
  ["half a byte", [[VARS, `${VARS} "QUOTA_OPEN_BYTES": 0.5,`]], /QUOTA_OPEN_BYTES is not a whole number that fits/],
  [
    "a receiver by no queue",
    [[VARS, `${VARS} "EVENT_RECEIVERS": ${JSON.stringify('[{"name":"a","queue":"A"}]')},`]],
    /EVENT_RECEIVERS: A of a is no binding of a queue/,
  ],
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

/** Changes to wrangler.jsonc, and what is said of each: all of it at once. */
async function assertSays(changes: [string, string][], ...said: string[]): Promise<void> {
  const told = (await new Project().configure(...changes).fails("deploy", "--dry-run")).trim().split("\n");
  assert.deepEqual(
    told
      .slice(1)
      .map((line) => line.trim())
      .toSorted(),
    said.toSorted(),
  );
}

test("values are read as the Worker reads them, and every one that is wrong is named", async () => {
  const vars = `${VARS} "MAX_UPLOAD_BYTES": "10GB", "MAX_CHUNK_BYTES": 1000, "AUTH": "Open", "CORS_ORIGINS": "app.mine.net", "BASE_PATH": "/a b",`;
  await assertSays(
    [
      [VARS, vars],
      ['"PUBLIC_URL": ""', '"PUBLIC_URL": "upload"'],
      ['"ORIGIN_WEBHOOK_URL": ""', '"ORIGIN_WEBHOOK_URL": "http://app.mine.net/hook"'],
    ],
    "MAX_UPLOAD_BYTES is not a whole number that fits",
    "MAX_CHUNK_BYTES is below 5 MiB, the smallest part that R2 takes",
    'AUTH is neither "token" nor "open"',
    "CORS_ORIGINS has an entry that is no origin like https://app.example.com",
    "BASE_PATH is not a path like /api/files, of letters, digits and `-._~`",
    "PUBLIC_URL is not a scheme and a host like https://upload.example.com; a path goes into BASE_PATH",
    "PUBLIC_URL = upload is not a public address that begins with https://",
    "ORIGIN_WEBHOOK_URL = http://app.mine.net/hook is not a public address that begins with https://",
  );
});

test("what is right on one's own machine alone, and a secret among the vars, are named", async () => {
  const [one, two] = ["http://127.0.0.1:8787", "https://localhost/hook"];
  const vars = `${VARS} "ACCEPT_HOOK": "${two}", "TOKEN_SECRETS": "k1:${"x".repeat(32)}", "R2_SECRET_ACCESS_KEY": "",`;
  const told = (name: string) =>
    `${name} is a secret, and stands among the vars: take it out. \`quayside secrets\` puts it`;
  await assertSays(
    [
      [VARS, vars],
      ['"PUBLIC_URL": ""', `"PUBLIC_URL": "${one}"`],
    ],
    `PUBLIC_URL = ${one} is not a public address that begins with https://`,
    `ACCEPT_HOOK = ${two} is not a public address that begins with https://`,
    told("TOKEN_SECRETS"),
    told("R2_SECRET_ACCESS_KEY"),
  );
});

test("a secret that a receiver or the scanner names is looked at as the Worker's own are", async () => {
  const receivers = '[{\\"name\\":\\"a\\",\\"url\\":\\"https://a.net/\\",\\"secret\\":\\"A_SECRET\\"}]';
  const scanner = '{\\"url\\":\\"https://scan.mine.net/\\",\\"secret\\":\\"SCANNER_SECRET\\"}';
  const listed = `${VARS} "EVENT_RECEIVERS": "${receivers}", "SCANNER": "${scanner}",`;
  const named: [string, string] = ['"PUBLIC_URL": ""', '"PUBLIC_URL": "https://up.myexample.com"'];
  await assertSays(
    [[VARS, `${listed} "SCANNER_SECRET": "whsec_",`], named],
    "SCANNER_SECRET is a secret, and stands among the vars: take it out. `quayside secrets` puts it",
  );
  const project = new Project().configure([VARS, listed], named);
  const given = { A_SECRET: "whsec_mine", SCANNER_SECRET: `whsec_${"A".repeat(43)}=` };
  const { code, stderr } = await project.end(given, "deploy", "--dry-run");
  assert.deepEqual(
    [code, stderr.trim().split("\n  ").slice(1)],
    [1, ["A_SECRET in the environment is not `whsec_` and 24 to 64 bytes in base64"]],
  );
});

test("classes have their migration, and queues what their messages need", async () => {
  await assertSays(
    [
      ['"new_sqlite_classes": ["UploadSession", "OwnerLedger"]', '"new_classes": ["UploadSession"]'],
      ['"max_batch_size": 4,\n', "\n"],
      ['"max_batch_size": 1,', '"max_batch_size": 10,'],
      ['"dead_letter_queue": "quayside-dead-letters",', ""],
    ],
    "migrations has no new_sqlite_classes with UploadSession",
    "migrations has no new_sqlite_classes with OwnerLedger",
    "queues.consumers: max_batch_size of quayside-events is not set, or above 4",
    "queues.consumers: max_batch_size of quayside-tasks is not set, or above 1",
    "queues.consumers: dead_letter_queue of quayside-events is not quayside-dead-letters",
  );
});

test("what would quietly work otherwise is named: swapped classes, one number for two rates, a queue that is only logged", async () => {
  await assertSays(
    [
      ['"class_name": "UploadSession"', '"class_name": "Aside"'],
      ['"class_name": "OwnerLedger"', '"class_name": "UploadSession"'],
      ['"class_name": "Aside"', '"class_name": "OwnerLedger"'],
      ['"namespace_id": "1002"', '"namespace_id": "1001"'],
      ['"binding": "TASKS", "queue": "quayside-tasks"', '"binding": "TASKS", "queue": "tasks-dead-letters"'],
      ['"queue": "quayside-tasks"', '"queue": "tasks-dead-letters"'],
    ],
    "UPLOAD_SESSIONS is bound to OwnerLedger: its class is UploadSession",
    "OWNER_LEDGERS is bound to UploadSession: its class is OwnerLedger",
    "ratelimits: namespace_id 1001 of CREATIONS_BY_OWNER is another's, too",
    "ratelimits: namespace_id 1001 of CREATIONS_BY_ADDRESS is another's, too",
    "the queue of TASKS is tasks-dead-letters: what comes from a name that ends with dead-letters is only logged",
  );
});

test("an application's own vars are no examples of ours", async () => {
  const project = new Project().configure([VARS, `${VARS} "MY_DOCS": "https://example.com/docs",`]);
  await project.run("deploy", "--dry-run");
});

test("only an address that everybody reaches is one, unless a binding takes its place", async () => {
  const { isPublic } = await import(
    pathToFileURL(join(repositoryRoot, "packages/quayside/bin/public_address.js")).href
  );
  const hosts = (list: string) => list.split(" ").filter((host) => !isPublic(`https://${host}/hook`));
  const local =
    "localhost localhost. a.localhost intranet 127.0.0.1 127.1 0.0.0.0 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.1.1 " +
    "[::1] [::] [fc00::1] [fdff::1] [fe80::1] [::ffff:10.0.0.1]";
  assert.deepEqual(hosts(local), local.split(" "));
  assert.deepEqual(hosts("app.mine.net 8.8.8.8 172.32.0.1 [2606:4700::1111] 10.mine.net localhost.mine.net"), []);
  assert.ok(!isPublic("http://app.mine.net/") && !isPublic("app.mine.net"));
  const bound = ["ORIGIN", "ACCEPT"].map((binding) => `{ "binding": "${binding}", "service": "mine" }`);
  const project = new Project().configure(
    ['"ORIGIN_WEBHOOK_URL": ""', '"ORIGIN_WEBHOOK_URL": "http://origin/hook", "ACCEPT_HOOK": "https://origin/ask"'],
    [VARS, `"services": [${bound}], ${VARS}`],
  );
  await project.run("deploy", "--dry-run");
});

test("keys that sign nothing need a secret beside them", async () => {
  const key = { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) };
  for (const [name, value, isEnough] of [
    ["TOKEN_PUBLIC_KEYS", { keys: [] }, false],
    ["TOKEN_PUBLIC_KEYS", { keys: [{ ...key, use: "enc" }] }, false],
    ["TOKEN_PUBLIC_KEYS", { keys: [key] }, true],
    ["TOKEN_ISSUERS", [], false],
  ] as const) {
    const setting = JSON.stringify(JSON.stringify(value));
    const project = new Project().configure([VARS, `${VARS} "${name}": ${setting},`]);
    const said = await project.run("deploy", "--dry-run");
    assert.equal(said.includes("TOKEN_SECRETS"), !isEnough, setting);
  }
});

test("a class that was deleted, or renamed, is gone", async () => {
  const classes = '"new_sqlite_classes": ["UploadSession", "OwnerLedger"] }';
  const renamed = '"renamed_classes": [{ "from": "UploadSession", "to": "Uploads" }]';
  await assertSays(
    [[classes, `${classes}, { "tag": "mine", "deleted_classes": ["OwnerLedger"], ${renamed} }`]],
    "migrations has no new_sqlite_classes with UploadSession",
    "migrations has no new_sqlite_classes with OwnerLedger",
  );
});

test("a class that was renamed is there, and an origin that is bound needs no PUBLIC_URL", async () => {
  const classes = '"new_sqlite_classes": ["UploadSession", "OwnerLedger"] }';
  const renamed = '"renamed_classes": [{ "from": "UploadSession", "to": "Uploads" }]';
  const project = new Project().configure(
    ['"class_name": "UploadSession"', '"class_name": "Uploads"'],
    [classes, `${classes}, { "tag": "mine", ${renamed} }`],
    [VARS, `"services": [{ "binding": "ORIGIN", "service": "mine" }], ${VARS}`],
    ['"ORIGIN_WEBHOOK_URL": ""', '"ORIGIN_WEBHOOK_URL": "https://app.mine.net/hook"'],
  );
  await project.run("deploy", "--dry-run");
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
