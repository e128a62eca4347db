// Forms whose client leaves before it has an answer, where a request ends with its client, as in production: a form that has not come
// whole leaves nothing, and one that has is carried out. And forms of which one file cannot be stored.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import { fileBytes, MIB } from "./support/bytes.ts";
import { type FormPart, formBody, formHeaders } from "./support/form.ts";
import { type Headers, PendingRequest } from "./support/http.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({
  entry: "harsh_platform.js",
  vars: { ORIGIN_WEBHOOK_URL: "", QUOTA_OPEN_UPLOADS: 0 },
});
const { client } = stack;
after(() => stack.stop());

type Answer = { files: { uploadId: string; status: number; state: string }[] };

const small = fileBytes("form that is cut off, small", 70_000);
const large = fileBytes("form that is cut off, large", 12 * MIB + 7);
const file = (name: string, bytes: Uint8Array): FormPart => ({ name, fileName: `${name}.bin`, bytes });

/** Sends a form without its last bytes, waits until so many uploads are there, and leaves when `isTime`. Returns their ids, and that of each file. */
async function cut(
  parts: FormPart[],
  withoutBytes: number,
  uploads: number,
  isTime: (ids: string[]) => Promise<unknown> = async () => {},
  headers: Headers = {},
): Promise<string[]> {
  const body = formBody(parts);
  const length = { "Content-Length": body.length };
  const pending = new PendingRequest(client.baseUrl, "POST", "/upload", { ...formHeaders(), ...length, ...headers });
  pending.write(body.subarray(0, body.length - withoutBytes));
  const ids = await waitFor(`${uploads} to be listed`, async () => {
    const open = await client.openUploads();
    return open.length === uploads && open.map(({ uploadId }) => uploadId);
  });
  await isTime(ids);
  pending.cut();
  return ids;
}

async function assertNothingLeft(ids: string[]): Promise<void> {
  for (const id of ids) {
    await client.waitUntilState(id, "aborted");
    await waitUntilNothingLeft(stack.persistDir, id);
  }
}

test("of two large files, one whole, nothing is left when the client leaves in the other", async () => {
  await assertNothingLeft(await cut([file("f", large), file("g", large)], 4 * MIB, 2));
});

test("an empty file in front of what is cut off is not left either", async () => {
  await assertNothingLeft(await cut([file("f", Buffer.alloc(0)), file("g", large)], 4 * MIB, 2));
});

test("a client that leaves behind its last byte has sent a whole form", async () => {
  const parts = [file("f", large), file("g", small)];
  const headers = { ...formHeaders(), "X-Test-Client": "leaves" };
  const { files } = (await client.request("POST", "/upload", { headers, body: formBody(parts) })).json<Answer>();
  assert.deepEqual(
    files.map(({ state }) => state),
    ["completed", "completed"],
  );
});

test("a file that cannot be stored leaves nothing of an atomic form, nor of one that is cut off", async () => {
  const headers = { ...formHeaders(), "X-Test-Refused-Put": 2 };
  const before = await client.openUploads();
  const body = formBody([file("f", small), file("g", small), file("h", small)]);
  const refused = await client.request("POST", "/upload?atomic", { headers, body });
  assert.ok(refused.status >= 400, refused.body.toString());
  assert.deepEqual(await client.openUploads(), before);
  const parts = [file("f", small), file("g", small), file("h", large)];
  await assertNothingLeft(await cut(parts, 4 * MIB, 3, undefined, { "X-Test-Refused-Put": 2 }));
});

test("under its key a form that was cut off behind whole files succeeds when it comes again", async () => {
  const forms: [FormPart[], number][] = [
    [[file("f", large), file("g", small)], 10_000],
    [[file("f", small), { name: "album", value: "7".repeat(1000) }], 500],
    [[file("f", Buffer.alloc(0)), { name: "album", value: "7".repeat(1000) }], 500],
  ];
  for (const [parts, withoutBytes] of forms) {
    const headers = { "Idempotency-Key": randomUUID() };
    const [first] = parts;
    const whole = first && "bytes" in first ? first.bytes.length : 0;
    const counted = (ids: string[]) => Promise.all(ids.map((id) => client.waitUntilCounted(id, whole)));
    const [id] = await cut(parts, withoutBytes, 1, counted, headers);
    // Nobody sees from here when a request has ended.
    const reply = await client.request("POST", "/upload", {
      headers: { ...formHeaders(), ...headers },
      body: formBody(parts),
    });
    assert.equal(reply.status, 201, reply.body.toString());
    const { files } = reply.json<Answer>();
    assert.deepEqual([files[0]?.uploadId, files[0]?.state], [id, "completed"]);
    assert.deepEqual(await client.openUploads(), []);
  }
});

test("a form that was cut off inside a large file is told to come again under another key, and succeeds there", async () => {
  const parts = [file("f", large)];
  const again = async (key: string) => {
    const headers = { ...formHeaders(), "Idempotency-Key": key };
    return await client.request("POST", "/upload", { headers, body: formBody(parts) });
  };
  const key = randomUUID();
  const counted = (ids: string[]) => Promise.all(ids.map((id) => client.waitUntilCounted(id, 5 * MIB)));
  const [id] = await cut(parts, 4 * MIB, 1, counted, { "Idempotency-Key": key });
  const { detail } = assertRefused(await again(key), 409, "incomplete", { uploadId: String(id) });
  assert.match(String(detail), /Send the whole form again under another Idempotency-Key;/);
  assert.equal((await again(randomUUID())).status, 201);
  assert.equal((await client.abort(String(id))).status, 204);
});
