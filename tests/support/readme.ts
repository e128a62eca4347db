// The examples that stand in client/README.md, or on another page, as code that runs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { repositoryRoot } from "./wrangler_config.ts";

/** The example that exports this function, with the package's name replaced by where its source is. */
export function runnableExample(exported: string, page = "client/README.md"): string {
  const readme = readFileSync(join(repositoryRoot, page), "utf8");
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => String(code));
  const code = blocks.find((block) => block.includes(`function ${exported}(`));
  assert.ok(code, `no example exports ${exported}`);
  const source = (module: string) => JSON.stringify(pathToFileURL(join(repositoryRoot, "client/src", module)).href);
  return code.replace('"quayside-client"', source("index.ts")).replace('"quayside-client/uppy"', source("uppy.ts"));
}
