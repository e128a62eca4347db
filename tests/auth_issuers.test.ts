// Several issuers at once, beside the application's own tokens: each with its keys, its audience and its rules, none vouching for another.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import type { Headers } from "./support/http.ts";
import { KeyServer } from "./support/key_server.ts";
import { assertRefused } from "./support/refusals.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";
import {
  bearer,
  type Claims,
  claimsOf,
  mint,
  Signer,
  type SigningAlgorithm,
  secondsFromNow,
} from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const ALGORITHMS: SigningAlgorithm[] = ["ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256"];
const signers = ALGORITHMS.map((algorithm) => new Signer(algorithm, algorithm));
const ci = new Signer("RS256", "ci");
const staff = new Signer("ES384", "staff");

const origin = await ScriptedOrigin.start();
const [everyKind, ciKeys, staffKeys] = [
  await KeyServer.start({ keys: signers.map(({ jwk }) => jwk) }),
  await KeyServer.start({ keys: [ci.jwk] }),
  await KeyServer.start({ keys: [staff.jwk] }),
];
const CI = "https://ci.example";
const STAFF = "https://staff.example";
const PROXY_HEADER = "Cf-Access-Jwt-Assertion";
const APP = "https://app.example.com";
const stack = await Stack.start({
  vars: {
    AUTH: "token",
    ORIGIN_WEBHOOK_URL: origin.webhookUrl,
    CORS_ORIGINS: APP,
    TOKEN_JWKS_URL: everyKind.url,
    DEFAULT_POLICY: '{"maxBytes":1000}',
    TOKEN_HEADER: PROXY_HEADER,
    TOKEN_ISSUERS: JSON.stringify([
      {
        name: "ci",
        issuer: CI,
        audience: "uploads",
        jwksUrl: ciKeys.url,
        rules: { sub: "repo:octo-org/octo-repo:*" },
        ownerClaim: "repository",
        tenantClaim: "repository_owner",
        defaultPolicy: { maxBytes: 50, keyPrefix: "releases/" },
      },
      {
        name: "staff",
        issuer: STAFF,
        audience: "uploads",
        jwksUrl: staffKeys.url,
        ownerPrefix: "",
        policyClaim: "may",
      },
    ]),
  },
});
origin.trust(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  for (const server of [everyKind, ciKeys, staffKeys]) {
    server.stop();
  }
  await origin.stop();
  await stack.stop();
});

const init = (headers: Headers, fileSize = 5) => client.init({ fileName: "a", fileSize }, headers);

async function create(headers: Headers): Promise<string> {
  const reply = await init(headers);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Created>().uploadId;
}

function ofCi(more: object = {}, signer = ci): Headers {
  const claims = {
    sub: "repo:octo-org/octo-repo:ref:refs/heads/main",
    repository: "octo-repo",
    repository_owner: "octo-org",
  };
  return bearer(signer.mint({ ...claims, iss: CI, aud: "uploads", exp: secondsFromNow(600), ...more }));
}

function ofStaff(owner: string, more: Claims & { may?: object } = {}, signer = staff): Headers {
  return bearer(signer.mint({ sub: owner, iss: STAFF, aud: ["uploads"], exp: secondsFromNow(600), ...more }));
}

function show(id: string, headers: Headers) {
  return client.request("GET", `/upload/${id}`, { headers });
}

test("every algorithm is taken, by one key set", async () => {
  for (const signer of signers) {
    const alice = bearer(signer.mint(claimsOf("alice")));
    const id = await create(alice);
    assert.equal((await show(id, bearer(mint(stack, claimsOf("alice"))))).status, 200, signer.algorithm);
    const [head, payload, signature = ""] = signer.mint(claimsOf("alice")).split(".");
    const changed = signature.replace(/^./, (first) => (first === "A" ? "B" : "A"));
    const problem = assertRefused(await init(bearer(`${head}.${payload}.${changed}`)), 401, "invalid-token");
    assert.match(problem.detail, /signature/, signer.algorithm);
  }
  assert.equal(everyKind.fetches, 1);
});

test("a tenant, a repository, a folder: what an issuer's claims mean is its own", async () => {
  const id = await create(ofCi());
  assert.equal((await client.put(id, 0, Buffer.from("bytes"), ofCi())).status, 200);
  const { data } = await origin.waitForEvent(id, "upload.completed");
  assert.equal(data.owner, "ci:octo-org/octo-repo");
  assert.equal(data.key, `uploads/octo-org/releases/${id}-1`);
  assertRefused(await init(ofCi(), 51), 413, "upload-too-large", { limitBytes: 50 });
  assertRefused(await init(bearer(mint(stack, claimsOf("alice"))), 1001), 413, "upload-too-large", {
    limitBytes: 1000,
  });
  const generous = mint(stack, claimsOf("alice", { quayside: { maxBytes: 2000 } }));
  assert.equal((await init(bearer(generous), 1001)).status, 201, "what a token says takes the default's place");
  assert.equal((await init(ofStaff("alice"), 1_000_000)).status, 201, "the default is the own issuer's");
  assertRefused(await init(ofStaff("alice", { may: { maxBytes: 3 } })), 413, "upload-too-large", { limitBytes: 3 });
});

test("owners of two issuers are the same only where the settings say so", async () => {
  const mine = await create(bearer(mint(stack, claimsOf("alice"))));
  assert.equal((await show(mine, ofStaff("alice"))).status, 200, "ownerPrefix is empty");
  assertRefused(await show(mine, ofStaff("bob")), 404, "upload-not-found");
  const built = await create(ofCi());
  for (const [who, token] of [
    ["the application", bearer(mint(stack, claimsOf("ci:octo-org/octo-repo")))],
    ["staff", ofStaff("ci:octo-org/octo-repo")],
  ] as const) {
    const problem = assertRefused(await show(built, token), 401, "invalid-token");
    assert.match(problem.detail, /owners of another issuer/, who);
  }
});

