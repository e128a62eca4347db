// A form is never stored as the file: what comes as multipart/* is refused in every protocol, says how to send bare bytes, and leaves
// nothing behind. And where JSON is asked for, a form is told so.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Reply } from "./support/http.ts";
import { bucketState } from "./support/r2_state.ts";
import { assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { Tus } from "./support/tus.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
const tus = new Tus(client);
after(() => stack.stop());

const FORM = { "Content-Type": "multipart/form-data; boundary=x" };
const body = Buffer.from('--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nbytes\r\n--x--\r\n');

function assertForm(reply: Reply, expected: RegExp): void {
  const { detail } = assertRefused(reply, 415, "unsupported-media-type");
  assert.match(detail, expected);
}

test("a chunk that is a form counts nowhere", async () => {
  const bare = /bytes of the file alone as the body, with `Content-Type: ([\w/+-]+)`, and no form/;
  const json = await client.create(body);
  await assertNothingCounted(client, json.uploadId, async () => {
    assertForm(await client.put(json.uploadId, 0, body, FORM), bare);
  });
  const parallel = await client.create(body, { parallel: true });
  assertForm(await client.put(parallel.uploadId, 0, body, FORM), bare);

  const url = await tus.create({ "Upload-Length": body.length });
  assertForm(await tus.patch(url, 0, body, FORM), bare);
  assert.equal(await tus.offset(url), 0);

  for (const version of ["3", "5", "6", "8", undefined]) {
    const interop: Record<string, string> = version === undefined ? {} : { "Upload-Draft-Interop-Version": version };
    const creation = { headers: { ...interop, "Upload-Complete": "?0", "Upload-Incomplete": "?1" }, body: "" };
    const created = await client.request("POST", "/files", creation);
    assert.equal(created.status, 201, created.body.toString());
    const append = { ...interop, ...FORM, "Upload-Offset": 0, "Upload-Complete": "?1", "Upload-Incomplete": "?0" };
    assertForm(await client.request("PATCH", String(created.header("Location")), { headers: append, body }), bare);
    const head = await client.request("HEAD", String(created.header("Location")), { headers: interop });
    assert.equal(head.header("Upload-Offset"), "0");
  }
});

test("a creation that brings a form creates nothing", async () => {
  const before = [await client.openUploads(), await bucketState(stack.persistDir)];
  const bare = /bytes of the file alone as the body/;
  assertForm(await tus.post({ "Upload-Length": body.length, ...FORM }, body), bare);
  for (const complete of ["?0", "?1"]) {
    const headers = { "Upload-Complete": complete, ...FORM };
    assertForm(await client.request("POST", "/files", { headers, body }), bare);
  }
  // What would be appended to it is the form.
  assertForm(await client.request("POST", "/files", { headers: { "Upload-Complete": "?0", ...FORM }, body: "" }), bare);
  assert.deepEqual([await client.openUploads(), await bucketState(stack.persistDir)], before);
});

test("where JSON is asked for, a form is told so", async () => {
  const { uploadId } = await client.create(body);
  const json = /a JSON object as the body, with `Content-Type: application\/json`; this is a form/;
  const paths = ["/upload/init", `/upload/${uploadId}/parts`, `/upload/${uploadId}/parts/sign`, "/s3/multipart"];
  for (const path of paths) {
    assertForm(await client.request("POST", path, { headers: FORM, body }), json);
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    assertForm(await client.request("POST", path, { headers, body: "fileName=a&fileSize=1" }), json);
  }
  // curl's -d says that it sends a form, whatever it sends.
  const said = JSON.stringify({ fileName: "a", fileSize: 1 });
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  assert.equal((await client.request("POST", "/upload/init", { headers, body: said })).status, 201);
});
