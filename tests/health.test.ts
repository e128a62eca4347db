// What an operator asks of a running Worker: does it live, is it ready, where did a request's time go, and what has happened to
// this upload.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { fileBytes, MIB } from "./support/bytes.ts";
import type { Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const origin = await ScriptedOrigin.start();
const stack = await Stack.start({
  vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1, DELIVERY_MAX_ATTEMPTS: 2 },
});
origin.trust(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  await origin.stop();
  await stack.stop();
});

type Ready = { status: string; checks: Record<string, string> };
type Entry = { at: string; until: string; times: number; event: string; uploadedBytes: number; detail: string | null };
type Log = { uploadId: string; total: number; entries: Entry[] };

async function log(uploadId: string): Promise<Log> {
  const reply = await client.request("GET", `/upload/${uploadId}/log`);
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json<Log>();
}

const events = ({ entries }: Log) => entries.map(({ event, times }) => (times > 1 ? `${event} x${times}` : event));

test("healthz says that the Worker runs", async () => {
  const reply = await client.request("GET", "/healthz");
  assert.deepEqual([reply.status, reply.json()], [200, { status: "alive" }]);
  assert.equal(reply.header("Cache-Control"), "no-store");
});

test("readyz asks everything that the Worker is bound to", async () => {
  const reply = await client.request("GET", "/readyz");
  assert.equal(reply.status, 200, reply.body.toString());
  const { status, checks } = reply.json<Ready>();
  assert.equal(status, "ready");
  assert.deepEqual(Object.keys(checks).toSorted(), [
    ...["bucket", "deadLetters", "events", "ledgers", "settings", "tasks", "uploads"],
  ]);
});

test("without its secrets the Worker is alive and not ready, and says which setting is missing", async (t) => {
  const bare = await Stack.start({ secrets: {} });
  t.after(() => bare.stop());
  assert.equal((await bare.client.request("GET", "/healthz")).status, 200);
  const reply = await bare.client.request("GET", "/readyz");
  assert.equal(reply.status, 503);
  const { status, checks } = reply.json<Ready>();
  assert.equal(status, "not ready");
  assert.match(checks.settings ?? "", /_SECRET/);
  assert.equal(checks.bucket, "ok");
});

test("everything that is wrong with the settings is said at once, also half of what presigned uploads need", async (t) => {
  const wrong = await Stack.start({
    secrets: { R2_ACCESS_KEY_ID: "an id without its secret" },
    vars: { MAX_CHUNK_BYTES: 1, UPLOAD_TTL_SECONDS: "soon", DELETE_COMPLETED: "never", BASE_PATH: "a b" },
  });
  t.after(() => wrong.stop());
  const reply = await wrong.client.request("GET", "/readyz");
  assert.equal(reply.status, 503);
  const said = reply.json<Ready>().checks.settings ?? "";
  const named = [
    "MAX_CHUNK_BYTES",
    "UPLOAD_TTL_SECONDS",
    "DELETE_COMPLETED",
    "BASE_PATH",
    "WEBHOOK_SECRET",
    "DOWNLOAD_SECRET",
  ];
  for (const name of [...named, "R2_S3_ENDPOINT", "R2_SECRET_ACCESS_KEY"]) {
    assert.ok(said.includes(name), `${name}: ${said}`);
  }
  assert.ok(!said.includes("MAX_UPLOAD_BYTES"), said);
  assertRefused(await wrong.client.init({ fileName: "a", fileSize: 1 }), 503, "not-configured");
});

test("a time of nothing switches nothing off, and is said to be wrong", async (t) => {
  const names = ["STALLED_BODY_SECONDS", "UPLOAD_TTL_SECONDS", "WEBHOOK_TIMEOUT_SECONDS", "OUTBOX_RESEND_SECONDS"];
  const wrong = await Stack.start({ vars: Object.fromEntries(names.map((name) => [name, 0])) });
  t.after(() => wrong.stop());
  const said = (await wrong.client.request("GET", "/readyz")).json<Ready>().checks.settings ?? "";
  for (const name of names) {
    assert.ok(said.includes(`${name} is 0: `), `${name}: ${said}`);
  }
});

