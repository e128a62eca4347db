// tus 1.0.0 as conversations: what is sent, and what the specification says must come back. Each test stands for a
// sentence of https://tus.io/protocols/resumable-upload or for something that clients are known to rely on.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { type Headers, PendingRequest, type Reply } from "./support/http.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { encoded, idOf, Tus } from "./support/tus.ts";

const unknown = "/files/00000000-0000-4000-8000-000000000000";

const { origin, stack } = await sceneWithOrigin({ MAX_UPLOAD_BYTES: 1024 * MIB });
const tus = new Tus(stack.client);

function assertHeaders(reply: Reply, expected: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(reply.header(name), value, `${name} of ${reply.status} ${reply.body}`);
  }
}

const sha1 = (bytes: Uint8Array) => `sha1 ${createHash("sha1").update(bytes).digest("base64")}`;

/** A chunk whose length is not said, with a body to be written by hand. */
function streamed(url: string, offset: number, headers: Headers = {}): PendingRequest {
  return new PendingRequest(stack.baseUrl, "PATCH", url, {
    "Tus-Resumable": "1.0.0",
    "Content-Type": "application/offset+octet-stream",
    "Upload-Offset": offset,
    "Transfer-Encoding": "chunked",
    ...headers,
  });
}

test("OPTIONS tells what is spoken, whatever version it is asked in", async () => {
  for (const headers of [{}, { "Tus-Resumable": "0.2.2" }]) {
    const reply = await stack.client.request("OPTIONS", "/files", { headers });
    assert.equal(reply.status, 204);
    assertHeaders(reply, {
      "Tus-Resumable": "1.0.0",
      "Tus-Version": "1.0.0",
      "Tus-Max-Size": String(1024 * MIB),
      "Tus-Extension":
        "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation,concatenation-unfinished",
      "Tus-Checksum-Algorithm": "md5,sha1,sha256,sha384,sha512,crc32,crc32c,crc64nvme",
      "Accept-Patch": "application/partial-upload",
    });
    assert.match(reply.header("Upload-Limit") ?? "", /max-append-size=\d+/, "the other protocol at this address");
  }
});

test("another version is refused with 412 and not processed", async () => {
  const url = await tus.create({ "Upload-Length": 5 });
  const send = (headers: Record<string, string>) =>
    stack.client.request("PATCH", url, {
      headers: { "Content-Type": "application/offset+octet-stream", "Upload-Offset": 0, ...headers },
      body: "hello",
    });
  for (const headers of [{ "Tus-Resumable": "0.2.2" }, {}] as Record<string, string>[]) {
    const reply = await send(headers);
    assert.equal(reply.status, 412);
    assertHeaders(reply, { "Tus-Version": "1.0.0", "Tus-Resumable": "1.0.0" });
  }
  assert.equal(await tus.offset(url), 0);
});

test("the specification's example: 100 bytes, interrupted after 70, reach the origin whole", async () => {
  const file = fileBytes("the example", 100);
  const metadata = `filename ${encoded("world_domination_plan.pdf")},is_confidential,filetype ${encoded("application/pdf")}`;
  const created = await tus.post({ "Upload-Length": 100, "Upload-Metadata": metadata });
  assert.equal(created.status, 201);
  const url = created.header("Location") ?? "";
  // Absolute, as the reference servers have it: aiotus fails on a relative one.
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/files\/[0-9a-f-]{36}$/);
  const expires = created.header("Upload-Expires") ?? "";
  assert.equal(new Date(expires).toUTCString(), expires, "an IMF-fixdate");

  const first = await tus.patch(url, 0, file.subarray(0, 70));
  assert.equal(first.status, 204);
  assertHeaders(first, { "Upload-Offset": "70", "Tus-Resumable": "1.0.0" });
  const later = first.header("Upload-Expires") ?? "";
  assert.ok(Date.parse(later) >= Date.parse(expires), "the end moves with what was accepted");

  const head = await tus.head(url);
  assert.equal(head.status, 200);
  assertHeaders(head, {
    "Upload-Offset": "70",
    "Upload-Length": "100",
    "Upload-Metadata": metadata,
    "Upload-Defer-Length": undefined,
    "Upload-Expires": later,
    "Cache-Control": "no-store",
    "Tus-Resumable": "1.0.0",
  });

  const last = await tus.patch(url, 70, file.subarray(70));
  assert.equal(last.status, 204);
  assertHeaders(last, { "Upload-Offset": "100", "Upload-Expires": undefined });

  const done = await tus.head(url);
  assert.equal(done.status, 200);
  assertHeaders(done, { "Upload-Offset": "100", "Upload-Length": "100", "Upload-Metadata": metadata });
  const record = await origin.waitForStored(idOf(url));
  assert.equal(record.sha256, sha256(file));
  assert.equal(record.fileName, "world_domination_plan.pdf");
  assert.equal(record.contentType, "application/pdf");
});

