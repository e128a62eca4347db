// Whoever runs the service: a token with `scope: admin` finds everybody's uploads, deletes them and has their events sent again, and is good
// for nothing else. Who it was, the log says.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import { Admin } from "./support/admin.ts";
import type { Created, DeletedMany } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import { formBody, formHeaders } from "./support/form.ts";
import type { Headers } from "./support/http.ts";
import { KeyServer } from "./support/key_server.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint, Signer, secondsFromNow } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const own = new Signer("ES256", "own");
const elsewhere = new Signer("ES256", "elsewhere");
const keys = await KeyServer.start({ keys: [elsewhere.jwk] });
after(() => keys.stop());
const issuer = (name: string, more = {}) => ({
  name,
  issuer: `https://${name}.example`,
  audience: "quayside",
  jwksUrl: keys.url,
  ...more,
});
const { stack, origin, client } = await sceneWithScriptedOrigin({
  AUTH: "token",
  TOKEN_PUBLIC_KEYS: JSON.stringify({ keys: [own.jwk] }),
  TOKEN_ISSUERS: JSON.stringify([issuer("customers"), issuer("staff", { admin: true })]),
  DELIVERY_FIRST_DELAY_SECONDS: 1,
  DELIVERY_MAX_ATTEMPTS: 1,
});
const admin = new Admin(stack);
const file = fileBytes("somebody's", 1_000);

/** Somebody with uploads. */
function somebody(name: string) {
  const headers = bearer(mint(stack, claimsOf(name)));
  const create = async (fileName = "a.bin") => {
    const reply = await client.init({ fileName, fileSize: file.length }, headers);
    assert.equal(reply.status, 201, reply.body.toString());
    return reply.json<Created & { uploadToken: string }>();
  };
  const upload = async (fileName?: string) => {
    const { uploadId } = await create(fileName);
    assert.equal((await client.put(uploadId, 0, file, headers)).status, 200);
    return uploadId;
  };
  const state = (id: string) => client.request("GET", `/upload/${id}`, { headers });
  return { headers, create, upload, state };
}

/** Finished, and the origin has heard of it. */
async function told(uploadId: string): Promise<void> {
  await origin.waitForDeliveries(uploadId, 1);
  await waitFor("the delivery to end", async () => (await admin.show(uploadId)).status.delivery === "delivered");
}

test("a customer's upload is found by its owner or its id, with all that has happened to it", async () => {
  const alice = somebody("alice/ä 🏖");
  const done = await alice.upload("holiday.mp4");
  const { uploadId: open } = await alice.create("diary.txt");
  await told(done);
  await waitFor("the register to hear of her", async () => (await admin.owners()).includes("alice/ä 🏖"));
  await waitFor("the list", async () => `${await admin.uploadsOf("alice/ä 🏖")}` === `${[open, done]}`);
  assert.deepEqual(await admin.uploadsOf("alice/ä 🏖", "open"), [open]);
  const found = await admin.get(`uploads?${new URLSearchParams({ owner: "alice/ä 🏖", state: "all", prefix: "hol" })}`);
  assert.equal(found.json<{ uploads: { fileName: string }[] }>().uploads.at(-1)?.fileName, "holiday.mp4");

  const view = await admin.show(done);
  assert.deepEqual([view.owner, view.status.state, view.status.delivery], ["alice/ä 🏖", "completed", "delivered"]);
  assert.ok(view.key.startsWith(`uploads/${done}`), view.key);
  assert.ok(view.log.entries.some(({ event }) => event === "delivered"));
  assert.deepEqual(await admin.uploadsOf("nobody"), [], "who has nothing has an empty list");
  assert.equal((await admin.get(`uploads/${randomUUID()}`)).status, 404);
});

test("an owner who creates again is in the register once, and pages leave nobody out", async () => {
  for (const name of ["twice", "twice", "once"]) {
    await somebody(name).create();
  }
  await waitFor("the register to hear of both", async () => {
    const owners = await admin.owners();
    return owners.includes("twice") && owners.includes("once");
  });
  const owners = await admin.owners();
  assert.equal(owners.filter((name) => name === "twice").length, 1);
  assert.deepEqual(owners, owners.toSorted());
});

