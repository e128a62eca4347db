// Upload libraries as they are published, on a page of another site, with the lines that docs/guides/frontends.md shows: a file of several
// chunks, one of which is cut off on its way.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";

import { chromium } from "playwright-core";

import { fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { codeBlock } from "../support/guides.ts";
import { folderWith } from "../support/npm.ts";
import { freePort } from "../support/ports.ts";
import { sceneWithOrigin } from "../support/scene.ts";
import { waitFor } from "../support/wait.ts";
import { ARGS, inBrowser } from "./harbour.ts";
import { Wire } from "./wire.ts";

const PAGE = "docs/guides/frontends.md";

/** A site of its own origin with an empty page, and a file to be sent. */
async function otherSite(file: Uint8Array): Promise<{ url: string; stop: () => void }> {
  const port = await freePort();
  const server = createServer((request, response) => {
    const isFile = request.url === "/cat.png";
    response.setHeader("Content-Type", isFile ? "image/png" : "text/html");
    response.end(isFile ? file : "<!doctype html><title>app</title>");
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${port}/`, stop: () => server.close() };
}

test("UpChunk goes on after a chunk that was cut off", inBrowser, async () => {
  const port = await freePort();
  const wire = await Wire.start(`http://127.0.0.1:${port}`);
  const { origin, client } = await sceneWithOrigin({ PUBLIC_URL: wire.url }, { port });
  const bytes = fileBytes("upchunk", 40 * MIB + 3);
  const site = await otherSite(bytes);
  const browser = await chromium.launch({ executablePath: String(process.env.CHROMIUM), args: ARGS });
  after(async () => {
    await browser.close();
    site.stop(); // the browser has gone, and its connections with it
    await wire.stop();
  });
  const packages = await folderWith("@mux/upchunk@3.5.0");
  const page = await browser.newPage();
  await page.goto(site.url);
  await page.addScriptTag({ path: join(packages, "node_modules/@mux/upchunk/dist/upchunk.js") });
  const lines = codeBlock(PAGE, "UpChunk", "js").replaceAll("https://upload.example.com", wire.url).trim();

  wire.holdAfter(15 * MIB);
  const ended = page.evaluate(`(async () => {
    const file = new File([await (await fetch("/cat.png")).blob()], "cat.png", { type: "image/png" });
    const upload = ${lines}
    return new Promise((resolve) => {
      upload.on("success", () => resolve("success"));
      upload.on("error", ({ detail }) => resolve(detail.message));
    });
  })()`);
  const { uploadId } = await waitFor("it to be listed", async () => (await client.openUploads())[0]);
  await client.waitUntilCounted(uploadId, 8 * MIB);
  await waitFor("half of the first chunk to be on its way", () => wire.sentBytes >= 15 * MIB);
  wire.cut();
  wire.release();
  wire.mend();
  assert.equal(await ended, "success");
  const record = await origin.waitForStored(uploadId);
  assert.deepEqual([record.sha256, record.fileName], [sha256(bytes), "cat.png"]);
});
