// What an owner uses of its quotas: to be shown before an upload is refused for it.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isDeepStrictEqual } from "node:util";

import { fileBytes } from "./support/bytes.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const bounds = { QUOTA_OPEN_UPLOADS: 3, QUOTA_OPEN_BYTES: 10_000, QUOTA_BYTES_PER_DAY: 20_000 };
const stack = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", ...bounds } });
const { client } = stack;
after(() => stack.stop());

const as = (owner: string) => bearer(mint(stack, claimsOf(owner)));

async function usage(owner: string): Promise<unknown> {
  const reply = await client.request("GET", "/usage", { headers: as(owner) });
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json();
}

const of = (openUploads: number, openBytes: number, bytesToday: number, storedBytes = 0) => ({
  openUploads: { used: openUploads, limit: 3 },
  openBytes: { used: openBytes, limit: 10_000 },
  bytesToday: { used: bytesToday, limit: 20_000 },
  storedBytes: { used: storedBytes, limit: null },
  storedObjects: storedBytes === 0 ? 0 : 1,
});

test("it grows with a creation, and what has ended is no longer open, and has been of today", async () => {
  assert.deepEqual(await usage("alice"), of(0, 0, 0));
  const file = fileBytes("counted", 4_000);
  const ids: string[] = [];
  for (const opened of [1, 2]) {
    const created = await client.init({ fileName: "a", fileSize: file.length }, as("alice"));
    ids.push(created.json<{ uploadId: string }>().uploadId);
    assert.deepEqual(await usage("alice"), of(opened, opened * 4_000, opened * 4_000));
  }
  assert.equal((await client.put(String(ids[0]), 0, file, as("alice"))).status, 200);
  const left = of(1, 4_000, 8_000, 4_000);
  await waitFor("the ledger to hear of its end", async () => isDeepStrictEqual(await usage("alice"), left));
  assert.deepEqual(await usage("bob"), of(0, 0, 0), "somebody else's");
});

test("it needs a token that may create, and can only be read", async () => {
  assert.equal((await client.request("GET", "/usage")).status, 401);
  assert.equal((await client.request("POST", "/usage", { headers: as("alice") })).status, 405);
});
