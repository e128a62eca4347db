// What a token opens, and for how long: creation within its terms, its own uploads, and an upload for as long as that lives.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created, InitFields, UploadEvent } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import type { Headers, Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";
import { bearer, type Claims, claimsOf, mint, mintWith, secondsFromNow } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const origin = await ScriptedOrigin.start();
const [oldKey, newKey] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];
const stack = await Stack.start({
  vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: origin.webhookUrl },
  secrets: {
    WEBHOOK_SECRET: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    DOWNLOAD_SECRET: "download-secret-0123456789abcdef",
    TOKEN_SECRETS: `new:${newKey} old:${oldKey}`,
  },
});
origin.trust(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  await origin.stop();
  await stack.stop();
});

const file = fileBytes("with a token", 9 * MIB);
const tus = { "Tus-Resumable": "1.0.0" };
const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1"), Buffer.alloc(100)]);

function tokenOf(owner: string, more: Claims = {}): Headers {
  return bearer(mint(stack, claimsOf(owner, more)));
}

function init(headers: Headers, fields: InitFields = {}): Promise<Reply> {
  return client.init({ fileName: "a.bin", fileSize: file.length, ...fields }, headers);
}

async function create(headers: Headers, fields: InitFields = {}): Promise<Created & { uploadToken: string }> {
  const reply = await init(headers, fields);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json();
}

function show(id: string, headers: Headers): Promise<Reply> {
  return client.request("GET", `/upload/${id}/status`, { headers });
}

async function waitUntilState(id: string, headers: Headers, wanted: string): Promise<{ reason?: string }> {
  let seen: unknown;
  const probe = async () => {
    const status = (await show(id, headers)).json<{ state: string; reason?: string }>();
    seen = status;
    return status.state === wanted && status;
  };
  return await waitFor(`state ${wanted}`, probe, { lastSeen: () => seen });
}

test("an upload from beginning to end, and the origin is told whose it is", async () => {
  const alice = tokenOf("alice 🏖️");
  const { uploadId } = await create(alice);
  assert.equal((await client.put(uploadId, 0, file, alice)).status, 200);
  await waitUntilState(uploadId, alice, "completed");
  const event = await origin.waitForEvent(uploadId, "upload.completed");
  assert.equal(event.data.owner, "alice 🏖️");
});

test("either of two keys is good, each under its own kid", async () => {
  for (const [kid, key] of [
    ["new", newKey],
    ["old", oldKey],
  ] as const) {
    const token = mintWith(key, claimsOf("alice"), { alg: "HS256", kid });
    await create(bearer(token));
  }
  const crossed = mintWith(oldKey, claimsOf("alice"), { alg: "HS256", kid: "new" });
  assertRefused(await init(bearer(crossed)), 401, "invalid-token");
});

test("an owner's other token sees the same uploads", async () => {
  const { uploadId } = await create(tokenOf("carol"));
  const another = tokenOf("carol", { exp: secondsFromNow(1234) });
  assert.equal((await show(uploadId, another)).status, 200);
  const list = (await client.request("GET", "/uploads", { headers: another })).json<{ uploads: Created[] }>();
  assert.deepEqual(
    list.uploads.map((upload) => upload.uploadId),
    [uploadId],
  );
});

test("an upload's own token does with it what its owner may, and nothing else", async () => {
  const { uploadId, uploadToken } = await create(tokenOf("dave"));
  const holder = bearer(uploadToken);
  assert.equal((await client.put(uploadId, 0, file.subarray(0, MIB), holder)).status, 200);
  assert.equal((await show(uploadId, holder)).status, 200);
  assertRefused(await init(holder), 403, "not-permitted");
  assert.equal((await client.request("GET", "/uploads", { headers: holder })).status, 403);
  assert.equal((await client.request("HEAD", `/files/${uploadId}`, { headers: { ...tus, ...holder } })).status, 200);
  assert.equal((await client.request("DELETE", `/upload/${uploadId}`, { headers: holder })).status, 204);
});

test("the application's token for one upload opens it for its owner, and nobody else's upload", async () => {
  const { uploadId } = await create(tokenOf("nora"));
  const other = await create(tokenOf("nora"));
  const named = (owner: string) => tokenOf(owner, { quayside: { upload: uploadId } });
  assert.equal((await show(uploadId, named("nora"))).status, 200);
  assertRefused(await show(other.uploadId, named("nora")), 404, "upload-not-found");
  const mallory = named("mallory");
  assertRefused(await show(uploadId, mallory), 404, "upload-not-found");
  assertRefused(await client.put(uploadId, 0, file.subarray(0, MIB), mallory), 404, "upload-not-found");
  assertRefused(await client.request("DELETE", `/upload/${uploadId}`, { headers: mallory }), 404, "upload-not-found");
  assert.equal((await client.request("HEAD", `/files/${uploadId}`, { headers: { ...tus, ...mallory } })).status, 404);
  assert.equal((await client.put(uploadId, 0, file, named("nora"))).status, 200);
});

