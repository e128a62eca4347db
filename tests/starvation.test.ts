// Clients that take an upload from each other again and again: before any of them gets a byte counted, the newest is
// protected for a while, and the others are asked to wait.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { crc64nvme, fileBytes, MIB } from "./support/bytes.ts";
import type { PendingRequest } from "./support/http.ts";
import { assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
after(() => stack.stop());

const file = fileBytes("starved", MIB);
const ALMOST = file.length - 1;

/** Writers, each of which takes the upload from the one before it, until one is told to wait (the log says that first). */
async function writersUntilOneIsProtected(uploadId: string): Promise<PendingRequest[]> {
  const writers: PendingRequest[] = [];
  await waitFor("a writer to be refused as busy", () => {
    if (stack.log.of(uploadId, "refused").some(({ code }) => code === "busy")) {
      return true;
    }
    const writer = client.putSlowly(uploadId, 0, file.length);
    writer.write(file.subarray(0, ALMOST));
    writers.push(writer);
    return false;
  });
  assert.ok(writers.length > 3, `two takeovers are nobody's concern; busy with ${writers.length} writers`);
  return writers;
}

test("after takeovers that bring nothing the newest writer is protected: it gets through, whoever comes", async () => {
  const { uploadId } = await client.create(file);
  const writers = await writersUntilOneIsProtected(uploadId);

  await assertNothingCounted(client, uploadId, async () => {
    const busy = await client.put(uploadId, 0, file);
    assertRefused(busy, 409, "busy", { uploadId, uploadedBytes: 0 });
    const retryAfter = Number(busy.header("Retry-After"));
    assert.ok(Number.isInteger(retryAfter) && retryAfter > 0 && retryAfter <= 60, `Retry-After: ${retryAfter}`);
    assert.equal(await client.offset(uploadId), 0, "HEAD is answered, and takes nothing from the protected writer");
  });

  for (const writer of writers) {
    writer.write(file.subarray(ALMOST));
  }
  const replies = await Promise.all(writers.map((writer) => writer.finish()));
  const through = replies.filter(({ status }) => status === 200);
  assert.equal(through.length, 1, replies.map(({ status, body }) => `${status} ${body}`).join("\n"));
  for (const reply of replies.filter(({ status }) => status !== 200)) {
    assert.equal(reply.status, 409, reply.body.toString());
    assert.match(reply.json<{ type: string }>().type, /superseded|busy|offset-mismatch/);
  }
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});

test("a protected writer that brings nothing either is not protected for ever", async () => {
  const { uploadId } = await client.create(file);
  const writers = await writersUntilOneIsProtected(uploadId);
  await waitFor("somebody else to get in", async () => {
    const reply = await client.put(uploadId, 0, file);
    if (reply.status !== 200) {
      assertRefused(reply, 409, "busy");
    }
    return reply.status === 200;
  });
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
  for (const writer of writers) {
    writer.cut();
  }
});
