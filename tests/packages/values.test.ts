// What a dry run says of settings and secrets is what the Worker says of them, word for word: the same values are refused by both, and taken
// by both. Each table is one running Worker, since it names everything that is wrong at once.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { send } from "../support/http.ts";
import { freshSecrets, type Secrets, Stack } from "../support/stack.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";

type Vars = Record<string, string>;

const module = (name: string) => import(pathToFileURL(join(repositoryRoot, "packages/quayside/bin", name)).href);
const { valueComplaints }: { valueComplaints: (vars: Vars) => string[] } = await module("values.js");
const { secretComplaint }: { secretComplaint: (name: string, value: string) => string | undefined } =
  await module("secrets.js");
const { TEXTS, NUMBERS }: Record<string, string[]> = await module("settings.js");

const LONG = "x".repeat(32);
const ISSUER = { name: "a", issuer: "https://a.net/", audience: "b", jwksUrl: "https://a.net/jwks" };
const issuers = (change: object) => JSON.stringify([{ ...ISSUER, ...change }]);

/** Values that are just right. */
const RIGHT: Vars = {
  MAX_UPLOAD_BYTES: "9007199254740991",
  MAX_CHUNK_BYTES: "5242880",
  QUOTA_OPEN_UPLOADS: "18446744073709551615",
  STALLED_BODY_SECONDS: "+1",
  UPLOAD_TTL_SECONDS: "561600",
  REPAIR_TTL_SECONDS: "0",
  TOMBSTONE_TTL_SECONDS: "86400",
  WEBHOOK_TIMEOUT_SECONDS: "4294967295",
  RESULT_WAIT_SECONDS: "25",
  DOWNLOAD_URL_TTL_SECONDS: "4294967296",
  PUBLIC_URL: "https://[::1]:8787//",
  BASE_PATH: "//api//files/",
  PUBLIC_FILES_URL: "https://files.mine.net/",
  PUBLIC_FILES_MAX_AGE_SECONDS: "31536000",
  PROBLEMS_URL: "https://docs.mine.net/errors?code=",
  TOKEN_PUBLIC_KEYS: '{"keys":[{"kty":"oct","kid":null,"x5c":5}]}',
  TOKEN_JWKS_URL: "http://127.0.0.1:9/jwks",
  TOKEN_RULES: '{"sub":["repo:a/*","b"],"org":"*","email_verified":true}',
  TOKEN_ISSUERS: issuers({
    ownerPrefix: "",
    ownerClaim: "email, sub",
    rules: { sub: "a" },
    defaultPolicy: { live: false },
    admin: true,
  }),
  TOKEN_HEADER: "Cf-Access-Jwt-Assertion",
  OWNER_CLAIM: "email, https://mine.net/owner",
  TENANT_CLAIM: "app_metadata.tenant",
  DEFAULT_POLICY:
    '{"maxBytes":5,"types":["image/*"],"metadata":{"a":"b"},"keyPrefix":"a/..b=c/","objectKey":"{name}-{id}","bucket":null,"upload":null,"hold":true,"public":false,"live":{"endAfterSeconds":86400,"tellEveryBytes":8388608}}',
  OBJECT_KEY: "{owner}/{prefix}{date}/{year}{month}{day}/{id}/{name}{.ext}",
  ALLOWED_TYPES: "Image/*, application/pdf",
  CORS_ORIGINS: "https://*.mine.net,, http://localhost:5173,http://[::1]:8080",
  CORS_HEADERS: "\u0085traceparent,\u3000baggage",
  FORM_REDIRECTS: "https://app.mine.net/thanks, http://127.0.0.1:8080/",
  ACCEPT_HOOK: "http://localhost:3000/hook",
  EVENT_RECEIVERS: "[]",
  SCANNER: '{"url":"https://scan.mine.net/","secret":"WEBHOOK_SECRET"}',
  DELETE_COMPLETED: "owner",
};

