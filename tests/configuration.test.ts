// A Worker that was not set up: it says so, instead of taking bytes that nobody could ever be told about.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { assertRefused } from "./support/refusals.ts";
import { Stack, type StackOptions } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const DOWNLOAD_SECRET = "0123456789abcdef0123456789abcdef";

const TOKEN_SECRETS = `k:${DOWNLOAD_SECRET}`;
const secrets = { WEBHOOK_SECRET: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", DOWNLOAD_SECRET, TOKEN_SECRETS };
const token = { AUTH: "token" };

/** wrangler.toml with another value for a setting, written as TOML has it. */
function written(setting: string, value: string): (toml: string) => string {
  return (toml) => {
    const changed = toml.replace(new RegExp(`^${setting} = .*$`, "m"), `${setting} = ${value}`);
    assert.notEqual(changed, toml, setting);
    return changed;
  };
}

/** A receiver of events, called `a`. */
function receiver(fields: Record<string, string>) {
  return { vars: { EVENT_RECEIVERS: JSON.stringify([{ name: "a", ...fields }]) } };
}

/** What is wrong, how it came to be, and the name that the answer must have in it. */
const incomplete: [string, StackOptions, string][] = [
  ["all secrets missing", { secrets: {} }, "WEBHOOK_SECRET"],
  ["the webhook secret malformed", { secrets: { ...secrets, WEBHOOK_SECRET: "whsec_not base64" } }, "WEBHOOK_SECRET"],
  ["three webhook secrets", { secrets: { ...secrets, WEBHOOK_SECRET: "whsec_a whsec_b whsec_c" } }, "WEBHOOK_SECRET"],
  ["a short download secret", { secrets: { ...secrets, DOWNLOAD_SECRET: "tiny" } }, "DOWNLOAD_SECRET"],
  ["no key for tokens", { vars: token, secrets: { ...secrets, TOKEN_SECRETS: undefined } }, "TOKEN_SECRETS"],
  ["a short key for tokens", { vars: token, secrets: { ...secrets, TOKEN_SECRETS: "k:tiny" } }, "TOKEN_SECRETS"],
  ["a key without kid", { vars: token, secrets: { ...secrets, TOKEN_SECRETS: DOWNLOAD_SECRET } }, "TOKEN_SECRETS"],
  ["no audience", { vars: { ...token, TOKEN_AUDIENCE: "" } }, "TOKEN_AUDIENCE"],
  ["public keys that are none", { vars: { ...token, TOKEN_PUBLIC_KEYS: "{}" } }, "TOKEN_PUBLIC_KEYS"],
  ["keys from an insecure place", { vars: { ...token, TOKEN_JWKS_URL: "http://app.example/jwks" } }, "TOKEN_JWKS_URL"],
  ["a claim that is no name", { vars: { ...token, OWNER_CLAIM: "e mail" } }, "OWNER_CLAIM"],
  ["rules that are none", { vars: { ...token, TOKEN_RULES: '{"sub":"repo:*:main"}' } }, "TOKEN_RULES"],
  ["a policy that has a word too many", { vars: { ...token, DEFAULT_POLICY: '{"maxSize":5}' } }, "DEFAULT_POLICY"],
  ["cookies for tokens", { vars: { ...token, TOKEN_HEADER: "Cookie" } }, "TOKEN_HEADER"],
  ["an issuer without audience", { vars: { ...token, TOKEN_ISSUERS: '[{"name":"a","issuer":"b"}]' } }, "missing field"],
  [
    "an issuer with keys from an insecure place",
    {
      vars: {
        ...token,
        TOKEN_ISSUERS: '[{"name":"a","issuer":"b","audience":"c","jwksUrl":"http://app.example/jwks"}]',
      },
    },
    "TOKEN_ISSUERS entry 0: jwksUrl does not begin with https://",
  ],
  ["an AUTH that does not exist", { vars: { AUTH: "nobody-knows" } }, "AUTH"],
  ["an AUTH that is nothing", { vars: { AUTH: "" } }, "AUTH"],
  ["an origin to tell and no address to name", { vars: { PUBLIC_URL: "" } }, "PUBLIC_URL"],
  ["an address with a path", { vars: { PUBLIC_URL: "https://upload.example.com/api" } }, "PUBLIC_URL"],
  ["an address without a scheme", { vars: { PUBLIC_URL: "upload.example.com" } }, "PUBLIC_URL"],
  ["a base path that is none", { vars: { BASE_PATH: "/api files" } }, "BASE_PATH"],
  ["public files at no address", { vars: { PUBLIC_FILES_URL: "files.example.com" } }, "PUBLIC_FILES_URL"],
  [
    "public files beside the API",
    { vars: { PUBLIC_URL: "https://upload.example.com", PUBLIC_FILES_URL: "http://upload.example.com:81/" } },
    "PUBLIC_FILES_URL has the host of PUBLIC_URL",
  ],
  [
    "public files, and no address of the API",
    { vars: { PUBLIC_URL: "", PUBLIC_FILES_URL: "https://files.example.com" } },
    "PUBLIC_FILES_URL is set, and PUBLIC_URL is not",
  ],
  [
    "public files for longer than ever",
    { vars: { PUBLIC_FILES_MAX_AGE_SECONDS: "31536001" } },
    "PUBLIC_FILES_MAX_AGE_SECONDS is above",
  ],
  ["pages about errors at no address", { vars: { PROBLEMS_URL: "docs.example.com/errors" } }, "PROBLEMS_URL"],
  [
    "an origin that is told in the open",
    { vars: { ORIGIN_WEBHOOK_URL: "http://app.example/" } },
    "ORIGIN_WEBHOOK_URL is not",
  ],
  ["an origin at no address", { vars: { ORIGIN_WEBHOOK_URL: "https://" } }, "ORIGIN_WEBHOOK_URL is not an address"],
  ["an application that is asked in the open", { vars: { ACCEPT_HOOK: "http://app.example/accept" } }, "ACCEPT_HOOK"],
  ["an application at no address", { vars: { ACCEPT_HOOK: "https://" } }, "ACCEPT_HOOK"],
  ["receivers that are no list", { vars: { EVENT_RECEIVERS: "search" } }, "EVENT_RECEIVERS is not a JSON list"],
  ["a receiver in the open", receiver({ url: "http://a.example/", secret: "WEBHOOK_SECRET" }), "(a): url is not"],
  ["a receiver whose secret is not there", receiver({ url: "https://a.example/", secret: "A_SECRET" }), "A_SECRET"],
  ["a receiver by a queue that is not bound", receiver({ queue: "A" }), "(a): A is not bound to a queue"],
  ["a receiver by a service that is not bound", receiver({ service: "A" }), "(a): A is not bound to a service"],
  ["a receiver by a queue of ours", receiver({ queue: "EVENTS" }), "(a): EVENTS is a binding of this Worker's own"],
  [
    "a receiver to tell and no address to name",
    {
      vars: {
        ORIGIN_WEBHOOK_URL: "",
        PUBLIC_URL: "",
        ...receiver({ url: "https://a.example/", secret: "WEBHOOK_SECRET" }).vars,
      },
    },
    "PUBLIC_URL is empty, and EVENT_RECEIVERS or SCANNER has addresses",
  ],
  ["sites that are none", { vars: { CORS_ORIGINS: "app.example" } }, "CORS_ORIGINS"],
  ["headers that are none", { vars: { CORS_HEADERS: "traceparent, *" } }, "CORS_HEADERS"],
  ["types that are none", { vars: { ALLOWED_TYPES: "pictures" } }, "ALLOWED_TYPES"],
  [
    "a memory shorter than that of keys",
    { vars: { ...token, TOMBSTONE_TTL_SECONDS: 86_399 } },
    "TOMBSTONE_TTL_SECONDS",
  ],
  ["a limit that is no number", { vars: { MAX_CHUNK_BYTES: "plenty" } }, "MAX_CHUNK_BYTES"],
  [
    "rules that are no text",
    { vars: token, configuration: written("TOKEN_RULES", '{ sub = "repo:octo-org/octo-repo:*" }') },
    "TOKEN_RULES is not text: put it between quotes",
  ],
  [
    "an issuer that is a number",
    { vars: token, configuration: written("TOKEN_ISSUER", "7") },
    "TOKEN_ISSUER is not text: put it between quotes",
  ],
  [
    "a list of types",
    { configuration: written("ALLOWED_TYPES", '["image/*"]') },
    "ALLOWED_TYPES is not text: put it between quotes",
  ],
  [
    "a quota that is neither text nor a number",
    { configuration: written("QUOTA_OPEN_BYTES", "true") },
    "QUOTA_OPEN_BYTES is not text: put it between quotes",
  ],
  [
    "half a byte",
    { configuration: written("QUOTA_OPEN_BYTES", "0.5") },
    "QUOTA_OPEN_BYTES is not a whole number that fits",
  ],
  [
    "a secret that is no text",
    {
      vars: { ...token, TOKEN_PUBLIC_KEYS: '{"keys":[]}' },
      secrets: { ...secrets, TOKEN_SECRETS: undefined },
      configuration: written("TOKEN_RULES", `""\nTOKEN_SECRETS = ["${TOKEN_SECRETS}"]`),
    },
    "TOKEN_SECRETS is not text",
  ],
  [
    "a compatibility date that is too old",
    { configuration: (toml) => toml.replace(/^compatibility_date = ".*"$/m, 'compatibility_date = "2026-09-30"') },
    "compatibility_date in wrangler's configuration is before 2026-10-01",
  ],
];

for (const [what, options, name] of incomplete) {
  test(`with ${what}, an upload is refused before it begins`, async (t) => {
    const stack = await Stack.start(options);
    t.after(() => stack.stop());
    const problem = assertRefused(await stack.client.init({ fileName: "a", fileSize: 1 }), 503, "not-configured");
    assert.ok(problem.detail.includes(name), problem.detail);
    const ready = await stack.client.request("GET", "/readyz");
    assert.equal(ready.status, 503);
    assert.ok(ready.json<{ checks: { settings: string } }>().checks.settings.includes(name));
    for (const secret of Object.values(options.secrets ?? {})) {
      assert.ok(secret === undefined || !problem.detail.includes(secret), "the answer has a secret in it");
    }
  });
}

test("a number without quotes is the number", async (t) => {
  const stack = await Stack.start({ configuration: written("QUOTA_OPEN_BYTES", "1000") });
  t.after(() => stack.stop());
  const one = await stack.client.init({ fileName: "a", fileSize: 1000 });
  assert.equal(one.status, 201, one.body.toString());
  assertRefused(await stack.client.init({ fileName: "b", fileSize: 1 }), 429, "quota-exceeded");
});

test("an address for presigned uploads that is no text is named, and is not none", async (t) => {
  const stack = await Stack.start({ configuration: written("R2_S3_ENDPOINT", "7") });
  t.after(() => stack.stop());
  const ready = await stack.client.request("GET", "/readyz");
  assert.equal(ready.status, 503);
  assert.match(ready.body.toString(), /R2_S3_ENDPOINT is not text/);
});

test("what is open is so on this machine only, and says so once", async (t) => {
  const stack = await Stack.start();
  t.after(() => stack.stop());
  for (const host of [
    "uploads.example.com",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "192.168.1.7",
    "10.0.0.1",
  ]) {
    const reply = await stack.client.init({ fileName: "a", fileSize: 1 }, { Host: host });
    const problem = assertRefused(reply, 503, "not-configured");
    assert.match(problem.detail, /AUTH/);
  }
  for (const host of ["localhost", "127.0.0.1:1234", "[::1]", "app.localhost"]) {
    assert.equal((await stack.client.init({ fileName: "a", fileSize: 1 }, { Host: host })).status, 201, host);
  }
  const said = await waitFor("the log line", () => stack.log.lines.filter(({ event }) => event === "auth_open"));
  assert.equal(said.length, 1);
});

test("as it is committed, wrangler.toml lets nobody in and no other site read", () => {
  const toml = readFileSync(join(repositoryRoot, "wrangler.toml"), "utf8");
  assert.match(toml, /^AUTH = "token"$/m);
  assert.match(toml, /^CORS_ORIGINS = ""$/m);
});
