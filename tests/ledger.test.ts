// What an owner has open: the list from which another device resumes, and the quotas that it counts against. Every
// ending gives its share back: completion, abort, failure and expiry, also across a power cut.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";

import type { Created, OpenUploads } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Client } from "./support/client.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

/** A stack of its own, since everybody in it is the same owner. */
async function startStack(vars: Record<string, string | number>): Promise<Stack> {
  const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", ...vars } });
  after(() => stack.stop());
  return stack;
}

async function openIds(client: Client): Promise<string[]> {
  return (await client.openUploads()).map(({ uploadId }) => uploadId);
}

async function waitUntilListed(client: Client, wanted: string[]): Promise<void> {
  let seen: string[] = [];
  const probe = async () => {
    seen = await openIds(client);
    return seen.join() === wanted.join();
  };
  await waitFor(`the list to be [${wanted}]`, probe, { lastSeen: () => seen });
}

/** Creates as soon as there is room; nothing else may be wrong. */
function createWhenThereIsRoom(client: Client, fileSize: number): Promise<Created> {
  return waitFor(`room for ${fileSize} bytes`, async () => {
    const reply = await client.init({ fileName: "next.bin", fileSize });
    if (reply.status === 201) {
      return reply.json<Created>();
    }
    assertRefused(reply, 429, "quota-exceeded");
    return undefined;
  });
}

describe("the list of open uploads", async () => {
  const stack = await startStack({});
  const { client } = stack;

  test("is empty before anything was ever created", async () => {
    assert.deepEqual(await client.openUploads(), []);
  });

  test("shows what is open, newest first, until it ends", async () => {
    const file = fileBytes("listed", 1000);
    const made: Created[] = [];
    for (const fileName of ["aborted", "completed", "failed", "lasting"]) {
      const declared = fileName === "failed" ? { sha256: sha256(Buffer.from("another")) } : {};
      made.push(await client.create(file, { fileName, ...declared }));
    }
    const [aborted, completed, failed, lasting] = made;
    assert.ok(aborted && completed && failed && lasting);
    const listed = await client.openUploads();
    assert.deepEqual(
      listed.map(({ uploadId, uploadUrl }) => ({ uploadId, uploadUrl })),
      [lasting, failed, completed, aborted].map(({ uploadId, uploadUrl }) => ({ uploadId, uploadUrl })),
    );
    const longest = Date.parse(listed[0]?.expiresAt ?? "") - Date.parse(listed[0]?.createdAt ?? "");
    assert.equal(longest, 86_400_000, "the list says what the status says");
    assert.equal(listed[0]?.fileName, "lasting");
    assert.equal(listed[0]?.fileSize, file.length);
    assert.equal((await client.abort(aborted.uploadId)).status, 204);
    await waitUntilListed(client, [lasting.uploadId, failed.uploadId, completed.uploadId]);
    await client.putRest(completed, file);
    await waitUntilListed(client, [lasting.uploadId, failed.uploadId]);
    assert.equal((await client.put(failed.uploadId, 0, file)).status, 422);
    await waitUntilListed(client, [lasting.uploadId]);
    await client.putRest(lasting, file);
    await waitUntilListed(client, []);
  });

  test("has pages, and none of very many is left out", async () => {
    const made: string[] = [];
    for (let number = 0; number < 103; number++) {
      made.push((await client.create(fileBytes("one of many", 10))).uploadId);
    }
    const first = (await client.list()).json<OpenUploads>();
    assert.equal(first.uploads.length, 100);
    const second = (await client.list(first.next)).json<OpenUploads>();
    assert.equal(second.next, undefined);
    const listed = [...first.uploads, ...second.uploads].map(({ uploadId }) => uploadId);
    assert.deepEqual(listed, made.toReversed());
    for (const cursor of ["", "1", "next", `${first.next}x`]) {
      assertBadRequest(await client.list(cursor), "cursor");
    }
    await Promise.all(made.map((id) => client.abort(id)));
    await waitUntilListed(client, []);
  });

  test("lets another client resume, also after a power cut", async () => {
    const file = fileBytes("resumed elsewhere", 12 * MIB);
    const upload = await client.create(file, { fileName: "from my phone.mov" });
    await client.putPiece(upload.uploadId, file, 0, 5_000_000);

    await stack.kill();
    await stack.restart();

    const elsewhere = new Client(stack.baseUrl);
    const listed = await elsewhere.openUploads();
    const found = listed.find(({ fileName, fileSize }) => fileName === "from my phone.mov" && fileSize === file.length);
    assert.equal(found?.uploadUrl, upload.uploadUrl);
    const offset = await elsewhere.offset(upload.uploadId);
    assert.equal(offset, 5_000_000);
    await elsewhere.putPiece(upload.uploadId, file, offset, file.length);
    await waitUntilListed(elsewhere, []);
    assert.equal((await client.state(upload.uploadId)).state, "completed");
  });
});

