// What an application mints is taken by the running Worker, and what the Worker sends is believed by the application: with the package
// for JavaScript, and with the one for Python.

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import type { JWK } from "jose";

import {
  EventError,
  mintToken,
  type SigningKey,
  type TokenOptions,
  type UploadEvent,
  verifyEvent,
  verifyRequest,
} from "../../packages/server/src/index.ts";
import type { Created } from "../support/api.ts";
import { hasPython } from "../support/python.ts";
import { assertRefused } from "../support/refusals.ts";
import { freshSecrets, Stack } from "../support/stack.ts";
import { bearer } from "../support/tokens.ts";
import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";
import { askPython, preparePython } from "./python.ts";

type Posted = { headers: IncomingHttpHeaders; body: string };

const TEXT = { name: "a.txt", type: "text/plain", bytes: Buffer.from("sixteen letters!") };
const PICTURE = {
  name: "cat.png",
  type: "image/png",
  bytes: Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  ),
};

const isPythonHere = await hasPython();
const pairs = {
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  EdDSA: generateKeyPairSync("ed25519"),
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  PS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
};
const keys = Object.entries(pairs).map(([alg, { publicKey }]) => ({
  ...publicKey.export({ format: "jwk" }),
  kid: `mine-${alg}`,
  alg,
  use: "sig",
}));

const posted: Posted[] = [];
const webhook = createServer(async (request, response) => {
  const pieces: Buffer[] = [];
  for await (const piece of request) {
    pieces.push(piece);
  }
  posted.push({ headers: request.headers, body: Buffer.concat(pieces).toString() });
  response.writeHead(204).end();
});

