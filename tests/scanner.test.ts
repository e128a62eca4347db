// Uploads that are held: nobody gets the file before the scanner, the application or whoever runs the service has looked at it.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { OpenUploads, Usage } from "./support/api.ts";
import { fileBytes, sha256 } from "./support/bytes.ts";
import { Held, later, MAX_ATTEMPTS } from "./support/held.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import type { Answer } from "./support/scripted_origin.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const held = await Held.start();
const { admin, audit, client, holding, hook, origin, plain, scanner, stack } = held;
const tus = new Tus(client);
const file = fileBytes("to be looked at", 1000);

const verdict = (word: string, reason?: string): Answer => ({ status: 200, body: { verdict: word, reason } });
const RELEASE = verdict("release");
const DELETE = verdict("delete", "Eicar-Test-Signature");
const HOLD = verdict("hold");

/** An upload of this name, about which the scanner is asked, and has not answered. */
async function asked(name: string, options: Parameters<Held["upload"]>[2] = {}) {
  const answer = later<Answer>();
  scanner.script(name, answer.given);
  const id = await held.upload(file, name, options);
  await held.asked(id);
  return { id, give: answer.give };
}

test("what the scanner releases is held until then, and as any other from then on", async () => {
  const { id, give } = await asked("released.bin");
  const status = await held.status(id);
  assert.deepEqual([status.state, status.held, status.object?.etag.length], ["completed", true, 32]);
  assertRefused(await held.content(id), 409, "held");
  const byLink = await held.byLink(id);
  assert.deepEqual([byLink.status, byLink.body.equals(file)], [200, true], "the scanner reads it");
  assert.deepEqual(await held.heard("origin", id, "upload.held"), ["upload.held"]);
  for (const who of [origin, audit]) {
    await who.waitForDeliveries(id, 1);
    assert.equal(who.of(id)[0]?.event.data.downloadUrl, undefined, "nobody else has a link");
  }
  give(RELEASE);
  assert.deepEqual(await held.heard("origin", id, "upload.completed"), ["upload.held", "upload.completed"]);
  const all = ["upload.held", "upload.released", "upload.completed"];
  assert.deepEqual(await held.heard("audit", id, "upload.completed"), all);
  assert.deepEqual(await held.heard("scanner", id, "upload.held"), ["upload.held"]);
  assert.ok((await held.content(id)).body.equals(file));
  assert.equal((await held.status(id)).held, false);
  const events = (await admin.show(id)).log.entries.map(({ event }) => event);
  assert.ok(events.indexOf("held") > 0 && events.indexOf("released") > events.indexOf("held"), `${events}`);
});

test("what the scanner rejects has failed, and nothing of it is left", async () => {
  const { id, give } = await asked("rejected.bin");
  give(DELETE);
  const { reason } = await held.waitUntil(id, ({ state }) => state === "failed");
  assert.equal(reason, "It was rejected: Eicar-Test-Signature");
  const [, rejected] = await origin.waitForDeliveries(id, 2);
  assert.deepEqual([rejected?.event.type, rejected?.event.data.reason], ["upload.rejected", reason]);
  assert.deepEqual(await held.heard("audit", id, "upload.rejected"), ["upload.held", "upload.rejected"]);
  assertRefused(await held.content(id), 410, "upload-gone", { state: "failed" });
  assertRefused(await held.byLink(id), 410, "upload-gone");
  await waitUntilNothingLeft(stack.persistDir, id);
});

test("what the scanner leaves to a person is released by an admin, and by no owner", async () => {
  const { id, give } = await asked("left.bin");
  give(HOLD);
  await held.waitUntil(
    id,
    ({ receivers }) => receivers?.some((one) => one.name === "scanner" && one.state === "delivered") ?? false,
  );
  for (const path of [`/upload/${id}/release`, `/upload/${id}/reject`, `/admin/uploads/${id}/release`]) {
    for (const headers of [holding, plain]) {
      assertRefused(await client.request("POST", path, { headers }), 403, "not-permitted");
    }
    assertRefused(await client.request("POST", path), 401, "unauthorized");
  }
  assert.equal((await held.status(id)).held, true);
  for (const path of [`/upload/${id}/release`, `/admin/uploads/${id}/release`]) {
    const reply = await client.request("POST", path, { headers: admin.headers });
    assert.deepEqual([reply.status, reply.json<{ held: boolean }>().held], [200, false], "said twice, it is said once");
  }
  assert.deepEqual(await held.heard("origin", id, "upload.completed"), ["upload.held", "upload.completed"]);
  assertRefused(await admin.send("POST", `uploads/${id}/reject`), 409, "not-held", { state: "completed" });
});

test("an admin rejects, and says why", async () => {
  const { id, give } = await asked("no.bin");
  give(HOLD);
  const headers = { ...admin.headers, "Content-Type": "application/json" };
  const body = JSON.stringify({ reason: "not ours" });
  const reject = () => client.request("POST", `/upload/${id}/reject`, { headers, body });
  assert.deepEqual([(await reject()).status, (await reject()).status], [200, 200]);
  assert.equal((await held.status(id)).reason, "It was rejected: not ours");
  assertRefused(await admin.send("POST", `uploads/${id}/release`), 409, "not-held", { state: "failed" });
  await waitUntilNothingLeft(stack.persistDir, id);
});

