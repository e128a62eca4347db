// What the application answers when it hears of an object reaches the client, as JSON: an answer that is given with the object waits for it, for
// RESULT_WAIT_SECONDS at most, and whoever asks later is told, too.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Status } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { formBody, formHeaders } from "./support/form.ts";
import type { Headers } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import type { Answer } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";
import { encoded, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const RESULT = { record: 7, name: "Ferien à la mer 🌊", tags: ["a", null] };

const { origin, stack, client } = await sceneWithScriptedOrigin({
  RESULT_WAIT_SECONDS: 3,
  DELIVERY_FIRST_DELAY_SECONDS: 1,
  OUTBOX_RESEND_SECONDS: 2,
});
const tus = new Tus(client);
const file = fileBytes("with a result", 1000);

type Uploaded = { uploadId: string; object: Status["object"] };

const says = (result: unknown, more = {}): Answer => ({ status: 200, body: { result, ...more } });

const post = (name: string, headers: Headers = {}) =>
  client.request("POST", `/upload?name=${name}`, { headers, body: file });

async function upload(name: string, ...answers: Parameters<typeof origin.script>[1][]): Promise<Uploaded> {
  origin.script(name, ...answers);
  const reply = await post(name);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Uploaded>();
}

const statusOf = async (uploadId: string) => (await client.status(uploadId)).json<Status>();
const resultOf = async (uploadId: string) => (await statusOf(uploadId)).object?.result;

test("a file in one request: its answer has it, and so has the status", async () => {
  const { uploadId, object } = await upload("plain.bin", says(RESULT));
  assert.deepEqual(object?.result, RESULT);
  assert.deepEqual(await resultOf(uploadId), RESULT);
});

test("a form: each file's answer has its own", async () => {
  origin.script("a.bin", says("a"));
  origin.script("b.bin", says("b"));
  const parts = ["a.bin", "b.bin"].map((fileName) => ({ name: "file", fileName, bytes: file }));
  const reply = await client.request("POST", "/upload", { headers: formHeaders(), body: formBody(parts) });
  assert.equal(reply.status, 201, reply.body.toString());
  const { files } = reply.json<{ files: Uploaded[] }>();
  assert.deepEqual(
    files.map(({ object }) => object?.result),
    ["a", "b"],
  );
});

test("a form of large files: all are complete before anything is awaited, so an application keeps nobody waiting for each", async () => {
  const patient = await sceneWithScriptedOrigin({ RESULT_WAIT_SECONDS: 25 });
  const large = fileBytes("large", 10 * MIB);
  let answer = (_: Answer) => {};
  const answers = new Promise<Answer>((resolve) => (answer = resolve));
  const parts = ["a.bin", "b.bin"].map((fileName) => ({ name: "file", fileName, bytes: large }));
  for (const { fileName } of parts) {
    patient.origin.script(fileName, answers);
  }
  const reply = patient.client.request("POST", "/upload", { headers: formHeaders(), body: formBody(parts) });
  await waitFor("both files to be complete while the application has not answered", async () => {
    const created = patient.stack.log.lines.filter(({ event }) => event === "created");
    const statuses = await Promise.all(created.map(({ uploadId }) => patient.client.status(String(uploadId))));
    return statuses.filter((status) => status.json<Status>().state === "completed").length === 2;
  });
  answer(says("in time"));
  const { files } = (await reply).json<{ files: Uploaded[] }>();
  assert.deepEqual(
    files.map(({ object }) => object?.result),
    ["in time", "in time"],
  );
});

test("tus: it is in Upload-Result, in ASCII, with the last byte and afterwards", async () => {
  origin.script("tus.bin", says(RESULT));
  const metadata = { "Upload-Metadata": `filename ${encoded("tus.bin")}` };
  const url = await tus.create({ "Upload-Length": file.length, ...metadata });
  const first = await tus.patch(url, 0, file.subarray(0, 400));
  assert.equal(first.header("Upload-Result"), undefined);
  for (const reply of [await tus.patch(url, 400, file.subarray(400)), await tus.head(url)]) {
    const told = reply.header("Upload-Result") ?? "";
    assert.match(told, /^[\x20-\x7e]+$/);
    assert.deepEqual(JSON.parse(told), RESULT);
  }
});

test("a tus creation with all bytes has it, too", async () => {
  origin.script("at-once.bin", says(1));
  const headers = { "Upload-Length": file.length, "Upload-Metadata": `filename ${encoded("at-once.bin")}` };
  const reply = await tus.post(headers, file);
  assert.deepEqual([reply.status, reply.header("Upload-Result")], [201, "1"]);
});

test("the draft: it is in the final answer", async () => {
  origin.script("draft.bin", says(RESULT));
  const headers = { "Upload-Complete": "?1", "Content-Disposition": 'attachment; filename="draft.bin"' };
  const reply = await client.request("POST", "/files", { headers, body: file });
  assert.equal(reply.status, 200, reply.body.toString());
  assert.deepEqual(reply.json<{ result: unknown }>().result, RESULT);
});

test("the JSON protocol's last chunk is not held back: who asks how the upload stands is told", async () => {
  const created = await client.create(file);
  let answer = (_: Answer) => {};
  origin.script(created.uploadId, new Promise((resolve) => (answer = resolve)));
  await client.putRest(created, file);
  await client.waitUntilState(created.uploadId, "completed");
  assert.equal(await resultOf(created.uploadId), undefined);
  answer(says(RESULT));
  await client.waitUntilDelivery(created.uploadId, "delivered");
  assert.deepEqual(await resultOf(created.uploadId), RESULT);
});

test("an application that takes too long keeps nobody waiting, and is heard all the same", async () => {
  let answer = (_: Answer) => {};
  const { uploadId, object } = await upload("late.bin", new Promise((resolve) => (answer = resolve)));
  assert.ok(object !== null && object !== undefined && !("result" in object), "answered before the application has");
  answer(says(RESULT));
  await client.waitUntilDelivery(uploadId, "delivered");
  assert.deepEqual(await resultOf(uploadId), RESULT);
});

test("what it says when it is told again, within the time, counts", async () => {
  const { object } = await upload("again.bin", { status: 503, body: { result: "not this" } }, says("this"));
  assert.equal(object?.result, "this");
});

test("an application that has nothing to say, or no JSON, holds back nothing", async () => {
  const answers: Record<string, Answer> = {
    "nothing.bin": { status: 204 },
    "null.bin": says(null),
    "text.bin": { status: 200, headers: { "Content-Type": "text/plain" }, body: "ok" },
  };
  for (const [name, answer] of Object.entries(answers)) {
    const { uploadId, object } = await upload(name, answer);
    assert.ok(object !== null && object !== undefined && !("result" in object), name);
    assert.equal((await statusOf(uploadId)).delivery, "delivered", "it has been waited for");
  }
});

test("what is longer than 4 KiB is not told, and the log says so; what is just as long is", async () => {
  const most = "r".repeat(4 * 1024 - 2);
  assert.equal((await upload("most.bin", says(most))).object?.result, most);
  const { uploadId, object } = await upload("long.bin", says(`${most}r`));
  assert.equal(object?.result, undefined);
  await client.waitUntilDelivery(uploadId, "delivered");
  const lines = () => stack.log.of(uploadId, "delivered");
  await waitFor("the log to say it", () => lines().some(({ detail }) => String(detail).includes("4 KiB")), {
    lastSeen: lines,
  });
});

test("the object may go, and what was said of it stays", async () => {
  const { uploadId } = await upload("taken.bin", says(RESULT, { disposition: "delete" }));
  const status = await statusOf(uploadId);
  assert.ok(status.deletedAt);
  assert.deepEqual(status.object?.result, RESULT);
});

test("told once more by redelivery, it may say something else, or leave it", async () => {
  const { uploadId } = await upload("twice.bin", says("first"), says("second"));
  const reply = await client.request("POST", `/upload/${uploadId}/redeliver`);
  assert.equal(reply.status, 202, reply.body.toString());
  await waitFor("the second answer", async () => (await resultOf(uploadId)) === "second");
});

test("it survives a restart", async () => {
  const { uploadId } = await upload("kept.bin", says(RESULT));
  await stack.kill();
  await stack.restart();
  assert.deepEqual(await resultOf(uploadId), RESULT);
});

test("no longer than clients wait for answers", async (t) => {
  const wrong = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", RESULT_WAIT_SECONDS: 26 } });
  t.after(() => wrong.stop());
  const reply = await wrong.client.request("POST", "/upload/init", { body: Buffer.from("{}") });
  assert.match(assertRefused(reply, 503, "not-configured").detail, /RESULT_WAIT_SECONDS is above 25/);
});
