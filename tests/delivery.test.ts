// How the origin is told: signed, at least once, under an id that never changes, with a growing delay, until it takes the
// event or the attempts are used up; and what its answer may ask for.

import assert from "node:assert/strict";
import { test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import type { Delivery, ScriptedOrigin } from "./support/scripted_origin.ts";
import { waitFor } from "./support/wait.ts";

const MAX_ATTEMPTS = 3;
const WEBHOOK_TIMEOUT_SECONDS = 2;

const { origin, stack, client } = await sceneWithScriptedOrigin({
  WEBHOOK_TIMEOUT_SECONDS,
  DELIVERY_FIRST_DELAY_SECONDS: 1,
  DELIVERY_MAX_ATTEMPTS: MAX_ATTEMPTS,
  OUTBOX_RESEND_SECONDS: 2,
});

const file = fileBytes("delivered", 1000);

/** An upload whose origin answers by script, from the first webhook on. */
async function uploadTo(...answers: Parameters<ScriptedOrigin["script"]>[1][]): Promise<string> {
  const upload = await client.create(file);
  origin.script(upload.uploadId, ...answers);
  await client.putRest(upload, file);
  return upload.uploadId;
}

function secondsBetween(earlier: Delivery | undefined, later: Delivery | undefined): number {
  return ((later?.receivedAtMs ?? Number.NaN) - (earlier?.receivedAtMs ?? Number.NaN)) / 1000;
}

test("the event says everything about the upload", async () => {
  const large = fileBytes("large", 12 * MIB);
  const declared = { fileName: "holiday.mp4", contentType: "video/mp4", metadata: { album: "2026", é: "ü" } };
  const { uploadId } = await client.upload(large, { ...declared, sha256: sha256(large) });
  const [delivery] = await origin.waitForDeliveries(uploadId, 1);
  const status = await client.waitUntilDelivery(uploadId, "delivered");

  assert.ok(delivery?.genuine);
  assert.equal(delivery.contentType?.split(";")[0], "application/json");
  const { type, timestamp, data } = delivery.event;
  assert.equal(type, "upload.completed");
  assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  const { createdAt, endedAt, downloadUrl, ...rest } = data;
  assert.deepEqual(rest, {
    uploadId,
    key: `uploads/${uploadId}`,
    owner: "anonymous",
    ...declared,
    attached: {},
    fileSize: large.length,
    etag: status.object?.etag,
    digests: { crc64nvme: crc64nvme(large), sha256: sha256(large) },
  });
  assert.ok(Date.parse(createdAt) <= Date.parse(endedAt));
  const reply = await client.request("GET", new URL(downloadUrl ?? "").pathname + new URL(downloadUrl ?? "").search);
  assert.equal(sha256(reply.body), sha256(large));
});

test("an origin that fails twice is told again, under the same id and after a growing delay", async () => {
  const uploadId = await uploadTo({ status: 500 }, { status: 500 });
  await client.waitUntilDelivery(uploadId, "delivered");
  const deliveries = origin.of(uploadId);
  assert.equal(deliveries.length, 3);
  assert.equal(new Set(deliveries.map(({ webhookId }) => webhookId)).size, 1);
  assert.ok(deliveries.every(({ genuine }) => genuine));
  const [first, second, third] = deliveries;
  assert.ok(secondsBetween(first, second) > 0.9, `second attempt after ${secondsBetween(first, second)} s`);
  assert.ok(secondsBetween(second, third) > 1.9, `third attempt after ${secondsBetween(second, third)} s`);
});

test("an origin that asks for patience is given it", async () => {
  const uploadId = await uploadTo({ status: 503, headers: { "Retry-After": "4" } });
  const [first, second] = await origin.waitForDeliveries(uploadId, 2);
  assert.ok(secondsBetween(first, second) > 3.9, `second attempt after ${secondsBetween(first, second)} s`);
});

test("an event that the origin never takes is given up, and can be sent again", async () => {
  const uploadId = await uploadTo(...Array.from({ length: MAX_ATTEMPTS }, () => ({ status: 500 })));
  const status = await client.waitUntilDelivery(uploadId, "failed");
  assert.equal(status.state, "completed", "the upload itself is fine");
  assert.equal(origin.of(uploadId).length, MAX_ATTEMPTS);
  await waitFor("the dead letter to be logged", () => stack.log.of(uploadId).some(({ event }) => /dead/.test(event)), {
    lastSeen: () => stack.log.of(uploadId),
  });

  const again = await client.redeliver(uploadId);
  assert.equal(again.status, 202, again.body.toString());
  await client.waitUntilDelivery(uploadId, "delivered");
  const deliveries = origin.of(uploadId);
  assert.equal(deliveries.length, MAX_ATTEMPTS + 1);
  assert.equal(new Set(deliveries.map(({ webhookId }) => webhookId)).size, 1);
});

test("what was delivered can be sent again too, with a fresh link", async () => {
  const { uploadId } = await client.upload(file);
  await client.waitUntilDelivery(uploadId, "delivered");
  assert.equal((await client.redeliver(uploadId)).status, 202);
  const [first, second] = await origin.waitForDeliveries(uploadId, 2);
  assert.equal(second?.webhookId, first?.webhookId);
  await client.waitUntilDelivery(uploadId, "delivered");
});

test("any answer but a 2xx is a failure, a redirect or a 410 as well", async () => {
  const uploadId = await uploadTo({ status: 302, headers: { Location: origin.webhookUrl } }, { status: 410 });
  await client.waitUntilDelivery(uploadId, "delivered");
  assert.equal(origin.of(uploadId).length, 3);
});

test("an origin that never answers is timed out and told again", async () => {
  const uploadId = await uploadTo("hang");
  await client.waitUntilDelivery(uploadId, "delivered");
  const [first, second] = origin.of(uploadId);
  assert.ok(secondsBetween(first, second) > WEBHOOK_TIMEOUT_SECONDS - 0.1);
  assert.equal(second?.webhookId, first?.webhookId);
});

test("an origin that says delete has the staged object removed", async () => {
  const uploadId = await uploadTo({ status: 200, body: { disposition: "delete" } });
  const path = await origin.waitForDownloadPath(uploadId);
  await client.waitUntilDelivery(uploadId, "delivered");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  assertRefused(await client.request("GET", path), 410, "upload-gone");
  assert.equal((await client.state(uploadId)).state, "completed");
});

for (const answer of [
  { status: 204 },
  { status: 200, body: { disposition: "keep" } },
  { status: 200, body: "thanks" },
]) {
  test(`an origin that answers ${JSON.stringify(answer)} has the object kept`, async () => {
    const uploadId = await uploadTo(answer);
    const path = await origin.waitForDownloadPath(uploadId);
    await client.waitUntilDelivery(uploadId, "delivered");
    assert.equal((await client.request("GET", path)).status, 200);
  });
}

const CUT = '{"disposition":"del';
const JSON_TYPE = "Content-Type: application/json\r\n";

for (const [what, answer] of [
  ["that ends before its length", { raw: `HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Length: 24\r\n\r\n${CUT}` }],
  [
    "that ends in the middle of a chunk",
    { raw: `HTTP/1.1 200 OK\r\n${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n18\r\n${CUT}` },
  ],
  [
    "without a length, of JSON that does not end",
    { raw: `HTTP/1.1 200 OK\r\n${JSON_TYPE}Connection: close\r\n\r\n${CUT}` },
  ],
  ["that is too long", { status: 200, body: { disposition: "delete", more: "x".repeat(64 * 1024) } }],
] as const) {
  test(`an answer ${what} is no acknowledgement: the origin is told again, and then believed`, async () => {
    const uploadId = await uploadTo(answer, { status: 200, body: { disposition: "delete" } });
    const status = await client.waitUntilDelivery(uploadId, "delivered");
    assert.equal(origin.of(uploadId).length, 2);
    assert.ok(status.deletedAt, "what it says the second time is done");
    const [line] = stack.log.of(uploadId, "not_delivered");
    assert.equal(line?.status, 200);
    assert.match(String(line?.detail), /its answer (was cut short|is JSON that does not end|is too long)/);
    await waitUntilNothingLeft(stack.persistDir, uploadId);
  });
}

test("an answer of the longest allowed length, and one without a length, are whole", async () => {
  const longest = JSON.stringify({ more: "x".repeat(64 * 1024 - '{"more":""}'.length) });
  for (const answer of [
    { raw: `HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Length: ${longest.length}\r\n\r\n${longest}` },
    { raw: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n{thanks" },
  ]) {
    const uploadId = await uploadTo(answer);
    await client.waitUntilDelivery(uploadId, "delivered");
    assert.equal(origin.of(uploadId).length, 1);
  }
});

test("an event is not sent again and again: once in ten seconds by somebody's wish", async () => {
  const { uploadId } = await client.upload(file);
  await client.waitUntilDelivery(uploadId, "delivered");
  assert.equal((await client.redeliver(uploadId)).status, 202);
  for (const when of ["while it is on its way", "and behind that"]) {
    const reply = await client.redeliver(uploadId);
    assertRefused(reply, 429, "redelivered-recently");
    const seconds = Number(reply.header("Retry-After"));
    assert.ok(seconds > 0 && seconds <= 10, `${when}: ${seconds}`);
    await client.waitUntilDelivery(uploadId, "delivered");
  }
  assert.equal(origin.of(uploadId).length, 2);
});

test("an upload that the client aborts is gone at once, and the origin hears of it", async () => {
  const upload = await client.create(file);
  assert.equal((await client.abort(upload.uploadId)).status, 204);
  const { data } = await origin.waitForEvent(upload.uploadId, "upload.aborted");
  assert.ok(data.reason);
  assert.equal(data.etag, undefined);
  assert.equal(data.digests, undefined);
  assert.equal(data.downloadUrl, undefined);
});
