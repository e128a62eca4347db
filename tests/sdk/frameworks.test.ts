// The hooks and the element as they are shipped: small, without a page importable, and with a list that frameworks can follow.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";
import type { UploadItem } from "../../client/src/frameworks/upload_list.ts";
import { UploadList } from "../../client/src/frameworks/upload_list.ts";
import type { HttpClient } from "../../client/src/interfaces.ts";
import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";

const FRAMEWORKS = join(repositoryRoot, "client/src/frameworks");

for (const name of ["react", "vue", "svelte", "element"]) {
  test(`${name} adds less than 3 kB to the package`, async () => {
    const { outputFiles } = await build({
      entryPoints: [join(FRAMEWORKS, `${name}.ts`)],
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      target: "es2022",
      external: ["../queue.ts", "react", "vue"],
    });
    const code = String(outputFiles[0]?.text);
    assert.ok(code.includes("filesAtOnce"), "it is the code");
    const bytes = gzipSync(code).length;
    assert.ok(bytes < 3000, `${bytes} bytes`);
  });
}

test("the element can be imported where there is no page", async () => {
  const { QuaysideUploadElement } = await import("../../client/src/frameworks/element.ts");
  assert.deepEqual(new QuaysideUploadElement().items, []);
});

/** A server that says nothing when it first hears of a file, and no when it is asked again. It remembers of which it has heard. */
function silent(): { http: HttpClient; asked: string[] } {
  const asked: string[] = [];
  const http: HttpClient = {
    send({ body, signal }) {
      const { fileName } = JSON.parse(String(body));
      if (asked.includes(fileName)) {
        return Promise.resolve({ status: 403, header: () => null, body: "{}" });
      }
      asked.push(fileName);
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
    },
  };
  return { http, asked };
}

test("ten thousand files are added and change without a list for each change", async () => {
  const { http } = silent();
  const options = { endpoint: "https://upload.example.com", store: null, checksums: false, runtime: { http } };
  const list = new UploadList({ ...options, filesAtOnce: 1 });
  let tellings = 0;
  list.subscribe(() => {
    tellings += 1;
  });
  const file = new File([new Uint8Array(2_000_000)], "one of many");
  list.add(Array.from({ length: 10_000 }, () => file));
  assert.equal(list.items().length, 10_000);
  assert.equal(list.items(), list.items(), "until something changes it is the same list");
  const before = list.items();
  // The first is on its way, and stays there: none of the others begins.
  for (const { id } of before.slice(1, 1001)) {
    list.remove(id);
  }
  assert.equal(before.length, 10_000, "a list that was given never changes");
  await waitFor("the listener to be told", () => tellings > 0);
  assert.equal(list.items().length, 9_000);
  assert.ok(tellings < 100, `${tellings} tellings`);
});

test("a few files are sent at once, and one that is taken off the list makes room", async () => {
  const { http, asked } = silent();
  const options = { endpoint: "https://upload.example.com", store: null, checksums: false, runtime: { http } };
  const list = new UploadList({ ...options, filesAtOnce: 1 });
  const lists: (readonly UploadItem[])[] = [];
  const stop = list.subscribe(() => lists.push(list.items()));
  const bytes = new Uint8Array(2_000_000);
  list.add(["a", "b", "c"].map((name) => new File([bytes], name)));
  await waitFor("the first file to be announced", () => asked.length > 0);
  assert.deepEqual(
    [
      list
        .items()
        .map(({ state }) => state)
        .slice(1),
      asked,
    ],
    [["idle", "idle"], ["a"]],
  );
  const [a, b] = list.items();
  list.remove(b?.id ?? 0);
  list.remove(a?.id ?? 0);
  await waitFor("the last file to be announced", () => asked.includes("c"));
  assert.deepEqual(asked, ["a", "c"], "what was removed before its turn is not announced");
  assert.deepEqual(
    list.items().map(({ file }) => file.name),
    ["c"],
  );
  assert.equal(new Set(lists).size, lists.length, "every change is another list");
  stop();
  const before = lists.length;
  list.remove(list.items()[0]?.id ?? 0);
  assert.equal(lists.length, before);
});
