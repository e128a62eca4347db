// What is served is inert: whatever was uploaded, no browser runs it on this host, by whichever way it comes out.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { assertRefused } from "./support/refusals.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";

const origin = await ScriptedOrigin.start();
const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl } });
origin.trust(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  await origin.stop();
  await stack.stop();
});

const html = Buffer.from("<!DOCTYPE html><script>document.title = 'run'</script>");

for (const [type, name] of [
  ["text/html", "page.html"],
  ["image/svg+xml", "picture.svg"],
  ["application/javascript", 'x".js'],
  ["text/html; charset=utf-8", "../../index.html"],
] as const) {
  test(`${type} called ${name} is an attachment that nothing sniffs or runs`, async () => {
    const { uploadId } = (
      await client.init({ fileName: name, fileSize: html.length, contentType: type })
    ).json<Created>();
    assert.equal((await client.put(uploadId, 0, html)).status, 200);
    await client.waitUntilState(uploadId, "completed");
    const draft = { "Upload-Draft-Interop-Version": "8" };
    const ways = [
      await client.request("GET", await origin.waitForDownloadPath(uploadId)),
      await client.request("GET", await origin.waitForDownloadPath(uploadId), { headers: { Range: "bytes=0-9" } }),
      await client.request("GET", `/files/${uploadId}`),
      await client.request("GET", `/files/${uploadId}`, { headers: draft }),
      await client.request("GET", `/files/${uploadId}`, { headers: { "Tus-Resumable": "1.0.0" } }),
    ];
    for (const reply of ways) {
      assert.ok([200, 206].includes(reply.status), reply.body.toString());
      assert.match(String(reply.header("Content-Disposition")), /^attachment; filename\*=UTF-8''[A-Za-z0-9%._~-]+$/);
      assert.equal(reply.header("X-Content-Type-Options"), "nosniff");
      assert.equal(reply.header("Content-Security-Policy"), "sandbox; default-src 'none'");
      assert.match(String(reply.header("Cache-Control")), /no-store/);
    }
  });
}

test("no answer repeats what a page could have put into it as something to run", async () => {
  const reply = await client.request("GET", "/upload/%3Cscript%3Ealert(1)%3C%2Fscript%3E");
  assertRefused(reply, 404, "upload-not-found");
  assert.match(String(reply.header("Content-Type")), /^application\/problem\+json/);
});