/** `begin;dur=3, total;dur=7`, as numbers by name. */
function serverTiming(reply: Reply): Map<string, number> {
  const metrics = (reply.header("Server-Timing") ?? "").split(", ").filter((metric) => metric !== "");
  return new Map(
    metrics.map((metric) => {
      const [, name = "", duration] = /^(\w+);dur=(\d+)$/.exec(metric) ?? assert.fail(`not a metric: ${metric}`);
      return [name, Number(duration)];
    }),
  );
}

test("every answer tells where its time went", async () => {
  const file = fileBytes("timed", 20 * MIB);
  const { uploadId } = await client.create(file);
  const chunk = await client.put(uploadId, 0, file);
  const timing = serverTiming(chunk);
  const steps = (timing.get("begin") ?? 0) + (timing.get("store") ?? 0) + (timing.get("commit") ?? 0);
  assert.ok((timing.get("store") ?? 0) > 0, "20 MiB took time to store");
  assert.ok((timing.get("total") ?? 0) >= steps, [...timing].join());
  for (const reply of [await client.status(uploadId), await client.head(uploadId), await client.initRaw("{")]) {
    assert.deepEqual([...serverTiming(reply).keys()], ["total"]);
  }
});

test("the log of an upload tells what has happened to it, and to nobody of one that is none", async () => {
  const file = fileBytes("told", 3_000_000);
  const { uploadId } = await client.create(file);
  origin.script(uploadId, { status: 500 }, { status: 500 });
  for (let from = 0; from < file.length - 1_000_000; from += 500_000) {
    await client.putPiece(uploadId, file, from, from + 500_000);
  }
  assertRefused(await client.put(uploadId, 7, file.subarray(7, 8)), 409, "offset-mismatch");
  await client.putPiece(uploadId, file, 2_000_000, file.length);
  await client.waitUntilDelivery(uploadId, "failed");
  assert.equal((await client.redeliver(uploadId)).status, 202);
  await client.waitUntilDelivery(uploadId, "delivered");

  const told = await log(uploadId);
  assert.deepEqual(events(told), [
    ...["created", "attempt x4", "refused", "attempt", "completed"],
    ...["delivery_attempt x2", "delivery_failed", "redelivery", "delivery_attempt", "delivered"],
  ]);
  assert.equal(told.total, 13 + 1);
  assert.deepEqual(
    told.entries.find(({ event }) => event === "refused"),
    { ...told.entries[2], detail: "offset-mismatch", uploadedBytes: 2_000_000 },
  );
  const times = told.entries.map(({ at }) => at);
  assert.deepEqual(times, times.toSorted(), "oldest first");
  const nobody = "00000000-0000-4000-8000-000000000000";
  assertRefused(await client.request("GET", `/upload/${nobody}/log`), 404, "upload-not-found");
});

test("a takeover is in the log, and the log survives the object's memory", async () => {
  const file = fileBytes("taken over", 20 * MIB);
  const { uploadId, limits } = await client.create(file);
  const running = client.putSlowly(uploadId, 0, file.length);
  running.write(file.subarray(0, limits.partBytes + 1));
  await client.waitUntilCounted(uploadId, limits.partBytes);
  await client.putPiece(uploadId, file, limits.partBytes, file.length);
  running.cut();
  await client.waitUntilState(uploadId, "completed");
  await client.waitUntilDelivery(uploadId, "delivered");
  const before = await log(uploadId);
  assert.ok(events(before).includes("takeover"), events(before).join());

  await stack.kill();
  await stack.restart();

  assert.deepEqual(await log(uploadId), before);
});

test("however often an upload is refused, its log stays one page", async () => {
  const file = fileBytes("many refusals", 1000);
  const { uploadId } = await client.create(file);
  for (let n = 0; n < 30; n++) {
    await client.put(uploadId, 500, file.subarray(500));
    await client.complete(uploadId);
  }
  const reply = await waitFor("the refusals", async () => {
    const asked = await client.request("GET", `/upload/${uploadId}/log`);
    return asked.json<Log>().total >= 61 && asked;
  });
  const { entries, total } = reply.json<Log>();
  assert.deepEqual([entries.length, total], [48, 61]);
});
