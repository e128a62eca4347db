// Whoever decides about what is held: they are told why a scanner has left it to them, and see the file, by a link that nobody else can ask for.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fileBytes } from "./support/bytes.ts";
import { Held } from "./support/held.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import type { Answer } from "./support/scripted_origin.ts";
import { waitFor } from "./support/wait.ts";

/** So long ended uploads are remembered, and so long a link may be good. */
const WEEK_SECONDS = 604_800;

const held = await Held.start({ TOMBSTONE_TTL_SECONDS: WEEK_SECONDS });
const { admin, client, holding, origin, plain, scanner, stack } = held;
const file = fileBytes("to be looked at", 1000);

const hold = (reason?: string): Answer => ({ status: 200, body: { verdict: "hold", reason } });

/** An upload that the scanner has left to a person. */
async function left(name: string, reason?: string): Promise<string> {
  scanner.script(name, hold(reason));
  const id = await held.upload(file, name);
  await held.waitUntil(
    id,
    ({ receivers }) => receivers?.some((one) => one.name === "scanner" && one.state === "delivered") ?? false,
  );
  return id;
}

async function listed(id: string) {
  const find = async () => (await admin.held()).uploads.find(({ uploadId }) => uploadId === id);
  return await waitFor("it to be listed", find);
}

test("whoever runs the service is told why it was left held, and by whom, and its owner is not", async () => {
  const id = await left("odd.bin", "macro\nsheet");
  assert.equal((await admin.show(id)).status.reason, "scanner: macrosheet");
  assert.equal((await listed(id)).reason, "scanner: macrosheet");
  assert.equal((await held.status(id)).reason, null);
  for (const path of [`/upload/${id}`, `/upload/${id}/log`, "/uploads?state=all", `/files/${id}`]) {
    const reply = await client.request("GET", path, { headers: holding });
    assert.ok(!reply.body.includes("macro"), `${path}: ${reply.body}`);
  }
  await held.heard("origin", id, "upload.held");
  assert.ok(!JSON.stringify(origin.of(id)).includes("macro"));
  const released = await admin.send("POST", `uploads/${id}/release`);
  assert.ok(!released.body.includes("macro"));
  assert.equal((await admin.show(id)).status.reason, null, "it is not held any more");
  await held.heard("origin", id, "upload.completed");
  assert.ok(!JSON.stringify(origin.of(id)).includes("macro"));
});

test("the application's reason counts as well, is bounded, and survives its object", async () => {
  origin.script("long.bin", hold("ä".repeat(300)));
  const id = await held.upload(file, "long.bin");
  const reason = await waitFor("it to be kept", async () => (await admin.show(id)).status.reason);
  assert.equal(reason, `origin: ${"ä".repeat(200)}`);
  await stack.kill();
  await stack.restart();
  assert.equal((await admin.show(id)).status.reason, reason);
  const silent = await left("silent.bin");
  assert.equal((await admin.show(silent)).status.reason, null);
  assert.equal((await listed(silent)).reason, null);
});

test("whoever runs the service sees what is held, by a link that is saved and good for minutes", async () => {
  const id = await left("look.html", "a script");
  const link = await admin.link(id);
  const shown = await client.request("GET", link);
  assert.deepEqual([shown.status, shown.body.equals(file)], [200, true]);
  assert.equal(shown.header("Content-Disposition"), "attachment; filename*=UTF-8''look.html");
  assert.match(shown.header("Content-Security-Policy") ?? "", /sandbox/);
  const part = await client.request("GET", link, { headers: { Range: "bytes=0-9" } });
  assert.deepEqual([part.status, part.body.equals(file.subarray(0, 10))], [206, true]);
  const query = new URLSearchParams(link.slice(link.indexOf("?")));
  const seconds = Number(query.get("expires")) - Date.now() / 1000;
  assert.ok(seconds > 0 && seconds <= 300, `${seconds}`);
  const named = await client.request("GET", await admin.link(id, { fileName: "a.txt", expiresInSeconds: 60 }));
  assert.equal(named.header("Content-Disposition"), "attachment; filename*=UTF-8''a.txt");
  assertBadRequest(await admin.send("POST", `uploads/${id}/links`, { disposition: "inline" }), "disposition");
  const asked = () => stack.log.of(id, "admin").find(({ code }) => code === "link")?.detail;
  assert.equal(await waitFor("who asked to be logged", asked), "by ops@example.com, of alice");
  assert.equal((await held.status(id)).held, true, "to have looked decides nothing");
});

test("nobody else has such a link, or makes one of another", async () => {
  const id = await left("others.bin");
  const path = `/admin/uploads/${id}/links`;
  for (const headers of [holding, plain]) {
    assertRefused(await client.request("POST", path, { headers, body: "" }), 403, "not-permitted");
    assertRefused(await client.request("POST", `/upload/${id}/links`, { headers, body: "" }), 409, "held");
    assertRefused(await held.content(id), 409, "held");
  }
  assertRefused(await client.request("POST", path, { body: "" }), 401, "unauthorized");
  const asAdmin = { headers: admin.headers, body: "" };
  assertRefused(await client.request("POST", `/upload/${id}/links`, asAdmin), 403, "admin-token");
  const link = await admin.link(id);
  for (const changed of [
    link.replace("&for=scanner", ""),
    link.replace("&for=scanner", "&for=scanner&disposition=inline"),
    link.replace(id, await left("another.bin")),
    link.replace(/expires=\d+/, "expires=9999999999"),
  ]) {
    assert.notEqual(changed, link);
    assertRefused(await client.request("GET", changed), 403, "bad-signature");
  }
  assertRefused(await client.request("GET", link.replace("/content?", "/index.m3u8?")), 409, "held");
});

test("once it is rejected the link leads nowhere, and once it is released to the file, as any other", async () => {
  const rejected = await left("rejected.bin");
  const toRejected = await admin.link(rejected);
  assert.equal((await client.request("GET", toRejected)).status, 200);
  assert.equal((await admin.send("POST", `uploads/${rejected}/reject`)).status, 200);
  assertRefused(await client.request("GET", toRejected), 410, "upload-gone", { state: "failed" });
  assertRefused(await admin.send("POST", `uploads/${rejected}/links`), 410, "upload-gone", { state: "failed" });
  await waitUntilNothingLeft(stack.persistDir, rejected);
  assertRefused(await client.request("GET", toRejected), 410, "upload-gone");
  const released = await left("released.bin");
  const toReleased = await admin.link(released);
  assert.equal((await admin.send("POST", `uploads/${released}/release`)).status, 200);
  for (const link of [toReleased, await admin.link(released)]) {
    assert.ok((await client.request("GET", link)).body.equals(file));
  }
  const open = await held.create(file, { fileName: "open.bin" }, plain);
  assertRefused(await admin.send("POST", `uploads/${open.uploadId}/links`), 409, "incomplete");
  const never = "067e6162-3b6f-4ae2-a171-2470b63dff00";
  assertRefused(await admin.send("POST", `uploads/${never}/links`), 404, "upload-not-found");
});

test("while it is held a link to it is not bounded by when it was complete", async () => {
  const id = await left("waits.bin");
  const completedBy = Math.floor(Date.now() / 1000);
  await waitFor("time to pass", () => Date.now() / 1000 > completedBy + 2);
  const link = await admin.link(id, { expiresInSeconds: WEEK_SECONDS });
  const expires = Number(new URLSearchParams(link.slice(link.indexOf("?"))).get("expires"));
  assert.ok(expires > completedBy + WEEK_SECONDS, "what is held is remembered for longer than what has ended");
  assert.equal((await client.request("GET", link)).status, 200);
});
