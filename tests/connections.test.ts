// The platform's limit of six connections per invocation, which `wrangler dev` does not have: the stack of this file has it. A batch
// of a queue is one invocation, whoever sends it and however large it is: the batches here are larger than those of wrangler.toml.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { type Answer, ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";
import { Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const CONNECTIONS = 6;
const TOLD_AT_ONCE = 4;
const LARGEST_BATCH = 10;

const origin = await ScriptedOrigin.start();
const stack = await Stack.start({
  connections: CONNECTIONS,
  vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl },
  configuration: (toml) => toml.replace(/^max_batch_size = \d+$/gm, `max_batch_size = ${LARGEST_BATCH}`),
});
origin.trust(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
const tus = new Tus(client);
after(async () => {
  await origin.stop();
  await stack.stop();
});

/** The calls that had to wait for one of the six. */
const waits = () => stack.log.lines.filter(({ event }) => event === "connection_waits");

test("eight concatenations in one batch are copied, and none waits for a connection that another holds", async () => {
  const files = Array.from({ length: 8 }, (_, index) => fileBytes(`whole ${index}`, MIB + index));
  const partials = (file: Buffer) =>
    Promise.all([tus.partial(file.subarray(0, 1000)), tus.partial(file.subarray(1000))]);
  const lists = await Promise.all(files.map(partials));
  const urls = await Promise.all(lists.map((list) => tus.composed(list)));
  for (const [index, url] of urls.entries()) {
    await tus.whole(url);
    const { body } = await tus.send("GET", url);
    assert.equal(sha256(body), sha256(files[index] ?? Buffer.alloc(0)));
  }
  assert.deepEqual(waits(), []);
});

test("eight objects in one batch are read back", async () => {
  const files = Array.from({ length: 8 }, (_, index) => fileBytes(`read back ${index}`, MIB + index));
  const upload = (file: Buffer) => client.upload(file, { parallel: true, sha256: sha256(file) });
  await Promise.all(files.map(upload));
  assert.deepEqual(waits(), []);
});

test("a slow origin is told four things at once, and no webhook spends its time waiting for a connection", async () => {
  const file = fileBytes("told", 100);
  const releases = new Map<string, (answer: Answer) => void>();
  const upload = async () => {
    const created = await client.create(file);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    releases.set(created.uploadId, resolve);
    origin.script(created.uploadId, promise);
    await client.putRest(created, file);
    return created.uploadId;
  };
  const heard = () => [...releases.keys()].filter((uploadId) => origin.of(uploadId).length > 0);
  const answerAll = () => {
    for (const uploadId of heard()) {
      releases.get(uploadId)?.({ status: 200 });
    }
  };
  // While the first batch waits for its answer, the next one gathers.
  await origin.waitForDeliveries(await upload(), 1);
  const uploads = await Promise.all(Array.from({ length: LARGEST_BATCH }, upload));
  await Promise.all(uploads.map((uploadId) => client.waitUntilState(uploadId, "completed")));
  answerAll();
  for (let answered = 1; answered < releases.size; answered = heard().length) {
    const wanted = Math.min(answered + TOLD_AT_ONCE, releases.size);
    await waitFor(`${wanted} webhooks`, () => heard().length >= wanted, { lastSeen: heard });
    assert.equal(heard().length, wanted, "no more than four at once");
    assert.deepEqual(waits(), []);
    answerAll();
  }
  await Promise.all(uploads.map((uploadId) => client.waitUntilDelivery(uploadId, "delivered")));
  for (const uploadId of releases.keys()) {
    assert.equal(origin.of(uploadId).length, 1, "each is told once");
  }
});
