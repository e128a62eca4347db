// What the Worker's size costs: the wasm as it is, gzipped, and how long V8 takes to have it ready, which the first request
// after a pause waits for. Its imports are stand-ins: nothing of it runs.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

import type { StartUp } from "./report.ts";
import { spread } from "./statistics.ts";

const ROUNDS = 21;

export async function startUp(path: string): Promise<StartUp> {
  const wasm = readFileSync(path);
  const [compileMs, instantiateMs]: number[][] = [[], []];
  for (let round = 0; round <= ROUNDS; round++) {
    // V8 keeps what it has compiled by content: each round gets another, by an empty custom section with a name of its own.
    const bytes = Buffer.concat([wasm, section(`round ${String(round).padStart(4, "0")}`)]);
    const startMs = performance.now();
    const module = await WebAssembly.compile(bytes);
    const compiledMs = performance.now();
    await WebAssembly.instantiate(module, standIns(module));
    const readyMs = performance.now();
    if (round > 0) {
      compileMs?.push(compiledMs - startMs);
      instantiateMs?.push(readyMs - compiledMs);
    }
  }
  return {
    wasmBytes: wasm.length,
    gzippedBytes: gzipSync(wasm).length,
    compileMs: spread(compileMs ?? []),
    instantiateMs: spread(instantiateMs ?? []),
  };
}

// The one import that is no function: the tag by which wasm catches what JavaScript throws. TypeScript does not know it yet.
const javaScriptsExceptions = (WebAssembly as unknown as { JSTag: WebAssembly.ExportValue }).JSTag;

function section(name: string): Buffer {
  const text = Buffer.from(name);
  return Buffer.concat([Buffer.from([0, text.length + 1, text.length]), text]);
}

function standIns(module: WebAssembly.Module): WebAssembly.Imports {
  const imports: WebAssembly.Imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] = kind === "function" ? () => 0 : javaScriptsExceptions;
  }
  return imports;
}
