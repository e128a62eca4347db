// Forms that are none: each is refused with what is wrong, and nothing of it is left.

import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import { crc64nvme, fileBytes, MIB } from "./support/bytes.ts";
import { BOUNDARY, type FormPart, formBody, formHeaders, partHead } from "./support/form.ts";
import { type Headers, PendingRequest, type Reply } from "./support/http.ts";
import { bucketState } from "./support/r2_state.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", QUOTA_OPEN_UPLOADS: 0 } });
const { client } = stack;
after(() => stack.stop());

const bytes = fileBytes("bad forms", 50_000);
const file: FormPart = { name: "f", fileName: "cat.png", bytes };
const good = formBody([file]);

const post = (body: Uint8Array | string, headers: Headers = formHeaders()) =>
  client.request("POST", "/upload", { headers, body });

let before = await bucketState(stack.persistDir);
beforeEach(async () => {
  before = await bucketState(stack.persistDir);
});

async function assertNothingLeft(): Promise<void> {
  await waitFor("nothing of it to be left", async () => {
    const now = await bucketState(stack.persistDir);
    return now.objects.length === before.objects.length && now.unfinished.length === before.unfinished.length;
  });
  assert.deepEqual(await client.openUploads(), []);
}

async function assertMalformed(body: Uint8Array | string, detail: RegExp, field = "form"): Promise<void> {
  assert.match(assertBadRequest(await post(body), field).detail, detail);
}

test("a boundary is named, 1 to 70 characters long, and in the body", async () => {
  for (const type of [
    "multipart/form-data",
    "multipart/form-data; boundary=",
    `multipart/form-data; boundary=${"b".repeat(71)}`,
    'multipart/form-data; boundary="a@b"',
  ]) {
    assertBadRequest(await post(good, { "Content-Type": type }), "Content-Type");
  }
  for (const boundary of ["b", "b".repeat(70)]) {
    const reply = await post(formBody([file], boundary), formHeaders(boundary));
    assert.equal(reply.status, 201, reply.body.toString());
  }
  const quoted = await post(formBody([file], "a b:c"), { "Content-Type": 'multipart/form-data; boundary="a b:c"' });
  assert.equal(quoted.status, 201);
  before = await bucketState(stack.persistDir);
  await assertMalformed("", /does not begin with the boundary/);
  await assertMalformed(good.subarray(1), /does not begin with the boundary/);
  await assertMalformed(Buffer.alloc(3 * MIB), /does not begin with the boundary/);
  assertBadRequest(await post(good, formHeaders("other")), "form");
  await assertNothingLeft();
});

test("a body that ends too early is refused wherever it ends", async () => {
  const head = partHead(file).length;
  await assertMalformed(good.subarray(0, 40), /ends inside the headers/);
  await assertMalformed(good.subarray(0, head - 2), /ends inside the headers/);
  await assertMalformed(good.subarray(0, head + 10), /ends inside a part/);
  await assertMalformed(good.subarray(0, good.length - 4), /ends inside a part/);
  const large = formBody([file, { ...file, bytes: fileBytes("bad forms, large", 12 * MIB) }]);
  await assertMalformed(large.subarray(0, 11 * MIB), /ends inside a part/);
  await assertNothingLeft();
});

test("a length that lies ends the form where it says, or is waited for in vain", async () => {
  assertBadRequest(
    await post(good.subarray(0, good.length - 30), { ...formHeaders(), "Content-Length": good.length - 30 }),
    "form",
  );
  const short = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", STALLED_BODY_SECONDS: 2 } });
  after(() => short.stop());
  const headers = { ...formHeaders(), "Content-Length": good.length + 100 };
  const whole = new PendingRequest(short.baseUrl, "POST", "/upload", headers);
  whole.write(good);
  const reply: Reply = await whole.reply;
  assert.equal(reply.status, 201, "all files are there, and what follows means nothing");
  const half = new PendingRequest(short.baseUrl, "POST", "/upload", headers);
  half.write(good.subarray(0, good.length - 30));
  assertRefused(await half.reply, 408, "body-stalled");
  assert.deepEqual(await short.client.openUploads(), []);
});

