// Options of a token are checked where it is minted, in JavaScript and in Python, by the rules of the Worker: what they refuse it refuses,
// and what it takes they make.

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { after, before, test } from "node:test";

import { mintToken, type SigningKey, TokenOptionError, type TokenOptions } from "../../packages/server/src/index.ts";
import { hasPython } from "../support/python.ts";
import { Stack } from "../support/stack.ts";
import { bearer, claimsOf, mint } from "../support/tokens.ts";
import { askPython, preparePython } from "./python.ts";

const isPythonHere = await hasPython();
const ID = "067e6162-3b6f-4ae2-a171-2470b63dff00";
const SECRET = `k:${"x".repeat(32)}`;

/** As tokens name them below. */
const BUCKETS = ["a".repeat(32), "cold-storage2"];
const bound = (name: string) =>
  `\n[[r2_buckets]]\nbinding = "BUCKET_${name.toUpperCase().replace("-", "_")}"\nbucket_name = "${name}"\n`;

let stack: Stack;
before(async () => {
  stack = await Stack.start({
    vars: { AUTH: "token" },
    configuration: (toml) => toml.replace("\n[vars]\n", `${BUCKETS.map(bound).join("")}\n[vars]\n`),
  });
  if (isPythonHere) {
    await preparePython();
  }
});
after(() => stack?.stop());

/** Options that are wrong, and the option that the refusal begins with. */
const WRONG: [string, object][] = [
  ...["", "x".repeat(256), "é".repeat(128), "a\u0000b", "a\u0085b", "a\nb", "a\ud800", 7, null, ["a"]].map(
    (owner): [string, object] => ["owner", { owner }],
  ),
  ...["", 7, ["quayside"], "a\ud800"].map((audience): [string, object] => ["audience", { audience }]),
  ...[-1, 0.5, 2 ** 53, "5", true].map((maxBytes): [string, object] => ["max", { maxBytes }]),
  ...[
    [],
    "image/*",
    ["image"],
    ["*/*"],
    ["image/png\n/"],
    ["\ufeffimage/*"],
    ["image/*\u001f"],
    [7],
    [true],
    Array(65).fill("image/*"),
  ].map((types): [string, object] => ["types", { types }]),
  ...[
    "text",
    ["a"],
    7,
    { a: 1 },
    { a: null },
    { a: {} },
    { a: true },
    { a: "x".repeat(4096) },
    { ä: "ü".repeat(2048) },
  ].map((metadata): [string, object] => ["metadata", { metadata }]),
  ["metadata", { metadata: { a: "\udfff" } }],
  ...["a", "/a/", "a//b/", "../", "a/./", "a b/", "ü/", "a/\n", "/", 7, true, `${"x".repeat(512)}/`].map(
    (keyPrefix): [string, object] => ["key", { keyPrefix }],
  ),
  ...[
    "",
    "{id}/",
    "{id}{id}",
    "a/{ID}",
    "/{id}",
    "../{id}",
    "{prefix}/{id}",
    "{id}/{name}/{name}",
    "a{prefix}{id}",
    "ü/{id}",
    "{id}\n",
    7,
    `${"a".repeat(247)}{id}`,
  ].map((objectKey): [string, object] => ["object", { objectKey }]),
  ...[
    "true",
    1,
    [],
    { endAfterSeconds: 0 },
    { endAfterSeconds: 86_401 },
    { tellEveryBytes: 8_388_607 },
    { tell: 9e6 },
  ].map((live): [string, object] => ["live", { live }]),
  ...["admins", true].map((scope): [string, object] => ["scope", { scope }]),
  ...[{ hold: true }, { live: false }, { maxBytes: 5 }].map((beside): [string, object] => [
    "scope",
    { scope: "admin", ...beside },
  ]),
  ...["", "EU", "2eu", "e_u", "eu\n", "x".repeat(33), 7].map((bucket): [string, object] => ["bucket", { bucket }]),
  ...[1, 0, "true"].map((mayDelete): [string, object] => ["delete", { delete: mayDelete }]),
  ...["x", ID.slice(1), `${ID}\n`, 7].map((upload): [string, object] => ["upload", { upload }]),
  ["the token", { types: Array(64).fill(`application/${"x".repeat(110)}`) }],
];

