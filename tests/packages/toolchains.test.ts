// The SDK in everybody's toolchain, from the packed archive: each bundler's application uploads a file in Chromium, and its worker is found;
// test runners and Node load it; compilers take its types. A few of them run always, all of them with QUAYSIDE_TOOLCHAINS=all
// (`cargo xtask test --toolchains`). Needs the network for npm.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { type Browser, chromium } from "playwright-core";

import { ARGS, inBrowser } from "../browser/harbour.ts";
import { sha256 } from "../support/bytes.ts";
import { Stack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";
import { BUNDLERS } from "./toolchains/bundlers.ts";
import { packClient, ToolchainProject } from "./toolchains/project.ts";

const MOST_WORKER_BYTES = 20_000;
const EXPECTED_SHA256 = sha256(new Uint8Array(12_000_000).map((_, at) => (at * 7) % 251));
const isAll = process.env.QUAYSIDE_TOOLCHAINS === "all";
const folder = mkdtempSync(join(tmpdir(), "quayside-packed-"));
const table: string[] = [];

let packed: string;
let [stack, browser]: [Stack?, Browser?] = [];
before(async () => {
  packed = await packClient(folder);
  if (!inBrowser.skip) {
    stack = await Stack.start();
    browser = await chromium.launch({ executablePath: String(process.env.CHROMIUM), args: ARGS });
  }
});
after(async () => {
  await browser?.close();
  await stack?.stop();
  rmSync(folder, { recursive: true });
  console.log(`gzipped, by bundler:\n${table.join("\n")}`);
});

const chosen = (isAlwaysRun: boolean) => isAlwaysRun || isAll;

/** The page sends its file; the worker that hashes is one that ran. */
async function assertUploads(url: string): Promise<void> {
  assert.ok(browser && stack);
  const page = await browser.newPage();
  const workers: string[] = [];
  const errors: string[] = [];
  // What stands behind a `#` (Next.js has parameters there) is not asked for.
  page.on("worker", (worker) => workers.push(worker.url().replace(/#.*/, "")));
  page.on("pageerror", (error) => errors.push(String(error)));
  const found = new Set<string>();
  page.on("response", (response) => response.ok() && found.add(response.url()));
  await waitFor("the page to be served", async () => {
    await page.goto(url);
    return await page.waitForFunction("globalThis.send !== undefined", undefined, { timeout: 10_000 });
  });
  const uploadId = await page.evaluate((endpoint) => {
    return (globalThis as unknown as { send(endpoint: string): Promise<string> }).send(endpoint);
  }, stack.baseUrl);
  // In place of a worker that cannot be started, the page would hash by itself.
  assert.ok(workers.length > 0, "a worker was started");
  assert.ok(
    workers.every((url) => found.has(url)),
    `${workers} were found`,
  );
  const { object } = await stack.client.state(uploadId);
  assert.equal(object?.sha256, EXPECTED_SHA256);
  assert.deepEqual(errors, []);
  await page.close();
}

for (const [name, { packages, files, build, dev, output, isAlwaysRun }] of Object.entries(BUNDLERS)) {
  if (chosen(isAlwaysRun)) {
    test(`${name}: the application uploads, and its worker is found and small`, inBrowser, async (t) => {
      const project = await ToolchainProject.create(packed, packages, files);
      t.after(() => project.remove());
      await assertUploads(await build(project));
      const { allBytes, workerBytes } = project.sizes(output);
      table.push(`${name.padEnd(10)} all ${allBytes} bytes, worker ${workerBytes} bytes`);
      assert.ok(workerBytes > 0 && workerBytes < MOST_WORKER_BYTES, `the worker has ${workerBytes} bytes`);
      if (dev !== undefined) {
        await assertUploads(await dev(project));
      }
    });
  }
}

const USES = `
import { createUpload, UploadError, type Upload } from "quayside-client";
import { createRecording, type Recording } from "quayside-client/recording";
import { QuaysideUploader } from "quayside-client/uppy";

export const recording: Recording = createRecording(new ReadableStream(), { endpoint: "https://upload.example.com" });
export const upload: Upload = createUpload(new File([], "a"), { endpoint: "https://upload.example.com" });
export const code: string = new UploadError("network", "resume", "x").code;
export const plugin: typeof QuaysideUploader = QuaysideUploader;
// @ts-expect-error there is no such option
createUpload(new File([], "a"), { endpoint: "https://upload.example.com", chunks: 3 });
`;

// Uppy has no CommonJS, and compilers before 5.8 let no file of that name its types.
const USES_WITHOUT_UPPY = USES.replace(/.*(quayside-client\/uppy|QuaysideUploader).*\n/g, "");

const COMPILERS: readonly { typescript: string; module: string; moduleResolution: string; isAlwaysRun: boolean }[] = [
  { typescript: "5.0", module: "ESNext", moduleResolution: "node10", isAlwaysRun: true },
  { typescript: "5.0", module: "ESNext", moduleResolution: "bundler", isAlwaysRun: false },
  { typescript: "5.0", module: "Node16", moduleResolution: "node16", isAlwaysRun: false },
  { typescript: "5.4", module: "CommonJS", moduleResolution: "node10", isAlwaysRun: false },
  { typescript: "5.9", module: "NodeNext", moduleResolution: "nodenext", isAlwaysRun: false },
  { typescript: "6", module: "ESNext", moduleResolution: "bundler", isAlwaysRun: false },
  { typescript: "7", module: "ESNext", moduleResolution: "bundler", isAlwaysRun: false },
];

for (const { typescript, module, moduleResolution, isAlwaysRun } of COMPILERS) {
  if (chosen(isAlwaysRun)) {
    test(`TypeScript ${typescript}, ${module}, ${moduleResolution}: the types are right, libraries checked`, async (t) => {
      const compilerOptions = {
        ...{ module, moduleResolution, target: "ES2022", lib: ["ES2022", "DOM", "DOM.Iterable"], types: [] },
        ...{ strict: true, noEmit: true, skipLibCheck: false },
      };
      const sources: Record<string, string> =
        moduleResolution === "node16" ? { "main.mts": USES, "main.cts": USES_WITHOUT_UPPY } : { "main.ts": USES };
      const project = await ToolchainProject.create(packed, [`typescript@${typescript}`, "@uppy/core@4"], {
        ...sources,
        "tsconfig.json": JSON.stringify({ compilerOptions, files: Object.keys(sources) }),
      });
      t.after(() => project.remove());
      await project.bin("tsc", ["-p", "."]);
    });
  }
}

const LOADS = `expect(typeof require("quayside-client").createUpload).toBe("function");
  expect(require("quayside-client/uppy").QuaysideUploader.name).toBe("QuaysideUploader");`;

if (isAll) {
  test("Jest, as it comes", async (t) => {
    const project = await ToolchainProject.create(packed, ["jest", "@uppy/core@4"], {
      "load.test.js": `test("it loads", () => { ${LOADS.replace(/expect\(require\("quayside-client\/uppy.*/, "")} });`,
    });
    t.after(() => project.remove());
    assert.match(await project.bin("jest", []), /1 passed/);
  });

  test("Vitest", async (t) => {
    const project = await ToolchainProject.create(packed, ["vitest", "@uppy/core"], {
      "load.test.js": `import { expect, test } from "vitest";
        import { createUpload } from "quayside-client";
        import { QuaysideUploader } from "quayside-client/uppy";
        test("it loads", () => expect([typeof createUpload, QuaysideUploader.name]).toEqual(["function", "QuaysideUploader"]));`,
    });
    t.after(() => project.remove());
    assert.match(await project.bin("vitest", ["run"]), /1 passed/);
  });
}

test("require, without the help of a Node that can require ES modules", async (t) => {
  const project = await ToolchainProject.create(packed, [], {
    "main.cjs": `const { createUpload, BrowserHasher } = require("quayside-client");
      const { createRecording } = require("quayside-client/recording");
      if (typeof createRecording !== "function") throw new Error("no createRecording");
      const file = new File(["abc"], "a");
      new BrowserHasher().file(file, () => {}, new AbortController().signal).then((hash) => {
        console.log(createUpload(file, { endpoint: "https://upload.example.com" }).state, hash.slice(0, 8));
      });`,
  });
  t.after(() => project.remove());
  const said = await project.run(process.execPath, ["--no-experimental-require-module", "main.cjs"]);
  assert.match(said, /^idle ba7816bf\n/);
});
