// Public files: everybody gets what the application has said it of, on a host of its own, inert and for caches to keep; and nobody gets anything
// else there.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { AcceptHook } from "./support/accept_hook.ts";
import { Admin } from "./support/admin.ts";
import type { Created, InitFields, Status } from "./support/api.ts";
import { fileBytes, sha256 } from "./support/bytes.ts";
import type { Headers } from "./support/http.ts";
import { loseObject } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const FILES = "http://files.localhost:8787";
const origin = await ScriptedOrigin.start();
const hook = await AcceptHook.start();
const stack = await Stack.start({
  vars: {
    AUTH: "token",
    PUBLIC_FILES_URL: `${FILES}/`,
    ORIGIN_WEBHOOK_URL: origin.webhookUrl,
    ACCEPT_HOOK: hook.url,
  },
});
origin.trust(stack.secrets.WEBHOOK_SECRET);
hook.trust(stack.secrets.WEBHOOK_SECRET);
after(async () => {
  await Promise.all([origin.stop(), hook.stop()]);
  await stack.stop();
});
const { client } = stack;
const tus = new Tus(client);
const admin = new Admin(stack);
const of = (quayside: object) => bearer(mint(stack, claimsOf("alice", { quayside })));
const publishing = of({ public: true, delete: true });
const plain = of({ delete: true });
const file = fileBytes("for everybody", 1_000);

/** Asks on the host of public files. */
const visit = (path: string, headers: Headers = {}, method = "GET", host = "files.localhost") =>
  client.request(method, path, { headers: { Host: host, ...headers }, ...(method === "POST" ? { body: "" } : {}) });

async function status(id: string): Promise<Status> {
  const reply = await client.request("GET", `/upload/${id}/status`, { headers: plain });
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json<Status>();
}

async function upload(fields: InitFields & { fileName: string }, headers = publishing, bytes = file): Promise<string> {
  const created = await client.init({ fileSize: bytes.length, contentType: "image/png", ...fields }, headers);
  assert.equal(created.status, 201, created.body.toString());
  const id = created.json<Created>().uploadId;
  assert.equal((await client.put(id, 0, bytes, headers)).status, 200);
  await waitFor("it to be complete", async () => (await status(id)).state === "completed");
  return id;
}

test("what the application has said it of is everybody's, at the address that the status and the event say", async () => {
  const id = await upload({ fileName: "photo.png" });
  const { publicUrl } = await status(id);
  assert.equal(publicUrl, `${FILES}/${id}/photo.png`);
  const { data } = await origin.waitForEvent(id, "upload.completed");
  assert.equal(data.publicUrl, publicUrl);
  const { pathname } = new URL(publicUrl ?? "");
  const whole = await visit(pathname);
  assert.deepEqual([whole.status, whole.body.equals(file)], [200, true]);
  const expected = {
    "Cache-Control": "public, max-age=31536000, immutable, no-transform",
    "Content-Type": "image/png",
    "Content-Disposition": "inline; filename*=UTF-8''photo.png",
    "Content-Security-Policy": "sandbox allow-same-origin; default-src 'none'; media-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Accept-Ranges": "bytes",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(whole.header(name), value, name);
  }
  for (const name of ["Vary", "Server-Timing", "Set-Cookie", "Access-Control-Allow-Credentials"]) {
    assert.equal(whole.header(name), undefined, name);
  }
  const etag = String(whole.header("ETag"));
  const head = await visit(pathname, {}, "HEAD");
  assert.deepEqual([head.status, head.header("Content-Length"), head.body.length], [200, "1000", 0]);
  const part = await visit(pathname, { Range: "bytes=10-19", "If-Range": etag });
  assert.deepEqual([part.status, part.header("Content-Range")], [206, "bytes 10-19/1000"]);
  assert.ok(part.body.equals(file.subarray(10, 20)));
  const same = await visit(pathname, { "If-None-Match": etag });
  assert.deepEqual([same.status, same.header("Cache-Control")], [304, expected["Cache-Control"]]);
  const beyond = await visit(pathname, { Range: "bytes=1000-" });
  assertRefused(beyond, 416, "range-not-satisfiable");
  assert.equal(beyond.header("Cache-Control"), "no-store");
});

test("a name is the last segment of the file's own, and no other will do", async () => {
  const id = await upload({ fileName: "holidays/ä b%.png" });
  assert.equal((await status(id)).publicUrl, `${FILES}/${id}/%C3%A4%20b%25.png`);
  for (const path of ["%C3%A4%20b%25.png", "%c3%a4%20b%25%2e%70ng"]) {
    const reply = await visit(`/${id}/${path}`);
    assert.equal(reply.status, 200, path);
    assert.equal(reply.header("Content-Disposition"), "inline; filename*=UTF-8''%C3%A4%20b%25.png");
  }
  for (const path of [
    "",
    "invoice.png",
    "%C3%A4%20b%25.png/",
    "holidays/%C3%A4%20b%25.png",
    "%C3%A4%20b%25.PNG",
    "%FF",
  ]) {
    const isTidied = path.endsWith("/") && path !== "";
    const reply = await visit(`/${id}/${path}`);
    assert.equal(reply.status, isTidied ? 200 : 404, path);
  }
  const other = await upload({ fileName: "photo.png" });
  assert.equal((await visit(`/${other}/%C3%A4%20b%25.png`)).status, 404);
});