test("the answer to the last byte comes when the object is there: its bytes can be had at once", async () => {
  const file = fileBytes("at once", 9 * MIB);
  const url = await tus.create({ "Upload-Length": file.length });
  assert.equal((await tus.patch(url, 0, file)).status, 204);
  const whole = await tus.send("GET", url);
  assert.equal(whole.status, 200);
  assert.equal(sha256(whole.body), sha256(file));
  const range = await tus.send("GET", url, { Range: "bytes=10-19" });
  assert.equal(range.status, 206);
  assert.deepEqual(range.body, file.subarray(10, 20));
});

test("metadata is given back byte for byte, and an empty header is none", async () => {
  const given = `b ${encoded("2")},a ,c,raw ${encoded(Buffer.from([0xff, 0x00, 0x0d, 0x0a]))}`;
  assertHeaders(await tus.head(await tus.create({ "Upload-Length": 1, "Upload-Metadata": given })), {
    "Upload-Metadata": given,
  });
  const url = await tus.create({ "Upload-Length": 1, "Upload-Metadata": "" });
  assertHeaders(await tus.head(url), { "Upload-Metadata": undefined });
});

test("a name with control characters is cleaned, not refused", async () => {
  const file = fileBytes("name", 10);
  const metadata = `name ${encoded("a\r\n../b\0.txt")},type ${encoded("no type")},album ${encoded("🏖")}`;
  const reply = await tus.post({ "Upload-Length": 10, "Upload-Metadata": metadata }, file);
  const record = await origin.waitForStored(idOf(reply.header("Location") ?? ""));
  assert.equal(record.fileName, "a../b.txt");
  assert.equal(record.contentType, null);
});

test("a file of no bytes is complete when it is created", async () => {
  const url = await tus.create({ "Upload-Length": 0 });
  assertHeaders(await tus.head(url), { "Upload-Offset": "0", "Upload-Length": "0" });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(Buffer.alloc(0)));
});

test("creation with upload: all of it, a part of it, and a body of another type, which is none", async () => {
  const file = fileBytes("with upload", 3000);
  const all = await tus.post({ "Upload-Length": 3000 }, file);
  assert.equal(all.status, 201);
  assertHeaders(all, { "Upload-Offset": "3000" });
  assert.equal((await origin.waitForStored(idOf(all.header("Location") ?? ""))).sha256, sha256(file));

  const part = await tus.post({ "Upload-Length": 3000 }, file.subarray(0, 1000));
  assertHeaders(part, { "Upload-Offset": "1000" });
  assert.equal((await tus.patch(part.header("Location") ?? "", 1000, file.subarray(1000))).status, 204);
  assert.equal((await origin.waitForStored(idOf(part.header("Location") ?? ""))).sha256, sha256(file));

  const other = await tus.post({ "Upload-Length": 3000, "Content-Type": "text/plain" }, file);
  assert.equal(other.status, 201);
  assert.equal(await tus.offset(other.header("Location") ?? ""), 0);

  const tooLong = await tus.post({ "Upload-Length": 2999 }, file);
  assert.equal(tooLong.status, 413);
});

