// Requests that no client sends by mistake: far too much of everything, and characters that mean something to whoever reads the
// next line. Each is refused with a code of its own or, where the platform is in front, by the platform; and the next is served.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";

const stack = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "" } });
after(() => stack.stop());
const { client } = stack;
const alice = bearer(mint(stack, claimsOf("alice")));
const tus = { "Tus-Resumable": "1.0.0", "Upload-Length": 5, ...alice };
const { port } = new URL(stack.baseUrl);

async function assertServes(): Promise<void> {
  assert.equal((await client.init({ fileName: "next", fileSize: 1 }, alice)).status, 201);
}

/** What comes back for bytes that no HTTP library would send; nothing where the connection is just closed. */
function raw(request: string): Promise<string> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const socket = connect(Number(port), "127.0.0.1", () => socket.end(request, "latin1"));
    socket.on("data", (piece) => pieces.push(piece));
    socket.on("error", () => resolve(Buffer.concat(pieces).toString()));
    socket.on("close", () => resolve(Buffer.concat(pieces).toString()));
  });
}

test("headers of more than 32 KiB are refused", async () => {
  const metadata = `a ${Buffer.alloc(30_000, "x").toString("base64")}`;
  const reply = await client.request("POST", "/files", { headers: { ...tus, "Upload-Metadata": metadata }, body: "" });
  assertRefused(reply, 431, "head-too-large", { limitBytes: 32 * 1024 });
  await assertServes();
});

test("a metadata header of 1 MB is refused, here or before", async () => {
  const line = `Upload-Metadata: a ${"eHh4".repeat(250_000)}`;
  const head = `POST /files HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\nAuthorization: ${alice.Authorization}`;
  const answer = await raw(`${head}\r\nContent-Length: 0\r\n${line}\r\n\r\n`);
  assert.match(answer, /^(HTTP\/1\.1 (4\d\d|5\d\d)|$)/);
  assert.ok(!answer.includes("201"));
  await assertServes();
});

test("JSON nested 10,000 deep is refused, wherever it stands", async () => {
  for (const nested of ["[".repeat(10_000), `{"fileName":"a","fileSize":1,"metadata":${'{"a":'.repeat(10_000)}`]) {
    assertRefused(await client.initRaw(nested, alice), 400, "bad-request", { field: "body" });
  }
  const deep = Buffer.from("[".repeat(5_000)).toString("base64url");
  const header = Buffer.from('{"alg":"HS256","kid":"test"}').toString("base64url");
  assertRefused(
    await client.init({ fileName: "a", fileSize: 1 }, bearer(`${header}.${deep}.AAAA`)),
    401,
    "invalid-token",
  );
  await assertServes();
});

test("a body of more than 64 KiB is not read for a creation", async () => {
  const body = JSON.stringify({ fileName: "a", fileSize: 1, metadata: { a: "x".repeat(70_000) } });
  assertRefused(await client.initRaw(body, alice), 400, "bad-request", { field: "body" });
});

test("a token of more than 8 KiB is not looked at", async () => {
  assertRefused(await client.init({ fileName: "a", fileSize: 1 }, bearer("e".repeat(9_000))), 401, "invalid-token");
});

test("what would end a header never reaches one", async () => {
  const name = 'a"\\\r\nX-Evil: 1\r\n\r\n<script>.png';
  const inJson = await client.init({ fileName: name, fileSize: 1 }, alice);
  assertRefused(inJson, 400, "bad-request", { field: "fileName" });
  const type = await client.init({ fileName: "a", fileSize: 1, contentType: "image/png\r\nX-Evil: 1" }, alice);
  assertRefused(type, 400, "bad-request", { field: "contentType" });
  const encoded = (text: string) => Buffer.from(text).toString("base64");
  const metadata = `filename ${encoded(name)},filetype ${encoded("image/png\r\nX-Evil: 1")}`;
  const created = await client.request("POST", "/files", {
    headers: { ...tus, "Upload-Metadata": metadata },
    body: "",
  });
  assert.equal(created.status, 201, created.body.toString());
  const location = String(created.header("Location"));
  const append = { ...tus, "Content-Type": "application/offset+octet-stream", "Upload-Offset": 0 };
  assert.equal((await client.request("PATCH", location, { headers: append, body: "bytes" })).status, 204);
  for (const path of [location, location.replace("/files/", "/upload/")]) {
    const reply = await client.request("GET", path, { headers: alice });
    assert.equal(reply.status, 200);
    assert.equal(reply.header("X-Evil"), undefined);
  }
});

test("smuggled requests and headers are not taken apart in two ways", async () => {
  const upload = (await client.init({ fileName: "a", fileSize: 5 }, alice)).json<Created>();
  const hidden = `GET /upload/${upload.uploadId} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const head = `POST /upload/init HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${alice.Authorization}\r\n`;
  const requests = {
    "both lengths": `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    "two lengths": `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`,
    "a length with a sign": `${head}Content-Length: +2\r\n\r\n{}`,
    "a bare line feed in a header": `${head}X-A: b\nX-Upload-Offset: 0\r\nContent-Length: 2\r\n\r\n{}`,
    "a folded header": `${head}X-A: b\r\n X-B: c\r\nContent-Length: 2\r\n\r\n{}`,
    "a null in a header": `${head}X-A: b\0c\r\nContent-Length: 2\r\n\r\n{}`,
    "a space before the colon": `${head}Content-Length : 2\r\n\r\n{}`,
  };
  for (const [what, request] of Object.entries(requests)) {
    const answer = await raw(request);
    assert.ok(!answer.includes('"fileName"'), `${what}: the hidden request was answered`);
    assert.ok(!/^HTTP\/1\.1 2/.test(answer), `${what}: ${answer.slice(0, 200)}`);
  }
  await assertServes();
});

test("two headers that contradict each other are refused", async () => {
  const { uploadId } = (await client.init({ fileName: "a", fileSize: 5 }, alice)).json<Created>();
  const twice = { ...alice, "X-Upload-Offset": "0, 3" };
  assert.equal((await client.putRaw(uploadId, Buffer.from("bytes"), twice)).status, 400);
  const both = { ...alice, "X-Upload-Offset": 0, "Content-Range": "bytes 1-5/6" };
  assert.equal((await client.putRaw(uploadId, Buffer.from("bytes"), both)).status, 400);
});

test("a link that is replayed reads the same object, and a changed one nothing", async () => {
  const bytes = fileBytes("replayed", 100);
  const { uploadId } = (await client.init({ fileName: "a", fileSize: 100 }, alice)).json<Created>();
  assert.equal((await client.put(uploadId, 0, bytes, alice)).status, 200);
  for (const query of [
    "expires=9999999999&signature=00",
    "signature=00",
    "expires=-1&signature=",
    "expires=9999999999&signature=%00",
  ]) {
    assertRefused(
      await client.request("GET", `/upload/${uploadId}/content?${query}`, { headers: alice }),
      403,
      "bad-signature",
    );
  }
});
