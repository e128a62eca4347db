// Examples run in a browser as they stand in the documentation: those in client/README.md that do without our package (tus-js-client and
// Uppy as they are published), and the form of docs/guides/forms.md.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { build } from "esbuild";
import type { JSHandle } from "playwright-core";

import { runnableExample } from "../support/readme.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";
import { Harbour, inBrowser } from "./harbour.ts";

const FILE_BYTES = 20_000_000;

let harbour: Harbour;
if (!inBrowser.skip) {
  before(async () => {
    harbour = await Harbour.open();
  });
  after(() => harbour.close());
}

type Example = (...args: unknown[]) => unknown;

/** A page that has loaded the example, and a file to send. */
async function loaded(
  exported: string,
  page?: string,
): Promise<{ example: JSHandle<Example>; file: JSHandle<File>; sha256: string }> {
  const bundle = await build({
    // esbuild wants paths where Node takes URLs.
    stdin: {
      contents: runnableExample(exported, page).replaceAll("file://", ""),
      resolveDir: repositoryRoot,
      loader: "ts",
    },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "example",
    platform: "browser",
  });
  // The example comes in from outside the page, which the page's policy is there to prevent.
  const { page: visited } = await harbour.visit({ bypassCSP: true });
  // The last part of the page that is loaded: it must not find another page.
  await visited.locator("body[data-recorder]").waitFor();
  await visited.addScriptTag({ content: String(bundle.outputFiles[0]?.text) });
  const example = await visited.evaluateHandle(
    (name) => (globalThis as unknown as { example: Record<string, Example> }).example[name] as Example,
    exported,
  );
  const file = await visited.evaluateHandle((sizeBytes) => {
    const bytes = new Uint8Array(sizeBytes).map((_, at) => (at * 7) % 251);
    return new File([bytes], "by tus.mp4", { type: "video/mp4" });
  }, FILE_BYTES);
  const sha256 = await file.evaluate(async (file) => {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  });
  return { example, file, sha256 };
}

async function assertArrived(url: string, sha256: string): Promise<void> {
  const record = await harbour.origin.waitForStored(url.slice(url.lastIndexOf("/") + 1));
  assert.deepEqual([record.fileName, record.contentType, record.sha256], ["by tus.mp4", "video/mp4", sha256]);
}

test("the example of plain tus-js-client", inBrowser, async () => {
  const { example, file, sha256 } = await loaded("sendByTus");
  const url = await example.evaluate(async (send, file) => String(await send(file, location.origin)), file);
  await assertArrived(url, sha256);
});

test("the example of the IETF's draft: the file's name and its type arrive", inBrowser, async () => {
  const { example, file, sha256 } = await loaded("sendByDraft");
  const url = await example.evaluate(async (send, file) => String(await send(file, location.origin)), file);
  await assertArrived(url, sha256);
});

test("the example of Uppy with its own plugin for tus", inBrowser, async () => {
  const { example, file, sha256 } = await loaded("createTusUppy");
  const url = await example.evaluate(async (create, file) => {
    const uppy = create(location.origin) as {
      addFile(file: object): void;
      upload(): Promise<{ successful: { uploadURL: string }[] }>;
    };
    uppy.addFile({ name: file.name, type: file.type, data: file });
    return String((await uppy.upload()).successful[0]?.uploadURL);
  }, file);
  await assertArrived(url, sha256);
});

test("the example of a form: the file goes first, and the form carries its upload's id", inBrowser, async () => {
  const { example, file, sha256 } = await loaded("uploadBeforeSubmit", "docs/guides/forms.md");
  const uploadId = await example.evaluate(async (uploadBeforeSubmit, file) => {
    document.body.innerHTML = '<form><input type="file" name="file"><input name="title" value="t"></form>';
    const form = document.forms[0] as HTMLFormElement;
    const chosen = new DataTransfer();
    chosen.items.add(file);
    (form.querySelector("input[type=file]") as HTMLInputElement).files = chosen.files;
    uploadBeforeSubmit(form, location.origin);
    const sent = new Promise<FormData>((resolve) => {
      form.submit = () => resolve(new FormData(form));
    });
    form.requestSubmit();
    const fields = await sent;
    return [...fields.keys()].sort().join() === "title,uploadId" ? String(fields.get("uploadId")) : "other fields";
  }, file);
  await assertArrived(uploadId, sha256);
});
