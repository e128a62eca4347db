// A link that takes one file, opened in a browser by somebody who knows nothing of it: a page that says what it takes, sends a file past an
// interruption, and says what became of it.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

import { waitFor } from "../support/wait.ts";
import { Harbour, inBrowser, type TestFile } from "./harbour.ts";

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

async function link(wanted: object = {}): Promise<string> {
  const reply = await harbour.stack.client.request("POST", "/upload/links", { body: JSON.stringify(wanted) });
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<{ url: string }>().url;
}

/** The page, and what it complains of. */
async function open(url: string, options = {}): Promise<{ page: Page; complaints: string[] }> {
  const context = await harbour.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(url);
  return { page, complaints };
}

const text = async (page: Page, selector: string) => (await page.textContent(selector)) ?? "";
const says = (page: Page, what: RegExp) =>
  waitFor(`the page to say ${what}`, async () => what.test(await text(page, "#says")), {
    lastSeen: () => page.textContent("main"),
  });

async function assertArrived(file: TestFile): Promise<void> {
  const record = await harbour.origin.waitForFile(file.sha256);
  assert.deepEqual([record.fileName, record.fileSize], [file.name, file.sizeBytes]);
}

test(
  "a file goes up past a cut line, and whoever opens the link again is told that it has one",
  inBrowser,
  async () => {
    const url = await link({ maxBytes: 50_000_000, expiresInSeconds: 3600 });
    const { page } = await open(url);
    assert.match(await text(page, "#terms"), /^This link takes one file until .+, of up to 50 MB\.$/);
    const file = harbour.file("contract ⚓.bin", 40_000_000);
    harbour.wire.holdAfter(file.sizeBytes / 2);
    await page.setInputFiles("input", file.path);
    await says(page, /^\d+ %/);
    harbour.wire.cut();
    await says(page, /Trying again in \d+ s/);
    harbour.wire.release();
    harbour.wire.mend();
    await says(page, /It has arrived/);
    await assertArrived(file);

    const { page: again } = await open(url);
    await again.setInputFiles("input", harbour.file("another.bin", 1000).path);
    await says(again, /takes one file, and has it/);
    assert.deepEqual([await again.isVisible("#act"), await again.isVisible("#other")], [false, true]);
  },
);

test("what is not taken is said, and another file may be chosen", inBrowser, async () => {
  const { page, complaints } = await open(await link({ types: ["text/plain"], maxBytes: 2_000_000 }));
  assert.equal(await page.getAttribute("input", "accept"), "text/plain");
  await page.setInputFiles("input", harbour.file("large.txt", 3_000_000).path);
  await says(page, /too large/i);
  await page.click("#other");
  const file = harbour.file("small.txt", 1000);
  await page.setInputFiles("input", file.path);
  await says(page, /It has arrived/);
  await assertArrived(file);
  // The browser tells of each answer that is none of 2xx.
  const others = complaints.filter((complaint) => !complaint.includes("413"));
  assert.deepEqual(others, [], "the page threw errors or broke its own policy");
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing: ${colorScheme}, at the width of a phone`, inBrowser, async () => {
    const url = await link({ types: ["image/*"] });
    const { page } = await open(url, { colorScheme, viewport: { width: 390, height: 700 }, bypassCSP: true });
    const violations = async () => {
      await page.addScriptTag({ path: axePath });
      return await page.evaluate(async () => {
        const { axe } = globalThis as unknown as { axe: { run(): Promise<AxeResults> } };
        return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
      });
    };
    assert.deepEqual(await violations(), []);
    await page.setInputFiles("input", harbour.file("none.txt", 10).path);
    await says(page, /these are taken/);
    assert.deepEqual(await violations(), []);
  });
}

test("without script it is a form", inBrowser, async () => {
  const { page } = await open(await link(), { javaScriptEnabled: false });
  const file = harbour.file("by form.txt", 1000);
  await page.setInputFiles("input", file.path);
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === "POST"),
    page.click("button:text('Send')"),
  ]);
  assert.equal(answer.status(), 201);
  await assertArrived(file);
});

test("it is nobody's frame, its address goes to nobody, and programs get no page", inBrowser, async () => {
  const url = await link();
  for (const method of ["GET", "HEAD"]) {
    const reply = await harbour.stack.client.request(method, new URL(url).pathname, {
      headers: { Accept: "text/html" },
    });
    assert.equal(reply.status, 200);
    assert.equal(reply.header("Content-Type"), "text/html; charset=utf-8");
    assert.equal(reply.header("Content-Security-Policy"), "frame-ancestors 'none'");
    assert.deepEqual([reply.header("Referrer-Policy"), reply.header("Cache-Control")], ["no-referrer", "no-store"]);
    assert.equal(reply.body.length > 0, method === "GET");
  }
  const program = await harbour.stack.client.request("GET", new URL(url).pathname);
  assert.equal(program.status, 405);
});
