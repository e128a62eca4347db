// Memory: the 128 MB of an isolate belong to all its requests, so what waits of a slow body must be little, and of many bodies together
// not more than their number. Measured is what V8 holds for the Worker and its objects; the process, which has R2's simulator in it,
// is only told.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";

import { crc64nvme, fileBytes, MIB } from "./support/bytes.ts";
import { formHeaders, partHead } from "./support/form.ts";
import { heapBytes, residentBytes } from "./support/heap.ts";
import { PendingRequest, type Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { openPatch } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const BODIES = 100;
const MOST_BYTES = 32 * MIB;
const DRIP_BYTES = 4000;

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", QUOTA_OPEN_UPLOADS: 0 }, inspected: true });
const { client } = stack;
after(() => stack.stop());

const file = fileBytes("dripping", 8 * MIB);

type Kind = {
  name: string;
  /** How much of each body comes. */
  bytes: number;
  open: () => PendingRequest | Promise<PendingRequest>;
};

const upload = async () => (await client.create(file, { chunkSize: file.length })).uploadId;
const document = (length: number) => ({ "Content-Type": "application/json", "Content-Length": length });
const post = (path: string, length: number) => new PendingRequest(stack.baseUrl, "POST", path, document(length));
const postParts = () => post(`/s3/multipart/${crypto.randomUUID()}/complete?key=any`, MIB);

/** A form whose file has begun. */
const openForm = () => {
  const form = new PendingRequest(stack.baseUrl, "POST", "/upload", { ...formHeaders(), "Content-Length": 20 * MIB });
  form.write(partHead({ name: "f", fileName: "dripping.bin", bytes: file }));
  return form;
};

const kinds: Kind[] = [
  { name: "chunks", bytes: 400_000, open: async () => client.putSlowly(await upload(), 0, file.length) },
  { name: "rows", bytes: 120_000, open: async () => client.putSlowly(await upload(), 0, 130_000) },
  { name: "bodies without length", bytes: 600_000, open: async () => openPatch(stack.baseUrl, await upload(), 0) },
  { name: "creations in JSON", bytes: 60_000, open: () => post("/upload/init", 64_000) },
  { name: "lists of parts", bytes: 900_000, open: postParts },
  { name: "forms", bytes: 600_000, open: openForm },
];

describe(`${BODIES} dripping bodies need less than 32 MiB together`, () => {
  for (const { name, bytes, open } of kinds) {
    test(name, async (t) => {
      await client.upload(fileBytes("before", MIB));
      const [idle, idleResident] = [await heapBytes(stack), residentBytes()];
      const bodies = await Promise.all(Array.from({ length: BODIES }, open));
      t.after(() => {
        for (const body of bodies) {
          body.cut();
        }
      });
      const send = async (from: number, to: number) => {
        for (let sent = from; sent < to; sent += DRIP_BYTES) {
          await Promise.all(bodies.map((body) => sendSome(body, file.subarray(sent, sent + DRIP_BYTES))));
        }
        return (await settledHeapBytes()) - idle;
      };
      const most = Math.max(await send(0, bytes / 2), await send(bytes / 2, bytes));
      const resident = ((residentBytes() ?? 0) - (idleResident ?? 0)) / MIB;
      t.diagnostic(`${(most / MIB).toFixed(1)} MiB in the isolate, ${resident.toFixed(0)} MiB more in its process`);
      assert.ok(most < MOST_BYTES, `${(most / MIB).toFixed(1)} MiB`);
    });
  }
});

/** The bytes that have left this process are in the Worker when its memory does not grow any more. */
async function settledHeapBytes(): Promise<number> {
  let before = 0;
  return await waitFor("the Worker to have read what was sent", async () => {
    const now = await heapBytes(stack);
    const hasSettled = now < before + MIB;
    before = now;
    return hasSettled && now;
  });
}

/** One that has been answered takes no more. */
async function sendSome(body: PendingRequest, bytes: Uint8Array): Promise<void> {
  await Promise.race([body.writeThrough(bytes), body.reply]).catch(() => {});
}

test("a large document for which there is no memory is told to come again", async (t) => {
  const bodies = Array.from({ length: 40 }, postParts);
  t.after(() => {
    for (const body of bodies) {
      body.cut();
    }
  });
  const refused = Promise.any(bodies.map((body) => body.reply));
  await Promise.all(bodies.map((body) => sendSome(body, file.subarray(0, MIB - 1))));
  const reply = await refused;
  assertRefused(reply, 503, "overloaded");
  assert.equal(reply.header("Retry-After"), "5");
  assert.equal(
    (await client.init({ fileName: "small.bin", fileSize: 1 })).status,
    201,
    "small ones are read all the same",
  );
});

test("memory of documents whose senders have gone is there again", async () => {
  const bodies = Array.from({ length: 40 }, postParts);
  await Promise.all(bodies.map((body) => sendSome(body, file.subarray(0, MIB - 1))));
  for (const body of bodies) {
    body.cut();
  }
  const large = Buffer.from(JSON.stringify({ parts: [], more: "x".repeat(900_000) }));
  await waitFor("a large document to be read", async () => {
    const path = `/s3/multipart/${crypto.randomUUID()}/complete?key=any`;
    const headers = { "Content-Type": "application/json" };
    const reply = await client.request("POST", path, { headers, body: large });
    return reply.json<{ code: string }>().code !== "overloaded";
  });
});

test("bodies without length that want more memory than there is are stored in smaller pieces, and lose nothing", async () => {
  const uploads = await Promise.all(Array.from({ length: 30 }, upload));
  const send = async (uploadId: string): Promise<Reply> => {
    const body = openPatch(stack.baseUrl, uploadId, 0);
    for (let sent = 0; sent < MIB; sent += 16 * DRIP_BYTES) {
      await body.writeThrough(file.subarray(sent, Math.min(MIB, sent + 16 * DRIP_BYTES)));
    }
    return await body.finish();
  };
  for (const reply of await Promise.all(uploads.map(send))) {
    assert.equal(reply.header("Upload-Offset"), String(MIB), `${reply.status} ${reply.body}`);
  }
  for (const uploadId of uploads.slice(0, 3)) {
    await client.putPiece(uploadId, file, MIB, file.length);
    assert.equal((await client.waitUntilState(uploadId, "completed")).object?.crc64nvme, crc64nvme(file));
  }
});

test("what came of a body without length counts while it pauses", async () => {
  const uploadId = await upload();
  const pausing = openPatch(stack.baseUrl, uploadId, 0);
  pausing.write(file.subarray(0, 1000));
  await client.waitUntilCounted(uploadId, 1000);
  pausing.write(file.subarray(1000, 300_000));
  await client.waitUntilCounted(uploadId, 300_000);
  pausing.write(file.subarray(300_000, 400_000));
  assert.equal((await pausing.finish()).status, 204);
  await client.putPiece(uploadId, file, 400_000, file.length);
  assert.equal((await client.waitUntilState(uploadId, "completed")).object?.crc64nvme, crc64nvme(file));
});
