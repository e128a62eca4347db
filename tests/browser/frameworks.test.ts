// The examples for React, Vue, Svelte and plain HTML, in a browser: two files are chosen, both arrive, and the list says so.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { waitFor } from "../support/wait.ts";
import { bundledExample, SHOWN } from "./frameworks.ts";
import { Harbour, inBrowser } from "./harbour.ts";

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

type Example = { show(endpoint: string): void };

for (const framework of Object.keys(SHOWN) as (keyof typeof SHOWN)[]) {
  test(`with ${framework}: two files are chosen, and arrive`, inBrowser, async () => {
    const script = await bundledExample(framework);
    // The example comes in from outside the page, which the page's policy is there to prevent.
    const { page } = await harbour.visit({ bypassCSP: true });
    // The last part of the page that is loaded: it must not find another page.
    await page.locator("body[data-recorder]").waitFor();
    await page.addScriptTag({ content: script });
    await page.evaluate(() => {
      document.body.replaceChildren();
      (globalThis as unknown as { example: Example }).example.show(location.origin);
    });
    const files = [harbour.file(`${framework} one.bin`, 6_000_000), harbour.file(`${framework} two.bin`, 0)];
    const answers: string[] = [];
    page.on("response", async (response) => {
      if (response.url().endsWith("/upload/init")) {
        answers.push((await response.json()).uploadId);
      }
    });
    await page.locator("input[type=file]").setInputFiles(files.map(({ path }) => path));
    const items = page.locator("li");
    await waitFor(
      "both to be complete",
      async () => {
        const said = await items.allTextContents();
        return said.length === 2 && said.every((text) => text.includes("completed"));
      },
      { lastSeen: () => answers },
    );
    assert.deepEqual(
      await items.locator("progress").evaluateAll((bars) => bars.map((bar) => (bar as HTMLProgressElement).value)),
      [6_000_000, 0],
    );
    const records = await Promise.all(answers.map((uploadId) => harbour.origin.waitForStored(uploadId)));
    const arrived = records.map(({ fileName, sha256 }) => [fileName, sha256]).toSorted();
    assert.deepEqual(arrived, files.map(({ name, sha256 }) => [name, sha256]).toSorted());
  });
}