test("what could run is saved, and runs nowhere, not in other pages either: it has no type to be a script or a style sheet by", async () => {
  for (const [contentType, fileName] of [
    ["text/html", "index.html"],
    ["image/svg+xml", "a.svg"],
    ["application/pdf", "a.pdf"],
    ["text/javascript", "a.js"],
    ["application/javascript", "b.js"],
    ["text/css; charset=utf-8", "a.css"],
    [undefined, "a"],
  ] as const) {
    const id = await upload({ fileName, contentType });
    const reply = await visit(`/${id}/${fileName}`);
    assert.match(String(reply.header("Content-Disposition")), /^attachment;/, fileName);
    assert.equal(reply.header("Content-Type"), "application/octet-stream", fileName);
    assert.equal(reply.header("Content-Security-Policy"), "sandbox; default-src 'none'");
    assert.equal(reply.header("X-Content-Type-Options"), "nosniff");
  }
});

test("on that host nothing else is there, and public files are there alone", async () => {
  const id = await upload({ fileName: "photo.png" });
  const path = `/${id}/photo.png`;
  for (const host of ["files.localhost", "files.localhost:8787", "FILES.localhost", "files.localhost."]) {
    assert.equal((await visit(path, {}, "GET", host)).status, 200, host);
    for (const headers of [publishing, admin.headers, {}]) {
      for (const [method, route] of [
        ["POST", "/upload/init"],
        ["POST", "/files"],
        ["OPTIONS", "/files"],
        ["GET", "/healthz"],
        ["GET", "/readyz"],
        ["GET", "/openapi.json"],
        ["GET", "/problems/fault"],
        ["GET", "/uploads"],
        ["GET", "/usage"],
        ["GET", "/admin/owners"],
        ["GET", `/upload/${id}`],
        ["GET", `/upload/${id}/content`],
        ["GET", `/files/${id}`],
        ["DELETE", `/upload/${id}`],
        ["DELETE", path],
        ["PUT", path],
        ["POST", path],
        ["OPTIONS", path],
        ["GET", `/by/qul_a.b${path}`],
      ] as const) {
        assertRefused(await visit(route, headers, method, host), 404, "upload-not-found");
      }
    }
  }
  assertRefused(await client.request("GET", path, { headers: plain }), 404, "no-such-route");
  assert.equal((await status(id)).state, "completed");
});

test("nobody but the application says it", async () => {
  const unsaid = await upload({ fileName: "photo.png" }, plain);
  assert.equal((await status(unsaid)).publicUrl, undefined);
  const fields = { fileName: "photo.png", fileSize: file.length, public: true };
  assert.equal((await client.init(fields as InitFields, plain)).status, 400);
  const said = await upload({ fileName: "photo.png", metadata: { public: "true" } }, plain);
  for (const id of [unsaid, said]) {
    for (const headers of [{}, plain, publishing, admin.headers]) {
      assertRefused(await visit(`/${id}/photo.png`, headers), 404, "upload-not-found");
    }
  }
  hook.says("yes.png", { body: { public: true } });
  hook.says("no.png", { body: { public: false } });
  hook.says("nothing.png", { body: {} });
  for (const [fileName, headers, expected] of [
    ["yes.png", plain, 200],
    ["no.png", publishing, 404],
    ["nothing.png", plain, 404],
    ["nothing.png", publishing, 200],
  ] as const) {
    const id = await upload({ fileName }, headers);
    assert.equal((await visit(`/${id}/${fileName}`)).status, expected, fileName);
  }
});

test("what has begun under a token that says it goes on under no other", async () => {
  const fields = { fileName: "photo.png", fileSize: file.length };
  const ids: string[] = [];
  for (const headers of [publishing, plain, of({ hold: true }), publishing]) {
    const created = await client.init(fields, { ...headers, "Idempotency-Key": "the same to all" });
    ids.push(created.json<Created>().uploadId);
  }
  assert.equal(new Set(ids).size, 3);
  assert.equal(ids[0], ids[3]);
});

test("what comes by a link is not, nor is a piece; what is put together is what its own token says", async () => {
  const made = await client.request("POST", "/upload/links", { headers: publishing, body: "{}" });
  const link = made.json<{ url: string }>().url;
  const named = { "Content-Disposition": 'attachment; filename="photo.png"' };
  const posted = await client.request("POST", link, { headers: named, body: file });
  assert.equal((await visit(`/${posted.json<Created>().uploadId}/photo.png`)).status, 404);

  const halves = [file.subarray(0, 500), file.subarray(500)];
  for (const [headers, expected] of [
    [plain, 404],
    [publishing, 200],
  ] as const) {
    const pieces = await Promise.all(halves.map((half) => tus.partial(half, publishing)));
    const id = idOf(await tus.composed(pieces, headers));
    await waitFor("it to be put together", async () => (await status(id)).state === "completed");
    const { fileName, publicUrl } = await status(id);
    assert.equal((await visit(publicUrl ? new URL(publicUrl).pathname : `/${id}/${fileName}`)).status, expected);
    const piece = idOf(pieces[0] ?? "");
    assert.equal((await visit(`/${piece}/${(await status(piece)).fileName}`)).status, 404);
  }
});

