// Upload libraries that send a file in pieces, as they are published, with the lines that docs/guides/frontends.md shows: a file of several
// chunks, and in the middle of it every connection is cut. Each goes on as it can, and the origin gets the file as it was.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";

import { build } from "esbuild";
import type { Page } from "playwright-core";

import { fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { codeBlock } from "../support/guides.ts";
import { folderWith } from "../support/npm.ts";
import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";
import { inBrowser } from "./harbour.ts";
import { LibraryPage } from "./library_page.ts";

const PAGE = "docs/guides/frontends.md";

/** A library: where its lines stand, what they need, and how a page hands it a file and hears what has become of it. */
type Library = {
  heading: string;
  package: string;
  /** In their order: below the package, or as it stands here, below another that goes with it. */
  scripts: (string | { package: string; path: string })[];
  /** What is added to the lines where a page can say it nowhere else, and in front of what. */
  added?: { inFrontOf: string; text: string };
  /** Behind the lines: takes `file`, and calls `done` with "success" or with what went wrong. */
  use: string;
};

const LIBRARIES: Library[] = [
  {
    heading: "Dropzone, in chunks",
    package: "dropzone@6.3.5",
    scripts: ["dropzone/dist/dropzone-min.js"],
    use: `
      dropzone.on("success", () => done("success"));
      dropzone.on("error", (_, message) => done(JSON.stringify(message)));
      dropzone.addFile(file);`,
  },
  {
    heading: "FilePond, in chunks",
    package: "filepond@4.32.12",
    scripts: ["filepond/dist/filepond.min.js"],
    use: `
      pond.on("processfile", (error) => done(error ? JSON.stringify(error) : "success"));
      pond.addFile(file);`,
  },
  {
    heading: "blueimp, in chunks",
    package: "blueimp-file-upload@10.32.0",
    scripts: [
      // It does not know the next one.
      { package: "jquery@3.8.0", path: "jquery/dist/jquery.min.js" },
      "blueimp-file-upload/js/vendor/jquery.ui.widget.js",
      "blueimp-file-upload/js/jquery.fileupload.js",
    ],
    use: `
      $("#file").on("fileuploaddone", () => done("success"));
      $("#file").fileupload("add", { files: [file] });`,
  },
  {
    heading: "Fine Uploader",
    package: "fine-uploader@5.16.2",
    scripts: ["fine-uploader/fine-uploader/fine-uploader.core.min.js"],
    added: {
      inFrontOf: "retry:",
      text: 'callbacks: { onComplete: (id, name, answer) => done(answer.success ? "success" : JSON.stringify(answer)) },',
    },
    use: "uploader.addFiles([file]);",
  },
  {
    heading: "Resumable.js",
    package: "resumablejs@1.1.0",
    scripts: ["resumablejs/resumable.js"],
    use: `
      resumable.on("fileSuccess", () => done("success"));
      resumable.on("fileError", (_, message) => done(message));
      resumable.on("fileAdded", () => resumable.upload());
      resumable.addFile(file);`,
  },
  {
    heading: "Flow.js",
    package: "@flowjs/flow.js@2.14.1",
    scripts: ["@flowjs/flow.js/dist/flow.min.js"],
    use: `
      flow.on("fileSuccess", () => done("success"));
      flow.on("fileError", (_, message) => done(message));
      flow.on("filesSubmitted", () => flow.upload());
      flow.addFile(file);`,
  },
  {
    heading: "simple-uploader.js",
    package: "simple-uploader.js@0.6.0",
    scripts: ["simple-uploader.js/dist/uploader.min.js"],
    use: `
      uploader.on("fileSuccess", () => done("success"));
      uploader.on("fileError", (_, __, message) => done(message));
      uploader.on("filesSubmitted", () => uploader.upload());
      uploader.addFile(file);`,
  },
  {
    heading: "Plupload, in chunks",
    package: "plupload@2.3.9",
    scripts: ["plupload/js/plupload.full.min.js"],
    use: `
      uploader.bind("PostInit", () => uploader.addFile(file));
      uploader.bind("FilesAdded", () => setTimeout(() => uploader.start(), 0));
      uploader.bind("FileUploaded", () => done("success"));
      uploader.bind("Error", (_, error) => done(JSON.stringify(error)));
      uploader.init();`,
  },
];

describe("libraries that send a file in pieces", inBrowser, async () => {
  const site = await LibraryPage.start();
  const target = join(repositoryRoot, "target");
  mkdirSync(target, { recursive: true });
  const folder = mkdtempSync(join(target, "chunked-"));
  after(() => rmSync(folder, { recursive: true }));

  const linesOf = (heading: string, { language = "js", address = site.wire.url } = {}) =>
    codeBlock(PAGE, heading, language).replaceAll("https://upload.example.com", address);
  const scriptsOf = (library: Library) =>
    Promise.all(
      library.scripts.map(async (script) => {
        const at = typeof script === "string" ? { package: library.package, path: script } : script;
        return join(await folderWith(at.package), "node_modules", at.path);
      }),
    );
  const codeOf = ({ heading, added, use }: Library, address = site.wire.url) => {
    const lines = linesOf(heading, { address });
    return (added ? lines.replace(added.inFrontOf, added.text + added.inFrontOf) : lines) + use;
  };

  /** Puts the bytes into the page's input, so that the page has them as a user's file, and runs what stands in `code`. */
  async function run(page: Page, path: string, code: string): Promise<string> {
    await page.setInputFiles("#file", path);
    return await page.evaluate(`new Promise((done) => {
      const [file] = document.querySelector("#file").files;
      ${code}
    })`);
  }

  /** Cuts every connection once in the middle of the file. */
  async function sendWithCut(name: string, bytes: Buffer, send: (path: string) => Promise<string>): Promise<void> {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    const known = new Set((await site.client.openUploads()).map(({ uploadId }) => uploadId));
    const from = site.wire.sentBytes;
    site.wire.holdAfter(bytes.length / 2);
    const ended = send(path);
    ended.catch(() => {});
    const opened = await waitFor("the upload to be listed", async () =>
      (await site.client.openUploads()).find(({ uploadId }) => !known.has(uploadId)),
    );
    await waitFor("half of the file to be on its way", () => site.wire.sentBytes - from >= bytes.length / 2);
    site.wire.cut();
    site.wire.release();
    site.wire.mend();
    assert.equal(await ended, "success");
    const record = await site.origin.waitForStored(opened.uploadId);
    assert.deepEqual([record.sha256, record.fileName], [sha256(bytes), name]);
  }

  for (const library of LIBRARIES) {
    test(`${library.package} goes on after a cut`, async () => {
      const page = await site.open(await scriptsOf(library));
      const bytes = fileBytes(library.package, 24 * MIB + 3);
      await sendWithCut(`${library.heading} ä.png`, bytes, (path) => run(page, path, codeOf(library)));
      await page.close();
    });
  }

  /** react-uploady's page as one script: `show(file, done)` sends the file to this address. */
  async function uploady(address = site.wire.url): Promise<string> {
    const packages = await folderWith("@rpldy/chunked-uploady@1.13.0");
    const [entry, bundle] = [join(packages, `page-${process.pid}.jsx`), join(folder, "uploady.js")];
    writeFileSync(
      entry,
      `import React from "react";
      import { createRoot } from "react-dom/client";
      import ChunkedUploady, { useUploady, useItemFinishListener, useItemErrorListener, useRequestPreSend } from "@rpldy/chunked-uploady";
      ${linesOf("react-uploady, in chunks", { language: "jsx", address })}
      const Send = ({ file, done }) => {
        const { upload } = useUploady();
        useItemFinishListener(() => done("success"));
        useItemErrorListener((item) => done(JSON.stringify(item.uploadResponse)));
        React.useEffect(() => upload(file), []);
        return null;
      };
      window.show = (file, done) =>
        createRoot(document.querySelector("#drop")).render(<Upload><Send file={file} done={done} /></Upload>);`,
    );
    try {
      await build({ entryPoints: [entry], outfile: bundle, bundle: true, jsx: "transform", logLevel: "error" });
    } finally {
      rmSync(entry);
    }
    return bundle;
  }

  test("@rpldy/chunked-uploady@1.13.0 goes on after a cut", async () => {
    const page = await site.open([await uploady()]);
    const bytes = fileBytes("uploady", 24 * MIB + 3);
    await sendWithCut("uploady ä.png", bytes, (path) => run(page, path, "window.show(file, done);"));
    await page.close();
  });

  /** A page, and what sends its file to this address. */
  type Sender = (address: string) => Promise<{ scripts: string[]; code: string }>;

  /** A file is sent as a whole while another of its name and length is half there. */
  async function assertTwoAreTwo(name: string, sender: Sender): Promise<void> {
    const [one, other] = [fileBytes(`${name}, one`, 24 * MIB + 3), fileBytes(`${name}, other`, 24 * MIB + 3)] as const;
    const begin = async (bytes: Buffer, address: string) => {
      const path = join(mkdtempSync(join(folder, "same-")), `${name}.png`);
      writeFileSync(path, bytes);
      const { scripts, code } = await sender(address);
      const page = await site.open(scripts);
      return { page, ended: run(page, path, code) };
    };
    const from = site.wire.sentBytes;
    site.wire.holdAfter(one.length / 2);
    const slow = await begin(one, site.wire.url);
    slow.ended.catch(() => {});
    await waitFor("half of the file to be on its way", () => site.wire.sentBytes - from >= one.length / 2);
    const fast = await begin(other, site.client.baseUrl);
    assert.equal(await fast.ended, "success");
    site.wire.release();
    assert.equal(await slow.ended, "success");
    for (const [bytes, { page }] of [
      [one, slow],
      [other, fast],
    ] as const) {
      await site.origin.waitForFile(sha256(bytes));
      await page.close();
    }
  }

  for (const library of LIBRARIES.filter(({ heading }) => /blueimp|Plupload/.test(heading))) {
    test(`${library.package} tells two files of one name and length apart`, async () => {
      await assertTwoAreTwo(library.heading, async (address) => {
        return { scripts: await scriptsOf(library), code: codeOf(library, address) };
      });
    });
  }

  test("@rpldy/chunked-uploady@1.13.0 tells two files of one name and length apart", async () => {
    await assertTwoAreTwo("uploady twice", async (address) => {
      return { scripts: [await uploady(address)], code: "window.show(file, done);" };
    });
  });

  test("FilePond asks where to go on once it has given up, and its user tries again", async () => {
    const library = LIBRARIES.find(({ package: name }) => name.startsWith("filepond@"));
    assert.ok(library);
    const page = await site.open(await scriptsOf(library));
    const bytes = fileBytes("filepond again", 24 * MIB + 3);
    const path = join(folder, "again.png");
    writeFileSync(path, bytes);
    const known = new Set((await site.client.openUploads()).map(({ uploadId }) => uploadId));
    site.wire.holdAfter(bytes.length / 2);
    const gaveUp = run(page, path, `${codeOf(library)} window.pond = pond;`);
    const opened = await waitFor("the upload to be listed", async () =>
      (await site.client.openUploads()).find(({ uploadId }) => !known.has(uploadId)),
    );
    await site.client.waitUntilCounted(opened.uploadId, 4 * MIB);
    site.wire.cut();
    site.wire.release();
    assert.notEqual(await gaveUp, "success");
    site.wire.mend();
    const from = site.wire.sentBytes;
    await page.evaluate("window.pond.processFile().then(() => undefined)");
    const record = await site.origin.waitForStored(opened.uploadId);
    assert.equal(record.sha256, sha256(bytes));
    assert.ok(site.wire.sentBytes - from < bytes.length, "not all of it was sent again");
    await page.close();
  });

  test("Resumable.js finds its file again after its page was reloaded", async () => {
    const library = LIBRARIES.find(({ heading }) => heading === "Resumable.js");
    assert.ok(library);
    const scripts = await scriptsOf(library);
    const page = await site.open(scripts);
    const bytes = fileBytes("reload", 24 * MIB + 3);
    const path = join(folder, "reload.png");
    writeFileSync(path, bytes);
    const known = new Set((await site.client.openUploads()).map(({ uploadId }) => uploadId));
    site.wire.holdAfter(bytes.length / 2);
    const code = codeOf(library);
    run(page, path, code).catch(() => {}); // its page goes away
    const opened = await waitFor("the upload to be listed", async () =>
      (await site.client.openUploads()).find(({ uploadId }) => !known.has(uploadId)),
    );
    const { uploadedBytes } = await site.client.waitUntilCounted(opened.uploadId, 4 * MIB);
    await site.addScripts(page, scripts);
    site.wire.release();
    const from = site.wire.sentBytes;
    assert.equal(await run(page, path, code), "success");
    assert.ok(site.wire.sentBytes - from < bytes.length - uploadedBytes + 2 * MIB, "what was there is not sent again");
    const record = await site.origin.waitForStored(opened.uploadId);
    assert.equal(record.sha256, sha256(bytes));
    await page.close();
  });
});
