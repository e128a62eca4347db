// The signed link to the object: what the origin reads through, whole or in ranges, and what opens to nobody else.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fileBytes, sha256 } from "./support/bytes.ts";
import type { Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin();

const file = fileBytes("download", 100_000);
const upload = await client.upload(file, { fileName: "paper.pdf", contentType: "application/pdf" });
const path = await origin.waitForDownloadPath(upload.uploadId);
const size = file.length;

function get(range?: string): Promise<Reply> {
  return client.request("GET", path, range === undefined ? {} : { headers: { Range: range } });
}

test("the link leads to the host that took the upload", async () => {
  const event = await origin.waitForEvent(upload.uploadId, "upload.completed");
  assert.ok(event.data.downloadUrl?.startsWith(`${stack.baseUrl}/upload/${upload.uploadId}/content?`));
});

test("the whole object comes with its length, its ETag and its type", async () => {
  const reply = await get();
  assert.equal(reply.status, 200);
  assert.equal(sha256(reply.body), sha256(file));
  assert.equal(reply.header("Content-Length"), String(size));
  assert.equal(reply.header("Content-Type"), "application/pdf");
  assert.equal(reply.header("Accept-Ranges"), "bytes");
  const { object } = await client.state(upload.uploadId);
  assert.equal(reply.header("ETag")?.replaceAll('"', ""), object?.etag);
  const crc = Buffer.from(String(object?.crc64nvme), "hex").toString("base64");
  assert.equal(reply.header("Repr-Digest"), `crc64nvme=:${crc}:`);
});

test("HEAD tells the same without the bytes", async () => {
  const reply = await client.request("HEAD", path);
  assert.equal(reply.status, 200);
  assert.equal(reply.body.length, 0);
  assert.equal(reply.header("Content-Length"), String(size));
  assert.equal(reply.header("Accept-Ranges"), "bytes");
});

const ranges: [string, number, number][] = [
  ["bytes=0-0", 0, 1],
  ["bytes=10-19", 10, 20],
  ["bytes=99990-", 99_990, size],
  ["bytes=99990-200000", 99_990, size],
  ["bytes=-5", size - 5, size],
  ["bytes=-200000", 0, size],
];

for (const [range, from, to] of ranges) {
  test(`Range: ${range} brings exactly those bytes`, async () => {
    const reply = await get(range);
    assert.equal(reply.status, 206);
    assert.equal(reply.header("Content-Range"), `bytes ${from}-${to - 1}/${size}`);
    assert.equal(reply.header("Content-Length"), String(to - from));
    assert.ok(reply.body.equals(file.subarray(from, to)));
  });
}

for (const range of [`bytes=${size}-`, "bytes=200000-200001"]) {
  test(`Range: ${range} lies outside and is not satisfiable`, async () => {
    const reply = await get(range);
    assert.equal(reply.status, 416);
    assert.equal(reply.header("Content-Range"), `bytes */${size}`);
  });
}

for (const range of ["bytes=abc", "lines=1-2", "bytes=9-2"]) {
  test(`Range: ${range} means nothing and is ignored`, async () => {
    const reply = await get(range);
    assert.equal(reply.status, 200);
    assert.equal(reply.body.length, size);
  });
}

test("an object of no bytes can be read, and has no range", async () => {
  const created = await client.create(Buffer.alloc(0));
  await client.complete(created.uploadId);
  const emptyPath = await origin.waitForDownloadPath(created.uploadId);
  const whole = await client.request("GET", emptyPath);
  assert.equal(whole.status, 200);
  assert.equal(whole.body.length, 0);
  const range = await client.request("GET", emptyPath, { headers: { Range: "bytes=0-" } });
  assert.equal(range.status, 416);
  assert.equal(range.header("Content-Range"), "bytes */0");
});

test("nobody gets in with a link that was changed", async () => {
  const other = await client.upload(fileBytes("other", 10));
  const url = new URL(path, stack.baseUrl);
  const expires = Number(url.searchParams.get("expires"));
  const signature = String(url.searchParams.get("signature"));
  const flipped = (signature.startsWith("0") ? "1" : "0") + signature.slice(1);
  const content = `/upload/${upload.uploadId}/content`;
  const changed = {
    "a wrong signature": `${content}?expires=${expires}&signature=${flipped}`,
    "a signature cut short": `${content}?expires=${expires}&signature=${signature.slice(0, -4)}`,
    "an empty signature": `${content}?expires=${expires}&signature=`,
    "no signature": `${content}?expires=${expires}`,
    "a later expiry": `${content}?expires=${expires + 3600}&signature=${signature}`,
    "an earlier expiry": `${content}?expires=${expires - 1}&signature=${signature}`,
    "an expiry that is no number": `${content}?expires=never&signature=${signature}`,
    "another upload's signature": `/upload/${other.uploadId}/content?expires=${expires}&signature=${signature}`,
  };
  for (const [what, changedPath] of Object.entries(changed)) {
    for (const method of ["GET", "HEAD"]) {
      const reply = await client.request(method, changedPath);
      assert.equal(reply.status, 403, `${method} with ${what}`);
      assert.ok(reply.body.indexOf(file.subarray(0, 16)) < 0);
    }
  }
});

test("its owner needs no link", async () => {
  const content = `/upload/${upload.uploadId}/content`;
  const whole = await client.request("GET", content);
  assert.deepEqual([whole.status, sha256(whole.body)], [200, sha256(file)]);
  assert.equal(whole.header("Content-Disposition"), "attachment; filename*=UTF-8''paper.pdf");
  const range = await client.request("GET", content, { headers: { Range: "bytes=10-19" } });
  assert.deepEqual([range.status, range.header("Content-Range")], [206, `bytes 10-19/${size}`]);
  assert.ok(range.body.equals(file.subarray(10, 20)));
  const head = await client.request("HEAD", content);
  assert.deepEqual([head.status, head.header("Content-Length"), head.body.length], [200, String(size), 0]);
});

test("where there is no object yet, its owner is told what is missing", async () => {
  const { uploadId } = await client.create(file);
  const reply = await client.request("GET", `/upload/${uploadId}/content`);
  const { missingBytes } = assertRefused(reply, 409, "incomplete");
  assert.equal(missingBytes, size);
});

test("the content can only be read", async () => {
  const reply = await client.request("POST", path);
  assertRefused(reply, 405, "method-not-allowed");
  assert.deepEqual(
    reply
      .header("Allow")
      ?.split(/, */)
      .filter((method) => method !== "OPTIONS"),
    ["GET", "HEAD"],
  );
});