test("an answer that is no verdict is none, and the scanner is asked again", async () => {
  const long = { status: 200, body: { verdict: "release", reason: "x".repeat(70_000) } };
  const wrong: Record<string, Answer> = {
    nothing: { status: 200 },
    "no-json": { raw: "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nrelease" },
    "cut-off": { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"verdict":"release"}' },
    unknown: { status: 200, body: { verdict: "clean" } },
    list: { status: 200, body: ["release"] },
    long,
    broken: { status: 500, body: { verdict: "release" } },
    moved: { status: 302, headers: { Location: scanner.webhookUrl }, body: { verdict: "release" } },
  };
  await Promise.all(
    Object.entries(wrong).map(async ([name, answer]) => {
      scanner.script(name, answer, RELEASE);
      const id = await held.upload(file, name);
      await held.waitUntil(id, (status) => !status.held);
      assert.equal(scanner.of(id).length, 2, name);
      assert.equal(new Set(scanner.of(id).map(({ webhookId }) => webhookId)).size, 1, "under one id");
    }),
  );
});

test("a scanner that is down is given up, is among the failed deliveries, and a person decides", async () => {
  const down: Answer = { status: 503 };
  scanner.script("down.bin", down, down, down);
  const id = await held.upload(file, "down.bin");
  const listed = async () => (await admin.failedDeliveries()).uploads.some(({ uploadId }) => uploadId === id);
  await waitFor("it to be given up", listed);
  const told = (await held.status(id)).receivers?.find(({ name }) => name === "scanner");
  assert.deepEqual([told?.state, told?.attempts, told?.lastError], ["failed", MAX_ATTEMPTS, "it answered 503"]);
  assertRefused(await held.content(id), 409, "held");
  assert.equal((await admin.send("POST", `uploads/${id}/release`)).status, 200);
  assert.equal((await held.content(id)).status, 200);
  await waitFor("nothing to be left to tell", async () => !(await listed()));
});

test("asked again by an admin, a scanner that is back decides", async () => {
  const down: Answer = { status: 503 };
  scanner.script("back.bin", down, down, down, DELETE);
  const id = await held.upload(file, "back.bin");
  await waitFor("it to be given up", async () =>
    (await admin.failedDeliveries()).uploads.some(({ uploadId }) => uploadId === id),
  );
  assert.deepEqual((await admin.redeliver({ uploadIds: [id] })).redelivered, [id]);
  await held.waitUntil(id, ({ state }) => state === "failed");
});

test("a verdict that comes late changes nothing", async () => {
  const released = await asked("late-delete.bin");
  assert.equal((await admin.send("POST", `uploads/${released.id}/release`)).status, 200);
  released.give(DELETE);
  const rejected = await asked("late-release.bin");
  assert.equal((await admin.send("POST", `uploads/${rejected.id}/reject`)).status, 200);
  rejected.give(RELEASE);
  const deleted = await asked("late-for-nobody.bin");
  assert.equal((await client.request("DELETE", `/upload/${deleted.id}`, { headers: holding })).status, 204);
  deleted.give(RELEASE);
  assert.equal((await held.heard("origin", released.id, "upload.completed")).at(-1), "upload.completed");
  assert.equal((await held.heard("origin", rejected.id, "upload.rejected")).at(-1), "upload.rejected");
  assert.equal((await held.heard("origin", deleted.id, "upload.deleted")).at(-1), "upload.deleted");
  await Promise.all([rejected.id, deleted.id].map((id) => waitUntilNothingLeft(stack.persistDir, id)));
  assert.equal((await held.content(released.id)).status, 200);
  assertRefused(await held.content(rejected.id), 410, "upload-gone", { state: "failed" });
  assertRefused(await held.content(deleted.id), 410, "upload-gone", { state: "deleted" });
});

test("the application may decide with its answer to upload.held", async () => {
  for (const [name, answer, state] of [
    ["origin-yes.bin", RELEASE, "completed"],
    ["origin-no.bin", DELETE, "failed"],
  ] as const) {
    scanner.script(name, "hang");
    origin.script(name, answer);
    const id = await held.upload(file, name);
    await held.waitUntil(id, (status) => !status.held && status.state === state);
  }
  audit.script("audit.bin", DELETE);
  const { id } = await asked("audit.bin");
  await audit.waitForDeliveries(id, 1);
  await held.waitUntil(id, ({ receivers }) => receivers?.find(({ name }) => name === "audit")?.state === "delivered");
  assert.equal((await held.status(id)).held, true, "and nobody else");
});

