// Several receivers of events: each has its own kinds, secret and repetitions, whatever becomes of the others; over the network, by a
// queue of the application, and by a service binding.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import type { Status } from "./support/api.ts";
import { fileBytes, sha256 } from "./support/bytes.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { type Answer, ScriptedOrigin } from "./support/scripted_origin.ts";
import { freshSecrets, Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const MAX_ATTEMPTS = 3;

const names = ["origin", "search", "archive", "thumbnails", "billing"] as const;
type Name = (typeof names)[number];
const started = await Promise.all(names.map(() => ScriptedOrigin.start()));
const heard = Object.fromEntries(names.map((name, at) => [name, started[at]])) as Record<Name, ScriptedOrigin>;
const { origin, search, archive, thumbnails, billing } = heard;

const RECEIVERS = JSON.stringify([
  {
    name: "search",
    url: search.webhookUrl,
    secret: "SEARCH_SECRET",
    kinds: ["upload.completed", "upload.deleted"],
  },
  {
    name: "archive",
    url: archive.webhookUrl,
    secret: "ARCHIVE_SECRET",
    kinds: ["upload.created", "upload.completed", "upload.aborted"],
  },
  { name: "thumbnails", queue: "THUMBNAILS", kinds: ["upload.completed"] },
  { name: "billing", service: "BILLING", kinds: ["upload.completed"] },
]);

const BINDINGS = `
[[queues.producers]]
binding = "THUMBNAILS"
queue = "app-thumbnails"

[[queues.producers]]
binding = "RECEIVERS"
queue = "quayside-receivers-events"

[[queues.consumers]]
queue = "quayside-receivers-events"
dead_letter_queue = "quayside-dead-letters"
max_batch_size = 4
max_batch_timeout = 0
max_retries = 100

[[queues.consumers]]
queue = "app-thumbnails"
max_batch_timeout = 0

[[services]]
binding = "BILLING"
service = "quayside"
entrypoint = "Billing"
`;

const listed = (receivers: string) => `EVENT_RECEIVERS = '${receivers}'`;
const secret = () => `whsec_${randomBytes(32).toString("base64")}`;

const stack = await Stack.start({
  entry: "event_receivers.js",
  vars: {
    ORIGIN_WEBHOOK_URL: origin.webhookUrl,
    THUMBNAILS_SINK: thumbnails.webhookUrl,
    BILLING_SINK: billing.webhookUrl,
    DELIVERY_FIRST_DELAY_SECONDS: 1,
    DELIVERY_MAX_ATTEMPTS: MAX_ATTEMPTS,
    OUTBOX_RESEND_SECONDS: 2,
    RESULT_WAIT_SECONDS: 3,
    WEBHOOK_TIMEOUT_SECONDS: 5,
  },
  secrets: { ...freshSecrets(), SEARCH_SECRET: secret(), ARCHIVE_SECRET: secret() },
  configuration: (toml) => toml.replace('EVENT_RECEIVERS = ""', listed(RECEIVERS)) + BINDINGS,
});
origin.trust(stack.secrets.WEBHOOK_SECRET);
search.trust(stack.secrets.SEARCH_SECRET);
archive.trust(stack.secrets.ARCHIVE_SECRET);
after(async () => {
  await Promise.all(started.map((one) => one.stop()));
  await stack.stop();
});
const { client } = stack;
const file = fileBytes("told to several", 1000);
const rare = fileBytes("taken over", 1000);

/** An upload that this receiver answers by script, from the first event on. */
async function uploadWith(answers: Partial<Record<Name, Answer[]>>): Promise<string> {
  const upload = await client.create(file);
  for (const [name, given] of Object.entries(answers)) {
    heard[name as Name].script(upload.uploadId, ...given);
  }
  await client.putRest(upload, file);
  return upload.uploadId;
}

type Told = NonNullable<Status["receivers"]>[number];

/** How the telling of this receiver is, once it is so. */
function waitUntilTold(uploadId: string, name: Name, holds: (told: Told) => boolean): Promise<Told> {
  let seen: unknown;
  const look = async () => {
    const told = (await client.state(uploadId)).receivers?.find((one) => one.name === name);
    seen = told;
    return told !== undefined && holds(told) && told;
  };
  return waitFor(`${name} to be told of ${uploadId}`, look, { lastSeen: () => seen });
}

const isState = (state: Told["state"]) => (told: Told) => told.state === state;
const kindsOf = (name: Name, uploadId: string) => heard[name].of(uploadId).map(({ event }) => event.type);
const down = (times: number): Answer[] => Array.from({ length: times }, () => ({ status: 500 }));

test("each hears of what it has asked for, signed with its own secret, under one id", async () => {
  const { uploadId } = await client.upload(file);
  await Promise.all(names.map((name) => heard[name].waitForDeliveries(uploadId, 1)));
  await archive.waitForDeliveries(uploadId, 2);
  assert.deepEqual(kindsOf("archive", uploadId), ["upload.created", "upload.completed"]);
  for (const name of names) {
    const told = heard[name].of(uploadId).filter(({ event }) => event.type === "upload.completed");
    assert.equal(told.length, 1, name);
    const [delivery] = told;
    // A message of a queue has no headers; its id follows from what it says.
    assert.equal(
      delivery?.webhookId,
      name === "thumbnails" ? "undefined" : `evt_${uploadId.replaceAll("-", "")}_completed`,
    );
    assert.equal(delivery?.genuine, !["thumbnails", "billing"].includes(name), name);
    const { downloadUrl, ...data } = delivery.event.data;
    const { downloadUrl: link, ...expected } = origin.of(uploadId)[0]?.event.data ?? assert.fail("nothing");
    assert.deepEqual(data, expected, "all are told the same");
    const url = new URL(downloadUrl ?? link ?? "");
    assert.equal((await client.request("GET", url.pathname + url.search)).status, 200);
  }
  assert.equal(billing.of(uploadId)[0]?.signature, "undefined", "whom a binding leads to is sure without a secret");
});

test("one that is down holds nobody back, and is shown beside the others", async () => {
  const uploadId = await uploadWith({ search: down(MAX_ATTEMPTS) });
  for (const name of ["origin", "thumbnails", "billing"] as const) {
    await heard[name].waitForDeliveries(uploadId, 1);
  }
  await client.waitUntilDelivery(uploadId, "delivered");
  await waitUntilTold(uploadId, "billing", isState("delivered"));
  const retried = await waitUntilTold(uploadId, "search", ({ attempts }) => attempts > 0);
  assert.notEqual(retried.state, "delivered");
  const failed = await waitUntilTold(uploadId, "search", isState("failed"));
  assert.deepEqual(failed, { name: "search", state: "failed", attempts: MAX_ATTEMPTS, lastError: "it answered 500" });
  const { delivery, receivers } = await client.state(uploadId);
  assert.equal(delivery, "delivered", "which is said of the origin alone");
  assert.deepEqual(
    receivers?.map(({ name, state }) => [name, state]),
    [
      ["search", "failed"],
      ["archive", "delivered"],
      ["thumbnails", "delivered"],
      ["billing", "delivered"],
    ],
  );
  const log = (await client.request("GET", `/upload/${uploadId}/log`)).json<{
    entries: { event: string; detail: string | null }[];
  }>();
  assert.ok(
    log.entries.some(({ event, detail }) => event === "delivery_failed" && detail === "upload.completed to search"),
  );
});

test("the origin that is down holds nobody else back either", async () => {
  const uploadId = await uploadWith({ origin: down(MAX_ATTEMPTS) });
  await search.waitForDeliveries(uploadId, 1);
  await archive.waitForDeliveries(uploadId, 2);
  await waitUntilTold(uploadId, "search", isState("delivered"));
  await client.waitUntilDelivery(uploadId, "failed");
});

test("one that hangs is given up for now, and the origin has not waited for it", async () => {
  const { uploadId } = await client.create(file, { fileName: "hangs.bin" });
  search.script(uploadId, "hang");
  await client.put(uploadId, 0, file);
  await search.waitForDeliveries(uploadId, 1);
  await client.waitUntilDelivery(uploadId, "delivered");
  const [told] = (await client.state(uploadId)).receivers ?? [];
  assert.deepEqual(told, { name: "search", state: "queued", attempts: 1, lastError: null });
  const later = await waitUntilTold(uploadId, "search", ({ lastError }) => lastError !== null);
  assert.equal(later.lastError, "it did not answer");
  await waitUntilTold(uploadId, "search", isState("delivered"));
});

test("a creation is told to who has asked for it, before anything else, and once", async () => {
  const upload = await client.create(file, { fileName: "new.bin", metadata: { album: "2026" } });
  const [created] = await archive.waitForDeliveries(upload.uploadId, 1);
  assert.ok(created?.genuine);
  assert.equal(created.webhookId, `evt_${upload.uploadId.replaceAll("-", "")}_created`);
  assert.equal(created.event.type, "upload.created");
  const { createdAt, ...data } = created.event.data;
  assert.ok(Date.parse(createdAt) <= Date.now());
  assert.deepEqual(data, {
    uploadId: upload.uploadId,
    key: `uploads/${upload.uploadId}`,
    owner: "anonymous",
    fileName: "new.bin",
    contentType: null,
    fileSize: file.length,
    metadata: { album: "2026" },
    attached: {},
  });
  assert.equal((await client.abort(upload.uploadId)).status, 204);
  await archive.waitForDeliveries(upload.uploadId, 2);
  await origin.waitForEvent(upload.uploadId, "upload.aborted");
  assert.deepEqual(kindsOf("archive", upload.uploadId), ["upload.created", "upload.aborted"]);
  assert.deepEqual(kindsOf("search", upload.uploadId), [], "which has not asked for it");
});

test("a creation that was not taken yet is told first", async () => {
  const upload = await client.create(file);
  archive.script(upload.uploadId, { status: 500 });
  await client.putRest(upload, file);
  await waitUntilTold(upload.uploadId, "archive", isState("delivered"));
  const kinds = kindsOf("archive", upload.uploadId);
  assert.deepEqual([...new Set(kinds)], ["upload.created", "upload.completed"]);
  assert.ok(kinds.lastIndexOf("upload.created") < kinds.indexOf("upload.completed"), kinds.join());
});

test("what the origin takes over is there until all have been told, and only the origin can", async () => {
  const taken: Answer = { status: 200, body: { disposition: "delete", result: "taken" } };
  const declared = { sha256: sha256(rare) };
  const upload = await client.create(rare, declared);
  origin.script(upload.uploadId, taken);
  const answers = Promise.withResolvers<Answer>();
  billing.script(upload.uploadId, answers.promise);
  await client.putRest(upload, rare);
  const { uploadId } = upload;
  const [first] = await billing.waitForDeliveries(uploadId, 1);
  await client.waitUntilDelivery(uploadId, "delivered");
  const { pathname, search: query } = new URL(first?.event.data.downloadUrl ?? "");
  assert.equal((await client.request("GET", pathname + query)).status, 200, "billing has not fetched it yet");
  assert.equal((await client.state(uploadId)).deletedAt, null);
  const { uploadId: another } = await client.create(rare, declared);
  assert.notEqual(another, uploadId, "what is about to go is nobody's duplicate");
  answers.resolve(taken);
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  assertRefused(await client.request("GET", pathname + query), 410, "upload-gone");
  const { object, deletedAt } = await client.state(uploadId);
  assert.ok(deletedAt);
  assert.equal(object?.result, "taken");

  const kept = await uploadWith({ search: [taken], archive: [{ status: 200 }, taken], billing: [taken] });
  await client.waitUntilDelivery(kept, "delivered");
  for (const name of ["search", "archive", "billing"] as const) {
    await waitUntilTold(kept, name, isState("delivered"));
  }
  const state = await client.state(kept);
  assert.equal(state.deletedAt, null, "nobody else has it deleted");
  assert.equal(state.object?.result, undefined, "or speaks to the client");
});

test("one receiver is told again, or all are", async () => {
  const uploadId = await uploadWith({});
  await client.waitUntilDelivery(uploadId, "delivered");
  for (const name of ["search", "archive", "thumbnails", "billing"] as const) {
    await waitUntilTold(uploadId, name, isState("delivered"));
  }
  const again = (query: string) => client.request("POST", `/upload/${uploadId}/redeliver${query}`);
  const before = origin.of(uploadId).length;
  assert.equal((await again("?receiver=search")).status, 202);
  const [first, second] = await search.waitForDeliveries(uploadId, 2);
  assert.equal(second?.webhookId, first?.webhookId);
  await waitUntilTold(uploadId, "search", isState("delivered"));
  assert.equal(origin.of(uploadId).length, before);
  assert.equal(thumbnails.of(uploadId).length, 1);
  assertRefused(await again("?receiver=search"), 429, "redelivered-recently");
  const unknown = await again("?receiver=nobody");
  assertRefused(unknown, 400, "bad-request");
  assert.match(unknown.body.toString(), /origin, search, archive, thumbnails, billing/);

  assert.equal((await again("")).status, 202, "the others, where one was told a moment ago");
  await origin.waitForDeliveries(uploadId, before + 1);
  await thumbnails.waitForDeliveries(uploadId, 2);
  await billing.waitForDeliveries(uploadId, 2);
  assert.equal(search.of(uploadId).length, 2);
});

test("a receiver that is listed no more while events wait is given up, and told when it is back", async () => {
  // The creation, and the first two attempts at the completion.
  const uploadId = await uploadWith({ search: [{ status: 503, headers: { "Retry-After": "3" } }] });
  await search.waitForDeliveries(uploadId, 1);
  await client.waitUntilDelivery(uploadId, "delivered");
  const toml = join(stack.stateDir, "wrangler.toml");
  const change = async (from: string, to: string) => {
    await stack.kill();
    const before = readFileSync(toml, "utf8");
    assert.ok(before.includes(from));
    writeFileSync(toml, before.replace(from, to));
    await stack.restart();
  };
  const fewer = JSON.stringify(JSON.parse(RECEIVERS).filter(({ name }: { name: string }) => name !== "search"));
  await change(listed(RECEIVERS), listed(fewer));
  const failed = await waitUntilTold(uploadId, "search", isState("failed"));
  assert.equal(failed.lastError, "EVENT_RECEIVERS has no receiver of this name any more");
  const [line] = stack.log.of(uploadId, "delivery_failed");
  assert.match(String(line?.detail), /^to search: EVENT_RECEIVERS has no receiver/);
  assert.equal(search.of(uploadId).length, 1);

  await change(listed(fewer), listed(RECEIVERS));
  assert.equal((await client.request("POST", `/upload/${uploadId}/redeliver?receiver=search`)).status, 202);
  await search.waitForDeliveries(uploadId, 2);
  await waitUntilTold(uploadId, "search", isState("delivered"));
});
