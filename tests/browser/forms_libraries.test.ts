// Upload libraries as they are published, on pages of another site, with the lines that docs/guides/frontends.md shows for each: what is
// chosen there arrives at the origin as it was, with the field beside it.

import { describe, test } from "node:test";

import { waitFor } from "../support/wait.ts";
import { FormPages, type Library } from "./forms_pages.ts";
import { inBrowser } from "./harbour.ts";

describe("libraries that post a form", inBrowser, async () => {
  if (inBrowser.skip) {
    return;
  }
  const pages = await FormPages.open();

  /** Chooses the file, and waits until the page knows its upload. */
  async function choose(library: Library) {
    const { page, ids, complaints } = await pages.with(library);
    if (library.button === undefined) {
      await page.setInputFiles("input[type=file]", pages.path("cat.png"));
    } else {
      const chooser = page.waitForEvent("filechooser");
      await page.click(library.button);
      await (await chooser).setFiles(pages.path("cat.png"));
    }
    const kept = await waitFor("the page to be answered", () => ids[0], { lastSeen: () => complaints });
    return { page, kept };
  }

  async function assertArrives(library: Library): Promise<void> {
    const { kept } = await choose(library);
    await pages.assertArrived(kept);
  }

  test("Dropzone", async () => {
    await assertArrives({
      packages: ["dropzone@6.3.5"],
      scripts: ["dropzone/dist/dropzone-min.js"],
      body: '<div id="drop"></div>',
      code: `Dropzone.autoDiscover = false;
        const dropzone = ${pages.code("Dropzone", "js")}
        dropzone.on("success", (file, answer) => done(answer.uploadId));`,
    });
  });

  const filePond = (code: string): Library => ({
    packages: ["filepond@4.32.12"],
    scripts: ["filepond/dist/filepond.js"],
    body: "<form><input type=file></form>",
    code: `window.pond = ${code}
      pond.on("processfile", (error, item) => done(item.serverId));`,
  });

  test("FilePond, which keeps the id and takes its file back by that", async () => {
    const { page, kept } = await choose(filePond(pages.code("FilePond", "js")));
    await pages.assertArrived(kept, { formField: "photo" });
    await page.evaluate("pond.removeFile(pond.getFile().id, { revert: true })");
    await pages.stack.client.waitUntilState(kept, "deleted");
  });

  test("FilePond with nothing but an address, which keeps the whole answer", async () => {
    const code = `FilePond.create(document.querySelector("input"), { server: "${pages.stack.baseUrl}/upload" });`;
    const { page, kept } = await choose(filePond(code));
    const { uploadId } = JSON.parse(kept) as { uploadId: string };
    await pages.assertArrived(uploadId, { formField: "filepond" });
    await page.evaluate("pond.removeFile(pond.getFile().id, { revert: true })");
    await pages.stack.client.waitUntilState(uploadId, "deleted");
  });

  test("Uppy XHRUpload", async () => {
    await assertArrives({
      packages: ["@uppy/xhr-upload@6.0.0"],
      body: '<input id="choose" type=file>',
      code: `import Uppy from "@uppy/core";
        import XHRUpload from "@uppy/xhr-upload";
        const uppy = ${pages.code("Uppy XHRUpload", "js")}
        uppy.on("upload-success", (file, { body, uploadURL }) => done(uploadURL.split("/").pop() === body.uploadId && body.uploadId));
        document.querySelector("input").onchange = ({ target }) => {
          uppy.addFile({ name: target.files[0].name, type: target.files[0].type, data: target.files[0] });
          uppy.upload();
        };`,
    });
  });

  const inReact = (imports: string, jsx: string) => `import React from "react";
    import { createRoot } from "react-dom/client";
    ${imports}
    createRoot(document.querySelector("#app")).render(${jsx});`;

  test("Ant Design's Upload", async () => {
    await assertArrives({
      packages: ["rc-upload@4.11.0"],
      body: '<div id="app"></div>',
      code: inReact('import Upload from "rc-upload";', pages.code("Ant Design", "jsx")),
    });
  });

  test("react-uploady", async () => {
    await assertArrives({
      packages: ["@rpldy/uploady@1.13.0", "@rpldy/upload-button@1.13.0"],
      body: '<div id="app"></div>',
      button: "button",
      code: inReact(
        `import Uploady, { useItemFinishListener } from "@rpldy/uploady";
        import Button from "@rpldy/upload-button";
        const UploadButton = () => {
          useItemFinishListener(({ uploadResponse }) => done(uploadResponse.data.uploadId));
          return <Button />;
        };`,
        pages.code("react-uploady", "jsx"),
      ),
    });
  });

  test("Element Plus", async () => {
    const body = `<div id="app">${pages.code("Element Plus", "html")}</div>`;
    await assertArrives({
      packages: ["element-plus@2.14.8"],
      scripts: ["vue/dist/vue.global.prod.js", "element-plus/dist/index.full.min.js"],
      body,
      code: "Vue.createApp({ setup: () => ({ done: window.done }) }).use(ElementPlus).mount('#app');",
    });
  });

  test("blueimp's jQuery-File-Upload", async () => {
    const files = ["vendor/jquery.ui.widget.js", "jquery.iframe-transport.js", "jquery.fileupload.js"];
    await assertArrives({
      packages: ["blueimp-file-upload@10.32.0", "jquery@3.7.1"],
      scripts: ["jquery/dist/jquery.js", ...files.map((file) => `blueimp-file-upload/js/${file}`)],
      body: "<input type=file>",
      code: pages.code("blueimp", "js"),
    });
  });
});