/** Options that are just right. */
const RIGHT: Omit<TokenOptions, "owner">[] = [
  { maxBytes: 2 ** 53 - 1 },
  { types: ["text/plain", "image/*", " Application/Vnd.a+b-c_d "] },
  { types: ["\u0085text/*\u3000"], maxBytes: 50e6 },
  { types: Array(64).fill("text/plain") },
  { metadata: {} },
  { metadata: { a: "x".repeat(4095) } },
  { metadata: { ä: "ü".repeat(2047), "": "" } },
  { keyPrefix: "" },
  { keyPrefix: "customers/42/..a=b/" },
  { keyPrefix: `${"x".repeat(511)}/` },
  { objectKey: "{owner}/{prefix}{year}/{month}/{day}/{date}_{id}={name}{.ext}" },
  { objectKey: `${"a".repeat(246)}{id}` },
  ...BUCKETS.map((bucket) => ({ bucket, objectKey: "{id}" })),
  { live: true },
  { live: false },
  { live: {} },
  { live: { endAfterSeconds: 86_400, tellEveryBytes: 8_388_608 } },
  { delete: false },
  { delete: true },
];
const OWNERS = [`${"é".repeat(127)}x`, "a b/ü:🐢"];

const snakeCase = (options: object) =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), value]),
  );

/** Private keys as JavaScript has them, and as Python is given them. */
const keyObjects = new Map<object, KeyObject>();
function jwkOf({ privateKey }: { privateKey: KeyObject }): object {
  const jwk = privateKey.export({ format: "jwk" });
  keyObjects.set(jwk, privateKey);
  return jwk;
}

/** Each token, or why there is none. */
type Mint = (key: unknown, options: object[]) => Promise<string[]>;

const inJavaScript: Mint = (key, all) =>
  Promise.all(
    all.map((options) =>
      mintToken(key as SigningKey, options as TokenOptions).catch((error) => {
        assert.ok(error instanceof TokenOptionError, String(error));
        return `refused: ${error.message}`;
      }),
    ),
  );
const inPython: Mint = async (key, all) => {
  const { privateKey, ...rest } = (key ?? {}) as { privateKey?: object };
  const pem = keyObjects.get(privateKey ?? {})?.export({ format: "pem", type: "pkcs8" }) ?? privateKey;
  const asked = privateKey === undefined ? key : { ...rest, pem };
  return (await askPython("mint.py", { key: asked, options: all.map(snakeCase) })).split("\n");
};

const languages: [string, Mint, string | false][] = [
  ["JavaScript", inJavaScript, false],
  ["Python", inPython, !isPythonHere && "there is no Python"],
];

