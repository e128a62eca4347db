// Secrets that are replaced: for a while there are two of each, and nothing that was made with either is refused.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const webhook = {
  old: `whsec_${randomBytes(32).toString("base64")}`,
  new: `whsec_${randomBytes(32).toString("base64")}`,
};
const download = { old: randomBytes(32).toString("hex"), new: randomBytes(32).toString("hex") };
const tokens = { old: `old:${randomBytes(32).toString("hex")}`, new: `new:${randomBytes(32).toString("hex")}` };
const origin = await ScriptedOrigin.start();
const vars = { AUTH: "token", ORIGIN_WEBHOOK_URL: origin.webhookUrl };
const stack = await Stack.start({
  vars,
  secrets: { WEBHOOK_SECRET: webhook.old, DOWNLOAD_SECRET: download.old, TOKEN_SECRETS: tokens.old },
});
after(async () => {
  await origin.stop();
  await stack.stop();
});

origin.trust(webhook.old);
const file = fileBytes("rotated", 1000);
const headers = bearer(mint(stack, claimsOf("alice")));

async function create(): Promise<Created & { uploadToken: string }> {
  const reply = await stack.client.init({ fileName: "a", fileSize: file.length }, headers);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json();
}

test("every secret is replaced while an upload is under way", async () => {
  const before = await create();
  const done = await create();
  assert.equal((await stack.client.put(done.uploadId, 0, file, headers)).status, 200);
  const oldLink = await origin.waitForDownloadPath(done.uploadId);

  await stack.kill();
  stack.replaceSecrets({
    WEBHOOK_SECRET: `${webhook.new} ${webhook.old}`,
    DOWNLOAD_SECRET: `${download.new} ${download.old}`,
    TOKEN_SECRETS: `${tokens.new} ${tokens.old}`,
  });
  await stack.restart();
  origin.trust(webhook.new);

  assert.equal((await stack.client.put(before.uploadId, 0, file, bearer(before.uploadToken))).status, 200);
  const path = await origin.waitForDownloadPath(before.uploadId);
  assert.equal((await stack.client.request("GET", path)).status, 200, "a new link");
  assert.equal((await stack.client.request("GET", oldLink)).status, 200, "and an old one");
  // An origin with either secret believes the event.
  for (const secret of [webhook.old, webhook.new]) {
    origin.trust(secret);
    const seen = origin.of(before.uploadId).length;
    const again = `/upload/${before.uploadId}/redeliver`;
    const ask = () => stack.client.request("POST", again, { headers: bearer(before.uploadToken) });
    await waitFor("a redelivery to be taken", async () => (await ask()).status === 202);
    const delivery = await waitFor("the event", () => origin.of(before.uploadId)[seen]);
    assert.ok(delivery.genuine);
    assert.equal(delivery.signature.split(" ").length, 2);
  }

  await stack.kill();
  stack.replaceSecrets({ WEBHOOK_SECRET: webhook.new, DOWNLOAD_SECRET: download.new, TOKEN_SECRETS: tokens.new });
  await stack.restart();
  assert.equal((await stack.client.request("GET", path)).status, 200, "what the new one signed");
  assert.equal((await stack.client.request("GET", oldLink)).status, 403, "what the old one signed");
  const old = await stack.client.request("GET", `/upload/${before.uploadId}`, { headers: bearer(before.uploadToken) });
  assert.equal(old.status, 404);
  assert.equal((await stack.client.init({ fileName: "a", fileSize: 1 }, headers)).status, 401);
});