test("anything can be deleted, also what is complete, and what went is told from what never was", async () => {
  const bob = somebody("bob");
  const done = await bob.upload();
  const { uploadId: open } = await bob.create();
  await told(done);
  assert.equal((await admin.send("DELETE", `uploads/${done}`)).status, 204);
  assert.equal((await admin.send("DELETE", `uploads/${done}`)).status, 204, "and again, since the answer may be lost");
  assertRefused(await bob.state(done), 410, "upload-gone");
  const view = await admin.show(done);
  assert.deepEqual([view.status.state, view.owner], ["deleted", "bob"], "who runs it still sees what happened");
  const told2 = await origin.waitForDeliveries(done, 2);
  assert.equal(told2[1]?.event.type, "upload.deleted");

  const never = randomUUID();
  const many = await admin.send("POST", "uploads/delete", { uploadIds: [open, done, never] });
  const { deleted, refused } = many.json<DeletedMany>();
  assert.deepEqual(deleted, [open, done]);
  assert.deepEqual(
    refused.map(({ uploadId, code }) => [uploadId, code]),
    [[never, "upload-not-found"]],
  );
  assertRefused(await bob.state(open), 410, "upload-gone");
});

test("what is deleted while it is being told is told as deleted afterwards", async () => {
  const carol = somebody("carol");
  const { uploadId } = await carol.create();
  let answer = (_: { status: number }) => {};
  const held = new Promise<{ status: number }>((resolve) => {
    answer = resolve;
  });
  origin.script(uploadId, held);
  assert.equal((await client.put(uploadId, 0, file, carol.headers)).status, 200);
  await origin.waitForDeliveries(uploadId, 1);
  assert.equal((await admin.send("DELETE", `uploads/${uploadId}`)).status, 204);
  answer({ status: 200 });
  const types = (await origin.waitForDeliveries(uploadId, 2)).map(({ event }) => event.type);
  assert.deepEqual(types, ["upload.completed", "upload.deleted"]);
});

test("the origin was down: what it never took is listed, sent again all at once, and leaves the list", async () => {
  const [dora, emil] = [somebody("dora"), somebody("emil")];
  const lost: string[] = [];
  for (const [index, who] of [dora, emil, dora].entries()) {
    const { uploadId } = await who.create(`lost ${index}`);
    origin.script(uploadId, { status: 500 });
    assert.equal((await client.put(uploadId, 0, file, who.headers)).status, 200);
    lost.push(uploadId);
  }
  const listed = async () => (await admin.failedDeliveries()).uploads.filter(({ uploadId }) => lost.includes(uploadId));
  await waitFor("all of them to be listed", async () => (await listed()).length === 3);
  const one = (await listed()).find(({ uploadId }) => uploadId === lost[1]);
  assert.deepEqual([one?.owner, one?.state, one?.fileName, one?.fileSize], ["emil", "completed", "lost 1", 1_000]);

  // One by its id, which is on its way then; the others with everything else.
  const [first] = lost;
  const again = await admin.send("POST", `uploads/${first}/redeliver`);
  assert.equal(again.status, 202, again.body.toString());
  assert.ok(again.json<{ statusUrl: string }>().statusUrl.endsWith(`/admin/uploads/${first}`));
  await waitFor("it to be taken", async () => (await admin.show(String(first))).status.delivery === "delivered");
  const { redelivered, refused, left } = await admin.redeliver({ all: true });
  assert.deepEqual([redelivered.toSorted(), refused, left], [lost.slice(1).toSorted(), [], 0]);
  for (const uploadId of lost) {
    await waitFor("the others to be taken", async () => (await admin.show(uploadId)).status.delivery === "delivered");
    const ids = new Set(origin.of(uploadId).map(({ webhookId }) => webhookId));
    assert.equal(ids.size, 1, "the event is the same");
  }
  assert.deepEqual(await listed(), []);
  assert.deepEqual(await admin.redeliver({ all: true }), { redelivered: [], refused: [], left: 0 });
});

