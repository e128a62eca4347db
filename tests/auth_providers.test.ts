// The tokens of seven identity providers, as they document them, each with the lines that docs/guides/identity-providers.md has for it, to
// the end of an upload; and what is near each of them, refused with the setting that it is about.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { codeBlock } from "./support/guides.ts";
import type { Headers } from "./support/http.ts";
import { KeyServer } from "./support/key_server.ts";
import { PROVIDERS } from "./support/providers.ts";
import { assertRefused } from "./support/refusals.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { freshSecrets, Stack } from "./support/stack.ts";
import { bearer, claimsOf, encode, mint, mintWith, Signer, secondsFromNow } from "./support/tokens.ts";

const PAGE = "docs/guides/identity-providers.md";
const origin = await ScriptedOrigin.start();
after(() => origin.stop());

/** The settings of a block of TOML: `NAME = "value"`, a line each, or `'value'`. */
function settingsOf(toml: string): Record<string, string> {
  const lines = toml.trim().split("\n");
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = "", , value = ""] = /^([A-Z_]+) = (["'])(.*)\2$/.exec(line) ?? assert.fail(line);
      return [name, value];
    }),
  );
}

test("the list of several, and the policy for all, are good as they stand there", async (t) => {
  const [, list = ""] = /^TOKEN_ISSUERS = '''\n(.*)'''$/s.exec(codeBlock(PAGE, "Several at once", "toml").trim()) ?? [];
  const policy = settingsOf(codeBlock(PAGE, "Tokens of your identity provider", "toml"));
  const TOKEN_ISSUERS = JSON.stringify(JSON.parse(list));
  const stack = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", ...policy, TOKEN_ISSUERS } });
  t.after(() => stack.stop());
  const ready = await stack.client.request("GET", "/readyz");
  assert.equal(ready.status, 200, ready.body.toString());
  const token = bearer(mint(stack, claimsOf("alice")));
  const large = { fileName: "a.png", fileSize: 5_000_000_001, contentType: "image/png" };
  assertRefused(await stack.client.init(large, token), 413, "upload-too-large", { limitBytes: 5_000_000_000 });
});

for (const { name, algorithm, header, claims, owner, keySet, refused } of PROVIDERS) {
  test(`${name}: five lines, and its tokens upload`, async (t) => {
    const signer = new Signer(algorithm, "their-key");
    const small = new Signer("RS256", "small", 1024);
    const keys = await KeyServer.start({});
    t.after(() => keys.stop());
    const published = keySet(signer.jwk) as { keys: object[] };
    keys.document = { ...published, keys: [...published.keys, small.jwk] };
    const settings = settingsOf(codeBlock(PAGE, name, "toml"));
    assert.ok(Object.keys(settings).length <= 5, "five lines");
    assert.match(String(settings.TOKEN_JWKS_URL), /^https:/);
    const { TOKEN_SECRETS: _, ...secrets } = freshSecrets();
    const stack = await Stack.start({
      vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: origin.webhookUrl, ...settings, TOKEN_JWKS_URL: keys.url },
      secrets,
    });
    t.after(() => stack.stop());
    origin.trust(secrets.WEBHOOK_SECRET);
    const { client } = stack;
    const init = (headers: Headers, fileSize = 5) => client.init({ fileName: "a", fileSize }, headers);
    const of = (user: string, more: object = {}) => bearer(signer.mint({ ...claims(user), ...more }, header));

    const reply = await init(of("alice"));
    assert.equal(reply.status, 201, reply.body.toString());
    const { uploadId } = reply.json<Created>();
    assert.equal((await client.put(uploadId, 0, Buffer.from("bytes"), of("alice"))).status, 200);
    const event = await origin.waitForEvent(uploadId, "upload.completed");
    assert.equal(event.data.owner, owner("alice"));
    assertRefused(await client.request("GET", `/upload/${uploadId}`, { headers: of("bob") }), 404, "upload-not-found");
    if (name === "Supabase") {
      assertRefused(await init(of("alice"), 101), 413, "upload-too-large", { limitBytes: 100 });
    }

    const { iss } = claims("alice");
    const wrong: [Record<string, unknown>, RegExp][] = [
      ...refused,
      [{ iss: `${iss}/` }, /iss is no issuer.*TOKEN_ISSUER/],
      [{ iss: undefined }, /TOKEN_ISSUER/],
      [{ nbf: secondsFromNow(100) }, /not valid yet/],
      [{ exp: undefined }, /exp is missing/],
    ];
    for (const [changes, detail] of wrong) {
      const problem = assertRefused(await init(of("alice", changes)), 401, "invalid-token");
      assert.match(problem.detail, detail, JSON.stringify(changes));
    }
    assertRefused(await init(of("alice", { exp: secondsFromNow(-100) })), 401, "token-expired");
    const all = claims("alice");
    const forged: [string, RegExp][] = [
      [signer.mint(all, { ...header, kid: "unknown" }), /kid and algorithm.*TOKEN_JWKS_URL/],
      [small.mint(all, header), /2,048 bits/],
      [new Signer(algorithm, "their-key").mint(all, header), /signature is not valid/],
      [signer.mint(all, { ...header, alg: "PS256" }), /kid and algorithm/],
      [mintWith(signer.pem, all, { ...header, alg: "HS256", kid: "their-key" }), /kid and algorithm/],
      [`${encode({ ...header, alg: "none", kid: "their-key" })}.${encode(all)}.`, /must be signed with/],
    ];
    for (const [token, detail] of forged) {
      assert.match(assertRefused(await init(bearer(token)), 401, "invalid-token").detail, detail);
    }
    assert.equal(keys.fetches, 1);
  });
}