for (const [language, mintAll, skip] of languages) {
  test(`${language}: what is wrong is refused, and named`, { skip }, async () => {
    const tokens = await mintAll(
      SECRET,
      WRONG.map(([, options]) => ({ owner: "a", ...options })),
    );
    for (const [index, [named, options]] of WRONG.entries()) {
      assert.ok(tokens[index]?.startsWith(`refused: ${named}`), `${JSON.stringify(options)}: ${tokens[index]}`);
    }
  });

  test(`${language}: what is just right is taken by the Worker`, { skip }, async () => {
    const all = [...RIGHT.map((options) => ({ owner: "a", ...options })), ...OWNERS.map((owner) => ({ owner }))];
    const tokens = await mintAll(stack.secrets.TOKEN_SECRETS ?? "", all);
    for (const [index, options] of all.entries()) {
      const file = { fileName: "a.txt", fileSize: 1, contentType: "text/plain" };
      const answer = await stack.client.init(file, bearer(tokens[index] ?? ""));
      assert.equal(answer.status, 201, `${JSON.stringify(options)}: ${answer.body}`);
    }
    const [forOne] = await mintAll(SECRET, [{ owner: "a", upload: ID }]);
    assert.match(forOne ?? "", /^[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  test(`${language}: a key that cannot sign, and a time that is none, are refused`, { skip }, async () => {
    const refusal = async (key: unknown, options: object = {}) =>
      (await mintAll(key as string, [{ owner: "a", ...options }])).join();
    const long = "x".repeat(32);
    const secrets = ["", "k:short", "x".repeat(40), `:${long}`, `k:${long}:y`, `\ufeffk:${long}`, `k:${long}\ud800`];
    for (const key of [...secrets, `k:${long}\u00a0k2:${long}`, `k\udc00:${long}`]) {
      assert.match(await refusal(key), /^refused: the(re is no key| secret)/, key);
    }
    assert.doesNotMatch(await refusal(` ,\r\n\tk:${long} older`), /^refused/, "what is between two is none of either");
    const bytes = `k:${"é".repeat(16)}`;
    assert.doesNotMatch(await refusal(bytes), /^refused/, "it is bytes that count");
    const small = jwkOf(generateKeyPairSync("rsa", { modulusLength: 1024 }));
    const otherCurve = jwkOf(generateKeyPairSync("ec", { namedCurve: "P-384" }));
    for (const [algorithm, privateKey, kid] of [
      ["RS256", small, "k"],
      ["PS256", small, "k"],
      ["ES256", otherCurve, "k"],
      ["EdDSA", otherCurve, "k"],
      ["RS256", otherCurve, "k"],
      ["RS256", "a PEM", "k"],
      ["ES384", otherCurve, "k\ud800"],
      ["HS256", otherCurve, "k"],
    ]) {
      assert.match(
        await refusal({ kid, algorithm, privateKey }),
        /^refused: the key (cannot sign|has no kid)/,
        `${algorithm}`,
      );
    }
    assert.doesNotMatch(await refusal({ kid: "k", algorithm: "ES384", privateKey: otherCurve }), /^refused/);
    for (const key of [7, ["k"], true, null, {}]) {
      assert.match(await refusal(key), /^refused: the/, JSON.stringify(key));
    }
    for (const validSeconds of [0, -1, "60", true, null]) {
      assert.match(await refusal(SECRET, { validSeconds }), /^refused: valid/, String(validSeconds));
    }
  });
}

test("what is wrong is refused by the Worker, too", async () => {
  for (const [, { owner = "a", audience = "quayside", ...terms }] of WRONG as [string, TokenOptions][]) {
    const token = mint(stack, claimsOf(owner, { aud: audience, quayside: terms }));
    const answer = await stack.client.init(
      { fileName: "a.txt", fileSize: 1, contentType: "text/plain" },
      bearer(token),
    );
    // A list of audiences is good in a token, and no option.
    const isList = Array.isArray(audience);
    assert.equal(answer.status, isList ? 201 : 401, `${JSON.stringify({ owner, audience, ...terms })}: ${answer.body}`);
  }
});

test("JavaScript: numbers that are none, and what cannot be told in JSON", async () => {
  for (const options of [
    { maxBytes: Number.NaN },
    { maxBytes: Number.POSITIVE_INFINITY },
    { maxBytes: null },
    { maxBytes: 5n },
    { validSeconds: Number.NaN },
    { validSeconds: Number.POSITIVE_INFINITY },
    { types: null },
    { metadata: null },
    { metadata: { a: undefined } },
    { metadata: { a: 5n } },
    { metadata: new Map([["a", "b"]]) },
    { keyPrefix: null },
    { delete: null },
    { upload: null },
  ]) {
    const minted = mintToken(SECRET, { owner: "a", ...options } as unknown as TokenOptions);
    await assert.rejects(minted, TokenOptionError, Object.keys(options).join());
  }
  await assert.rejects(mintToken(SECRET, undefined as unknown as TokenOptions), TokenOptionError);
  const left = {
    owner: "a",
    maxBytes: undefined,
    metadata: undefined,
    keyPrefix: undefined,
  } as unknown as TokenOptions;
  assert.match(await mintToken(SECRET, left), /^[\w-]+\./);
});

test("Python: numbers that are none", { skip: !isPythonHere && "there is no Python" }, async () => {
  const refusals = await askPython("mint_none.py", {});
  const lines = refusals.split("\n");
  assert.deepEqual(
    lines.slice(0, -1).map((line) => line.split(" ")[0]),
    ["valid_seconds", "valid_seconds", "max_bytes", "max_bytes", "max_bytes", "there", "metadata"],
  );
  const claims = Buffer.from(lines.at(-1)?.split(".")[1] ?? "", "base64url").toString();
  assert.match(claims, /"maxBytes": ?50000000\}/, "a number that is whole is one, however it is written");
});
