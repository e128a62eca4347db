// A form in a page without script: the browser sends it, and is sent on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../support/ports.ts";
import { FormPages } from "./forms_pages.ts";
import { inBrowser } from "./harbour.ts";

test("a form without script brings its file, and the browser sees the page that comes next", inBrowser, async () => {
  const port = await freePort();
  const thanks = `http://127.0.0.1:${port}/`;
  const pages = await FormPages.open({ FORM_REDIRECTS: thanks });
  const form = (more: string) => `<!doctype html><title>app</title>
    <form action="${pages.stack.baseUrl}/upload" method="post" enctype="multipart/form-data">
      <input name="album" value="7">
      <input name="photo" type="file" multiple>
      <input name="tag" type="checkbox" value="a" checked><input name="tag" type="checkbox" value="b" checked>
      ${more}
      <button name="send" value="now">Send</button>
    </form>`;
  const { page } = await pages.show(form(`<input name="redirect" type="hidden" value="${thanks}next">`), {
    javaScriptEnabled: false,
  });
  // Nobody listens there: where the browser is sent is enough.
  const asked = page.waitForRequest((request) => request.url().startsWith(thanks));
  await page.setInputFiles("input[type=file]", [pages.path("cat.png"), pages.path("cat.png")]);
  await page.click("button");
  const url = new URL((await asked).url());
  assert.equal(url.pathname, "/next");
  const ids = url.searchParams.getAll("uploadId");
  assert.equal(ids.length, 2);
  for (const id of ids) {
    await pages.assertArrived(id, { album: "7", tag: "a\nb", send: "now", formField: "photo" });
  }

  const { page: empty } = await pages.show(form(""), { javaScriptEnabled: false });
  const refused = empty.waitForResponse((response) => response.url().endsWith("/upload"));
  await empty.click("button");
  const response = await refused;
  assert.equal(response.status(), 400, "no file was chosen");
  assert.match(await response.text(), /has no file in it/);
});
