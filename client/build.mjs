// Builds the package: `tsc` makes ES modules with types, and from those come the same files as CommonJS in `dist/cjs`, for `require` and for
// what still resolves modules as Node 10 did. There a Web Worker has no address, so files are hashed where the upload is.

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { build } from "esbuild";

const root = import.meta.dirname;
const dist = join(root, "dist");
const cjs = join(dist, "cjs");

rmSync(dist, { recursive: true, force: true });
execFileSync("tsc", ["-p", root], { stdio: "inherit" });
// The worker is one file: what bundlers make of a worker (Vite up to 7, by default) cannot load anything later.
await build({
  entryPoints: [join(dist, "hash_worker.js")],
  outfile: join(dist, "hash_worker.js"),
  allowOverwrite: true,
  bundle: true,
  format: "esm",
  target: "es2022",
});
const files = readdirSync(dist, { recursive: true, encoding: "utf8" });
const scripts = files.filter((file) => file.endsWith(".js"));
await build({
  entryPoints: scripts.map((file) => join(dist, file)),
  outdir: cjs,
  format: "cjs",
  target: "es2022",
  // As `require`: a test runner that has no modules can load what is loaded later, too.
  supported: { "dynamic-import": false },
  logOverride: { "empty-import-meta": "silent" },
});
for (const file of files.filter((file) => file.endsWith(".d.ts"))) {
  // Older compilers do not find `./upload.d.ts` by the name of its source, and know only one kind of array.
  const types = readFileSync(join(dist, file), "utf8")
    .replace(/(["']\.{1,2}\/[^"']+)\.ts(["'])/g, "$1.js$2")
    .replaceAll("Uint8Array<ArrayBuffer>", "Uint8Array");
  mkdirSync(dirname(join(cjs, file)), { recursive: true });
  writeFileSync(join(dist, file), types);
  writeFileSync(join(cjs, file), types);
}
writeFileSync(join(cjs, "package.json"), '{ "type": "commonjs" }\n');
