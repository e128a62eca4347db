// The guide's player, hls.js in Chromium, at a recording that is still being made: it comes in late, goes on with what comes, and sees the end.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";

import { build } from "esbuild";
import type { Page } from "playwright-core";

import type { Created } from "../support/api.ts";
import { recorded, withMediaTools } from "../support/hls.ts";
import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";
import { Harbour, inBrowser } from "./harbour.ts";

const skip = { skip: inBrowser.skip || withMediaTools.skip };
const SECONDS = 24;

let harbour: Harbour;
if (!skip.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

type Shown = { at: number; hasEnded: boolean; error: string | undefined };

/** A page of another origin with a film in it, and the guide's script beside it. */
async function visit(t: TestContext, link: { url: string }): Promise<Page> {
  const guide = readFileSync(join(repositoryRoot, "docs/guides/live.md"), "utf8");
  const [, example] = /^```js\n(.*?)^```$/ms.exec(guide) ?? [];
  assert.ok(example?.includes("new Hls("), "the guide has an example");
  const contents = `const link = ${JSON.stringify(link)};\n${example}\nhls.on(Hls.Events.ERROR, (_, { fatal, details }) => {
    if (fatal && details !== Hls.ErrorDetails.LEVEL_EMPTY_ERROR) { document.title = details; }
    if (fatal && details === Hls.ErrorDetails.LEVEL_EMPTY_ERROR) { document.body.dataset.wasEmpty = "yes"; }
  });`;
  const stdin = { contents, resolveDir: repositoryRoot, loader: "js" as const };
  const { outputFiles } = await build({ stdin, bundle: true, write: false, format: "iife", platform: "browser" });
  const html = `<!doctype html><title></title><video muted autoplay></video><script src="/player.js"></script>`;
  const served = new Map([
    ["/", { type: "text/html", content: html }],
    ["/player.js", { type: "text/javascript", content: String(outputFiles[0]?.text) }],
  ]);
  const server = createServer(({ url = "/" }, response) => {
    const { type, content } = served.get(url) ?? { type: "text/plain", content: "" };
    response.writeHead(served.has(url) ? 200 : 404, { "Content-Type": type }).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const context = await harbour.newContext();
  t.after(async () => {
    await context.close();
    server.closeAllConnections();
    server.close();
  });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return page;
}

function shown(page: Page): Promise<Shown> {
  return page.evaluate(() => {
    const video = document.querySelector("video");
    return { at: video?.currentTime ?? 0, hasEnded: video?.ended ?? false, error: document.title || undefined };
  });
}

/** Waits until the film has come so far. */
function until(page: Page, what: string, holds: (shown: Shown) => boolean): Promise<Shown> {
  return waitFor(what, async () => {
    const now = await shown(page);
    assert.equal(now.error, undefined);
    return holds(now) ? now : undefined;
  });
}

for (const container of ["mp4", "ts"] as const) {
  test(`a recording in ${container} is played while it is made, to its end`, skip, async (t) => {
    const { client } = harbour.stack;
    const file = await recorded(container, SECONDS);
    const created = await client.init({ fileName: `talk.${container}`, fileSize: null, live: true });
    const { uploadId } = created.json<Created>();
    const at = (part: number) => Math.floor(file.length * part);
    await client.putPiece(uploadId, file, 0, at(0.6));
    const link = await client.request("POST", `/upload/${uploadId}/links`, { body: "{}" });
    const page = await visit(t, link.json<{ url: string }>());
    // Some eight seconds behind what is there, which is not all of its fourteen.
    const begun = await until(page, "the film to be there", ({ at }) => at > 0.5);
    assert.ok(begun.at < 10, `at ${begun.at}`);
    await until(page, "the film to go on", ({ at }) => at > begun.at + 1);
    await client.putPiece(uploadId, file, at(0.6), at(0.85));
    await until(page, "what came meanwhile", ({ at }) => at > 15);
    await client.putPiece(uploadId, file, at(0.85), file.length);
    assert.equal((await client.complete(uploadId)).status, 202);
    const ended = await until(page, "the end", ({ hasEnded }) => hasEnded);
    assert.ok(Math.abs(ended.at - SECONDS) < 1, `at ${ended.at}`);
  });
}

test("a player that comes before anything can be played begins when something can", skip, async (t) => {
  const { client } = harbour.stack;
  const file = await recorded("mp4", SECONDS);
  const created = await client.init({ fileName: "talk.mp4", fileSize: null, live: true });
  const { uploadId } = created.json<Created>();
  const link = await client.request("POST", `/upload/${uploadId}/links`, { body: "{}" });
  const page = await visit(t, link.json<{ url: string }>());
  await page.waitForSelector("body[data-was-empty]", { state: "attached" });
  await client.putPiece(uploadId, file, 0, Math.floor(file.length * 0.8));
  await until(page, "the film to be there", ({ at }) => at > 0.5);
});
