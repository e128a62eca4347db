// A chunk that comes with the creation begins in the object's first row: no request and no row for its begin. Where the answer to
// that is lost, or the chunk has to ask for itself, it asks, as any other chunk does.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Cost } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { PendingRequest } from "./support/http.ts";
import { bucketStateOf, waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { Stack } from "./support/stack.ts";
import { BYTES, idOf, Tus, VERSION } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";
import type { LogLine } from "./support/worker_log.ts";

// Nobody is told, so that nothing follows the answer but the settling with the owner's ledger.
const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" }, buildDir: "build-faults" });
after(() => stack.stop());
const { client } = stack;
const tus = new Tus(client);

const plan = (...rules: object[]) => client.request("POST", "/faults", { body: JSON.stringify(rules) });

async function createdWith(file: Uint8Array, bytes: Uint8Array, headers = {}): Promise<string> {
  const reply = await tus.post({ "Upload-Length": file.length, ...headers }, bytes);
  assert.equal(reply.status, 201, reply.body.toString());
  assert.equal(reply.header("Upload-Offset"), String(bytes.length));
  return reply.header("Location") ?? "";
}

async function assertArrived(url: string, file: Uint8Array): Promise<Cost> {
  const uploadId = idOf(url);
  const status = await client.waitUntilState(uploadId, "completed");
  await waitUntilOnlyObjectLeft(stack.persistDir, uploadId);
  const { objects, unfinished } = bucketStateOf(stack.persistDir, uploadId);
  assert.deepEqual([objects, unfinished], [[status.object?.key], []]);
  const object = await client.request("GET", url);
  assert.equal(sha256(object.body), sha256(file));
  return status.cost;
}

/** The log line of the only creation since the log was cleared. */
function created(): Promise<LogLine> {
  return waitFor("the creation", () => stack.log.lines.find(({ event }) => event === "created"));
}

async function attempts(url: string): Promise<number> {
  const reply = await client.request("GET", `/upload/${idOf(url)}/log`);
  const { entries } = reply.json<{ entries: { event: string; times: number }[] }>();
  const begun = entries.filter(({ event }) => event === "attempt" || event === "takeover");
  return begun.reduce((sum, { times }) => sum + times, 0);
}

const small = fileBytes("comes with its creation", 100 * 1024);
const large = fileBytes("its first chunk comes with its creation", 12 * MIB);

test("a small file: one class A operation, three requests to objects and nine rows before the answer", async () => {
  const url = await createdWith(small, small);
  const cost = await assertArrived(url, small);
  // A table of two rows, the facts, the alarm, and three at the ledger; the end, with the part, and its alarm.
  const bornAndStored = { workerRequests: 1, objectRequests: 3, rowsWritten: 9, r2ClassA: 1 };
  // The alarm that settles it with the ledger may have rung by now.
  for (const [kind, count] of Object.entries(bornAndStored)) {
    const found = cost[kind as keyof Cost];
    const settled = { objectRequests: 2, rowsWritten: 4 }[kind] ?? 0;
    assert.ok(found >= count && found <= count + settled, `${kind}: ${found}, of ${count} and at most ${settled} more`);
  }
  assert.equal(await attempts(url), 1);
});

test("the answer to the creation is lost: it is sent again, and the chunk asks", async () => {
  await plan({ point: "object.create", nth: 1, kind: "after" });
  const url = await createdWith(small, small);
  await assertArrived(url, small);
  assert.equal(await attempts(url), 2, "the one that nobody heard of, and its successor");
});

test("a chunk that needs a multipart upload asks, and the rest follows", async () => {
  const url = await createdWith(large, large.subarray(0, 7 * MIB));
  assert.equal(await tus.offset(url), 7 * MIB);
  assert.equal((await tus.patch(url, 7 * MIB, large.subarray(7 * MIB))).status, 204);
  await assertArrived(url, large);
});

test("a first chunk of a row, then the rest: the table of the tail comes with the first segment", async () => {
  const url = await createdWith(small, small.subarray(0, 1000));
  assert.equal((await tus.patch(url, 1000, small.subarray(1000))).status, 204);
  await assertArrived(url, small);
});

test("a creation that does not arrive at its object is sent again, with its chunk", async () => {
  await plan(...[1, 2, 3].map((nth) => ({ point: "object.create", nth, kind: "before" })));
  const url = await createdWith(small, small);
  await plan();
  await assertArrived(url, small);
  assert.equal(await attempts(url), 1);
});

test("the power is cut while the chunk comes: what was granted with the creation is taken over", async () => {
  stack.log.forget();
  const head = { "Tus-Resumable": VERSION, "Content-Type": BYTES, "Upload-Length": small.length };
  const slow = new PendingRequest(stack.baseUrl, "POST", "/files", { ...head, "Content-Length": small.length });
  slow.write(small.subarray(0, small.length / 2));
  const url = `/files/${(await created()).uploadId}`;
  await stack.kill();
  slow.cut();
  await stack.restart();
  assert.equal(await tus.offset(url), 0);
  assert.equal((await tus.patch(url, 0, small)).status, 204);
  await assertArrived(url, small);
  assert.equal(await attempts(url), 2, "the first was in the object's first row");
});

test("a checksum that is wrong leaves nothing of the upload", async () => {
  stack.log.forget();
  const digest = Buffer.from(sha256(large), "hex").toString("base64");
  const reply = await tus.post({ "Upload-Length": small.length, "Upload-Checksum": `sha256 ${digest}` }, small);
  assert.equal(reply.status, 460, reply.body.toString());
  await waitUntilNothingLeft(stack.persistDir, (await created()).uploadId ?? "");
});