test("a length that comes later, with a chunk or with none, and cannot change any more", async () => {
  const file = fileBytes("deferred", 2000);
  const url = await tus.create({ "Upload-Defer-Length": 1 });
  assert.equal((await tus.patch(url, 0, file.subarray(0, 1500))).status, 204);
  assertHeaders(await tus.head(url), {
    "Upload-Offset": "1500",
    "Upload-Defer-Length": "1",
    "Upload-Length": undefined,
  });
  const tooShort = await tus.patch(url, 1500, Buffer.alloc(0), { "Upload-Length": 1000 });
  assert.ok([400, 413].includes(tooShort.status), `${tooShort.status}`);
  const declared = await tus.patch(url, 1500, Buffer.alloc(0), { "Upload-Length": 2000 });
  assert.equal(declared.status, 204);
  assertHeaders(declared, { "Upload-Offset": "1500" });
  assertHeaders(await tus.head(url), { "Upload-Length": "2000", "Upload-Defer-Length": undefined });
  const changed = await tus.patch(url, 1500, file.subarray(1500, 1600), { "Upload-Length": 2001 });
  assert.equal(changed.status, 400);
  assert.equal((await tus.patch(url, 1500, file.subarray(1500), { "Upload-Length": 2000 })).status, 204);
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("a length that comes when all bytes are there completes the upload", async () => {
  const file = fileBytes("declared last", 9 * MIB);
  const url = await tus.create({ "Upload-Defer-Length": 1 });
  assert.equal((await tus.patch(url, 0, file)).status, 204);
  const declared = await tus.patch(url, file.length, Buffer.alloc(0), { "Upload-Length": file.length });
  assert.equal(declared.status, 204);
  assertHeaders(await tus.head(url), { "Upload-Offset": String(file.length), "Upload-Length": String(file.length) });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("a chunk at another offset is 409 with the true one, and changes nothing", async () => {
  const file = fileBytes("offsets", 100);
  const url = await tus.create({ "Upload-Length": 100 });
  await tus.patch(url, 0, file.subarray(0, 70));
  for (const offset of [0, 69, 71, 100, 200, 2 ** 33, 2 ** 53]) {
    const reply = await tus.patch(url, offset, file.subarray(70));
    assert.equal(reply.status, 409, `at ${offset}`);
    assertHeaders(reply, { "Upload-Offset": "70", "Tus-Resumable": "1.0.0" });
  }
  assert.equal(await tus.offset(url), 70);
});

test("whoever missed the last answer finds the upload complete, and may send nothing at its end", async () => {
  const file = fileBytes("lost answer", 100);
  const url = await tus.create({ "Upload-Length": 100 });
  await tus.patch(url, 0, file);
  const again = await tus.patch(url, 0, file);
  assert.equal(again.status, 409);
  assertHeaders(again, { "Upload-Offset": "100" });
  const atTheEnd = await tus.patch(url, 100, Buffer.alloc(0));
  assert.equal(atTheEnd.status, 204);
  assertHeaders(atTheEnd, { "Upload-Offset": "100" });
});

test("a body beyond the declared length is 413", async () => {
  const url = await tus.create({ "Upload-Length": 10 });
  assert.equal((await tus.patch(url, 0, Buffer.alloc(11))).status, 413);
  assert.equal(await tus.offset(url), 0);
});

test("a file larger than Tus-Max-Size is 413, however large its number", async () => {
  for (const length of [String(1024 * MIB + 1), "9007199254740992", "99999999999999999999999999"]) {
    const reply = await tus.post({ "Upload-Length": length });
    assert.equal(reply.status, 413, length);
    assertHeaders(reply, { "Tus-Resumable": "1.0.0", Location: undefined });
  }
});

test("malformed creations are 400", async () => {
  for (const headers of [
    {},
    { "Upload-Length": 1, "Upload-Defer-Length": 1 },
    { "Upload-Length": "-1" },
    { "Upload-Length": "1.5" },
    { "Upload-Length": "" },
    { "Upload-Defer-Length": 2 },
    { "Upload-Length": 1, "Upload-Metadata": "filename not*base64" },
    { "Upload-Length": 1, "Upload-Metadata": "a YQ==,a YQ==" },
    { "Upload-Length": 1, "Upload-Metadata": "a YQ==,,b" },
    { "Upload-Length": 1, "Upload-Concat": "part" },
  ] as Record<string, string | number>[]) {
    const reply = await tus.post(headers);
    assert.equal(reply.status, 400, JSON.stringify(headers));
    assertHeaders(reply, { "Tus-Resumable": "1.0.0", Location: undefined });
  }
});

test("malformed chunks: 415 for the type, 400 for offset and checksum, 411 for an unknown length", async () => {
  const url = await tus.create({ "Upload-Length": 10 });
  const body = Buffer.alloc(5);
  for (const [headers, status] of [
    [{ "Content-Type": "application/octet-stream" }, 415],
    [{ "Upload-Offset": "-1" }, 400],
    [{ "Upload-Offset": "" }, 400],
    [{ "Upload-Checksum": "sha1" }, 400],
    [{ "Upload-Checksum": "md6 YQ==" }, 400],
    [{ "Upload-Checksum": "sha1 YQ==" }, 400],
  ] as [Record<string, string>, number][]) {
    const reply = await tus.patch(url, 0, body, headers);
    assert.equal(reply.status, status, JSON.stringify(headers));
    assertHeaders(reply, { "Tus-Resumable": "1.0.0" });
  }
  const type = { "Content-Type": "application/offset+octet-stream" };
  assert.equal((await tus.send("PATCH", url, type, body)).status, 400, "without an offset");
  const checked = streamed(url, 0, { "Upload-Checksum": sha1(body) });
  checked.write(body);
  assert.equal((await checked.finish()).status, 411, "a checksum of a body whose length is unknown");
  assert.equal(await tus.offset(url), 0);
});

test("bodies without Content-Length are stored, of any length and to their last byte", async () => {
  const file = fileBytes("streamed", 30 * MIB + 7);
  const url = await tus.create({ "Upload-Length": file.length });
  let offset = 0;
  for (const bytes of [0, 1, 3_000_000, 17 * MIB, file.length - 17 * MIB - 3_000_001]) {
    const pending = streamed(url, offset);
    pending.write(file.subarray(offset, offset + bytes));
    const reply = await pending.finish();
    assert.equal(reply.status, 204, reply.body.toString());
    offset += bytes;
    assertHeaders(reply, { "Upload-Offset": String(offset) });
  }
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("a body without Content-Length that goes on behind the file's end is 413", async () => {
  const url = await tus.create({ "Upload-Length": 10 });
  const pending = streamed(url, 0);
  pending.write(Buffer.alloc(11));
  assert.equal((await pending.finish()).status, 413);
});

test("a body without Content-Length that is cut counts as far as it came", async () => {
  const file = fileBytes("streamed and cut", 20 * MIB);
  const url = await tus.create({ "Upload-Length": file.length });
  const pending = streamed(url, 0);
  pending.write(file.subarray(0, 12 * MIB));
  await stack.client.waitUntilCounted(idOf(url), 8 * MIB);
  pending.cut();
  const offset = await tus.offset(url);
  assert.ok(offset >= 8 * MIB && offset <= 12 * MIB, `${offset}`);
  assert.equal((await tus.patch(url, offset, file.subarray(offset))).status, 204);
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("a checksum that does not match is 460, and nothing of the chunk counts", async () => {
  const file = fileBytes("checksums", 20 * MIB);
  const url = await tus.create({ "Upload-Length": file.length });
  const [first, rest] = [file.subarray(0, 10 * MIB), file.subarray(10 * MIB)];
  const wrong = await tus.patch(url, 0, first, { "Upload-Checksum": sha1(rest) });
  assert.equal(wrong.status, 460);
  assertHeaders(wrong, { "Upload-Offset": "0", "Tus-Resumable": "1.0.0" });
  assert.equal(await tus.offset(url), 0);
  assert.equal((await tus.patch(url, 0, first, { "Upload-Checksum": sha1(first) })).status, 204);
  assert.equal((await tus.patch(url, 10 * MIB, rest, { "Upload-Checksum": sha1(rest) })).status, 204);
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("the checksum of a chunk without bytes is looked at, too", async () => {
  const nothing = Buffer.alloc(0);
  const url = await tus.create({ "Upload-Defer-Length": 1 });
  for (const name of ["md5", "sha1", "sha256", "sha384", "sha512"]) {
    const right = `${name} ${createHash(name).digest("base64")}`;
    assert.equal((await tus.patch(url, 0, nothing, { "Upload-Checksum": right })).status, 204, name);
    const wrong = `${name} ${createHash(name).update("x").digest("base64")}`;
    const reply = await tus.patch(url, 0, nothing, { "Upload-Checksum": wrong, "Upload-Length": 5 });
    assert.equal(reply.status, 460, name);
    assertHeaders(reply, { "Upload-Offset": "0" });
    assertHeaders(await tus.head(url), { "Upload-Defer-Length": "1", "Upload-Length": undefined });
  }
  const created = await tus.post({ "Upload-Length": 5, "Upload-Checksum": sha1(Buffer.from("x")) }, nothing);
  assert.equal(created.status, 460);
});

test("the first chunk shows the size of the parts, until one counts", async () => {
  const file = fileBytes("first chunk", 21 * MIB);
  const partBytes = async (url: string) => (await stack.client.state(idOf(url))).partBytes;
  for (const [first, expected] of [
    [6 * MIB, 6 * MIB],
    [3_000_000, 9_000_000],
    [20_000_000, 10_000_000],
  ] as const) {
    const url = await tus.create({ "Upload-Length": file.length });
    const garbage = fileBytes("garbage", 7 * MIB);
    assert.equal((await tus.patch(url, 0, garbage, { "Upload-Checksum": sha1(file) })).status, 460);
    assert.equal((await tus.patch(url, 0, file.subarray(0, first))).status, 204);
    assert.equal(await partBytes(url), expected, "whatever came before and did not count");
    assert.equal((await tus.patch(url, first, file.subarray(first))).status, 204);
    assert.equal(await partBytes(url), expected);
    assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
  }
  const url = await tus.create({ "Upload-Length": file.length });
  assert.equal((await tus.patch(url, 0, file)).status, 204);
  assert.equal(await partBytes(url), 8 * MIB, "all at once says nothing");
});

test("every advertised checksum algorithm is computed", async () => {
  const bytes = Buffer.from("123456789");
  const native = (name: string) => createHash(name).update(bytes).digest("base64");
  // The check values of the CRCs, as their catalogues list them.
  const crc = (hex: string) => Buffer.from(hex, "hex").toString("base64");
  const right: Record<string, string> = {
    md5: native("md5"),
    sha1: native("sha1"),
    sha256: native("sha256"),
    sha384: native("sha384"),
    sha512: native("sha512"),
    crc32: crc("cbf43926"),
    crc32c: crc("e3069283"),
    crc64nvme: crc("ae8b14860a799888"),
  };
  const options = await stack.client.request("OPTIONS", "/files");
  assert.deepEqual((options.header("Tus-Checksum-Algorithm") ?? "").split(","), Object.keys(right));
  for (const [name, value] of Object.entries(right)) {
    const url = await tus.create({ "Upload-Length": 18 });
    const flipped = Buffer.from(value, "base64");
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    const wrong = await tus.patch(url, 0, bytes, { "Upload-Checksum": `${name} ${encoded(flipped)}` });
    assert.equal(wrong.status, 460, name);
    const reply = await tus.patch(url, 0, bytes, { "Upload-Checksum": `${name} ${value}` });
    assert.equal(reply.status, 204, name);
    assertHeaders(reply, { "Upload-Offset": "9" });
  }
});

test("a creation whose bytes do not match their checksum creates nothing", async () => {
  const bytes = fileBytes("creation", 1000);
  const wrong = await tus.post({ "Upload-Length": 1000, "Upload-Checksum": sha1(Buffer.from("other")) }, bytes);
  assert.equal(wrong.status, 460);
  assertHeaders(wrong, { Location: undefined });
  const right = await tus.post({ "Upload-Length": 1000, "Upload-Checksum": sha1(bytes) }, bytes);
  assert.equal(right.status, 201);
  assertHeaders(right, { "Upload-Offset": "1000" });
});

test("termination, of an unfinished and of a completed upload: 204, and gone", async () => {
  const unfinished = await tus.create({ "Upload-Length": 10 });
  await tus.patch(unfinished, 0, Buffer.alloc(5));
  const completed = await tus.create({ "Upload-Length": 5 });
  await tus.patch(completed, 0, Buffer.alloc(5));
  for (const url of [unfinished, completed]) {
    const reply = await tus.send("DELETE", url);
    assert.equal(reply.status, 204);
    assertHeaders(reply, { "Tus-Resumable": "1.0.0" });
    for (const again of [
      await tus.head(url),
      await tus.send("GET", url),
      await tus.send("DELETE", url),
      await tus.patch(url, 5, Buffer.alloc(5)),
      await tus.patch(url, 5, Buffer.alloc(0)),
    ]) {
      assert.ok([404, 410].includes(again.status), `${again.status}`);
      assertHeaders(again, { "Upload-Offset": undefined, "Tus-Resumable": "1.0.0" });
    }
  }
});

test("an unknown upload is 404, without an offset", async () => {
  for (const reply of [
    await tus.head(unknown),
    await tus.patch(unknown, 0, Buffer.alloc(1)),
    await tus.send("DELETE", unknown),
    await tus.head("/files/nonsense"),
    await tus.head(`${unknown}%2f..%2f..`),
  ]) {
    assert.equal(reply.status, 404);
    assertHeaders(reply, { "Upload-Offset": undefined, "Tus-Resumable": "1.0.0" });
  }
});

test("X-HTTP-Method-Override is the method, whatever the request's own", async () => {
  const file = fileBytes("override", 100);
  const url = await tus.create({ "Upload-Length": 100 });
  const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": 0 };
  const patched = await tus.send("POST", url, { ...headers, "X-HTTP-Method-Override": "PATCH" }, file);
  assert.equal(patched.status, 204);
  assertHeaders(patched, { "Upload-Offset": "100" });
  const deleted = await tus.send("POST", url, { "X-HTTP-Method-Override": "DELETE" });
  assert.equal(deleted.status, 204);
  assert.equal((await tus.head(url)).status, 404);
});

test("a connection that is cut leaves what arrived, and HEAD tells how much", async () => {
  const file = fileBytes("cut", 20 * MIB);
  const url = await tus.create({ "Upload-Length": file.length });
  const pending = new PendingRequest(stack.baseUrl, "PATCH", url, {
    "Tus-Resumable": "1.0.0",
    "Content-Type": "application/offset+octet-stream",
    "Content-Length": file.length,
    "Upload-Offset": 0,
  });
  pending.write(file.subarray(0, 12 * MIB));
  await stack.client.waitUntilCounted(idOf(url), 8 * MIB);
  pending.cut();
  const offset = await tus.offset(url);
  assert.ok(offset >= 8 * MIB && offset <= 12 * MIB, `${offset}`);
  assert.equal((await tus.patch(url, offset, file.subarray(offset))).status, 204);
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("a repeated creation under one Idempotency-Key gives the same upload", async () => {
  const headers = { "Upload-Length": 10, "Idempotency-Key": "once" };
  assert.equal(await tus.create(headers), await tus.create(headers));
});

test("a browser may send and read every header of the protocol, of errors too", async () => {
  const page = { Origin: "https://app.example" };
  const listed = (reply: Reply, name: string) => (reply.header(name) ?? "").toLowerCase().split(/\s*,\s*/);
  const preflight = await stack.client.request("OPTIONS", "/files", {
    headers: { ...page, "Access-Control-Request-Method": "PATCH" },
  });
  assert.equal(preflight.status, 204);
  for (const method of ["post", "head", "patch", "delete", "get"]) {
    assert.ok(listed(preflight, "Access-Control-Allow-Methods").includes(method), method);
  }
  for (const header of [
    ...["tus-resumable", "upload-length", "upload-offset", "upload-metadata", "upload-defer-length", "upload-checksum"],
    ...["content-type", "x-http-method-override", "x-request-id"],
  ]) {
    assert.ok(listed(preflight, "Access-Control-Allow-Headers").includes(header), header);
  }
  const refused = await tus.send("HEAD", unknown, page);
  assert.equal(refused.status, 404);
  for (const header of [
    ...["location", "upload-offset", "upload-length", "upload-metadata", "upload-defer-length", "upload-expires"],
    ...["tus-version", "tus-resumable", "tus-max-size", "tus-extension", "tus-checksum-algorithm", "retry-after"],
  ]) {
    assert.ok(listed(refused, "Access-Control-Expose-Headers").includes(header), header);
  }
});