test("while it is held nobody gets its bytes by any way", async () => {
  const digest = sha256(file);
  const { id, give } = await asked("nobody.bin", { sha256: digest });
  const json = { "Content-Type": "application/json" };
  for (const headers of [holding, plain]) {
    assertRefused(await held.content(id), 409, "held");
    for (const [method, path] of [
      ["HEAD", `/upload/${id}/content`],
      ["GET", `/upload/${id}/content?follow`],
      ["GET", `/files/${id}`],
    ] as const) {
      assert.equal((await client.request(method, path, { headers })).status, 409, `${method} ${path}`);
    }
    const links = { headers: { ...headers, ...json }, body: "{}" };
    assertRefused(await client.request("POST", `/upload/${id}/links`, links), 409, "held");
  }
  const { pathname, search } = new URL((await held.asked(id)).downloadUrl ?? "");
  for (const changed of [search.replace("&for=scanner", ""), search.replace("for=scanner", "for=me")]) {
    assertRefused(await client.request("GET", pathname + changed), 403, "bad-signature");
  }
  const again = await held.create(file, { fileName: "again.bin", sha256: digest }, plain);
  assert.notEqual(again.uploadId, id, "its bytes are no duplicate of anything");
  const final = await tus.final([`/files/${id}`], plain);
  assert.equal(final.status, 400, "nothing is put together from it");
  give(RELEASE);
  await held.waitUntil(id, (status) => !status.held);
  await waitFor("the bytes to be known", async () => {
    const fields = { fileName: "once-more.bin", fileSize: file.length, sha256: digest };
    return (await client.init(fields, plain)).status === 200;
  });
  const { uploadId } = await held.create(file, { fileName: "looked-at.bin", sha256: digest });
  assert.ok(uploadId, "what is to be held is sent, also where its bytes are there");
});

test("it counts, and is listed as held", async () => {
  const usage = async () => {
    const reply = await client.request("GET", "/usage", { headers: plain });
    return reply.json<Usage>().storedObjects;
  };
  const before = await usage();
  const { id, give } = await asked("listed.bin");
  await waitFor("it to count", async () => (await usage()) === before + 1);
  const listed = async () => {
    const reply = await client.request("GET", "/uploads?state=completed&prefix=listed", { headers: plain });
    return reply.json<OpenUploads>().uploads.map((upload) => [upload.uploadId, upload.state, upload.held]);
  };
  assert.deepEqual(await listed(), [[id, "completed", true]]);
  give(DELETE);
  await waitFor("it to count no more", async () => (await usage()) === before);
  assert.deepEqual(await listed(), []);
});

test("to clients of tus and the draft it is complete", async () => {
  scanner.script("tus.bin", HOLD);
  const filename = Buffer.from("tus.bin").toString("base64");
  const url = await tus.create({ ...holding, "Upload-Length": file.length, "Upload-Metadata": `filename ${filename}` });
  const patched = await tus.patch(url, 0, file, holding);
  assert.deepEqual([patched.status, patched.header("Upload-Offset")], [204, `${file.length}`]);
  const id = idOf(url);
  await held.waitUntil(id, (status) => status.held);
  const head = await tus.send("HEAD", url, holding);
  assert.deepEqual([head.status, head.header("Upload-Offset")], [200, `${file.length}`]);
  const draft = await client.request("HEAD", `/files/${id}`, {
    headers: { ...holding, "Upload-Draft-Interop-Version": "8" },
  });
  assert.equal(draft.header("Upload-Complete"), "?1");
});

test("pieces that would be held make a file that is, and so do links and the application's word", async () => {
  const halves = [file.subarray(0, 500), file.subarray(500)];
  const pieces = await Promise.all(halves.map((half) => tus.partial(half, holding)));
  const url = await tus.composed(pieces, plain);
  await held.waitUntil(idOf(url), (status) => status.held);

  const json = { "Content-Type": "application/json" };
  const made = await client.request("POST", "/upload/links", { headers: { ...holding, ...json }, body: "{}" });
  const link = made.json<{ url: string }>().url;
  const posted = await client.request("POST", link, {
    headers: { "Content-Disposition": 'attachment; filename="l"' },
    body: file,
  });
  const { uploadId } = posted.json<{ uploadId: string }>();
  await held.waitUntil(uploadId, (status) => status.held);

  hook.says("asked.bin", { body: { hold: true } });
  const id = await held.upload(file, "asked.bin", { headers: plain });
  await held.waitUntil(id, (status) => status.held);
  hook.says("not-loosened.bin", { body: { hold: false } });
  await held.waitUntil(await held.upload(file, "not-loosened.bin"), (status) => status.held);
});

test("a recording that is to be held is read by nobody while it grows", async () => {
  const { uploadId } = await held.create(file, { fileName: "live.bin", fileSize: null, live: true });
  assert.equal((await client.put(uploadId, 0, file, holding)).status, 200);
  assertRefused(await held.content(uploadId), 409, "incomplete");
});

test("a consumer that dies with the verdict asks the scanner again", async () => {
  const { id, give } = await asked("crash.bin");
  await stack.kill();
  give(DELETE);
  scanner.script("crash.bin", RELEASE);
  await stack.restart();
  await held.waitUntil(id, (status) => !status.held);
  assert.equal((await held.status(id)).state, "completed", "of the word that nobody heard nothing came");
  assert.equal(scanner.of(id).length, 2);
});
