// Downloads under conditions (RFC 9110, sections 13 and 14): by signed link, and by the upload's owner in tus and the IETF draft, each
// request and what is answered. The whole table of conditions is in core/types/src/preconditions.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fileBytes } from "./support/bytes.ts";
import type { Headers, Reply } from "./support/http.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";

const { origin, client } = await sceneWithScriptedOrigin();

const file = fileBytes("conditional", 1000);
const upload = await client.upload(file, { fileName: "paper.pdf", contentType: "application/pdf" });
const link = await origin.waitForDownloadPath(upload.uploadId);
const owned = `/files/${upload.uploadId}`;

/** Every way to the bytes. */
const ways: [string, string, Headers][] = [
  ["by link", link, {}],
  ["by its owner, in tus", owned, { "Tus-Resumable": "1.0.0" }],
  ["by its owner, in the draft", owned, { "Upload-Draft-Interop-Version": "8" }],
];

const first = await client.request("GET", link);
const etag = String(first.header("ETag"));
const modified = String(first.header("Last-Modified"));
const earlier = new Date(Date.parse(modified) - 1000).toUTCString();
const later = new Date(Date.parse(modified) + 1000).toUTCString();

test("an object has a strong ETag, a date, and nobody on the way may change it", () => {
  assert.match(etag, /^"[^"]+"$/);
  assert.equal(new Date(modified).toUTCString(), modified);
  assert.ok(Math.abs(Date.now() - Date.parse(modified)) < 600_000, modified);
  assert.match(String(first.header("Cache-Control")), /\bno-transform\b/);
});

/** What is asked, and what is answered: a status, and which bytes. */
const conversations: [Headers, number, [number, number]?][] = [
  [{ "If-Match": etag }, 200, [0, 1000]],
  [{ "If-Match": `"other", ${etag}` }, 200, [0, 1000]],
  [{ "If-Match": "*" }, 200, [0, 1000]],
  [{ "If-Match": '"other"' }, 412],
  [{ "If-Match": `W/${etag}` }, 412],
  [{ "If-Unmodified-Since": modified }, 200, [0, 1000]],
  [{ "If-Unmodified-Since": earlier }, 412],
  [{ "If-Match": etag, "If-Unmodified-Since": earlier }, 200, [0, 1000]],
  [{ "If-None-Match": etag }, 304],
  [{ "If-None-Match": `W/${etag}` }, 304],
  [{ "If-None-Match": "*" }, 304],
  [{ "If-None-Match": '"other"' }, 200, [0, 1000]],
  [{ "If-None-Match": '"other"', "If-Modified-Since": later }, 200, [0, 1000]],
  [{ "If-Modified-Since": modified }, 304],
  [{ "If-Modified-Since": earlier }, 200, [0, 1000]],
  [{ "If-Modified-Since": "no date" }, 200, [0, 1000]],
  [{ Range: "bytes=10-19" }, 206, [10, 20]],
  [{ Range: "bytes=-10" }, 206, [990, 1000]],
  [{ Range: "bytes=990-5000" }, 206, [990, 1000]],
  [{ Range: "bytes=0-1,5-6" }, 200, [0, 1000]],
  [{ Range: "bytes=1000-" }, 416],
  [{ Range: "bytes=-0" }, 416],
  [{ Range: "bytes=10-19", "If-Range": etag }, 206, [10, 20]],
  [{ Range: "bytes=10-19", "If-Range": modified }, 206, [10, 20]],
  [{ Range: "bytes=10-19", "If-Range": '"other"' }, 200, [0, 1000]],
  [{ Range: "bytes=10-19", "If-Range": later }, 200, [0, 1000]],
  [{ Range: "bytes=1000-", "If-Range": '"other"' }, 200, [0, 1000]],
  [{ Range: "bytes=10-19", "If-None-Match": etag }, 304],
  [{ Range: "bytes=10-19", "If-Match": '"other"' }, 412],
];

function assertBytes(reply: Reply, status: number, [from, to]: [number, number]): void {
  assert.ok(reply.body.equals(file.subarray(from, to)));
  assert.equal(reply.header("Content-Range"), status === 206 ? `bytes ${from}-${to - 1}/1000` : undefined);
  assert.equal(reply.header("Content-Length"), String(to - from));
}

for (const [way, path, spoken] of ways) {
  test(`${way}: preconditions, then the range`, async () => {
    for (const [asked, status, bytes] of conversations) {
      const reply = await client.request("GET", path, { headers: { ...spoken, ...asked } });
      assert.equal(reply.status, status, `${JSON.stringify(asked)}: ${reply.body.subarray(0, 300)}`);
      if (bytes !== undefined) {
        assertBytes(reply, status, bytes);
      }
      if (status === 304) {
        assert.equal(reply.body.length, 0);
        assert.equal(reply.header("Content-Type"), undefined);
        assert.equal(reply.header("Repr-Digest"), undefined);
      }
      if (status === 416) {
        assert.equal(reply.header("Content-Range"), "bytes */1000");
      } else {
        assert.equal(reply.header("ETag"), etag, JSON.stringify(asked));
      }
      if (status < 400) {
        assert.equal(reply.header("Last-Modified"), modified);
        assert.match(String(reply.header("Cache-Control")), /\bno-transform\b/);
      }
    }
  });
}

test("HEAD of a link says what GET would, without the bytes, and knows no ranges", async () => {
  const differing = new Set(["date", "server-timing", "connection", "keep-alive", "transfer-encoding"]);
  const said = ({ headers }: Reply) => Object.entries(headers).filter(([name]) => !differing.has(name));
  for (const headers of [{}, { "If-None-Match": etag }, { "If-Match": etag }] as Headers[]) {
    const get = await client.request("GET", link, { headers });
    const head = await client.request("HEAD", link, { headers });
    assert.equal(head.status, get.status);
    assert.deepEqual(said(head), said(get));
    assert.equal(head.body.length, 0);
  }
  assert.equal((await client.request("HEAD", link, { headers: { "If-Match": '"other"' } })).status, 412);
  const whole = await client.request("HEAD", link, { headers: { Range: "bytes=10-19" } });
  assert.equal(whole.status, 200);
  assert.equal(whole.header("Content-Length"), "1000");
  assert.equal(whole.header("Content-Range"), undefined);
});
