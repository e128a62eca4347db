// Links to a finished file, for whoever has no token: its owner asks for one, hands it out, and it opens that file, as what the owner
// said, for as long as the owner said.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, sha256 } from "./support/bytes.ts";
import { curl, noCurl } from "./support/curl.ts";
import type { Headers, Reply } from "./support/http.ts";
import { PendingRequest } from "./support/http.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const DAY_SECONDS = 86_400;
const MEMORY_SECONDS = 3 * DAY_SECONDS;
const { stack, client } = await sceneWithScriptedOrigin({
  AUTH: "token",
  TOMBSTONE_TTL_SECONDS: MEMORY_SECONDS,
  DOWNLOAD_URL_TTL_SECONDS: DAY_SECONDS,
});

const alice = bearer(mint(stack, claimsOf("alice", { quayside: { delete: true } })));
const mallory = bearer(mint(stack, claimsOf("mallory")));
const file = fileBytes("linked", 100_000);

type Mine = Created & { uploadToken: string };
type Link = { url: string; expiresAt: string };

async function begun(contentType: string, fileName = "mine.bin"): Promise<Mine> {
  const reply = await client.init({ fileName, fileSize: file.length, contentType }, alice);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Mine>();
}

async function finished(contentType: string, fileName?: string): Promise<Mine> {
  const upload = await begun(contentType, fileName);
  const put = await client.put(upload.uploadId, 0, file, alice);
  assert.equal(put.json<{ state: string }>().state, "completed", put.body.toString());
  return upload;
}

function ask({ uploadId }: { uploadId: string }, wanted?: unknown, headers: Headers = alice): Promise<Reply> {
  const body = wanted === undefined ? "" : JSON.stringify(wanted);
  return client.request("POST", `/upload/${uploadId}/links`, { headers, body });
}

async function link(upload: { uploadId: string }, wanted?: unknown, headers: Headers = alice): Promise<Link> {
  const reply = await ask(upload, wanted, headers);
  assert.equal(reply.status, 201, reply.body.toString());
  assert.equal(reply.header("Cache-Control"), "no-store");
  return reply.json<Link>();
}

/** Somebody opens it, without a token. */
function open(url: string, headers: Headers = {}, method = "GET"): Promise<Reply> {
  const { pathname, search } = new URL(url);
  return client.request(method, pathname + search, { headers });
}

const picture = await finished("image/png", "holiday.png");
const page = await finished("text/html", "page.html");

test("a link opens the file without a token, whole and in ranges", async () => {
  const { url } = await link(picture);
  assert.ok(url.startsWith(`${stack.baseUrl}/upload/${picture.uploadId}/content?expires=`), url);
  const whole = await open(url);
  assert.deepEqual([whole.status, sha256(whole.body)], [200, sha256(file)]);
  assert.equal(whole.header("Content-Disposition"), "attachment; filename*=UTF-8''holiday.png");
  const range = await open(url, { Range: "bytes=10-19" });
  assert.deepEqual([range.status, range.header("Content-Range")], [206, `bytes 10-19/${file.length}`]);
  assert.ok(range.body.equals(file.subarray(10, 20)));
  const head = await open(url, {}, "HEAD");
  assert.deepEqual([head.status, head.header("Content-Length")], [200, String(file.length)]);
  const known = await open(url, { "If-None-Match": String(whole.header("ETag")) });
  assert.equal(known.status, 304);
});

test("it is handed out as what its owner has said", async () => {
  const shown = await open((await link(picture, { disposition: "inline", fileName: "Übung 1/2&3.png" })).url);
  assert.equal(shown.status, 200);
  assert.equal(shown.header("Content-Disposition"), "inline; filename*=UTF-8''%C3%9Cbung%201%2F2%263.png");
  assert.equal(shown.header("Content-Type"), "image/png");
  const saved = await open((await link(picture, { disposition: "attachment", fileName: "b.png" })).url);
  assert.equal(saved.header("Content-Disposition"), "attachment; filename*=UTF-8''b.png");
  for (const [reply, policy] of [
    [shown, "sandbox allow-same-origin; default-src 'none'; media-src 'self'"],
    [saved, "sandbox; default-src 'none'"],
  ] as const) {
    assert.equal(reply.header("X-Content-Type-Options"), "nosniff");
    assert.equal(reply.header("Content-Security-Policy"), policy);
  }
  const film = await finished("video/webm;codecs=vp8,opus");
  const playing = await open((await link(film, { disposition: "inline" })).url);
  assert.equal(playing.header("Content-Type"), "video/webm", "a browser would take what follows a comma for the type");
});

