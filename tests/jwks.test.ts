// Public keys from a JWKS URL: fetched once for all who need them, remembered, asked for again when a new key turns up, and kept when
// nobody answers. What comes instead of keys is read no further than to its bound.

import assert from "node:assert/strict";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";

import { MIB } from "./support/bytes.ts";
import { KeyServer } from "./support/key_server.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint, Signer } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

let published: object[] = [];
let isDown = false;
let fetches = 0;

/** Somebody who publishes keys, or does not. */
async function listen(answer: (response: ServerResponse) => void): Promise<{ server: Server; url: string }> {
  const server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json` };
}

const { server, url } = await listen((response) => {
  fetches++;
  response.writeHead(isDown ? 500 : 200, { "Content-Type": "application/json" });
  response.end(isDown ? "down" : JSON.stringify({ keys: published }));
});
const stack = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", TOKEN_JWKS_URL: url } });
after(async () => {
  server.close();
  await stack.stop();
});

const [first, second, stranger] = [new Signer("ES256", "one"), new Signer("EdDSA", "two"), new Signer("ES256", "one")];
published = [first.jwk];

function create(signer: Signer) {
  return stack.client.init({ fileName: "a", fileSize: 1 }, bearer(signer.mint(claimsOf("alice"))));
}

test("keys are fetched once for many tokens", async () => {
  for (let round = 0; round < 5; round++) {
    assert.equal((await create(first)).status, 201);
  }
  assertRefused(await create(stranger), 401, "invalid-token");
  assert.equal(fetches, 1);
});

test("an unknown kid asks again at most every half minute, however many are made up", async () => {
  for (let round = 0; round < 20; round++) {
    assertRefused(await create(new Signer("ES256", `made-up-${round}`)), 401, "invalid-token");
  }
  assert.equal(fetches, 1, "the set is younger than half a minute");
  published = [first.jwk, second.jwk];
  assertRefused(await create(second), 401, "invalid-token");
});

test("a shared secret needs no keys, so nothing is fetched for it", async () => {
  const token = mint(stack, claimsOf("alice"));
  isDown = true;
  assert.equal((await stack.client.init({ fileName: "a", fileSize: 1 }, bearer(token))).status, 201);
  assert.equal((await create(first)).status, 201, "what was fetched goes on");
  assert.equal(fetches, 1);
});

test("however many need the keys at once, they are fetched once, and all are served", async (t) => {
  const held: ServerResponse[] = [];
  const slow = await listen((response) => held.push(response));
  t.after(() => slow.server.close());
  const cold = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", TOKEN_JWKS_URL: slow.url } });
  t.after(() => cold.stop());
  const token = bearer(first.mint(claimsOf("alice")));
  const shared = bearer(mint(cold, claimsOf("alice")));
  const asked = Array.from({ length: 8 }, () => cold.client.init({ fileName: "a", fileSize: 1 }, token));
  await waitFor("the keys to be asked for", () => held.length > 0);
  const beside = await cold.client.init({ fileName: "a", fileSize: 1 }, shared);
  assert.equal(beside.status, 201, "whose key is known waits for nobody");
  for (const response of held) {
    response.end(JSON.stringify({ keys: published }));
  }
  for (const reply of await Promise.all(asked)) {
    assert.equal(reply.status, 201, reply.body.toString());
  }
  assert.equal(held.length, 1);
});

test("a set that does not end is given up at its bound", async (t) => {
  let sentBytes = 0;
  const endless = await listen((response) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16 * 1024, " "))) {
        sentBytes += 16 * 1024;
      }
    };
    response.on("drain", more);
    more();
  });
  t.after(() => endless.server.closeAllConnections());
  t.after(() => endless.server.close());
  const vars = { AUTH: "token", ORIGIN_WEBHOOK_URL: "", TOKEN_JWKS_URL: endless.url };
  const cold = await Stack.start({ vars });
  t.after(() => cold.stop());
  const reply = await cold.client.init({ fileName: "a", fileSize: 1 }, bearer(first.mint(claimsOf("alice"))));
  assertRefused(reply, 503, "keys-unavailable");
  assert.ok(sentBytes < 16 * MIB, `${sentBytes} bytes were taken`);
  const said = await waitFor("the log line", () => cold.log.lines.find(({ event }) => event === "jwks_unavailable"));
  assert.match(String(said.detail), /64 KiB/);
  cold.log.forget();
});

test("keys that cannot be had are not a bad token: 503, and again after a moment", async (t) => {
  isDown = true;
  const cold = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", TOKEN_JWKS_URL: url } });
  t.after(() => cold.stop());
  const token = bearer(first.mint(claimsOf("alice")));
  const reply = await cold.client.init({ fileName: "a", fileSize: 1 }, token);
  assertRefused(reply, 503, "keys-unavailable");
  assert.equal(reply.header("Retry-After"), "5");
  const before = fetches;
  assertRefused(await cold.client.init({ fileName: "a", fileSize: 1 }, token), 503, "keys-unavailable");
  assert.equal(fetches, before, "a failure is not asked about again at once");
  isDown = false;
  await waitFor("the keys", async () => (await cold.client.init({ fileName: "a", fileSize: 1 }, token)).status === 201);
});

test("a redirect is not followed: keys come from the address that was set, or not at all", async (t) => {
  const elsewhere = await KeyServer.start({ keys: [first.jwk] });
  t.after(() => elsewhere.stop());
  const moved = await KeyServer.start({ keys: [] });
  t.after(() => moved.stop());
  moved.movedTo = elsewhere.url;
  const cold = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", TOKEN_JWKS_URL: moved.url } });
  t.after(() => cold.stop());
  const reply = await cold.client.init({ fileName: "a", fileSize: 1 }, bearer(first.mint(claimsOf("alice"))));
  assertRefused(reply, 503, "keys-unavailable");
  assert.deepEqual([moved.fetches, elsewhere.fetches], [1, 0]);
  const said = await waitFor("the log line", () => cold.log.lines.find(({ event }) => event === "jwks_unavailable"));
  assert.match(String(said.detail), /answered 302/);
  cold.log.forget();
});

test("a key that cannot be read takes none of the others with it", async (t) => {
  const odd = [7, { kid: "no type" }, { ...second.jwk, kid: 7 }, { ...second.jwk, key_ops: "verify" }];
  const keys = await KeyServer.start({ keys: [...odd, first.jwk] });
  t.after(() => keys.stop());
  const cold = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", TOKEN_JWKS_URL: keys.url } });
  t.after(() => cold.stop());
  const ask = (signer: Signer) =>
    cold.client.init({ fileName: "a", fileSize: 1 }, bearer(signer.mint(claimsOf("alice"))));
  const reply = await ask(first);
  assert.equal(reply.status, 201, reply.body.toString());
  assertRefused(await ask(second), 401, "invalid-token");
});
