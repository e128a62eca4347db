// Creations that fail for no fault of the client's: nothing of them is left, in the list or in the quota, and asking again, under the same
// key or without one, is answered as if it had been the first time.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import type { Headers, Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { encoded, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";
import { leftovers } from "./torture/leftovers.ts";

const QUOTA = 2;
/** So often an object is asked that does not answer. */
const TRIES = 8;
const FILE_BYTES = 200 * MIB;

const stack = await Stack.start({
  vars: { ORIGIN_WEBHOOK_URL: "", QUOTA_OPEN_UPLOADS: QUOTA },
  buildDir: "build-faults",
});
after(() => stack.stop());
const { client } = stack;
const tus = new Tus(client);

type Rule = { point: string; nth: number; kind: string; code?: number };

async function plan(...rules: Rule[]): Promise<void> {
  assert.equal((await client.request("POST", "/faults", { body: JSON.stringify(rules) })).status, 200);
}

/** So many of the calls to come fail. */
function failing(point: string, times: number, kind = "before", code?: number): Rule[] {
  return Array.from({ length: times }, (_, index) => ({ point, nth: index + 1, kind, ...(code && { code }) }));
}

const draft = { "Upload-Draft-Interop-Version": "8" };
const key = () => ({ "Idempotency-Key": randomUUID() });

/** Ways to create an upload that needs R2's multipart upload at once. */
const creations: [string, (headers: Headers) => Promise<Reply>][] = [
  ["json", (headers) => client.init({ fileName: "a", fileSize: FILE_BYTES }, headers)],
  ["tus", (headers) => tus.post({ "Upload-Length": FILE_BYTES, ...headers })],
  [
    "tus, with its first bytes",
    (headers) => tus.post({ "Upload-Length": FILE_BYTES, ...headers }, Buffer.from("first")),
  ],
  [
    "ietf",
    (headers) => {
      const all = { ...draft, "Upload-Complete": "?0", "Upload-Length": FILE_BYTES, ...headers };
      return client.request("POST", "/files", { headers: all, body: "" });
    },
  ],
];

async function assertNothingLeft(): Promise<void> {
  assert.deepEqual(await client.openUploads(), []);
  assert.deepEqual(leftovers(stack.persistDir).ledgerEntries, []);
}

/** Ends what a good answer has created. */
async function end(reply: Reply): Promise<void> {
  const id = reply.header("Location")?.split("/").at(-1) ?? "";
  assert.equal((await client.abort(id)).status, 204);
  await waitFor("the ledger to be empty", () => leftovers(stack.persistDir).ledgerEntries.length === 0);
}

for (const [name, create] of creations) {
  test(`${name}: R2 is down, and is back: 503 each time, nothing is left, and the same creation succeeds`, async () => {
    const origin = { Origin: "https://app.example.com" };
    for (const headers of [key(), {} as Headers]) {
      // More than the quota holds.
      for (let round = 0; round < 2 * QUOTA + 1; round++) {
        await plan(...failing("r2.create", 1, "before", 10_001));
        const reply = await create({ ...origin, ...headers });
        assertRefused(reply, 503, "storage-unavailable");
        assert.equal(reply.header("Retry-After"), "1");
        assert.equal(reply.header("Access-Control-Allow-Origin"), "*");
        assert.equal(reply.header("Location"), undefined);
        await assertNothingLeft();
      }
      await plan();
      const reply = await create(headers);
      assert.equal(reply.status, 201, reply.body.toString());
      await end(reply);
    }
  });
}

test("an upload that is put together: the same", async () => {
  const partial = await tus.partial(Buffer.from("partial"));
  const metadata = { "Upload-Metadata": `filename ${encoded("whole")}` };
  await plan(...failing("r2.create", 1));
  const refused = await tus.final([partial], metadata);
  assertRefused(refused, 503, "storage-unavailable");
  assert.deepEqual(await client.openUploads(), []);
  await plan();
  const url = await tus.composed([partial], metadata);
  await tus.whole(url);
  assert.equal((await tus.send("DELETE", partial)).status, 204);
  await waitFor("the ledger to be empty", () => leftovers(stack.persistDir).ledgerEntries.length === 0);
});

test("an object that does not answer: 500, and what is left is nothing", async () => {
  const headers = key();
  await plan(...failing("object.create", TRIES));
  const reply = await client.init({ fileName: "a", fileSize: FILE_BYTES }, headers);
  assert.equal(reply.status, 500, reply.body.toString());
  await assertNothingLeft();
  await plan();
  const again = await client.init({ fileName: "a", fileSize: FILE_BYTES }, headers);
  assert.equal(again.status, 201, again.body.toString());
  await end(again);
});

test("an object that was created, and whose answers were lost: the creation has succeeded", async () => {
  await plan(...failing("object.create", TRIES, "after"));
  const reply = await client.init({ fileName: "a", fileSize: FILE_BYTES }, key());
  await plan();
  assert.equal(reply.status, 201, reply.body.toString());
  assert.deepEqual(
    (await client.openUploads()).map(({ uploadId }) => uploadId),
    [reply.json<Created>().uploadId],
  );
  await end(reply);
});

test("a creation that died between the ledger and the object is not listed, and goes on under its id", async () => {
  const headers = key();
  // Neither the upload nor its end arrives anywhere, as if the Worker had died there.
  await plan(...failing("object.create", TRIES), ...failing("object.settle", TRIES));
  const reply = await client.init({ fileName: "a", fileSize: 10 }, headers);
  assert.equal(reply.status, 500, reply.body.toString());
  await plan();
  const [entry] = leftovers(stack.persistDir).ledgerEntries;
  assert.ok(entry, "the ledger has an entry");
  assert.deepEqual(await client.openUploads(), [], "of what does not exist");
  const replies = await Promise.all([1, 2, 3].map(() => client.init({ fileName: "a", fileSize: 10 }, headers)));
  const ids = new Set(replies.map((again) => again.json<Created>().uploadId));
  assert.deepEqual([...ids], [entry]);
  assert.equal((await client.openUploads()).length, 1);
  assert.equal((await client.put(entry, 0, fileBytes("ten", 10))).status, 200);
  await client.waitUntilState(entry, "completed");
  stack.log.forget();
});

test("of two creations under one key, the later one finds the upload that is created while it looks for it", async () => {
  // The object of the first is not there for three quarters of a second; the second is told so, and asks again when it is.
  await plan(...failing("object.create", 4), { point: "object.status", nth: 2, kind: "slow" });
  const headers = key();
  const create = () => client.init({ fileName: "a", fileSize: FILE_BYTES }, headers);
  const [first, second] = await Promise.all([create(), create()]);
  await plan();
  assert.deepEqual([first.status, second.status], [201, 201], `${first.body} ${second.body}`);
  assert.equal(first.json<Created>().uploadId, second.json<Created>().uploadId);
  await end(first);
});