describe("the quotas of what is open", async () => {
  const stack = await startStack({ QUOTA_OPEN_UPLOADS: 2, QUOTA_OPEN_BYTES: 1000 });
  const { client } = stack;

  async function assertNoRoom(fileSize: number): Promise<void> {
    const reply = await client.init({ fileName: "one too many", fileSize });
    const { detail } = assertRefused(reply, 429, "quota-exceeded");
    assert.match(detail, /open/);
    assert.equal(reply.header("Retry-After"), "60", "nobody knows when, and everybody is told to come again");
  }

  test("bound the number of uploads, and completion and abort give room back", async () => {
    const file = fileBytes("few", 10);
    const [first, second] = [await client.create(file), await client.create(file)];
    await assertNoRoom(file.length);
    assert.equal((await openIds(client)).length, 2, "what was refused is not open");

    assert.equal((await client.abort(first.uploadId)).status, 204);
    const third = await createWhenThereIsRoom(client, file.length);
    await assertNoRoom(file.length);
    await client.putRest(second, file);
    const fourth = await createWhenThereIsRoom(client, file.length);
    await assertNoRoom(file.length);
    await client.putRest(third, file);
    await client.putRest(fourth, file);
    await waitUntilListed(client, []);
  });

  test("bound the declared bytes, and a failed upload gives room back too", async () => {
    assertRefused(await client.init({ fileName: "larger than all", fileSize: 1001 }), 429, "quota-exceeded");
    const file = fileBytes("much", 900);
    const failing = await client.create(file, { sha256: sha256(Buffer.from("another")) });
    await assertNoRoom(101);
    assert.equal((await client.put(failing.uploadId, 0, file)).status, 422);
    const exactly = await createWhenThereIsRoom(client, 1000);
    await assertNoRoom(1);
    assert.equal((await client.abort(exactly.uploadId)).status, 204);
    await waitUntilListed(client, []);
  });

  test("hold after a power cut, and so does what gives room back", async () => {
    const file = fileBytes("power cut", 1000);
    const { uploadId } = await client.create(file);
    await stack.kill();
    await stack.restart();
    await assertNoRoom(1);

    // Killed right behind the last byte: whether anybody was told by then or not, there must be room afterwards.
    await client.putPiece(uploadId, file, 0, file.length);
    await stack.kill();
    await stack.restart();
    await createWhenThereIsRoom(client, file.length);
  });
});

test("an expired upload gives its room back, also when the power is cut while it expires", async () => {
  const stack = await startStack({ QUOTA_OPEN_UPLOADS: 1, UPLOAD_TTL_SECONDS: 2 });
  const { client } = stack;
  await createWhenThereIsRoom(client, 1000);
  await createWhenThereIsRoom(client, 1000);
  await stack.kill();
  await stack.restart();
  const { uploadId } = await createWhenThereIsRoom(client, 1000);
  await waitUntilListed(client, []);
  assertRefused(await client.status(uploadId), 410, "upload-gone", { state: "expired" });
});

test("the quota of a day tells when there is room again, and nothing gives it back before", async () => {
  const { client } = await startStack({ QUOTA_BYTES_PER_DAY: 1000 });
  const file = fileBytes("today", 600);
  const first = await client.create(file);
  await client.putRest(first, file);
  const second = await client.create(file.subarray(0, 300));
  assert.equal((await client.abort(second.uploadId)).status, 204);
  await waitUntilListed(client, []);

  const reply = await client.init({ fileName: "too much for today", fileSize: 101 });
  const { detail } = assertRefused(reply, 429, "quota-exceeded");
  assert.match(detail, /day/);
  const retryAfter = Number(reply.header("Retry-After"));
  assert.ok(Number.isInteger(retryAfter) && retryAfter > 0 && retryAfter <= 86_400, `Retry-After: ${retryAfter}`);
  assert.equal((await client.init({ fileName: "just enough", fileSize: 100 })).status, 201);
});
