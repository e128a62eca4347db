// Who may delete: what is unfinished, whoever may add to it; what is complete, only whom the application allows.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import type { Headers, Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint, secondsFromNow } from "./support/tokens.ts";
import { VERSION } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const file = fileBytes("mine", 1000);

/** A Worker that asks for tokens. */
async function start(vars: Record<string, string>): Promise<Stack> {
  const stack = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", ...vars } });
  after(() => stack.stop());
  return stack;
}

type Mine = Created & { uploadToken: string };

/** An upload of this owner, with so many of its bytes. */
async function upload(stack: Stack, creator: Headers, bytes: number): Promise<Mine> {
  const created = await stack.client.init({ fileName: "a", fileSize: file.length }, creator);
  assert.equal(created.status, 201, created.body.toString());
  const mine = created.json<Mine>();
  if (bytes > 0) {
    const headers = { ...creator, "X-Upload-Offset": 0 };
    const options = { headers, body: file.subarray(0, bytes) };
    assert.equal((await stack.client.request("PUT", `/upload/${mine.uploadId}`, options)).status, 200);
  }
  if (bytes === file.length) {
    await waitFor("it to be complete", async () => (await stateOf(stack, mine)) === "completed");
  }
  return mine;
}

async function stateOf(stack: Stack, { uploadId, uploadToken }: Mine): Promise<string> {
  const reply = await stack.client.request("GET", `/upload/${uploadId}/status`, { headers: bearer(uploadToken) });
  return reply.json<{ state: string }>().state;
}

function remove(stack: Stack, { uploadId }: Mine, headers: Headers): Promise<Reply> {
  return stack.client.request("DELETE", `/upload/${uploadId}`, { headers });
}

function status(stack: Stack, { uploadId }: Mine, headers: Headers): Promise<Reply> {
  return stack.client.request("GET", `/upload/${uploadId}/status`, { headers });
}

const claim = await start({});
const alice = bearer(mint(claim, claimsOf("alice")));

/** A token that was good when the upload was created with it, and is not any more. */
async function expired(stack: Stack, use: (token: Headers) => Promise<Mine>): Promise<[Headers, Mine]> {
  // Tokens are believed half a minute longer than they say.
  const until = secondsFromNow(-25);
  const token = bearer(mint(stack, claimsOf("alice", { exp: until, quayside: { delete: true } })));
  const mine = await use(token);
  await waitFor("the token to have expired", () => Date.now() / 1000 > until + 31);
  return [token, mine];
}

test("what is unfinished: whoever may add to it", async () => {
  for (const by of ["its creator", "its own token", "another token of its owner"]) {
    const mine = await upload(claim, alice, 10);
    const tokens: Record<string, Headers> = {
      "its creator": alice,
      "its own token": bearer(mine.uploadToken),
      "another token of its owner": bearer(mint(claim, claimsOf("alice", { exp: secondsFromNow(60) }))),
    };
    assert.equal((await remove(claim, mine, tokens[by] ?? {})).status, 204, by);
    assert.equal((await remove(claim, mine, alice)).status, 204, "again, as where the answer was lost");
    assertRefused(await status(claim, mine, alice), 410, "upload-gone", { state: "aborted" });
  }
  const [token, mine] = await expired(claim, (token) => upload(claim, token, 10));
  assert.equal((await remove(claim, mine, token)).status, 204, "the token that it was created with, expired or not");
});

test("what is complete: by default only a token in which the application says so", async () => {
  const mine = await upload(claim, alice, file.length);
  const forbidden: [string, Headers][] = [
    ["its creator", alice],
    ["its own token", bearer(mine.uploadToken)],
    ["a claim that says no", bearer(mint(claim, claimsOf("alice", { quayside: { delete: false } })))],
    ["a token for this upload", bearer(mint(claim, claimsOf("alice", { quayside: { upload: mine.uploadId } })))],
  ];
  for (const [who, token] of forbidden) {
    const { detail } = assertRefused(await remove(claim, mine, token), 403, "not-permitted");
    assert.match(detail, /quayside\.delete/, who);
    const tus = await claim.client.request("DELETE", `/files/${mine.uploadId}`, {
      headers: { ...token, "Tus-Resumable": VERSION },
    });
    assert.equal(tus.status, 403, who);
  }
  const stranger = bearer(mint(claim, claimsOf("bob", { quayside: { delete: true } })));
  assertRefused(await remove(claim, mine, stranger), 404, "upload-not-found");
  const [token, old] = await expired(claim, (token) => upload(claim, token, file.length));
  assertRefused(await remove(claim, old, token), 403, "not-permitted");
  assert.equal(await stateOf(claim, mine), "completed", "nothing of all that has changed it");

  const application = bearer(mint(claim, claimsOf("alice", { quayside: { delete: true } })));
  assert.equal((await remove(claim, mine, application)).status, 204);
  assert.equal((await remove(claim, mine, application)).status, 204, "again, as where the answer was lost");
  assertRefused(await status(claim, mine, alice), 410, "upload-gone", { state: "deleted" });
  const forOne = { upload: old.uploadId, delete: true };
  assert.equal((await remove(claim, old, bearer(mint(claim, claimsOf("alice", { quayside: forOne }))))).status, 204);
});

test("or, where the deployment says so, any good token of its owner", async () => {
  const owner = await start({ DELETE_COMPLETED: "owner" });
  const carol = bearer(mint(owner, claimsOf("carol")));
  const mine = await upload(owner, carol, file.length);
  assertRefused(await remove(owner, mine, bearer(mine.uploadToken)), 403, "not-permitted");
  const [token, old] = await expired(owner, (token) => upload(owner, token, file.length));
  assertRefused(await remove(owner, old, token), 403, "not-permitted");
  assert.equal((await remove(owner, mine, carol)).status, 204);
});

test("a setting that is neither is said", async () => {
  const wrong = await start({ DELETE_COMPLETED: "anybody" });
  const reply = await wrong.client.request("GET", "/readyz");
  assert.equal(reply.status, 503);
  assert.match(reply.body.toString(), /DELETE_COMPLETED is neither/);
});