test("parts say what they are, in headers that are some", async () => {
  const part = (lines: string) => `--${BOUNDARY}\r\n${lines}\r\n\r\nx\r\n--${BOUNDARY}--\r\n`;
  const disposition = 'Content-Disposition: form-data; name="f"';
  await assertMalformed(part("X: y"), /without `Content-Disposition/);
  await assertMalformed(part("Content-Disposition: attachment; filename=a"), /without `Content-Disposition/);
  await assertMalformed(part("Content-Disposition: form-data"), /without a name/);
  await assertMalformed(part(`${disposition}\r\nnonsense`), /no header/);
  await assertMalformed(part(`${disposition}; filename=a\r\nContent-Type: movie`), /no media type/);
  await assertMalformed(
    part(`${disposition}; filename=a\r\nContent-Transfer-Encoding: base64`),
    /Content-Transfer-Encoding/,
  );
  await assertMalformed(part(`${disposition}\r\nX: ${"x".repeat(9000)}`), /bytes of headers/);
  await assertMalformed(part(`${disposition}\r\nContent-Type: multipart/mixed; boundary=c`), /has a form in it/);
  await assertNothingLeft();
});

test("a name is shown, and never a path", async () => {
  for (const [said, shown] of [
    ['filename="../../etc/passwd"', "passwd"],
    ['filename="C:\\dir\\evil.exe"', "evil.exe"],
    ['filename="a%22b%0D%0Ac.txt"', 'a"bc.txt'],
    ['filename="a\\"b.txt"', 'a"b.txt'],
    ["filename=fallback; filename*=UTF-8''%E2%82%AC%0D%0A.txt", "€.txt"],
    ['filename="名前.txt"', "名前.txt"],
    ['filename=".."', "file"],
  ] as const) {
    const body = Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f"; ${said}\r\n\r\nx\r\n--${BOUNDARY}--\r\n`,
    );
    const reply = await post(body);
    assert.equal(reply.status, 201, reply.body.toString());
    const { uploadId, fileName, object } = reply.json<{
      uploadId: string;
      fileName: string;
      object: { key: string };
    }>();
    assert.equal(fileName, shown, said);
    assert.ok(object.key.startsWith(`uploads/${uploadId}`), object.key);
  }
});

test("a line's end in a name ends the header, and not the name", async () => {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="a\r\nX: b"\r\n\r\nx\r\n--${BOUNDARY}--\r\n`;
  const reply = await post(head);
  assert.deepEqual([reply.status, reply.json<{ fileName: string }>().fileName], [201, "a"]);
});

test("fields are few and short", async () => {
  const field = (value: string): FormPart => ({ name: "long", value });
  await assertMalformed(formBody([field("x".repeat(MIB)), file]), /belongs into a file/, "long");
  await assertMalformed(formBody([file, field("x".repeat(MIB))]), /belongs into a file/, "long");
  await assertMalformed(formBody([field("x".repeat(10_000)), file]), /metadata/, "long");
  await assertMalformed(formBody([file, field("x".repeat(10_000))]), /metadata/, "long");
  await assertMalformed(formBody([file, file, field("x".repeat(10_000))]), /metadata/, "long");
  await assertMalformed(formBody([...Array.from({ length: 1001 }, () => field("")), file]), /more than 1000/);
  await assertMalformed(formBody([file, ...Array.from({ length: 1001 }, () => field(""))]), /more than 1000/);
  await assertNothingLeft();
  const many = await post(formBody([...Array.from({ length: 999 }, () => field("")), file]));
  assert.equal(many.status, 201, many.body.toString());
});

test("what would be overlooked is refused", async () => {
  assertRefused(await post(good, { ...formHeaders(), "Content-Encoding": "gzip" }), 415, "unsupported-media-type");
  assertBadRequest(await post(good, { ...formHeaders(), "Content-Digest": "sha-256=:YQ==:" }), "Content-Digest");
  assertBadRequest(
    await client.request("POST", "/upload?atomic=maybe", { headers: formHeaders(), body: good }),
    "atomic",
  );
  assertBadRequest(
    await client.request("POST", "/upload?answer=xml", { headers: formHeaders(), body: good }),
    "answer",
  );
  assertRefused(
    await post(good, { "Content-Type": `multipart/mixed; boundary=${BOUNDARY}` }),
    415,
    "unsupported-media-type",
  );
  await assertNothingLeft();
});

test("nothing in front of the first part or behind the last one is stored", async () => {
  const around = Buffer.concat([
    Buffer.from("This is a form.\r\n"),
    good,
    Buffer.from(`--${BOUNDARY}\r\nnonsense`),
    Buffer.alloc(MIB),
  ]);
  const reply = await post(around);
  assert.equal(reply.status, 201, reply.body.toString());
  assert.equal(reply.json<{ object: { crc64nvme: string } }>().object.crc64nvme, crc64nvme(bytes));
});