/** Values that are wrong, each table in its own way. */
const WRONG: Vars[] = [
  {
    MAX_UPLOAD_BYTES: "10GB",
    MAX_CHUNK_BYTES: "5242879",
    QUOTA_OPEN_UPLOADS: "18446744073709551616",
    QUOTA_OPEN_BYTES: "-1",
    QUOTA_BYTES_PER_DAY: "1e9",
    STALLED_BODY_SECONDS: "0",
    UPLOAD_TTL_SECONDS: "561601",
    REPAIR_TTL_SECONDS: "561601",
    WEBHOOK_TIMEOUT_SECONDS: "4294967296",
    RESULT_WAIT_SECONDS: "26",
    DELIVERY_MAX_ATTEMPTS: "4294967296",
    DOWNLOAD_URL_TTL_SECONDS: "7d",
    PUBLIC_URL: "upload.mine.net",
    PUBLIC_FILES_URL: "files.mine.net",
    PUBLIC_FILES_MAX_AGE_SECONDS: "31536001",
    BASE_PATH: "/api files",
    PROBLEMS_URL: "https://docs.mine.net/errors",
    TOKEN_AUDIENCE: "",
    TOKEN_PUBLIC_KEYS: "[]",
    TOKEN_JWKS_URL: "http://a.net/jwks",
    TOKEN_RULES: "{}",
    TOKEN_ISSUERS: "{}",
    TOKEN_HEADER: "Cookie",
    AUDIENCE_CLAIM: "",
    OWNER_CLAIM: "sub,",
    TENANT_CLAIM: "a b",
    DEFAULT_POLICY: '{"maxSize":5}',
    ALLOWED_TYPES: "image",
    OBJECT_KEY: "uploads/{name}",
    CORS_ORIGINS: "https://app.mine.net/",
    CORS_HEADERS: "*",
    FORM_REDIRECTS: "https://app.mine.net",
    ACCEPT_HOOK: "http://app.mine.net/hook",
    EVENT_RECEIVERS: '[{"name":"a","queue":"A"},{"name":"origin","queue":"A"}]',
    DELETE_COMPLETED: "everybody",
    R2_S3_ENDPOINT: "r2.mine.net",
  },
  {
    MAX_UPLOAD_BYTES: "9007199254740992",
    MAX_CHUNK_BYTES: "95 MiB",
    STALLED_BODY_SECONDS: "",
    OUTBOX_RESEND_SECONDS: "0.5",
    DELIVERY_FIRST_DELAY_SECONDS: "5s",
    PUBLIC_URL: "https://mine.net/upload",
    PUBLIC_FILES_URL: "https://[files]",
    BASE_PATH: "https://mine.net/up",
    PROBLEMS_URL: "https://docs mine.net/",
    TOKEN_PUBLIC_KEYS: '{"keys":[{"kid":"a"}]}',
    TOKEN_RULES: '{"sub":"repo:*:main"}',
    TOKEN_ISSUERS: issuers({ jwksUrl: "http://a.net/" }),
    POLICY_CLAIM: 'a"b',
    DEFAULT_POLICY: '{"keyPrefix":"a/../b/"}',
    ALLOWED_TYPES: "image/*,",
    OBJECT_KEY: "uploads/{prefix}/{id}",
    CORS_ORIGINS: "*, https://app.mine.net",
    FORM_REDIRECTS: "https://app.mine.net/?a",
    ACCEPT_HOOK: "https://",
    EVENT_RECEIVERS: '[{"name":"a","url":"http://a.net/","secret":"S"}]',
    SCANNER: '{"queue":"A"}',
    R2_S3_ENDPOINT: "ftp://r2.mine.net",
  },
  {
    TOKEN_RULES: "sub",
    TOKEN_ISSUERS: issuers({ audience: undefined }),
    DEFAULT_POLICY: '{"upload":"067e6162-3b6f-4ae2-a171-2470b63dff00"}',
    CORS_ORIGINS: "https://*.net",
    CORS_HEADERS: "a b",
  },
  {
    TOKEN_ISSUERS: issuers({ ownerPrefix: "a" }),
    DEFAULT_POLICY: '{"metadata":{"a":1}}',
    CORS_ORIGINS: "https://APP.mine.net",
  },
  {
    MAX_UPLOAD_BYTES: "\ufeff5",
    TOKEN_PUBLIC_KEYS: '{"keys":[{"kty":"RSA","key_ops":5}]}',
    TOKEN_RULES: '\ufeff{"sub":"a"}',
    DEFAULT_POLICY: '{"maxBytes":1e9}',
    ALLOWED_TYPES: "\ufeffimage/*",
    R2_S3_ENDPOINT: "https://a?",
    R2_S3_BUCKET: "b",
  },
  {
    TOKEN_RULES: '{"sub":"\\ud800"}',
    DEFAULT_POLICY: '{"maxBytes":100.0}',
    CORS_HEADERS: "a, \ufeffb",
    R2_S3_ENDPOINT: "https://:pw@a",
    R2_S3_BUCKET: "b",
  },
  { DEFAULT_POLICY: '{"maxBytes":-0}', TOKEN_RULES: '{"\\udc00":"a"}', R2_S3_ENDPOINT: "https://ü", R2_S3_BUCKET: "b" },
  { EVENT_RECEIVERS: '[{"name":"a","queue":"A","secret":"S"}]' },
  { EVENT_RECEIVERS: '[{"name":"scanner","queue":"A"}]' },
  { SCANNER: "https://scan.mine.net/" },
  { SCANNER: '{"url":"http://scan.mine.net/","secret":"WEBHOOK_SECRET"}', DEFAULT_POLICY: '{"hold":1}' },
  { SCANNER: '{"url":"https://scan.mine.net/"}' },
  { SCANNER: '{"queue":"A"}', DEFAULT_POLICY: '{"public":"yes"}' },
  { SCANNER: '{"service":"A","kinds":[]}', DEFAULT_POLICY: '{"live":{"endAfterSeconds":0}}' },
  { DEFAULT_POLICY: '{"live":{"endAfterSeconds":86401}}' },
  { DEFAULT_POLICY: '{"live":{"tellEveryBytes":8388607}}' },
  { DEFAULT_POLICY: '{"live":{"tellEvery":8388608}}' },
  { DEFAULT_POLICY: '{"live":"true"}' },
  { DEFAULT_POLICY: '{"bucket":"EU"}' },
  { DEFAULT_POLICY: '{"bucket":5}' },
  { EVENT_RECEIVERS: '[{"name":"a","queue":"A","kinds":["upload.created","completed"]}]' },
  { EVENT_RECEIVERS: '{"name":"a","queue":"A"}' },
  { EVENT_RECEIVERS: '[{"name":"a","queue":"A","kinds":["upload.progressed"]}]' },
  { EVENT_RECEIVERS: '[{"name":"a-b","service":"A"},{"name":"a_b","service":"B"}]' },
  {
    EVENT_RECEIVERS: '[{"name":"a","url":"https://me@a.net/","secret":"S"}]',
    ACCEPT_HOOK: "http://localhost:1@evil.example/hook",
    TOKEN_JWKS_URL: "http://127.0.0.1:1@evil.example/jwks",
  },
  { DEFAULT_POLICY: '{"scope":"admin"}', TOKEN_ISSUERS: issuers({ admin: "true" }) },
  { DEFAULT_POLICY: '{"upload":""}', R2_S3_ENDPOINT: "https://a/b c", R2_S3_BUCKET: "b" },
  { DEFAULT_POLICY: '{"upload":"{067E6162-3b6f-4ae2-a171-2470b63dff00}"}' },
  { DEFAULT_POLICY: '{"metadata":{"a":"\\udfff"}}' },
  // The Worker looks at this once all else is right.
  { TOMBSTONE_TTL_SECONDS: "86399" },
];

