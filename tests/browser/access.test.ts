// The page where the deployment asks for tokens: it takes one from its address, out of sight of any server, and every request
// of every protocol carries it, the WebSocket's handshake too.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { claimsOf, mint } from "../support/tokens.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import type { Protocol } from "./upload_page.ts";

const FILE_BYTES = 12_000_000;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open({ vars: { AUTH: "token", CORS_ORIGINS: "" } });
  });
  after(() => harbour.close());
}

for (const protocol of ["Quayside", "tus 1.0", "IETF draft"] satisfies Protocol[]) {
  test(`${protocol}: with a token the file arrives as its owner's`, inBrowser, async () => {
    const file = harbour.file(`${protocol} by token.mp4`, FILE_BYTES);
    const page = await harbour.visit();
    await page.page.goto(`${harbour.wire.url}/#token=${mint(harbour.stack, claimsOf("alice"))}`);
    await page.reload();
    assert.equal(new URL(page.page.url()).hash, "", "the token is out of sight");
    const sockets: string[] = [];
    page.page.on("websocket", (socket) => sockets.push(socket.url()));
    await page.speak(protocol);
    await page.send(file);
    const uploadId = await page.untilRecorded(file);
    const record = await harbour.assertArrived(uploadId, file);
    assert.equal(record.owner, "alice");
    assert.ok(sockets.some((url) => url.endsWith(`/upload/${uploadId}/events`)));
  });
}

test("without a token the page says to sign in", inBrowser, async () => {
  const file = harbour.file("nobody's.mp4", FILE_BYTES);
  const page = await harbour.visit();
  await page.send(file);
  await page
    .card(file)
    .getByText(/Sign in, then go on/)
    .waitFor();
  assert.equal(await page.stage(file), "failed");
});