test("what a browser could run is only ever saved", async () => {
  const scriptable = ["image/svg+xml", "application/xhtml+xml", "application/pdf", "text/xml", "audio/x+xml"];
  const uploads = await Promise.all(scriptable.map((type) => finished(type)));
  for (const upload of [page, ...uploads]) {
    assertBadRequest(await ask(upload, { disposition: "inline" }), "disposition");
  }
  const { url } = await link(page);
  assert.equal((await open(url)).header("Content-Disposition"), "attachment; filename*=UTF-8''page.html");
  assertRefused(await open(`${url}&disposition=inline`), 403, "bad-signature");
});

test("whoever has it can change nothing in it", async () => {
  const { url } = await link(picture, { disposition: "inline", fileName: "a.png" });
  const plain = await link(picture);
  const changes: [string, string][] = [
    ["expires", String(Math.floor(Date.now() / 1000) + 5 * DAY_SECONDS)],
    ["disposition", "attachment"],
    ["disposition", "Inline"],
    ["fileName", "b.png"],
    ["fileName", ""],
    ["signature", "00".repeat(32)],
    ["signature", String(new URL(plain.url).searchParams.get("signature"))],
  ];
  for (const [name, value] of changes) {
    const changed = new URL(url);
    changed.searchParams.set(name, value);
    assertRefused(await open(changed.href), 403, "bad-signature");
  }
  for (const name of ["expires", "disposition", "fileName", "signature"]) {
    const without = new URL(url);
    without.searchParams.delete(name);
    assertRefused(await open(without.href), 403, "bad-signature");
  }
  assertRefused(await open(url.replace(picture.uploadId, page.uploadId)), 403, "bad-signature");
  assertRefused(await open(`${plain.url}&fileName=evil.exe`), 403, "bad-signature");
  const escapedOtherwise = new URL((await link(picture, { fileName: "a b.png" })).url);
  escapedOtherwise.searchParams.sort();
  assert.equal((await open(escapedOtherwise.href)).status, 200, "the order, and + for a space, say the same");
});

test("it lives as long as its owner says, and no longer than the upload is remembered", async () => {
  const inSeconds = ({ expiresAt }: Link) => (Date.parse(expiresAt) - Date.now()) / 1000;
  const near = (seconds: number, expected: number) => assert.ok(Math.abs(seconds - expected) < 30, `${seconds}`);
  near(inSeconds(await link(picture)), DAY_SECONDS);
  near(inSeconds(await link(picture, { expiresInSeconds: 3600 })), 3600);
  const longest = await link(picture, { expiresInSeconds: 7 * DAY_SECONDS });
  near(inSeconds(longest), MEMORY_SECONDS);
  assert.equal(Number(new URL(longest.url).searchParams.get("expires")) * 1000, Date.parse(longest.expiresAt));
  const short = await link(picture, { expiresInSeconds: 2 });
  assert.equal((await open(short.url)).status, 200);
  await waitFor("it to expire", () => Date.now() >= Date.parse(short.expiresAt));
  assertRefused(await open(short.url), 403, "bad-signature");
});

test("whoever may read the file may hand it out, and nobody else", async () => {
  const { url } = await link(picture, undefined, bearer(picture.uploadToken));
  assert.equal((await open(url)).status, 200);
  const content = `/upload/${picture.uploadId}/content`;
  for (const headers of [mallory, {}, bearer(page.uploadToken)]) {
    const [refused, asContent] = [await ask(picture, {}, headers), await client.request("GET", content, { headers })];
    assert.deepEqual([refused.status, refused.json()], [asContent.status, asContent.json()]);
    assert.ok([401, 404].includes(refused.status));
  }
  assertRefused(await ask({ uploadId: "067e6162-3b6f-4ae2-a171-2470b63dff00" }), 404, "upload-not-found");
  assertRefused(
    await client.request("GET", `/upload/${picture.uploadId}/links`, { headers: alice }),
    405,
    "method-not-allowed",
  );
});

