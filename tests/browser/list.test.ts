// The page's one list: its order, states that are true, what is known at once after a reload, folders, and a thousand files.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser } from "./harbour.ts";
import { FILE_INPUT } from "./selectors.ts";
import type { UploadPage } from "./upload_page.ts";

const FILE_BYTES = 40_000_000;
/**
 * So long the page's thread may work, in its own time, for all of them together: whatever else the machine does, it is the same. Well above
 * what it takes, and far below a page that stands still.
 */
const MOST_WORK_MS = 1_500;
const MANY = 1_000;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

const listed = ({ page }: UploadPage) =>
  page
    .locator(".card")
    .evaluateAll((rows) => rows.map((row) => `${row.querySelector("h3")?.textContent}: ${row.dataset.stage}`));

/** What the page's own thread has worked so far, in milliseconds of its time and not of the clock's. */
async function threadTime({ context, page }: UploadPage): Promise<() => Promise<number>> {
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    const taskSeconds = metrics.find(({ name }) => name === "TaskDuration")?.value;
    assert.ok(taskSeconds !== undefined, "Chromium says how long its tasks took");
    return taskSeconds * 1000;
  };
}

test("what is on its way comes first; a file whose turn it is not waits, and is not paused", inBrowser, async () => {
  const files = ["a.mp4", "b.mp4", "c.mp4"].map((name) => harbour.file(name, FILE_BYTES));
  const page = await harbour.visit();
  await page.choose(...files);
  await waitFor("all of them", async () => (await listed(page)).length === 3);
  assert.deepEqual(await listed(page), ["a.mp4: ready", "b.mp4: ready", "c.mp4: ready"]);
  harbour.wire.holdAfter(FILE_BYTES);
  await page.start();
  await waitFor("two of them to move", async () => {
    return (await listed(page)).join() === "a.mp4: uploading,b.mp4: uploading,c.mp4: waiting";
  });
  await page.card({ name: "c.mp4" }).getByText("Waiting", { exact: true }).waitFor({ state: "attached" });
  harbour.wire.release();
  await page.untilStage({ name: "c.mp4" }, "delivered");
});

test(
  "after a reload the last known progress is there at once, and the file is not sent unasked",
  inBrowser,
  async () => {
    const file = harbour.file("known.mp4", FILE_BYTES);
    const page = await harbour.visit();
    harbour.wire.holdAfter(FILE_BYTES * 0.7);
    await page.send(file);
    await page.untilPercent(file, 20);
    await page.page.reload({ waitUntil: "commit" });
    harbour.wire.release();
    await page.untilReady();
    // The server is not asked: what is shown is what this page knew.
    await page.page.route("**/upload/**", (route) => route.abort());
    await page.untilStage(file, "interrupted");
    assert.ok((await page.percent(file)) >= 20);
    await page.page.unroute("**/upload/**");
    await page.press("Go on with 1 file");
    await harbour.assertArrived(await page.untilRecorded(file), file);
  },
);

test("a folder is chosen as it is: each file with its place", inBrowser, async () => {
  const one = harbour.file("one.txt", 1000);
  const folder = join(dirname(one.path), "holiday");
  mkdirSync(join(folder, "day 1"), { recursive: true });
  writeFileSync(join(folder, "day 1", "beach.txt"), "sand");
  const page = await harbour.visit();
  await page.page.locator("#folder-input").setInputFiles(folder);
  await page.card({ name: "beach.txt" }).getByText("holiday/day 1").waitFor();
  await page.start();
  await page.untilStage({ name: "beach.txt" }, "delivered");
});

test(`${MANY} files: the page stays usable while they are added`, inBrowser, async () => {
  const page = await harbour.visit();
  const workMs = await threadTime(page);
  const beforeMs = await workMs();
  const longestMs = await page.page.evaluate(
    async ([selector, count]) => {
      const chosen = new DataTransfer();
      for (let index = 0; index < count; index++) {
        chosen.items.add(new File([`${index}`], `${index}.txt`));
      }
      let longest = 0;
      new PerformanceObserver((list) => {
        longest = Math.max(longest, ...list.getEntries().map(({ duration }) => duration));
      }).observe({ type: "longtask" });
      const input = document.querySelector(selector) as HTMLInputElement;
      input.files = chosen.files;
      input.dispatchEvent(new Event("change"));
      while (document.querySelectorAll(".card").length < count) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      return longest;
    },
    [FILE_INPUT, MANY] as const,
  );
  const workedMs = (await workMs()) - beforeMs;
  console.log(`${MANY} files added: ${workedMs.toFixed(0)} ms of work, longest task ${longestMs.toFixed(0)} ms`);
  assert.ok(workedMs > 0 && workedMs < MOST_WORK_MS, `the page worked for ${workedMs} ms`);
  await page.page.getByRole("button", { name: "Upload 1,000 files" }).waitFor();
});