const SECRETS: Secrets[] = [
  { WEBHOOK_SECRET: "whsec_mine", DOWNLOAD_SECRET: "tiny", TOKEN_SECRETS: LONG },
  { WEBHOOK_SECRET: "whsec_a whsec_b whsec_c", DOWNLOAD_SECRET: " ", TOKEN_SECRETS: `k1:${LONG} k1:${LONG}y` },
  { WEBHOOK_SECRET: Buffer.from(LONG).toString("base64"), DOWNLOAD_SECRET: LONG, TOKEN_SECRETS: "k1:tiny" },
  // Base64 whose last character says more than there is.
  { WEBHOOK_SECRET: `whsec_${"A".repeat(42)}B=`, DOWNLOAD_SECRET: LONG, TOKEN_SECRETS: `k1:${LONG}:x` },
  // What looks like a space is none.
  { ...freshSecrets(), TOKEN_SECRETS: `k1:${LONG}\u00a0k2:${LONG}` },
];

/** What the Worker says of them. */
async function saidByWorker(vars: Vars, secrets: Secrets, path = "/readyz"): Promise<string> {
  const stack = await Stack.start({ vars: { AUTH: "token", ...vars }, secrets });
  try {
    const answer = await send(stack.baseUrl, "GET", path);
    return answer.json<{ checks: { settings: string } }>().checks.settings;
  } finally {
    await stack.stop();
  }
}

