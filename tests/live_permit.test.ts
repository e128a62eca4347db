// Live uploads by word of whoever permits them: a token, or the application that is asked. Clients that say nothing of it record live then; a
// silence is theirs to shorten, and nobody's to lengthen; and where it is refused, it is refused to all.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { AcceptHook } from "./support/accept_hook.ts";
import type { Created } from "./support/api.ts";
import { fileBytes, sha256 } from "./support/bytes.ts";
import { formBody, formHeaders } from "./support/form.ts";
import { type Headers, PendingRequest, type Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { encoded, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const hook = await AcceptHook.start();
after(() => hook.stop());
const { stack, origin, client } = await sceneWithScriptedOrigin({ AUTH: "token", ACCEPT_HOOK: hook.url });
hook.trust(stack.secrets.WEBHOOK_SECRET);

const tokenThatSays = (live?: unknown, more = {}): Headers =>
  bearer(mint(stack, claimsOf("alice", { quayside: { ...(live === undefined ? {} : { live }), ...more } })));
const [silent, every, none] = [tokenThatSays(), tokenThatSays(true), tokenThatSays(false)];
const bytes = fileBytes("a minute of it", 70_000);
const tus = new Tus(client);
const named = (fileName: string) => ({ "Upload-Metadata": `filename ${encoded(fileName)}`, "Upload-Defer-Length": 1 });

async function statusOf(id: string): Promise<{ state: string; live: boolean; truncated: boolean; fileSize: number }> {
  return (await client.request("GET", `/upload/${id}`, { headers: silent })).json();
}

/** A body that does not say how long it is. */
function unsized(path: string, token: Headers, method = "POST", body: Uint8Array = bytes): Promise<Reply> {
  const headers = { "Content-Type": "video/mp2t", "Transfer-Encoding": "chunked", ...token };
  const recorder = new PendingRequest(client.baseUrl, method, path, headers);
  recorder.write(body);
  return recorder.finish();
}

const idOf = (url: string) => String(url.split("/").at(-1));

test("under a token that says so, a client that has never heard of it records live", async () => {
  const url = await tus.create({ ...every, ...named("camera.ts") });
  assert.equal((await tus.patch(url, 0, bytes, every)).status, 204);
  const { live, state } = await statusOf(idOf(url));
  assert.deepEqual({ live, state }, { live: true, state: "open" });
  const soFar = await client.request("GET", `/upload/${idOf(url)}/content`, { headers: every });
  assert.deepEqual([soFar.status, sha256(soFar.body)], [200, sha256(bytes)]);
  const ended = await client.request("POST", `/upload/${idOf(url)}/complete`, { headers: every });
  assert.ok(ended.status < 300, ended.body.toString());
  assert.equal((await origin.waitForEvent(idOf(url), "upload.completed")).data.fileSize, bytes.length);
});

test("a plain body without a length is live then, and what has one, or is a form's, is not", async () => {
  const put = await unsized("/upload?name=plain.ts", every);
  assert.equal(put.status, 201, put.body.toString());
  const id = put.json<Created>().uploadId;
  const { live, truncated } = await statusOf(id);
  assert.deepEqual({ live, truncated }, { live: true, truncated: false });
  const sized = await client.init({ fileName: "sized.ts", fileSize: 9 }, every);
  assert.equal((await statusOf(sized.json<Created>().uploadId)).live, false);
  const body = formBody([{ name: "file", fileName: "form.ts", bytes }]);
  const form = await client.request("POST", "/upload", { headers: { ...formHeaders(), ...every }, body });
  assert.equal(form.status, 201, form.body.toString());
  const [file] = form.json<{ files: { uploadId: string }[] }>().files;
  assert.equal((await statusOf(String(file?.uploadId))).live, false);
});

test("a plain body beyond what its token allows is refused, and leaves nothing where its client never said that it is live", async () => {
  const short = tokenThatSays(true, { maxBytes: 9_000_000 });
  const long = fileBytes("too long", 20_000_000);
  const listed = async () => {
    const list = await client.request("GET", "/uploads", { headers: short });
    return list.json<{ uploads: { fileName: string; state: string }[] }>().uploads;
  };
  for (const bytes of [fileBytes("at once", 9_500_000), long]) {
    const once = { ...short, "Idempotency-Key": `once ${bytes.length}` };
    assertRefused(await unsized("/upload?name=file.ts", once, "POST", bytes), 413, "upload-too-large");
    assert.deepEqual(
      (await listed()).filter(({ fileName }) => fileName === "file.ts"),
      [],
    );
    assert.ok((await unsized("/upload?name=file.ts", once, "POST", bytes)).status >= 400, "nor when it comes again");
  }
  const recording = await unsized("/upload?name=recording.ts&live", short, "POST", long);
  assert.equal(recording.status, 201, recording.body.toString());
  const { uploadId, fileSize } = recording.json<Created & { fileSize: number }>();
  assert.ok(fileSize > 0 && fileSize <= 9_000_000, `${fileSize} bytes`);
  assert.equal((await statusOf(uploadId)).state, "completed");
  const tiny = tokenThatSays(true, { maxBytes: 50_000 });
  assertRefused(await unsized("/upload?name=none.ts&live", tiny), 413, "upload-too-large");
});

test("Google's sessions are live, whether a description comes along or not; and what comes by a link is what its maker's would be", async () => {
  for (const body of ["", '{"name":"described.ts"}', '{"metadata":{"live":"true","endAfterSeconds":"soon"}}']) {
    const headers = { ...every, "Content-Type": "application/json" };
    const begun = await client.request("POST", "/upload?uploadType=resumable", { headers, body });
    const id = new URL(begun.header("Location") ?? "").searchParams.get("upload_id") ?? "";
    assert.equal((await statusOf(id)).live, true, body);
  }
  for (const [maker, path, status] of [
    [every, "", 201],
    [none, "?live", 403],
  ] as const) {
    const made = await client.request("POST", "/upload/links", { headers: maker, body: "{}" });
    const { pathname } = new URL(made.json<{ url: string }>().url);
    const sent = await unsized(`${pathname}/camera.ts${path}`, {}, "PUT");
    assert.equal(sent.status, status, sent.body.toString());
    if (status === 201) {
      assert.equal((await statusOf(sent.json<Created>().uploadId)).live, true);
    }
  }
});

test("the shorter silence ends it, whoever has said it", async () => {
  const soon = tokenThatSays({ endAfterSeconds: 2 });
  const late = tokenThatSays({ endAfterSeconds: 3_600 });
  for (const [token, query] of [
    [soon, "?live&endAfterSeconds=3600"],
    [soon, ""],
    [late, "?live&endAfterSeconds=2"],
  ] as const) {
    const begun = await tus.send("POST", `/files${query}`, { ...token, ...named("silence.ts") });
    const url = begun.header("Location") ?? "";
    assert.equal((await tus.patch(url, 0, bytes, token)).status, 204);
    const ended = await waitFor(`silence to end it: ${query}`, async () => {
      const status = await statusOf(idOf(url));
      return status.state === "completed" ? status : undefined;
    });
    assert.deepEqual([ended.truncated, ended.fileSize], [true, bytes.length]);
  }
});

test("under a token that refuses it nobody records live, in any protocol, and all else is as ever", async () => {
  const init = { fileName: "talk.webm", fileSize: null };
  assertRefused(await client.init({ ...init, live: true }, none), 403, "not-permitted");
  const live = await client.request("POST", "/files?live", {
    headers: { ...none, ...named("a"), "Tus-Resumable": "1.0.0" },
  });
  assert.equal(live.status, 403);
  const plain = await unsized("/upload?name=a.ts&live", none);
  assert.equal(plain.status, 403);
  const usual = await client.init(init, none);
  assert.equal(usual.status, 201);
  assert.equal((await statusOf(usual.json<Created>().uploadId)).live, false);
  assert.equal((await client.init({ ...init, live: true }, silent)).status, 201);
});

test("the application is told that it is live, refuses it, or has it so", async () => {
  const init = (fileName: string, live: boolean, token = silent) =>
    client.init({ fileName, fileSize: null, live }, token);
  hook.says("no.ts", { body: { live: false } });
  assertRefused(await init("no.ts", true), 403, "not-permitted");
  assert.equal(hook.single("no.ts").data.live, true);
  hook.says("yes.ts", { body: { live: { endAfterSeconds: 60 } } });
  const yes = await init("yes.ts", false);
  assert.equal((await statusOf(yes.json<Created>().uploadId)).live, true);
  assert.equal(hook.single("yes.ts").data.live, undefined);
  // What a token refuses no application has.
  hook.says("never.ts", { body: { live: true } });
  assert.equal((await statusOf((await init("never.ts", false, none)).json<Created>().uploadId)).live, false);
  hook.says("wrong.ts", { body: { live: { endAfter: 60 } } });
  assertRefused(await init("wrong.ts", false), 503, "accept-hook-failed");
});
