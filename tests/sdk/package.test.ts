// The package as it is shipped: its size, that unused parts fall away, and that what the compiler makes of it runs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

import { repositoryRoot } from "../support/wrangler_config.ts";

const root = join(repositoryRoot, "client");
/** Inside the repository, so that hash-wasm is found from there. */
const scratch = join(repositoryRoot, "target");

/** What a page gets that runs this, without what hashes, which is loaded when it is needed. */
async function bundled(source: string): Promise<string> {
  const result = await build({
    stdin: { contents: source, resolveDir: join(root, "src"), loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    // What is loaded when somebody asks for it.
    external: ["./sha256_wasm.ts", "./sha256.ts", "./wake_lock.ts", "../wake_lock.ts"],
  });
  return result.outputFiles[0]?.text ?? "";
}

test("everything together is smaller than 17 kB, gzipped and without what is loaded when it is needed", async () => {
  const code = await bundled(`export * from "./index.ts"`);
  const bytes = gzipSync(code).length;
  assert.ok(code.includes("X-Upload-Offset"), "it is the code");
  assert.ok(bytes < 17_000, `${bytes} bytes`);
});

test("what is not used is not shipped", async () => {
  const used = `import { createUpload } from "./index.ts"; createUpload(globalThis.file, { endpoint: "/" });`;
  assert.doesNotMatch(await bundled(used), /createObjectStore/);
  assert.match(await bundled(`export * from "./index.ts"`), /createObjectStore/);
});

test("recordings are an entry of their own: 11 kB more for a page that has the rest, and nothing for one that does not record", async () => {
  const both = gzipSync(await bundled(`export * from "./index.ts"; export * from "./recording/index.ts"`)).length;
  const main = await bundled(`export * from "./index.ts"`);
  const bytes = both - gzipSync(main).length;
  assert.ok(bytes > 0 && bytes < 11_000, `${bytes} bytes`);
  assert.doesNotMatch(main, /quayside-recordings/);
});

test("the compiled package has types and runs", async (t) => {
  mkdirSync(scratch, { recursive: true });
  const dist = mkdtempSync(join(scratch, "client-"));
  t.after(() => rmSync(dist, { recursive: true }));
  const tsc = join(repositoryRoot, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", root, "--outDir", dist], { stdio: "inherit" });
  const { createUpload, BrowserHasher } = await import(pathToFileURL(join(dist, "index.js")).href);
  const file = new File(["abc"], "a");
  assert.equal(createUpload(file, { endpoint: "https://upload.example.com" }).state, "idle");
  const sha256 = await new BrowserHasher(() => undefined).file(file, () => {}, new AbortController().signal);
  assert.equal(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.match(readFileSync(join(dist, "index.d.ts"), "utf8"), /createUpload/);
  const { createRecording, listRecordings } = await import(pathToFileURL(join(dist, "recording/index.js")).href);
  assert.equal(createRecording(new ReadableStream(), { endpoint: "https://upload.example.com" }).status.state, "idle");
  assert.deepEqual(await listRecordings({ storage: null }), []);
  assert.match(readFileSync(join(dist, "recording/index.d.ts"), "utf8"), /createRecording/);
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.deepEqual(exports["."].import, { types: "./dist/index.d.ts", default: "./dist/index.js" });
  const recording = { types: "./dist/recording/index.d.ts", default: "./dist/recording/index.js" };
  assert.deepEqual(exports["./recording"].import, recording);
});
