// The page of an application as a guide has somebody write it, in Chromium: a file is chosen, its bar fills, and it stands in the library.

import assert from "node:assert/strict";

import { chromium } from "playwright-core";

import { ARGS, inBrowser } from "../browser/harbour.ts";
import { fileBytes, sha256 } from "../support/bytes.ts";
import { waitFor } from "../support/wait.ts";

export type GuidePage = { baseUrl: string; lastSeen: () => string };

/** Nothing, where there is no Chromium. */
export async function assertSendsInBrowser(app: GuidePage): Promise<void> {
  if (inBrowser.skip) {
    return;
  }
  const browser = await chromium.launch({ executablePath: String(process.env.CHROMIUM), args: ARGS });
  try {
    const page = await browser.newPage();
    // Who is signed in is said to the application, and to nobody else.
    await page.route(`${app.baseUrl}/**`, (route) =>
      route.continue({ headers: { ...route.request().headers(), "x-user": "alice" } }),
    );
    await page.goto(app.baseUrl);
    const input = page.locator("input[type=file]");
    // Before React has taken it over, a choice is heard by nobody.
    const isHeard = () => input.evaluate((node) => Object.keys(node).some((key) => key.startsWith("__react")));
    await waitFor("the page to be alive", isHeard, app);
    const creation = page.waitForResponse(
      (response) => response.url().endsWith("/upload/init") && response.request().method() === "POST",
    );
    const file = Buffer.from(fileBytes("chosen", 6_000_000));
    await input.setInputFiles({ name: "chosen.bin", mimeType: "application/octet-stream", buffer: file });
    const { uploadId } = await (await creation).json();
    const item = page.locator("p", { hasText: "chosen.bin" });
    await waitFor("the upload to be complete", async () => (await item.textContent())?.includes("completed"), app);
    assert.equal(await item.locator("progress").evaluate((bar: HTMLProgressElement) => bar.position), 1);
    const asked = () => fetch(`${app.baseUrl}/library/${uploadId}`, { headers: { "x-user": "alice" } });
    const found = await waitFor("the file in the library", async () => await asked().then((it) => it.ok && it), app);
    assert.equal(sha256(Buffer.from(await found.arrayBuffer())), sha256(file));
  } finally {
    await browser.close();
  }
}