test("what is just right is taken by both", async () => {
  assert.deepEqual(valueComplaints(RIGHT), []);
  const secrets = freshSecrets();
  for (const [name, value] of Object.entries(secrets)) {
    assert.equal(secretComplaint(name, value as string), undefined, name);
    assert.equal(secretComplaint(name, `${value},${String(value).replace(/^test/, "older")}`), undefined, name);
  }
  assert.equal(await saidByWorker(RIGHT, secrets, "/api/files/readyz"), "ok");
});

test("what would stop all at once is no number of seconds", () => {
  const none = {
    WEBHOOK_TIMEOUT_SECONDS: "0",
    UPLOAD_TTL_SECONDS: 0 as unknown as string,
    OUTBOX_RESEND_SECONDS: "00",
  };
  assert.deepEqual(valueComplaints(none).toSorted(), [
    "OUTBOX_RESEND_SECONDS is 0: an event would be handed out again before it has been told",
    "UPLOAD_TTL_SECONDS is 0: every upload would expire at once",
    "WEBHOOK_TIMEOUT_SECONDS is 0: no event would ever be told",
  ]);
});

test("public files on the host of the API are refused by both", async () => {
  const vars = { PUBLIC_URL: "https://mine.net/", PUBLIC_FILES_URL: "http://MINE.net.:8080" };
  const complaint =
    "PUBLIC_FILES_URL has the host of PUBLIC_URL: files of strangers are handed out on a host of their own";
  assert.deepEqual(valueComplaints(vars), [complaint]);
  assert.equal(await saidByWorker(vars, freshSecrets()), `${complaint}.`);
});

test("public files without an address of the API are refused by both", async () => {
  const vars = { PUBLIC_URL: "", ORIGIN_WEBHOOK_URL: "", PUBLIC_FILES_URL: "https://files.mine.net" };
  const complaint = "PUBLIC_FILES_URL is set, and PUBLIC_URL is not";
  assert.deepEqual(valueComplaints(vars), [complaint]);
  assert.equal(await saidByWorker(vars, freshSecrets()), `${complaint}.`);
});

for (const [index, vars] of WRONG.entries()) {
  test(`what is wrong is refused by both, in the same words (${index + 1})`, async () => {
    const secrets = SECRETS[index] ?? freshSecrets();
    const said = await saidByWorker(vars, secrets);
    const complaints = valueComplaints(vars);
    for (const [name, value] of Object.entries(secrets)) {
      const complaint = secretComplaint(name, value as string);
      const isNamed = said.includes(`${name} `);
      assert.equal(
        complaint === undefined ? isNamed : said.includes(`${name} ${complaint}.`),
        complaint !== undefined,
        said,
      );
    }
    // What is missing in an entry of this list, the Worker's own parser says.
    for (const complaint of complaints.filter((complaint) => !complaint.startsWith("TOKEN_ISSUERS entry"))) {
      assert.ok(said.includes(`${complaint}.`), `${complaint}\n${said}`);
    }
    const settings = [...(TEXTS ?? []), ...(NUMBERS ?? [])];
    const named = settings.filter((name) => new RegExp(`(^|\\. )${name} `).test(said));
    assert.deepEqual(complaints.map((complaint) => complaint.split(" ")[0]).toSorted(), named.toSorted(), said);
    const wrong = Object.keys(vars).filter((name) => name !== "R2_S3_BUCKET");
    assert.deepEqual(named.toSorted(), wrong.toSorted(), "each value of the table is wrong");
  });
}
