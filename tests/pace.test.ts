// How many uploads may be created in a minute: counted by the platform's own binding, for an owner and for an address; neither chunks are
// counted nor the pieces of one file. The limits of this run are smaller than those of wrangler.toml.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import type { Headers, Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { LOCAL_KEYS } from "./support/s3.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { Tus } from "./support/tus.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const BY_OWNER = 5;
const stack = await Stack.start({
  // Nobody listens there: whoever came too often is refused before anything is asked.
  vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", R2_S3_ENDPOINT: "http://127.0.0.1:9", ...LOCAL_KEYS },
  configuration: (toml) => toml.replace(/(name = "CREATIONS_BY_OWNER"\n.*\nsimple = \{ limit = )\d+/, `$1${BY_OWNER}`),
});
after(() => stack.stop());
const { client } = stack;
const tus = new Tus(client);

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

test("a file that is sent in pieces counts once: pieces hardly count", async () => {
  const owner = bearer(mint(stack, claimsOf("parallel uploads")));
  const pieces: string[] = [];
  for (let piece = 0; piece < 12 * BY_OWNER; piece++) {
    const reply = await tus.post({ "Upload-Concat": "partial", "Upload-Length": 1, ...owner }, Buffer.from("1"));
    if (reply.status === 201) {
      pieces.push(reply.header("Location") ?? "");
    }
  }
  // One in a hundred counts, by lot: hardly ever are six of these sixty more than an owner may have.
  assert.ok(pieces.length >= 11 * BY_OWNER, `${pieces.length} of ${12 * BY_OWNER} pieces were created`);
});

test("whoever came too often is told when to come again, in every protocol, and a page may read it", async () => {
  const owner = bearer(mint(stack, claimsOf("often")));
  const headers = { Origin: "https://app.example.com", ...owner };
  const creations: [string, () => Promise<Reply>][] = [
    ["json", () => client.init({ fileName: "a", fileSize: 1 }, headers)],
    ["tus", () => tus.post({ "Upload-Length": 1, ...headers })],
    ["tus, all at once", () => tus.post({ "Upload-Length": 1, ...headers }, Buffer.from("1"))],
    [
      "ietf",
      () => {
        const all: Headers = {
          "Upload-Draft-Interop-Version": "8",
          "Upload-Complete": "?0",
          "Upload-Length": 1,
          ...headers,
        };
        return client.request("POST", "/files", { headers: all, body: "" });
      },
    ],
    [
      "companion",
      () => {
        const body = JSON.stringify({ filename: "a", type: "text/plain", metadata: {} });
        return client.request("POST", "/s3/multipart", {
          headers: { "Content-Type": "application/json", ...headers },
          body,
        });
      },
    ],
  ];
  for (const [protocol, create] of creations) {
    let reply = await create();
    // A minute may end between two of them.
    for (let round = 0; round <= 2 * BY_OWNER && reply.status !== 429; round++) {
      await client.init({ fileName: "a", fileSize: 1 }, headers);
      reply = await create();
    }
    assert.equal(reply.status, 429, `${protocol}: ${reply.body}`);
    assert.equal(reply.header("Retry-After"), "60", protocol);
    assert.equal(reply.header("Access-Control-Allow-Origin"), "*", protocol);
    assert.match(String(reply.header("Access-Control-Expose-Headers")), /Retry-After/i, protocol);
  }
});

test("as committed, ten thousand small files of one person go through, in every environment", () => {
  const toml = readFileSync(join(repositoryRoot, "wrangler.toml"), "utf8");
  const limits = [...toml.matchAll(/name = "CREATIONS_BY_\w+"\n.*\nsimple = \{ limit = (\d+), period = 60 \}/g)];
  // An environment that does not name it has the default.
  const defaults = readFileSync(join(repositoryRoot, "src/defaults.rs"), "utf8");
  const byDefault = [...defaults.matchAll(/\("QUOTA_OPEN_UPLOADS", "(\d+)"\)/g)];
  const quotas = [...byDefault, ...toml.matchAll(/^QUOTA_OPEN_UPLOADS = "(\d+)"$/gm)];
  assert.deepEqual([limits.length, byDefault.length], [6, 1]);
  for (const [line, number] of [...limits, ...quotas]) {
    assert.ok(Number(number) >= 10_000, line);
  }
});