test("a token that expires while it uploads loses nothing: it stays good for what it created", async () => {
  // Expired just after creation, by a clock of which 30 seconds are forgiven.
  const exp = secondsFromNow(-27);
  const brief = tokenOf("erin", { exp });
  const { uploadId } = await create(brief);
  const tusReply = await client.request("POST", "/files", {
    headers: { ...tus, "Upload-Length": 10, ...brief },
    body: "",
  });
  assert.equal(tusReply.status, 201, tusReply.body.toString());
  const location = String(tusReply.header("Location"));
  await waitFor("the token to expire", async () => (await init(brief)).status === 401);

  assertRefused(await init(brief), 401, "token-expired");
  assert.equal((await client.request("GET", "/uploads", { headers: brief })).status, 401);
  assert.equal((await client.put(uploadId, 0, file.subarray(0, 5 * MIB), brief)).status, 200);
  assert.equal((await show(uploadId, brief)).status, 200);
  assert.equal((await client.put(uploadId, 5 * MIB, file.subarray(5 * MIB), brief)).status, 200);
  await waitUntilState(uploadId, brief, "completed");

  const append = { ...tus, ...brief, "Content-Type": "application/offset+octet-stream", "Upload-Offset": 0 };
  assert.equal((await client.request("HEAD", location, { headers: { ...tus, ...brief } })).status, 200);
  assert.equal((await client.request("PATCH", location, { headers: append, body: "0123456789" })).status, 204);

  // Of the same owner, and expired as well, but not the one that created it.
  const other = tokenOf("erin", { exp: exp - 1 });
  assertRefused(await show(uploadId, other), 401, "token-expired");
  assertRefused(await show("00000000-0000-4000-8000-000000000000", other), 401, "token-expired");
});

test("what was created with a token that has expired can still be put together, and nothing else", async () => {
  const exp = secondsFromNow(-27);
  const terms = { quayside: { types: ["text/plain"] } };
  const brief = tokenOf("mike", { exp, ...terms });
  const piece = async (headers: Headers) => {
    const partial = { ...tus, ...headers, "Upload-Concat": "partial", "Upload-Length": 5 };
    const created = await client.request("POST", "/files", { headers: partial, body: "" });
    assert.equal(created.status, 201, created.body.toString());
    const location = String(created.header("Location"));
    const append = { ...tus, ...headers, "Content-Type": "application/offset+octet-stream", "Upload-Offset": 0 };
    assert.equal((await client.request("PATCH", location, { headers: append, body: "bytes" })).status, 204);
    return location;
  };
  const [one, two] = [await piece(brief), await piece(brief)];
  const another = await piece(tokenOf("mike", terms));
  await waitFor("the token to expire", async () => (await init(brief)).status === 401);
  const compose = (locations: string[], headers: Headers, type: string) => {
    const metadata = `filetype ${Buffer.from(type).toString("base64")}`;
    const all = { ...tus, ...headers, "Upload-Concat": `final;${locations.join(" ")}`, "Upload-Metadata": metadata };
    return client.request("POST", "/files", { headers: all, body: "" });
  };
  assert.equal((await compose([one, two], brief, "text/html")).status, 415, "its terms still hold");
  assert.ok((await compose([one, another], brief, "text/plain")).status >= 400, "of another token's piece");
  const composed = await compose([one, two], brief, "text/plain");
  assert.equal(composed.status, 201, composed.body.toString());
  const whole = await client.request("GET", String(composed.header("Location")), { headers: { ...tus, ...brief } });
  assert.equal(whole.body.toString(), "bytesbytes");
});

