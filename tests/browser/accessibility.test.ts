// The page for everybody: by keyboard, by screen reader, in light and dark, at the width of a phone. axe finds nothing to
// complain about in any state. The screenshots, for people to look at, are left in `target/screenshots`.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";

import type { AxeResults } from "axe-core";

import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import { START_BUTTON } from "./selectors.ts";
import type { UploadPage } from "./upload_page.ts";

const FILE_BYTES = 30_000_000;
const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const screenshots = join(repositoryRoot, "target/screenshots");

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    mkdirSync(screenshots, { recursive: true });
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

/** What axe finds, one line each. */
async function findings({ page }: UploadPage): Promise<string[]> {
  const results = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<AxeResults> } };
    return await axe.run();
  });
  return results.violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(" ")}`));
}

const SCREENS = [
  { name: "desktop", viewport: { width: 1280, height: 900 } },
  { name: "phone", viewport: { width: 390, height: 844 } },
];

for (const { name, viewport } of SCREENS) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`axe finds nothing, and nothing is cut off: ${name}, ${colorScheme}`, inBrowser, async () => {
      // The checker comes in from outside the page, which the page's policy is there to prevent.
      const page = await harbour.visit({ viewport, colorScheme, bypassCSP: true, reducedMotion: "reduce" });
      const loadChecker = () => page.page.addScriptTag({ path: axePath });
      await loadChecker();
      const file = harbour.file(`a long name, so long that it does not fit - ${name} ${colorScheme}.mp4`, FILE_BYTES);
      const look = async (state: string) => {
        await page.page.screenshot({ path: join(screenshots, `${name}-${colorScheme}-${state}.png`), fullPage: true });
        assert.deepEqual(await findings(page), [], state);
        const widths = await page.page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
        assert.ok(Number(widths[0]) <= Number(widths[1]), `${state}: wider than the screen, ${widths}`);
      };
      await look("empty");
      await page.choose(file);
      await look("chosen");
      harbour.wire.holdAfter(FILE_BYTES * 0.8);
      await page.start();
      await page.untilPercent(file, 20);
      await look("moving");
      await page.press("Pause");
      await page.untilStage(file, "paused");
      await look("paused");
      await page.reload();
      await loadChecker();
      await page.untilStage(file, "interrupted");
      await look("interrupted");
      harbour.wire.release();
      await page.press("Go on with 1 file");
      await page.untilRecorded(file);
      await look("done");
      const refused = harbour.file("not for you.mp4", FILE_BYTES);
      const problem = { type: "about:blank", code: "not-permitted", title: "The token is not for this", detail: "No." };
      await page.page.route("**/upload/init", (route) => route.fulfill({ status: 403, json: problem }));
      await page.send(refused);
      await page.untilStage(refused, "failed");
      await page.card(refused).getByText("You may not upload this here.").waitFor();
      await look("failed");
      await page.page.unroute("**/upload/init");
      await page.choose(
        ...Array.from({ length: 24 }, (_, at) => harbour.file(`picture ${at + 1}.jpg`, 1000 * (at + 1))),
      );
      await page.card({ name: "picture 24.jpg" }).waitFor();
      await look("many");
    });
  }
}

test("by keyboard alone: a protocol, a file, the start; and what happens is said aloud", inBrowser, async () => {
  const page = await harbour.visit();
  const { keyboard } = page.page;
  const focused = () => page.page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
  await keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the upload");
  /** Tabs on until what has the focus says so. */
  const tabTo = (what: string, is: (text: string) => boolean | Promise<boolean>) =>
    waitFor(what, async () => {
      if (await is(await focused())) {
        return true;
      }
      await keyboard.press("Tab");
      return false;
    });
  const protocol = page.page.getByRole("radio", { name: "Quayside" });
  await tabTo("the protocol", () => protocol.evaluate((radio) => radio === document.activeElement));
  await keyboard.press("ArrowRight");
  assert.ok(await page.page.getByRole("radio", { name: "tus 1.0" }).isChecked());
  const heard = await page.listen();
  const file = harbour.file("by keyboard.mp4", FILE_BYTES);
  const chooser = page.page.waitForEvent("filechooser");
  await tabTo("the button to choose files", (text) => /choose files$/.test(text));
  await keyboard.press("Enter");
  await (await chooser).setFiles(file.path);
  await page.page.locator(START_BUTTON).waitFor();
  await tabTo("the button to start", (text) => /^Upload 1 file/.test(text));
  await keyboard.press("Enter");
  await harbour.assertArrived(await page.untilRecorded(file), file);
  const sentences = await heard();
  assert.match(sentences[0] ?? "", /^by keyboard\.mp4 is being uploaded\./);
  assert.match(sentences.at(-1) ?? "", /^by keyboard\.mp4 has arrived at the origin\./);
  assert.ok(sentences.length < 15, `said ${sentences.length} times`);
});