test("a hundred that nobody takes keep none behind them from being sent again", async () => {
  const gina = somebody("gina");
  const gone = new Set<string>();
  for (let number = 0; number < 104; number++) {
    const { uploadId } = await gina.create(`gone ${number}`);
    origin.script(uploadId, ...Array.from({ length: 3 }, () => ({ status: 500 })));
    assert.equal((await client.request("DELETE", `/upload/${uploadId}`, { headers: gina.headers })).status, 204);
    gone.add(uploadId);
  }
  await waitFor("all to be given up", async () => {
    const first = await admin.failedDeliveries();
    const second = first.next ? await admin.failedDeliveries(first.next) : { uploads: [] };
    return [...first.uploads, ...second.uploads].filter(({ uploadId }) => gone.has(uploadId)).length === gone.size;
  });
  const first = await admin.redeliver({ all: true });
  assert.deepEqual([first.redelivered.length, first.refused], [100, []]);
  await waitFor("them to be given up again", async () => (await admin.failedDeliveries()).uploads.length === 100);
  const second = await admin.redeliver({ all: true, cursor: first.next });
  assert.ok(second.redelivered.length >= 4, "those behind the first hundred");
  assert.deepEqual([second.refused, second.next], [[], undefined]);
  const sent = new Set([...first.redelivered, ...second.redelivered]);
  assert.ok([...gone].every((id) => sent.has(id)));
  assertBadRequest(await admin.send("POST", "failed-deliveries/redeliver", { all: true, cursor: "x" }), "cursor");
  // Whoever comes behind these finds nothing of them.
  for (const uploadId of gone) {
    origin.script(uploadId);
  }
  await waitFor("all of them to be taken", async () => {
    await admin.redeliver({ all: true });
    return (await admin.failedDeliveries()).uploads.length === 0;
  });
});

test("what is given up once more is listed once more", async () => {
  const fritz = somebody("fritz");
  const { uploadId } = await fritz.create();
  origin.script(uploadId, { status: 500 }, { status: 500 });
  assert.equal((await client.put(uploadId, 0, file, fritz.headers)).status, 200);
  const isListed = async () => (await admin.failedDeliveries()).uploads.some((one) => one.uploadId === uploadId);
  await waitFor("it to be listed", isListed);
  const { redelivered, refused } = await admin.redeliver({ uploadIds: [uploadId, randomUUID()] });
  assert.deepEqual([redelivered, refused.map(({ code }) => code)], [[uploadId], ["upload-not-found"]]);
  await origin.waitForDeliveries(uploadId, 2);
  await waitFor("it to be listed again", isListed);
  // It was sent again a moment ago: that passes, and it stays listed meanwhile.
  const soon = await admin.redeliver({ all: true });
  assert.deepEqual([soon.redelivered, soon.refused.map(({ code }) => code)], [[], ["redelivered-recently"]]);
  assert.ok(soon.left >= 1 && (await isListed()));
});

test("an admin's token uploads nothing and opens no upload, in any protocol", async () => {
  const { uploadId } = await somebody("greta").create();
  const { headers } = admin;
  const tus = { "Tus-Resumable": "1.0.0", "Upload-Length": 5 };
  const form = formBody([{ name: "file", fileName: "a", bytes: file }]);
  for (const reply of [
    await client.init({ fileName: "a", fileSize: 5 }, headers),
    await client.request("POST", "/files", { headers: { ...tus, ...headers }, body: "" }),
    await client.request("POST", "/upload", { headers: { ...formHeaders(), ...headers }, body: form }),
    await client.request("POST", "/upload", { headers, body: "bytes" }),
    await client.put(uploadId, 0, file, headers),
    await client.request("GET", `/upload/${uploadId}`, { headers }),
    await client.request("DELETE", `/upload/${uploadId}`, { headers }),
    await client.request("GET", "/uploads", { headers }),
    await client.request("GET", "/usage", { headers }),
    await client.request("POST", "/upload/links", { headers, body: "{}" }),
  ]) {
    assertRefused(reply, 403, "admin-token");
    assert.match(String(reply.header("WWW-Authenticate")), /insufficient_scope/);
  }
  assert.equal((await admin.show(uploadId)).status.state, "open");
});