test("a challenge says what is wrong, and every site that may read the answer can read it", async () => {
  const cases: [Headers, RegExp][] = [
    [{}, /^Bearer realm="uploads"$/],
    [bearer("x"), /error="invalid_token", error_description="The token is malformed/],
    [tokenOf("a", { aud: "b" }), /error="invalid_token", error_description=".*audience/],
    [tokenOf("a", { exp: secondsFromNow(-100) }), /error="invalid_token", error_description=".*expired/],
    [bearer((await create(tokenOf("a"))).uploadToken), /error="insufficient_scope"/],
  ];
  for (const [headers, challenge] of cases) {
    const reply = await init({ Origin: "https://app.example", ...headers });
    assert.match(String(reply.header("WWW-Authenticate")), challenge);
    assert.equal(reply.header("Access-Control-Allow-Origin"), "*");
    assert.match(String(reply.header("Access-Control-Expose-Headers")), /WWW-Authenticate/i);
  }
});

test("a size that the token does not allow is refused at creation, and where it is declared later", async () => {
  const small = tokenOf("frank", { quayside: { maxBytes: 1000 } });
  assertRefused(await init(small, { fileSize: 1001 }), 413, "upload-too-large", { limitBytes: 1000 });
  await create(small, { fileSize: 1000 });
  const tusCreate = (length: Headers) =>
    client.request("POST", "/files", { headers: { ...tus, ...length, ...small }, body: "" });
  assert.equal((await tusCreate({ "Upload-Length": 1001 })).status, 413);
  const draft = { "Upload-Complete": "?0", "Upload-Length": 1001, ...small };
  assert.equal((await client.request("POST", "/files", { headers: draft, body: "" })).status, 413);
  const deferred = await tusCreate({ "Upload-Defer-Length": 1 });
  assert.equal(deferred.status, 201);
  const append = { ...tus, ...small, "Content-Type": "application/offset+octet-stream", "Upload-Offset": 0 };
  const late = { headers: { ...append, "Upload-Length": 1001 }, body: Buffer.alloc(1001) };
  const reply = await client.request("PATCH", String(deferred.header("Location")), late);
  assert.equal(reply.status, 413, reply.body.toString());
});

test("a type that is not allowed is refused at creation, in every protocol", async () => {
  const images = tokenOf("grace", { quayside: { types: ["image/*"] } });
  assertRefused(await init(images, { contentType: "text/html" }), 415, "type-not-allowed");
  assertRefused(await init(images), 415, "type-not-allowed");
  await create(images, { contentType: "image/png" });
  const filetype = (type: string) => `filetype ${Buffer.from(type).toString("base64")}`;
  for (const [type, status] of [
    ["text/html", 415],
    ["image/png", 201],
  ] as const) {
    const headers = { ...tus, "Upload-Length": 5, "Upload-Metadata": filetype(type), ...images };
    assert.equal((await client.request("POST", "/files", { headers, body: "" })).status, status);
    const draft = { "Upload-Complete": "?0", "Upload-Length": 5, "Content-Type": type, ...images };
    assert.equal((await client.request("POST", "/files", { headers: draft, body: "" })).status, status);
  }
});

test("first bytes that are not those of the declared type fail the upload, with the reason", async () => {
  const images = tokenOf("heidi", { quayside: { types: ["image/*"] } });
  const html = Buffer.from(`<!DOCTYPE html><script>alert(1)</script>${" ".repeat(100)}`);
  for (const [bytes, wanted] of [
    [html, "failed"],
    [Buffer.alloc(200), "failed"],
    [png, "completed"],
  ] as const) {
    const { uploadId } = await create(images, { fileSize: bytes.length, contentType: "image/png" });
    assert.equal((await client.put(uploadId, 0, bytes, images)).status, 200);
    const { reason } = await waitUntilState(uploadId, images, wanted);
    if (wanted === "failed") {
      assert.match(String(reason), /declared as image\/png/);
      const event = await origin.waitForEvent(uploadId, "upload.failed");
      assert.match(String(event.data.reason), /declared as image\/png/);
      assert.equal(event.data.downloadUrl, undefined);
    }
  }
  const empty = await create(images, { fileSize: 0, contentType: "image/png" });
  await waitUntilState(empty.uploadId, images, "failed");
});

test("what the application attaches reaches the origin, apart from what the client says", async () => {
  const attached = { album: "7", plan: "free" };
  const token = tokenOf("ivan", { quayside: { metadata: attached, keyPrefix: "customers/42/" } });
  const { uploadId } = await create(token, { fileSize: png.length, metadata: { plan: "enterprise", note: "mine" } });
  assert.equal((await client.put(uploadId, 0, png, token)).status, 200);
  const event = await origin.waitForEvent(uploadId, "upload.completed");
  const data = event.data as UploadEvent["data"] & { attached: unknown };
  assert.deepEqual(data.attached, attached);
  assert.deepEqual(data.metadata, { plan: "enterprise", note: "mine" });
  assert.equal(data.key, `uploads/customers/42/${uploadId}-1`);
  const path = await origin.waitForDownloadPath(uploadId);
  const content = await client.request("GET", path);
  assert.ok(content.status === 200 && content.body.equals(png), "the object is where the event says");
});

test("no token and no part of one is in the log or in any answer but its own", async () => {
  const token = mint(stack, claimsOf("judy"));
  const { uploadId, uploadToken } = await create(bearer(token));
  const answers = [
    await show(uploadId, bearer(token)),
    await init(bearer(`${token}x`)),
    await show(uploadId, bearer(`${uploadToken}x`)),
    await client.request("GET", `/upload/${uploadId}?token=${token}`),
  ];
  await waitFor("the refusals to be logged", () => stack.log.lines.some(({ code }) => code === "invalid-token"));
  const signature = String(token.split(".")[2]);
  for (const [what, text] of Object.entries({ token, signature, uploadToken, newKey, oldKey })) {
    assert.equal(
      stack.log.texts.find((line) => line.includes(text)),
      undefined,
      `${what} is in the log`,
    );
    assert.ok(
      answers.every(({ body }) => !body.includes(text)),
      `${what} is in an answer`,
    );
  }
});
