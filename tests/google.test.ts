// Google's resumable uploads, by hand: sessions, ranges, questions and the end. Its clients as published are in `frontends.test.ts`.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { type Headers, PendingRequest, type Reply } from "./support/http.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

type Resource = { name: string; bucket: string | null; size: string; uploadId: string; object: { crc64nvme: string } };

const BUCKET = "/upload/storage/v1/b/photos/o";

describe("Google's resumable uploads", async () => {
  const { origin, stack, client } = await sceneWithScriptedOrigin();

  const open = (path: string, headers: Headers = {}, body = "") => client.request("POST", path, { headers, body });

  async function session(path = `${BUCKET}?uploadType=resumable&name=cat.png`, headers: Headers = {}): Promise<string> {
    const reply = await open(path, headers);
    assert.equal(reply.status, 200, reply.body.toString());
    return reply.header("Location") ?? "";
  }

  const put = (url: string, body: Uint8Array, range?: string): Promise<Reply> =>
    client.request("PUT", url, { headers: range === undefined ? {} : { "Content-Range": range }, body });
  const nothing = Buffer.alloc(0);
  const idOf = (url: string) => new URL(url).searchParams.get("upload_id") ?? "";

  function assertIncomplete(reply: Reply, bytes: number): void {
    assert.equal(reply.status, 308, reply.body.toString());
    assert.equal(reply.header("Range"), bytes === 0 ? undefined : `bytes=0-${bytes - 1}`);
    assert.equal(reply.header("Location"), undefined, "a browser would follow it");
  }

  function assertStored(reply: Reply, file: Uint8Array): Resource {
    assert.equal(reply.status, 200, reply.body.toString());
    const resource = reply.json<Resource>();
    assert.deepEqual([resource.size, resource.object.crc64nvme], [String(file.length), crc64nvme(file)]);
    return resource;
  }

  test("a session, its chunks, a question in between, and the object", async () => {
    const file = fileBytes("google", 20 * MIB + 1);
    const said = { "X-Upload-Content-Type": "image/png", "X-Upload-Content-Length": file.length };
    const url = await session(undefined, said);
    assert.ok(url.startsWith(`${stack.baseUrl}${BUCKET}?`), url);
    assertIncomplete(await put(url, nothing, "bytes */*"), 0);
    const half = 8 * MIB;
    assertIncomplete(await put(url, file.subarray(0, half), `bytes 0-${half - 1}/${file.length}`), half);
    assertIncomplete(await put(url, nothing, "bytes */*"), half);
    assertIncomplete(await put(url, nothing, `bytes */${file.length}`), half);
    const last = await put(url, file.subarray(half), `bytes ${half}-${file.length - 1}/${file.length}`);
    const { name, bucket, uploadId } = assertStored(last, file);
    assert.deepEqual([name, bucket], ["cat.png", "photos"]);
    assertStored(await put(url, nothing, "bytes */*"), file);
    assertStored(await put(url, nothing, `bytes */${file.length}`), file);
    const { data } = await origin.waitForEvent(uploadId, "upload.completed");
    assert.deepEqual([data.fileName, data.contentType, data.fileSize], ["cat.png", "image/png", file.length]);
  });

  test("a description in JSON names the file, at the short address too", async () => {
    const json = { "Content-Type": "application/json; charset=UTF-8" };
    const body = JSON.stringify({ name: "a b.txt", contentType: "text/plain", metadata: { album: "x" } });
    for (const path of [`${BUCKET}?uploadType=resumable`, "/upload?uploadType=resumable"]) {
      const reply = await open(path, json, body);
      const url = reply.header("Location") ?? "";
      assert.equal(new URL(url).searchParams.get("name"), "a b.txt");
      assert.equal(assertStored(await put(url, Buffer.from("text")), Buffer.from("text")).name, "a b.txt");
      const { data } = await origin.waitForEvent(idOf(url), "upload.completed");
      assert.deepEqual([data.fileName, data.contentType, data.metadata], ["a b.txt", "text/plain", { album: "x" }]);
    }
  });

  test("a length that comes with the last chunk, with an empty one behind it, or not at all", async () => {
    const file = fileBytes("google, unknown", 6 * MIB);
    const first = 5 * MIB;
    const begun = async () => {
      const url = await session();
      assertIncomplete(await put(url, file.subarray(0, first), `bytes 0-${first - 1}/*`), first);
      return url;
    };
    const rest = file.subarray(first);
    assertStored(await put(await begun(), rest, `bytes ${first}-${file.length - 1}/${file.length}`), file);
    const url = await begun();
    assertIncomplete(await put(url, rest, `bytes ${first}-${file.length - 1}/*`), file.length);
    assertStored(await put(url, nothing, `bytes */${file.length}`), file);
    assertStored(await put(await begun(), rest, `bytes ${first}-*/*`), file);
    assertStored(await put(await session(), file), file);
    const headers = { "Transfer-Encoding": "chunked", "Content-Range": "bytes 0-*/*" };
    const piped = new PendingRequest(client.baseUrl, "PUT", await session(), headers);
    await piped.writeThrough(file);
    assertStored(await piped.finish(), file);
    assertStored(await put(await session(), nothing, "bytes */0"), nothing);
  });

  test("a chunk that was cut off goes on where the answer to the question says", async () => {
    const file = fileBytes("google, cut", 40 * MIB);
    const url = await session();
    const headers = { "Content-Length": file.length, "Content-Range": `bytes 0-${file.length - 1}/${file.length}` };
    const pending = new PendingRequest(client.baseUrl, "PUT", url, headers);
    pending.write(file.subarray(0, 25 * MIB));
    await client.waitUntilCounted(idOf(url), 5 * MIB);
    pending.cut();
    const asked = await put(url, nothing, "bytes */*");
    const counted = Number(/^bytes=0-(\d+)$/.exec(asked.header("Range") ?? "")?.[1]) + 1;
    assertIncomplete(asked, counted);
    assertStored(await put(url, file.subarray(counted), `bytes ${counted}-${file.length - 1}/${file.length}`), file);
  });

  test("a chunk that was cut off is taken as it was, too, and what counts of it is passed over", async () => {
    const file = fileBytes("google, overlap", 40 * MIB);
    const url = await session();
    const half = 30 * MIB;
    const range = `bytes 0-${half - 1}/${file.length}`;
    const headers = { "Content-Length": half, "Content-Range": range };
    const pending = new PendingRequest(client.baseUrl, "PUT", url, headers);
    pending.write(file.subarray(0, 25 * MIB));
    const { uploadedBytes } = await client.waitUntilCounted(idOf(url), 5 * MIB);
    assert.ok(uploadedBytes < half);
    pending.cut();
    assertIncomplete(await put(url, file.subarray(0, half), range), half);
    // Also one that begins where nothing was cut.
    const rest = file.subarray(7 * MIB);
    assertStored(await put(url, rest, `bytes ${7 * MIB}-${file.length - 1}/${file.length}`), file);
  });

  test("chunks that come again, too early or with another total change nothing", async () => {
    const file = fileBytes("google, wrong", 3 * MIB);
    const url = await session(undefined, { "X-Upload-Content-Length": file.length });
    const chunk = file.subarray(0, MIB);
    assertIncomplete(await put(url, chunk, `bytes 0-${MIB - 1}/${file.length}`), MIB);
    assertIncomplete(await put(url, chunk, `bytes 0-${MIB - 1}/${file.length}`), MIB);
    assertIncomplete(await put(url, chunk, `bytes ${2 * MIB}-${3 * MIB - 1}/${file.length}`), MIB);
    assertRefused(await put(url, chunk, `bytes ${MIB}-${2 * MIB - 1}/${file.length + 1}`), 400, "inconsistent-length");
    for (const range of ["bytes 0-5", `bytes 0-${MIB}/${file.length}`, "bytes */*", "bytes 9-5/10", "items 0-1/2"]) {
      assertBadRequest(await put(url, chunk, range), "Content-Range");
    }
    assertIncomplete(await put(url, nothing, "bytes */*"), MIB);
    const { error } = (await put(url, chunk, "bytes 0-5")).json<{ error: { code: number; message: string } }>();
    assert.equal(error.code, 400);
    assert.match(error.message, /Content-Range/);
    assertStored(await put(url, file.subarray(MIB), `bytes ${MIB}-${file.length - 1}/${file.length}`), file);
  });

  test("what is cancelled is 499, again and again, and leaves nothing", async () => {
    const url = await session();
    assertIncomplete(await put(url, fileBytes("google, cancelled", 9 * MIB), `bytes 0-${9 * MIB - 1}/*`), 9 * MIB);
    for (let times = 0; times < 2; times++) {
      assert.equal((await client.request("DELETE", url)).status, 499);
    }
    assertRefused(await put(url, nothing, "bytes */*"), 410, "upload-gone");
    await waitUntilNothingLeft(stack.persistDir, idOf(url));
  });

  test("a whole file by uploadType=media", async () => {
    const file = fileBytes("google, media", MIB);
    const path = `${BUCKET}?uploadType=media&name=dir%2Fcat.png`;
    const headers = { "Content-Type": "image/png", "Content-Digest": `sha-256=:${sha256(file, "base64")}:` };
    const { name, uploadId } = assertStored(await client.request("POST", path, { headers, body: file }), file);
    assert.equal(name, "dir/cat.png");
    const { cost } = await client.state(uploadId);
    assert.equal(cost.r2ClassA, 1);
    assertRefused(await client.request("POST", path, { headers, body: "other" }), 422, "checksum-mismatch");
  });

  test("what is not spoken is said", async () => {
    const before = await client.openUploads();
    assertBadRequest(await open(`${BUCKET}?uploadType=multipart`), "uploadType");
    assertBadRequest(await open(BUCKET), "uploadType");
    const json = { "Content-Type": "application/json" };
    const resumable = `${BUCKET}?uploadType=resumable`;
    assertBadRequest(await open(resumable, json, '{"md5Hash":"x"}'), "md5Hash");
    assertBadRequest(await open(resumable, json, "[]"), "body");
    assertBadRequest(await open(resumable, { "X-Upload-Content-Length": "many" }), "X-Upload-Content-Length");
    assertRefused(
      await open(resumable, { "Content-Type": "multipart/related; boundary=x" }, "x"),
      415,
      "unsupported-media-type",
    );
    assertRefused(await client.request("GET", resumable), 405, "method-not-allowed");
    assertRefused(await put(`${BUCKET}?upload_id=7`, nothing, "bytes */*"), 404, "upload-not-found");
    assert.deepEqual(await client.openUploads(), before);
  });
});

test("a session that is left alone goes by itself", async () => {
  const { origin, stack, client } = await sceneWithScriptedOrigin({ UPLOAD_TTL_SECONDS: 2 });
  const opened = await client.request("POST", "/upload?uploadType=resumable", { body: "" });
  const { uploadId } = await waitFor("it to be listed", async () => (await client.openUploads())[0]);
  await origin.waitForEvent(uploadId, "upload.expired");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  assertRefused(await client.request("PUT", opened.header("Location") ?? "", { body: "x" }), 410, "upload-gone");
});