test("who is no admin is told so, and an admin's token that has expired is one no more", async () => {
  const heidi = somebody("heidi");
  const { uploadId, uploadToken } = await heidi.create();
  const link = await client.request("POST", "/upload/links", { headers: heidi.headers, body: "" });
  const byLink = bearer(link.json<{ url: string }>().url.split("/").at(-1) ?? "");
  const claim = { quayside: { scope: "admin" } };
  const until = (exp: number) => bearer(mint(stack, claimsOf("ops", { ...claim, exp })));
  const by = (name: string) => bearer(elsewhere.mint(claimsOf("ops", { iss: `https://${name}.example`, ...claim })));
  const refusals: [Headers, 401 | 403, string][] = [
    [{}, 401, "unauthorized"],
    [heidi.headers, 403, "not-permitted"],
    [bearer(uploadToken), 403, "not-permitted"],
    [byLink, 403, "not-permitted"],
    // What an identity provider, or the application for itself, calls so is nothing here.
    [bearer(mint(stack, { ...claimsOf("heidi"), scope: "admin" } as object)), 403, "not-permitted"],
    [until(secondsFromNow(-3600)), 401, "token-expired"],
    [bearer(own.mint(claimsOf("ops", claim))), 401, "invalid-token"],
    [by("customers"), 401, "invalid-token"],
    [bearer(mint(stack, claimsOf("ops", { quayside: { scope: "admin", upload: uploadId } }))), 401, "invalid-token"],
    [bearer(mint(stack, claimsOf("ops", { quayside: { scope: "root" } }))), 401, "invalid-token"],
  ];
  for (const [headers, status, code] of refusals) {
    for (const [method, route] of [
      ["GET", "owners"],
      ["GET", `uploads/${uploadId}`],
      ["DELETE", `uploads/${uploadId}`],
      ["GET", "switch"],
    ] as const) {
      assertRefused(await client.request(method, `/admin/${route}`, { headers }), status, code);
    }
  }
  const staff = await client.request("GET", `/admin/uploads/${uploadId}`, { headers: by("staff") });
  assert.equal(staff.status, 200, staff.body.toString());
});

test("what is asked wrongly is named, and changes nothing", async () => {
  for (const [route, field] of [
    ["uploads", "owner"],
    ["uploads?owner=%0Aregister", "owner"],
    ["uploads?owner=bob&state=lost", "state"],
    ["uploads?owner=bob&cursor=1", "cursor"],
    ["owners?cursor=", "cursor"],
    ["owners?cursor=%00", "cursor"],
    ["failed-deliveries?cursor=bob", "cursor"],
  ] as const) {
    assertBadRequest(await admin.get(route), field);
  }
  assertRefused(await admin.get("uploads/*"), 404, "upload-not-found");
  assertRefused(await admin.get("nothing"), 404, "no-such-route");
  assertRefused(await admin.send("DELETE", "owners"), 405, "method-not-allowed");
  assertBadRequest(await admin.send("POST", "uploads/delete", { uploadIds: "all" }), "uploadIds");
  assertBadRequest(await admin.send("POST", "failed-deliveries/redeliver", {}), "uploadIds");
  // A place that is nobody's any more, or never was, is a place all the same.
  assert.deepEqual((await admin.get("owners?cursor=zzz")).json(), { owners: [] });
  assert.equal((await admin.get(`failed-deliveries?cursor=${randomUUID()}`)).status, 200);
});

test("the log says who asked for what, and whose it was", async () => {
  const ivan = somebody("ivan");
  const { uploadId } = await ivan.create();
  const other = new Admin(stack, "second@example.com");
  await other.show(uploadId);
  await other.send("DELETE", `uploads/${uploadId}`);
  await other.uploadsOf("ivan");
  await other.owners();
  const said = () =>
    stack.log.lines.filter(({ event, detail }) => event === "admin" && `${detail}`.includes("second@"));
  await waitFor("the log", () => said().length === 4);
  assert.deepEqual(
    said().map(({ code, uploadId, detail }) => [code, uploadId, detail]),
    [
      ["show", uploadId, "by second@example.com, of ivan"],
      ["delete", uploadId, "by second@example.com, of ivan"],
      ["list-uploads", undefined, "by second@example.com, of ivan"],
      ["list-owners", undefined, "by second@example.com"],
    ],
  );
});

test("a register that is away keeps no upload, and hears of its owner with the next one", async () => {
  const faulty = await Stack.start({ buildDir: "build-faults", vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "" } });
  try {
    const rules = Array.from({ length: 20 }, (_, index) => ({
      point: "object.note-owner",
      nth: index + 1,
      kind: "before",
    }));
    await faulty.client.request("POST", "/faults", { body: JSON.stringify(rules) });
    const headers = bearer(mint(faulty, claimsOf("jan")));
    const create = () => faulty.client.init({ fileName: "a", fileSize: 5 }, headers);
    assert.equal((await create()).status, 201);
    await waitFor("the register to be given up", () =>
      faulty.log.lines.find(({ event, code }) => event === "fault" && code === "register"),
    );
    const ops = new Admin(faulty);
    assert.deepEqual(await ops.owners(), []);
    await faulty.client.request("POST", "/faults", { body: "[]" });
    assert.equal((await create()).status, 201);
    await waitFor("the register to hear of him", async () => (await ops.owners()).join() === "jan");
  } finally {
    await faulty.stop();
  }
});
