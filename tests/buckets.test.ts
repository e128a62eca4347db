// Several buckets: what a token, or the application that is asked, puts into one of them lies there with all that is ever of it, and nothing of
// it lies anywhere else, however the bytes came, and whatever becomes of the upload.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { AcceptHook } from "./support/accept_hook.ts";
import type { Created, InitFields } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Client } from "./support/client.ts";
import { DamagedFile } from "./support/damaged_file.ts";
import type { Headers } from "./support/http.ts";
import { filesHolding, waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const BOUND = '\n[[r2_buckets]]\nbinding = "BUCKET_EU_2"\nbucket_name = "quayside-uploads-eu"\n';
const hook = await AcceptHook.start();
after(() => hook.stop());
const { stack, origin, client } = await sceneWithOrigin(
  { AUTH: "token", ACCEPT_HOOK: hook.url },
  { configuration: (toml) => toml.replace("\n[vars]\n", `${BOUND}\n[vars]\n`) },
);
hook.trust(stack.secrets.WEBHOOK_SECRET);

const tokenOf = (quayside: object) => bearer(mint(stack, claimsOf("alice", { quayside })));
const [anywhere, eu] = [tokenOf({}), tokenOf({ bucket: "eu-2" })];
const small = fileBytes("one part", 100_000);
const large = fileBytes("some parts", 17 * MIB);

class Alice extends Client {
  override request(...[method, path, options = {}]: Parameters<Client["request"]>) {
    return super.request(method, path, { ...options, headers: { ...eu, ...options.headers } });
  }
}
const hers = new Alice(stack.baseUrl);

async function create(file: Uint8Array, fileName: string, headers: Headers = eu, fields: InitFields = {}) {
  const reply = await client.init({ fileName, fileSize: file.length, ...fields }, headers);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Created>().uploadId;
}

async function send(file: Uint8Array, fileName: string, headers: Headers = eu): Promise<string> {
  const id = await create(file, fileName, headers);
  assert.equal((await client.put(id, 0, file, headers)).status, 200);
  return id;
}

/** The simulator's files of the two buckets. */
const [usual = "", other = ""] = await (async () => {
  const ids = [await send(small, "usual.txt", anywhere), await send(small, "other.txt", eu)];
  const files = ids.map((id) => filesHolding(stack.persistDir, id));
  assert.deepEqual(
    files.map(({ length }) => length),
    [1, 1],
  );
  return files.flat();
})();
assert.notEqual(usual, other);

type Seen = { object: { key: string; bucket?: string } | null; state: string };

async function seen(id: string): Promise<Seen> {
  return (await client.request("GET", `/upload/${id}`, { headers: eu })).json<Seen>();
}

/** The file is whole at the origin, which fetched it, and whoever asks for it gets it; and it lies in the other bucket alone. */
async function assertLiesThere(id: string, file: Uint8Array): Promise<void> {
  const stored = await origin.waitForStored(id);
  assert.equal(stored.sha256, sha256(file));
  const { object } = await seen(id);
  assert.equal(object?.bucket, "eu-2");
  assert.ok(object?.key.startsWith("uploads/"), object?.key);
  const got = await client.request("GET", `/upload/${id}/content`, { headers: eu });
  assert.equal(sha256(got.body), sha256(file));
  assert.deepEqual(filesHolding(stack.persistDir, id), [other]);
}

test("put in one request, in parts, in uneven chunks, and without a byte", async () => {
  await assertLiesThere(await send(small, "small.txt"), small);
  await assertLiesThere(await send(large, "large.bin"), large);
  const id = await create(large, "uneven.bin");
  for (let from = 0; from < large.length; from += 3_000_001) {
    assert.equal((await client.put(id, from, large.subarray(from, from + 3_000_001), eu)).status, 200);
    assert.deepEqual(filesHolding(stack.persistDir, id), [other], "what is still in pieces, too");
  }
  await assertLiesThere(id, large);
  await assertLiesThere(await send(new Uint8Array(), "empty.txt"), new Uint8Array());
});

test("put together from pieces, which lie there as well", async () => {
  const tus = new Tus(client);
  const pieces = [await tus.partial(large.subarray(0, 9 * MIB), eu), await tus.partial(large.subarray(9 * MIB), eu)];
  for (const piece of pieces) {
    assert.deepEqual(filesHolding(stack.persistDir, idOf(piece)), [other]);
  }
  const whole = await tus.composed(pieces, { ...eu, "Upload-Metadata": `filename ${btoa("whole.iso")}` });
  await assertLiesThere(idOf(whole), large);
});

test("pieces in a bucket come out of it by no other token", async () => {
  const tus = new Tus(client);
  const piece = await tus.partial(small, eu);
  const reply = await tus.final([piece], anywhere);
  assert.equal(reply.status, 400, reply.body.toString());
  assert.match(reply.body.toString(), /lies in the bucket eu-2/);
  const usualPiece = await tus.partial(small, anywhere);
  await assertLiesThere(idOf(await tus.composed([usualPiece], eu)), small);
});

test("what comes by a link lies where its maker's files do", async () => {
  const made = await client.request("POST", "/upload/links", { headers: eu, body: "{}" });
  const { pathname } = new URL(made.json<{ url: string }>().url);
  const sent = await client.request("PUT", `${pathname}/photo.png`, { body: small });
  assert.ok(sent.status < 300, sent.body.toString());
  await assertLiesThere(sent.json<{ uploadId: string }>().uploadId, small);
});

test("a live recording, with the copies of its parts while it is made", async () => {
  const init = await client.init({ fileName: "talk.webm", fileSize: null, live: true }, eu);
  const { uploadId } = init.json<Created>();
  assert.equal((await client.put(uploadId, 0, large, eu)).status, 200);
  assert.deepEqual(filesHolding(stack.persistDir, uploadId), [other]);
  const soFar = await client.request("GET", `/upload/${uploadId}/content`, { headers: eu });
  assert.equal(sha256(soFar.body), sha256(large));
  assert.ok((await client.request("POST", `/upload/${uploadId}/complete`, { headers: eu })).status < 300);
  await assertLiesThere(uploadId, large);
});

test("a repaired file", async () => {
  const file = new DamagedFile(hers, "wrong once.bin");
  const id = await file.damaged(file.wrongAt(7), { fileName: "wrong once.bin" });
  await file.repair(id, await file.differing(id));
  await file.sendGood(id, 0);
  await assertLiesThere(id, file.good);
});

test("what is cancelled, or deleted, leaves nothing there either", async () => {
  const begun = await create(large, "cancelled.bin");
  assert.equal((await client.put(begun, 0, large.subarray(0, 9_000_000), eu)).status, 200);
  assert.ok((await client.request("DELETE", `/upload/${begun}`, { headers: eu })).status < 300);
  await waitUntilNothingLeft(stack.persistDir, begun);
  const mayDelete = tokenOf({ bucket: "eu-2", delete: true });
  const whole = await send(small, "deleted.txt", mayDelete);
  await origin.waitForStored(whole);
  assert.ok((await client.request("DELETE", `/upload/${whole}`, { headers: mayDelete })).status < 300);
  await waitUntilNothingLeft(stack.persistDir, whole);
});

test("as the application says that is asked, over the token", async () => {
  hook.says("contract.pdf", { body: { bucket: "eu-2" } });
  await assertLiesThere(await send(small, "contract.pdf", anywhere), small);
});

test("bytes that lie in another bucket are sent all the same", async () => {
  const file = fileBytes("known bytes", 200_000);
  const known = { sha256: sha256(file) };
  const first = await create(file, "first.bin", anywhere, known);
  await client.put(first, 0, file, anywhere);
  await origin.waitForStored(first);
  const second = await create(file, "second.bin", eu, known);
  await client.put(second, 0, file, eu);
  await assertLiesThere(second, file);
  const mine = fileBytes("known there alone", 200_000);
  const there = await create(mine, "there.bin", eu, { sha256: sha256(mine) });
  await client.put(there, 0, mine, eu);
  await assertLiesThere(there, mine);
  const here = await create(mine, "here.bin", anywhere, { sha256: sha256(mine) });
  await client.put(here, 0, mine, anywhere);
  await waitFor("it to be in the usual bucket", () => filesHolding(stack.persistDir, here)[0] === usual);
});

test("the same key of a creation is another upload in another bucket", async () => {
  const once = { "Idempotency-Key": "one upload each" };
  const [here, there, again] = [
    await create(small, "once.txt", { ...anywhere, ...once }),
    await create(small, "once.txt", { ...eu, ...once }),
    await create(small, "once.txt", { ...eu, ...once }),
  ];
  assert.notEqual(here, there);
  assert.equal(there, again);
});

test("a default policy with a bucket that is not bound lets nothing in, and readyz names it", async () => {
  const vars = { AUTH: "token", DEFAULT_POLICY: '{"bucket":"us"}', ORIGIN_WEBHOOK_URL: "" };
  const unbound = await Stack.start({ vars });
  try {
    const ready = await unbound.client.request("GET", "/readyz");
    assert.equal(ready.status, 503);
    assert.match(ready.body.toString(), /BUCKET_US/);
    const token = bearer(mint(unbound, claimsOf("alice")));
    assertRefused(await unbound.client.init({ fileName: "a", fileSize: 5 }, token), 503, "not-configured");
  } finally {
    await unbound.stop();
  }
});

test("a bucket without a binding takes nothing, and says what is missing; a name that is none is no token", async () => {
  const init = { fileName: "a", fileSize: 5 };
  const unbound = await client.init(init, tokenOf({ bucket: "us" }));
  assertRefused(unbound, 503, "not-configured");
  assert.match(unbound.body.toString(), /BUCKET_US/);
  for (const bucket of ["EU-2", "", "../eu", 7]) {
    assert.equal((await client.init(init, tokenOf({ bucket }))).status, 401, JSON.stringify(bucket));
  }
});
