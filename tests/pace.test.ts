// How many uploads may be created in a minute: counted by the platform's own binding, for an owner and for an address; chunks are
// not counted. The limits of this run are smaller than those of wrangler.toml.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";

const BY_OWNER = 5;
const stack = await Stack.start({
  vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "" },
  configuration: (toml) => toml.replace(/(name = "CREATIONS_BY_OWNER"\n.*\nsimple = \{ limit = )\d+/, `$1${BY_OWNER}`),
});
after(() => stack.stop());
const { client } = stack;

test("one owner's creations are counted, not another's, and no chunk", async () => {
  const alice = bearer(mint(stack, claimsOf("alice")));
  const bytes = fileBytes("chunks", 50);
  let last: Created | undefined;
  // A minute may end between two of them: then there is room once more.
  let refused: Awaited<ReturnType<typeof client.init>> | undefined;
  for (let round = 0; round <= 2 * BY_OWNER && refused === undefined; round++) {
    const reply = await client.init({ fileName: "a", fileSize: bytes.length }, alice);
    if (reply.status === 201) {
      last = reply.json<Created>();
    } else {
      refused = reply;
    }
  }
  assert.ok(refused && last);
  assertRefused(refused, 429, "rate-limited");
  assert.equal(refused.header("Retry-After"), "60");
  for (let offset = 0; offset < bytes.length; offset += 5) {
    const reply = await client.put(last.uploadId, offset, bytes.subarray(offset, offset + 5), alice);
    assert.equal(reply.status, 200, "a fast uploader is no attacker");
  }
  const tus = { "Tus-Resumable": "1.0.0", "Upload-Length": 5, ...alice };
  const inTus = await client.request("POST", "/files", { headers: tus, body: "" });
  assert.ok([201, 429].includes(inTus.status));
  const bob = bearer(mint(stack, claimsOf("bob")));
  assert.equal((await client.init({ fileName: "a", fileSize: 1 }, bob)).status, 201);
});
