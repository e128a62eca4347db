// Two writers and one upload: the newer one wins at once, the older one is refused and harms nothing. HEAD, with which a
// client resumes, ends a running append; asking for the status does not.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { crc64nvme, fileBytes, MIB } from "./support/bytes.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
after(() => stack.stop());

const file = fileBytes("the file", 24 * MIB);
const garbage = fileBytes("what a stale writer sends", 24 * MIB);

test("a second writer at the same offset takes over at once, and the first one's rest is refused", async () => {
  const upload = await client.create(file);
  const { uploadId, limits } = upload;
  const half = Math.floor(limits.partBytes / 2);
  const stale = client.putSlowly(uploadId, 0, file.length);
  stale.write(garbage.subarray(0, half));

  await client.putRest(upload, file);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));

  stale.write(garbage.subarray(half, file.length));
  // Nothing tells when the stale writer has begun; if the machine was slow, it only now asks, and is at a wrong offset.
  const refused = await stale.finish();
  assert.equal(refused.status, 409, refused.body.toString());
  assert.match(refused.json<{ type: string }>().type, /superseded|offset-mismatch/);
  const after = await client.state(uploadId);
  assert.equal(after.state, "completed");
  assert.equal(after.object?.crc64nvme, crc64nvme(file));
});

test("a writer that is taken over between two of its parts keeps what was counted and adds nothing", async () => {
  const upload = await client.create(file);
  const { uploadId, limits } = upload;
  const stale = client.putSlowly(uploadId, 0, file.length);
  stale.write(file.subarray(0, limits.partBytes));
  stale.write(garbage.subarray(limits.partBytes, limits.partBytes + 1000));
  await client.waitUntilCounted(uploadId, limits.partBytes);

  const second = limits.partBytes + limits.partBytes;
  const taken = await client.put(uploadId, limits.partBytes, file.subarray(limits.partBytes, second));
  assert.equal(taken.status, 200, taken.body.toString());

  stale.write(garbage.subarray(limits.partBytes + 1000, file.length));
  assertRefused(await stale.finish(), 409, "superseded");
  assert.equal((await client.state(uploadId)).uploadedBytes, second);

  await client.putRest(upload, file, second);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});

test("HEAD ends a running append, so that the offset it tells is accepted", async () => {
  const upload = await client.create(file);
  const { uploadId, limits } = upload;
  const running = client.putSlowly(uploadId, 0, file.length);
  running.write(file.subarray(0, limits.partBytes));
  running.write(garbage.subarray(limits.partBytes, limits.partBytes + 1000));
  await client.waitUntilCounted(uploadId, limits.partBytes);

  assert.equal(await client.offset(uploadId), limits.partBytes);
  running.write(garbage.subarray(limits.partBytes + 1000, file.length));
  assertRefused(await running.finish(), 409, "superseded");

  assert.equal((await client.state(uploadId)).uploadedBytes, limits.partBytes);
  await client.putRest(upload, file, limits.partBytes);
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});

test("the status is told while bytes flow, and disturbs nobody", async () => {
  const upload = await client.create(file);
  const { uploadId, limits } = upload;
  const running = client.putSlowly(uploadId, 0, file.length);
  for (let offset = 0; offset < file.length; offset += limits.partBytes) {
    running.write(file.subarray(offset, offset + limits.partBytes));
    await client.waitUntilCounted(uploadId, Math.min(offset + limits.partBytes, file.length));
  }
  const reply = await running.finish();
  assert.equal(reply.status, 200, reply.body.toString());
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(file));
});