let stack: Stack;
const olderSecret = `whsec_${randomBytes(32).toString("base64")}`;
before(async () => {
  await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
  const secrets = freshSecrets();
  stack = await Stack.start({
    secrets: { ...secrets, WEBHOOK_SECRET: `${secrets.WEBHOOK_SECRET} ${olderSecret}` },
    vars: {
      AUTH: "token",
      TOKEN_PUBLIC_KEYS: JSON.stringify({ keys }),
      ORIGIN_WEBHOOK_URL: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`,
    },
  });
  if (isPythonHere) {
    await preparePython();
  }
});
after(async () => {
  webhook.closeAllConnections();
  webhook.close();
  await stack?.stop();
});

/** Uploads with the token; what the webhook was sent of it. */
async function posts(token: string, { name, type, bytes } = TEXT): Promise<Posted> {
  const { client } = stack;
  const fields = { fileName: name, fileSize: bytes.length, contentType: type };
  const created = await client.init(fields, bearer(token));
  assert.equal(created.status, 201, created.body.toString());
  const { uploadId } = created.json<Created>();
  assert.equal((await client.put(uploadId, 0, bytes, bearer(token))).status, 200);
  return waitFor("the webhook", () => posted.find(({ body }) => body.includes(uploadId)));
}

type Language = {
  name: string;
  skip: string | false;
  mint: (key: SigningKey, pem: KeyObject | undefined, options: TokenOptions) => Promise<string>;
  /** The event, or why it was refused. */
  verify: (secrets: string, headers: IncomingHttpHeaders, body: string) => Promise<UploadEvent | { refused: string }>;
};

const snakeCase = (options: object) =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), value]),
  );

const languages: Language[] = [
  {
    name: "JavaScript",
    skip: false,
    mint: (key, _, options) => mintToken(key, options),
    verify: async (secrets, headers, body) => {
      try {
        return verifyEvent(secrets, headers, body);
      } catch (error) {
        assert.ok(error instanceof EventError, String(error));
        return { refused: error.message };
      }
    },
  },
  {
    name: "Python",
    skip: !isPythonHere && "there is no Python",
    mint: (key, privateKey, options) => {
      const pem = privateKey?.export({ format: "pem", type: "pkcs8" });
      const asked = typeof key === "string" ? key : { kid: key.kid, algorithm: key.algorithm, pem };
      return askPython("mint.py", { key: asked, options: snakeCase(options) });
    },
    verify: async (secrets, headers, body) => JSON.parse(await askPython("verify.py", { secrets, headers, body })),
  },
];

for (const { name, skip, mint, verify } of languages) {
  const terms = { owner: "alice", metadata: { album: "2026" }, keyPrefix: "alice/", types: ["text/plain"] };

  test(`${name}: a token of the shared secret, its upload, and its event`, { skip }, async () => {
    const secrets = `${stack.secrets.TOKEN_SECRETS} older:${"x".repeat(32)}`;
    const token = await mint(secrets, undefined, { ...terms, maxBytes: 20 });
    const fileless = { fileName: "a.txt", fileSize: 21 };
    assertRefused(await stack.client.init(fileless, bearer(token)), 413, "upload-too-large");
    const { headers, body } = await posts(await mint(secrets, undefined, { owner: "alice", metadata: terms.metadata }));
    const own = stack.secrets.WEBHOOK_SECRET ?? "";
    for (const known of [own, own.split(" ")[1] ?? "", `${freshSecrets().WEBHOOK_SECRET} ${olderSecret}`]) {
      const event = await verify(known, headers, body);
      assert.ok(!("refused" in event), JSON.stringify(event));
      assert.deepEqual([event.id, event.type], [headers["webhook-id"], "upload.completed"]);
      assert.deepEqual([event.data.owner, event.data.attached], ["alice", { album: "2026" }]);
    }
    const upper = Object.fromEntries(Object.entries(headers).map(([header, value]) => [header.toUpperCase(), value]));
    assert.ok(!("refused" in (await verify(own, upper, body))), "names of headers have no case");
    const forged = body.replace('"alice"', '"mallory"');
    assert.notEqual(forged, body);
    const long = { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) - 3600) };
    for (const [what, secret, given, text] of [
      ["another body", own, headers, forged],
      ["another secret", freshSecrets().WEBHOOK_SECRET ?? "", headers, body],
      ["another time", own, long, body],
      ["no headers", own, {}, body],
      ["a signature that is none", own, { ...headers, "webhook-signature": "v1" }, body],
    ] as const) {
      assert.ok("refused" in (await verify(secret, given, text)), what);
    }
  });

  for (const algorithm of ["ES256", "ES384", "EdDSA", "RS256", "PS256"] as const) {
    test(`${name}: a token of a key of one's own, ${algorithm}`, { skip }, async () => {
      const { privateKey } = pairs[algorithm];
      const jwk = privateKey.export({ format: "jwk" }) as JWK;
      const key = { kid: `mine-${algorithm}`, algorithm, privateKey: jwk };
      const { body } = await posts(await mint(key, privateKey, { owner: "bob" }));
      assert.equal(JSON.parse(body).data.owner, "bob");
    });
  }

  test(`${name}: what would be refused later is refused here`, { skip }, async () => {
    const refusal = (options: object, key = `k:${"x".repeat(32)}`) =>
      mint(key, undefined, options as TokenOptions).catch((error) => `refused: ${error.message}`);
    assert.match(await refusal({ owner: "" }), /^refused: owner is missing/);
    assert.match(await refusal({ owner: "a", maxBytes: -1 }), /^refused: max/);
    assert.match(await refusal({ owner: "a", validSeconds: 0 }), /^refused: valid/);
    assert.match(await refusal({ owner: "a" }, "k:short"), /^refused: the secret/);
    assert.match(await refusal({ owner: "a" }, "x".repeat(40)), /^refused: the secret/);
  });
}

test("a term that Quayside does not know is named", async () => {
  const options = { owner: "a", maxBtyes: 1 } as unknown as TokenOptions;
  await assert.rejects(mintToken(`k:${"x".repeat(32)}`, options), /no option maxBtyes/);
});

/** What is no WEBHOOK_SECRET to the Worker, though it may be base64. */
const NO_SECRETS = [
  randomBytes(32).toString("base64"),
  `whsec_${randomBytes(23).toString("base64")}`,
  `whsec_${randomBytes(65).toString("base64")}`,
  `whsec_${randomBytes(32).toString("base64").replace("=", "")}`,
  `whsec_${"A".repeat(42)}B=`,
  `whsec_${randomBytes(32).toString("base64")}\r`,
  `\ufeffwhsec_${randomBytes(32).toString("base64")}`,
  `WHSEC_${randomBytes(32).toString("base64")}`,
  "whsec_",
];

test("an event without a secret to verify it with is no forgery: the secret is not set, or is none", () => {
  for (const secrets of ["", " ", undefined as unknown as string]) {
    assert.throws(() => verifyEvent(secrets, {}, ""), /WEBHOOK_SECRET is not set/);
  }
  for (const secret of NO_SECRETS) {
    for (const secrets of [secret, `${olderSecret} ${secret}`]) {
      assert.throws(
        () => verifyEvent(secrets, {}, ""),
        /^TypeError: WEBHOOK_SECRET is not `whsec_` and 24 to 64 bytes/,
      );
    }
  }
});

test("Python: the same", { skip: !isPythonHere && "there is no Python" }, async () => {
  for (const secrets of NO_SECRETS) {
    const asked = askPython("verify.py", { secrets, headers: {}, body: "" });
    await assert.rejects(asked, /ValueError: WEBHOOK_SECRET is not `whsec_` and 24 to 64 bytes/, secrets);
  }
});

test("a Request is verified as it is", async () => {
  const { headers, body } = await posts(await mintToken(stack.secrets.TOKEN_SECRETS ?? "", { owner: "carol" }));
  const given = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  const request = new Request("https://app.example/webhooks", { method: "POST", headers: given, body });
  assert.equal((await verifyRequest(stack.secrets.WEBHOOK_SECRET ?? "", request)).data.owner, "carol");
});

/** The example of packages/server/README.md, as it stands there. */
async function readmeExample() {
  const readme = readFileSync(join(repositoryRoot, "packages/server/README.md"), "utf8");
  const code = /^```ts\n(.*?)^```/ms.exec(readme)?.[1] ?? "";
  const source = pathToFileURL(join(repositoryRoot, "packages/server/src/index.ts")).href;
  const folder = mkdtempSync(join(repositoryRoot, "target", "readme-"));
  try {
    const file = join(folder, "example.ts");
    writeFileSync(file, code.replace('"quayside-server"', JSON.stringify(source)));
    return (await import(pathToFileURL(file).href)) as {
      uploadToken: (user: string) => Promise<string>;
      webhook: (request: Request) => Promise<Response>;
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the README's example in JavaScript", async () => {
  const { uploadToken, webhook } = await readmeExample();
  process.env.TOKEN_SECRETS = stack.secrets.TOKEN_SECRETS;
  process.env.WEBHOOK_SECRET = stack.secrets.WEBHOOK_SECRET;
  const { headers, body } = await posts(await uploadToken("dave"), PICTURE);
  const status = async (text: string) => {
    const given = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
    const request = new Request("https://app.example/webhooks", { method: "POST", headers: given, body: text });
    return (await webhook(request)).status;
  };
  assert.deepEqual([await status(body), await status(`${body} `)], [204, 400]);
});

test("the README's example in Python", { skip: !isPythonHere && "there is no Python" }, async () => {
  process.env.TOKEN_SECRETS = stack.secrets.TOKEN_SECRETS;
  process.env.WEBHOOK_SECRET = stack.secrets.WEBHOOK_SECRET;
  const { headers, body } = await posts(await askPython("readme.py", { user: "erin" }), PICTURE);
  assert.match(await askPython("readme.py", { headers, body }), /\b204$/);
  assert.equal(await askPython("readme.py", { headers, body: `${body} ` }), "400");
});