test("there is none to what is not finished, nor to what is deleted, and older ones end with it", async () => {
  const upload = await begun("image/png");
  assertRefused(await ask(upload), 409, "incomplete", { missingBytes: file.length });
  assert.equal((await client.put(upload.uploadId, 0, file, alice)).status, 200);
  const { url } = await link(upload);
  const removed = await client.request("DELETE", `/upload/${upload.uploadId}`, { headers: alice });
  assert.equal(removed.status, 204, removed.body.toString());
  assertRefused(await ask(upload), 410, "upload-gone", { state: "deleted" });
  assertRefused(await open(url), 410, "upload-gone", { state: "deleted" });
});

test("a body says what it says, or is refused by its field", async () => {
  const wrong: [unknown, string][] = [
    [[], "body"],
    [{ expiresInSeconds: 0 }, "expiresInSeconds"],
    [{ expiresInSeconds: 7 * DAY_SECONDS + 1 }, "expiresInSeconds"],
    [{ expiresInSeconds: 1.5 }, "expiresInSeconds"],
    [{ expiresInSeconds: "60" }, "expiresInSeconds"],
    [{ disposition: "show" }, "disposition"],
    [{ fileName: "" }, "fileName"],
    [{ fileName: "a\r\nb" }, "fileName"],
    [{ fileName: "n".repeat(1025) }, "fileName"],
    [{ ttl: 60 }, "ttl"],
    [{ fileName: "n".repeat(9000) }, "body"],
  ];
  for (const [body, field] of wrong) {
    assertBadRequest(await ask(picture, body), field);
  }
  const path = `/upload/${picture.uploadId}/links`;
  assertBadRequest(await client.request("POST", path, { headers: alice, body: "{" }), "body");
  const form = { ...alice, "Content-Type": "multipart/form-data; boundary=x" };
  assertRefused(await client.request("POST", path, { headers: form, body: "--x--" }), 415, "unsupported-media-type");
  const pieces = new PendingRequest(stack.baseUrl, "POST", path, { ...alice, "Transfer-Encoding": "chunked" });
  pieces.write("{}");
  assertRefused(await pieces.finish(), 411, "length-required");
});

test("a body that is not there need not say how long it is", { skip: noCurl }, async () => {
  const url = `${stack.baseUrl}/upload/${picture.uploadId}/links`;
  const reply = await curl("-X", "POST", "-H", `Authorization: ${alice.Authorization}`, url);
  assert.equal(reply.status, 201, reply.body.toString());
});

test("an upload that is forgotten takes its links along", async () => {
  const forgetful = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", PUBLIC_URL: "", TOMBSTONE_TTL_SECONDS: 4 } });
  try {
    const { uploadId } = await forgetful.client.upload(file);
    const reply = await forgetful.client.request("POST", `/upload/${uploadId}/links`, {
      body: '{"expiresInSeconds":604800}',
    });
    const { url, expiresAt } = reply.json<Link>();
    assert.ok(url.startsWith(`${forgetful.baseUrl}/upload/`), "without PUBLIC_URL it has the address that was asked");
    const { pathname, search } = new URL(url);
    assert.equal((await forgetful.client.request("GET", pathname + search)).status, 200);
    await waitFor("it to be forgotten", async () => (await forgetful.client.status(uploadId)).status === 404);
    assert.ok(Date.now() >= Date.parse(expiresAt), "no link was good longer than its upload");
    assertRefused(await forgetful.client.request("GET", pathname + search), 403, "bad-signature");
  } finally {
    await forgetful.stop();
  }
});

test("a token that has run out still opens what was created with it, and gets no link", async () => {
  const exp = Math.floor(Date.now() / 1000) - 27;
  const brief = bearer(mint(stack, claimsOf("alice", { exp })));
  const init = () => client.init({ fileName: "brief.bin", fileSize: file.length }, brief);
  const upload = (await init()).json<Mine>();
  assert.equal((await client.put(upload.uploadId, 0, file, brief)).status, 200);
  await waitFor("the token to run out", async () => (await init()).status === 401);
  const content = await client.request("GET", `/upload/${upload.uploadId}/content`, { headers: brief });
  assert.equal(sha256(content.body), sha256(file));
  assertRefused(await ask(upload, {}, brief), 401, "token-expired");
  await link(upload);
});