test("what is not whole, or held, is nobody's; and what is deleted is so at once", async () => {
  const fields = { fileName: "photo.png", fileSize: file.length };
  const { uploadId: open } = (await client.init(fields, publishing)).json<Created>();
  assertRefused(await visit(`/${open}/photo.png`), 404, "upload-not-found");
  const growing = { ...fields, fileSize: null, live: true };
  const { uploadId: live } = (await client.init(growing, publishing)).json<Created>();
  assert.equal((await client.put(live, 0, file, publishing)).status, 200);
  assertRefused(await visit(`/${live}/photo.png?follow`), 404, "upload-not-found");

  const holding = of({ public: true, hold: true });
  const [released, rejected] = [
    await upload({ fileName: "photo.png" }, holding),
    await upload({ fileName: "photo.png" }, holding),
  ];
  for (const id of [released, rejected]) {
    assertRefused(await visit(`/${id}/photo.png`), 404, "upload-not-found");
    assert.equal((await status(id)).publicUrl, undefined);
  }
  assert.equal((await admin.send("POST", `uploads/${released}/release`)).status, 200);
  assert.equal((await admin.send("POST", `uploads/${rejected}/reject`)).status, 200);
  assert.equal((await visit(`/${released}/photo.png`)).status, 200);
  assert.equal((await visit(`/${rejected}/photo.png`)).status, 404);

  const remove = await client.request("DELETE", `/upload/${released}`, { headers: publishing });
  assert.equal(remove.status, 204);
  const gone = await visit(`/${released}/photo.png`);
  assertRefused(gone, 404, "upload-not-found");
  assert.equal(gone.header("Cache-Control"), "no-store");
});

test("it is sent, also where its bytes are there", async () => {
  const bytes = fileBytes("there already", 1_000);
  const digest = sha256(bytes);
  await upload({ fileName: "plain.png", sha256: digest }, plain, bytes);
  await waitFor("the bytes to be known", async () => {
    const fields = { fileName: "again.png", fileSize: bytes.length, sha256: digest };
    return (await client.init(fields, plain)).status === 200;
  });
  const id = await upload({ fileName: "public.png", sha256: digest }, publishing, bytes);
  assert.ok((await visit(`/${id}/public.png`)).body.equals(bytes));
});

test("what the bucket has lost is not there, as everything that is not", async () => {
  const id = await upload({ fileName: "photo.png" });
  loseObject(stack.persistDir, id);
  assertRefused(await visit(`/${id}/photo.png`), 404, "upload-not-found");
  assertRefused(await client.request("GET", `/upload/${id}/content`, { headers: plain }), 410, "upload-gone");
});

test("where the service is closed it is, too", async () => {
  const id = await upload({ fileName: "photo.png" });
  await admin.set({ mode: "closed" });
  try {
    await waitFor("it to be closed", async () => (await visit(`/${id}/photo.png`)).status === 503);
  } finally {
    await admin.set({ mode: "open" });
  }
});

test("where there is no such host nothing is public, whatever a token says; and how long caches keep it is set", async () => {
  const without = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "" } });
  try {
    const headers = bearer(mint(without, claimsOf("alice", { quayside: { public: true } })));
    const created = await without.client.init({ fileName: "photo.png", fileSize: file.length }, headers);
    const { uploadId } = created.json<Created>();
    const sent = await without.client.put(uploadId, 0, file, headers);
    assert.equal(sent.status, 200);
    const now = await without.client.request("GET", `/upload/${uploadId}/status`, { headers });
    assert.deepEqual([now.json<Status>().state, now.json<Status>().publicUrl], ["completed", undefined]);
    const reply = await without.client.request("GET", `/${uploadId}/photo.png`, {
      headers: { Host: "files.localhost" },
    });
    assertRefused(reply, 404, "no-such-route");
  } finally {
    await without.stop();
  }
  const brief = await Stack.start({
    vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "", PUBLIC_FILES_URL: FILES, PUBLIC_FILES_MAX_AGE_SECONDS: 60 },
  });
  try {
    const headers = bearer(mint(brief, claimsOf("alice", { quayside: { public: true } })));
    const created = await brief.client.init({ fileName: "photo.png", fileSize: file.length }, headers);
    const { uploadId } = created.json<Created>();
    await brief.client.put(uploadId, 0, file, headers);
    const asked = { headers: { Host: "files.localhost" } };
    const reply = await waitFor("it to be there", async () => {
      const reply = await brief.client.request("GET", `/${uploadId}/photo.png`, asked);
      return reply.status === 200 && reply;
    });
    assert.equal(reply.header("Cache-Control"), "public, max-age=60, immutable, no-transform");
  } finally {
    await brief.stop();
  }
});
