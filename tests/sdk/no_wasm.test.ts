// Hashing in a page whose policy lets no WebAssembly run. In a file of its own, since what was compiled once stays.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BrowserHasher } from "../../client/src/index.ts";
import { fileBytes, MIB, sha256 } from "../support/bytes.ts";

test("without wasm-unsafe-eval, files are hashed all the same, and chunks where there is no WebCrypto", async (t) => {
  const refused = () => Promise.reject(new WebAssembly.CompileError("blocked by the content security policy"));
  const compile = t.mock.method(WebAssembly, "compile", refused);
  const bytes = new Uint8Array(fileBytes("no wasm", 5 * MIB + 1));
  const hasher = new BrowserHasher(() => undefined);
  assert.equal(await hasher.file(new File([bytes], "a"), () => {}, new AbortController().signal), sha256(bytes));
  assert.ok(compile.mock.callCount() > 0, "it was tried");
  const { crypto } = globalThis;
  Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
  t.after(() => Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true }));
  assert.equal(await hasher.chunk(bytes), sha256(bytes));
});
