// What an operator reads: one JSON line per step, findable by the upload's id, and never a secret.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import type { Cost } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { readTables } from "./support/log_tables.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";
import type { LogLine } from "./support/worker_log.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin();

const file = fileBytes("logged", 20 * MIB);

function waitForLine(uploadId: string, event: string): Promise<LogLine> {
  return waitFor(`the line ${event} of ${uploadId}`, () => stack.log.of(uploadId, event)[0], {
    lastSeen: () => stack.log.tail(),
  });
}

test("every step of an upload leaves a line with its id, bytes and duration", async () => {
  const upload = await client.create(file);
  const { uploadId, limits } = upload;
  const { partBytes } = limits;
  await client.put(uploadId, 0, file.subarray(0, partBytes));
  await client.put(uploadId, 0, file.subarray(0, partBytes));
  await client.put(uploadId, partBytes, file.subarray(partBytes));
  await client.waitUntilDelivery(uploadId, "delivered");

  const created = await waitForLine(uploadId, "created");
  assert.equal(typeof created.durationMs, "number");
  const chunk = await waitForLine(uploadId, "chunk_committed");
  assert.equal(chunk.bytes, partBytes);
  assert.equal(typeof chunk.durationMs, "number");
  const refused = await waitForLine(uploadId, "refused");
  assert.equal(refused.status, 409);
  const completed = await waitForLine(uploadId, "completed");
  assert.equal(completed.bytes, file.length);
  const delivered = await waitForLine(uploadId, "delivered");
  assert.equal(typeof delivered.durationMs, "number");
  assert.equal(stack.log.of(uploadId, "chunk_committed").length, 2, "one line per chunk");
  const [atItsEnd, whenTold] = [completed.cost as Cost, delivered.cost as Cost];
  // The multipart upload, three parts, the object; and with the telling a message more.
  assert.deepEqual([atItsEnd.r2ClassA, atItsEnd.queueOperations], [5, 0]);
  assert.deepEqual([whenTold.r2ClassA, whenTold.queueOperations], [5, 3]);
  assert.ok(whenTold.objectRequests > atItsEnd.objectRequests);
});

test("every line is as documented: a known event, and no field that it does not have", () => {
  const { events } = readTables();
  assert.ok(stack.log.lines.length > 5);
  for (const { event, ...fields } of stack.log.lines) {
    const documented = events.get(event) ?? assert.fail(`${event} is not in docs/operations/monitoring.md`);
    for (const [name, value] of Object.entries(fields)) {
      assert.ok(documented.includes(name), `${event} has a field ${name}: ${JSON.stringify(value)}`);
      const type = ["uploadId", "code", "detail"].includes(name) ? "string" : "number";
      assert.equal(typeof value, name === "cost" ? "object" : type, name);
    }
  }
  const delivered = stack.log.lines.find(({ event }) => event === "delivered");
  assert.equal(typeof delivered?.ageMs, "number");
});

test("no event is logged anywhere in the sources that is not documented", () => {
  const { events } = readTables();
  const phases = [
    "completing",
    "verifying",
    "damaged",
    "reopened",
    "completed",
    "failed",
    "aborted",
    "expired",
    "deleted",
  ];
  const named = new Set(phases);
  for (const folder of ["src", "durable-objects/src"]) {
    for (const file of readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: "utf8" })) {
      const text = file.endsWith(".rs") ? readFileSync(join(repositoryRoot, folder, file), "utf8") : "";
      const literal = /LogLine::of\(\s*"(\w+)"|LogLine \{\s*event: "(\w+)"|\bfault\("/g;
      for (const [, of, event] of text.matchAll(literal)) {
        named.add(of ?? event ?? "fault");
      }
    }
  }
  assert.deepEqual([...named].toSorted(), [...events.keys()].toSorted());
});

test("a refusal that belongs to no upload is logged as well", async () => {
  const before = stack.log.lines.length;
  await client.initRaw("{");
  await waitFor("the line refused", () => stack.log.lines.slice(before).some(({ event }) => event === "refused"));
});

test("no secret, no signature and no download link is ever logged", async () => {
  const { uploadId } = await client.upload(file);
  const path = await origin.waitForDownloadPath(uploadId);
  assert.equal((await client.request("GET", path)).status, 200);
  assert.equal((await client.request("GET", `${path}x`)).status, 403);
  await client.waitUntilDelivery(uploadId, "delivered");
  await waitForLine(uploadId, "delivered");

  const secrets = {
    "the webhook secret": String(stack.secrets.WEBHOOK_SECRET),
    "the webhook secret's key": String(stack.secrets.WEBHOOK_SECRET).replace("whsec_", ""),
    "the download secret": String(stack.secrets.DOWNLOAD_SECRET),
    "the link's signature": String(new URL(path, stack.baseUrl).searchParams.get("signature")),
    "a webhook's signature": String(origin.of(uploadId)[0]?.signature).replace("v1,", ""),
  };
  for (const [what, secret] of Object.entries(secrets)) {
    assert.ok(secret.length > 16, what);
    const leak = stack.log.texts.find((text) => text.includes(secret));
    assert.equal(leak, undefined, `${what} is in the log`);
  }
});

test("of lines about chunks as many are written as was asked for, and of the others all", async () => {
  for (const [LOG_CHUNKS, lines] of [
    ["2", 2],
    ["0", 0],
  ] as const) {
    const quiet = await sceneWithScriptedOrigin({ LOG_CHUNKS });
    const { uploadId } = await quiet.client.create(file);
    for (let offset = 0; offset < file.length; offset += 5 * MIB) {
      await quiet.client.put(uploadId, offset, file.subarray(offset, offset + 5 * MIB));
    }
    await quiet.client.waitUntilDelivery(uploadId, "delivered");
    const { log } = quiet.stack;
    await waitFor("the last line", () => log.of(uploadId, "delivered")[0], { lastSeen: () => log.tail() });
    assert.equal(log.of(uploadId, "chunk_committed").length, lines);
    assert.equal(log.of(uploadId, "created").length + log.of(uploadId, "completed").length, 2);
  }
});