test("no issuer vouches for another, nor outside of its rules", async () => {
  const refused: [string, Headers, RegExp][] = [
    ["another's key", ofCi({}, staff), /kid and algorithm.*jwksUrl of the issuer ci in TOKEN_ISSUERS/],
    ["another's key under its kid", ofCi({}, new Signer("RS256", "ci")), /signature/],
    ["the application's key", bearer(mint(stack, { ...claimsOf("alice"), iss: STAFF, aud: "uploads" })), /kid and alg/],
    ["an issuer's key for the application", bearer(ci.mint(claimsOf("alice"))), /TOKEN_JWKS_URL/],
    ["an issuer that is not named", bearer(ci.mint({ ...claimsOf("alice"), iss: `${CI}/` })), /TOKEN_JWKS_URL/],
    ["the application's audience", ofCi({ aud: "quayside" }), /audience of the issuer ci/],
    [
      "another repository",
      ofCi({ sub: "repo:octo-org/octo-repository:ref:refs/heads/main" }),
      /rules of the issuer ci/,
    ],
    ["no tenant", ofCi({ repository_owner: undefined }), /repository_owner.*tenantClaim of the issuer ci/],
    ["a tenant that would lead elsewhere", ofCi({ repository_owner: ".." }), /tenantClaim/],
  ];
  for (const [what, token, detail] of refused) {
    assert.match(assertRefused(await init(token), 401, "invalid-token").detail, detail, what);
  }
});

test("an issuer whose keys cannot be had delays nobody but its own", async (t) => {
  const down = await KeyServer.start({ keys: [ci.jwk] });
  down.isDown = true;
  t.after(() => down.stop());
  const list = [
    { name: "ci", issuer: CI, audience: "uploads", jwksUrl: down.url, ownerClaim: "repository" },
    { name: "staff", issuer: STAFF, audience: "uploads", jwksUrl: staffKeys.url },
  ];
  const { TOKEN_SECRETS: _, ...secrets } = stack.secrets;
  const cold = await Stack.start({
    vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", TOKEN_ISSUERS: JSON.stringify(list) },
    secrets,
  });
  t.after(() => cold.stop());
  const ask = (headers: Headers) => cold.client.init({ fileName: "a", fileSize: 1 }, headers);
  assertRefused(await ask(ofCi()), 503, "keys-unavailable");
  assert.equal((await ask(ofStaff("alice"))).status, 201);
  const stranger = assertRefused(await ask(bearer(mint(stack, claimsOf("alice")))), 401, "invalid-token");
  assert.match(stranger.detail, /TOKEN_ISSUERS/, "there is no issuer of its own");
  down.isDown = false;
  await waitFor("the keys", async () => (await ask(ofCi())).status === 201);
  assert.ok(
    cold.log.lines.some(({ event, detail }) => event === "jwks_unavailable" && String(detail).includes(down.url)),
  );
  cold.log.forget();
});

test("a token in a proxy's header counts for whom it is, from our own pages and from listed ones", async () => {
  const byProxy = (of: Headers): Headers => ({ [PROXY_HEADER]: String(of.Authorization).slice("Bearer ".length) });
  const alice = byProxy(ofStaff("alice"));
  const mine = await create(alice);
  assert.equal((await show(mine, bearer(mint(stack, claimsOf("alice"))))).status, 200);
  assertRefused(await show(mine, byProxy(ofStaff("bob"))), 404, "upload-not-found");
  assertRefused(await init(byProxy(ofStaff("alice", {}, new Signer("ES384", "staff")))), 401, "invalid-token");
  const bob = ofStaff("bob");
  assertRefused(await show(mine, { ...alice, ...bob }), 404, "upload-not-found");
  for (const [from, status] of [
    [{ Origin: stack.baseUrl }, 201],
    [{ Origin: APP, "Sec-Fetch-Site": "cross-site" }, 201],
    [{ "Sec-Fetch-Site": "same-origin" }, 201],
    [{ Origin: "https://evil.example" }, 403],
    [{ Origin: `${APP}.evil.example` }, 403],
    [{ Origin: "null" }, 403],
    [{ "Sec-Fetch-Site": "cross-site" }, 403],
    [{ "Sec-Fetch-Site": "same-site" }, 403],
  ] as [Headers, number][]) {
    const reply = await init({ ...alice, ...from });
    assert.equal(reply.status, status, `${JSON.stringify(from)}: ${reply.body}`);
    if (status === 403) {
      assert.match(assertRefused(reply, 403, "not-permitted").detail, /CORS_ORIGINS/);
      // What it carries itself no browser has added.
      assert.equal((await init({ ...bob, ...alice, ...from, Authorization: String(bob.Authorization) })).status, 201);
    }
  }
});

test("a page of nobody's cannot have a browser open a socket by its login either", async () => {
  const alice = ofStaff("alice");
  const mine = await create(alice);
  const upgrade = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": 13 };
  const headers = { ...upgrade, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", Origin: "https://evil.example" };
  const login = { [PROXY_HEADER]: String(alice.Authorization).slice("Bearer ".length) };
  const reply = await client.request("GET", `/upload/${mine}/events`, { headers: { ...headers, ...login } });
  assertRefused(reply, 403, "not-permitted");
});
