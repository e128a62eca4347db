// FilePond's own chunks, by hand: an id for a length, chunks, the question where to go on, and what is refused. FilePond itself is in
// `browser/chunked_libraries.test.ts`, and its files that come whole in `forms_door.test.ts`.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";

import { fileBytes, MIB } from "./support/bytes.ts";
import { type Headers, PendingRequest, type Reply } from "./support/http.ts";
import { assertBadRequest, assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";

describe("FilePond's chunks", async () => {
  const { origin, client } = await sceneWithScriptedOrigin();

  /** As FilePond begins: a form with nothing in it but what plugins add. */
  async function begin(lengthBytes: number, headers: Headers = {}, metadata = "{}"): Promise<Reply> {
    const form = new FormData();
    form.append("filepond", metadata);
    const response = new Response(form);
    const all = {
      "Content-Type": response.headers.get("Content-Type") ?? "",
      "Upload-Length": lengthBytes,
      ...headers,
    };
    return client.request("POST", "/upload", { headers: all, body: Buffer.from(await response.arrayBuffer()) });
  }

  async function begun(lengthBytes: number, headers: Headers = {}, metadata?: string): Promise<string> {
    const reply = await begin(lengthBytes, headers, metadata);
    assert.equal(reply.status, 201, reply.body.toString());
    assert.equal(reply.header("Content-Type"), "text/plain");
    return reply.body.toString();
  }

  const patch = (id: string, file: Uint8Array, from: number, to: number) =>
    client.request("PATCH", `/upload?patch=${id}`, { headers: headersAt(file, from), body: file.subarray(from, to) });
  const headersAt = (file: Uint8Array, offset: number) => ({
    "Content-Type": "application/offset+octet-stream",
    "Upload-Offset": offset,
    "Upload-Length": file.length,
    "Upload-Name": "a.bin",
  });

  async function offset(id: string): Promise<number> {
    const reply = await client.request("HEAD", `/upload?patch=${id}`);
    assert.equal(reply.status, 200);
    return Number(reply.header("Upload-Offset"));
  }

  test("the id is the upload's, and the file is there with its last chunk, also with an empty one behind it", async () => {
    const file = fileBytes("filepond", 3 * MIB);
    const id = await begun(file.length, { "Upload-Name": "dir/ä b.bin" }, '{"a":"b"}');
    for (const from of [0, MIB, 2 * MIB, 3 * MIB]) {
      assert.equal((await patch(id, file, from, from + MIB)).status, 204);
      // The first one has shown how long they are, though the file is one part.
      assert.equal(await offset(id), Math.min(from + MIB, file.length));
    }
    const { data } = await origin.waitForEvent(id, "upload.completed");
    assert.deepEqual(
      [data.fileName, data.fileSize, data.metadata],
      ["ä b.bin", file.length, { filepond: '{"a":"b"}' }],
    );
  });

  test("a file that says no name is called `file`", async () => {
    const id = await begun(5);
    assert.equal((await client.state(id)).fileName, "file");
  });

  test("a chunk that was cut off is where to go on, from its beginning, and comes again as it was", async () => {
    const file = fileBytes("filepond, cut", 50 * MIB);
    const id = await begun(file.length);
    assert.equal((await patch(id, file, 0, 20 * MIB)).status, 204);
    const pending = new PendingRequest(client.baseUrl, "PATCH", `/upload?patch=${id}`, {
      ...headersAt(file, 20 * MIB),
      "Content-Length": 20 * MIB,
    });
    pending.write(file.subarray(20 * MIB, 35 * MIB));
    const { uploadedBytes } = await client.waitUntilCounted(id, 25 * MIB);
    assert.ok(uploadedBytes < 40 * MIB);
    pending.cut();
    assert.equal(await offset(id), 20 * MIB, "it takes a chunk for sent that begins before the offset");
    assert.equal((await patch(id, file, 20 * MIB, 40 * MIB)).status, 204);
    assert.equal((await patch(id, file, 0, 20 * MIB)).status, 204, "its answer was lost");
    assert.equal((await patch(id, file, 40 * MIB, 50 * MIB)).status, 204);
    await origin.waitForEvent(id, "upload.completed");
  });

  test("what does not fit is refused and changes nothing", async () => {
    const file = fileBytes("filepond, wrong", 2 * MIB);
    const id = await begun(file.length);
    assert.equal((await patch(id, file, 0, MIB)).status, 204);
    await assertNothingCounted(client, id, async () => {
      const longer = fileBytes("longer", 3 * MIB);
      assertRefused(await patch(id, longer, MIB, 2 * MIB), 400, "inconsistent-length");
      assertRefused(await patch(id, file, MIB + 1, 2 * MIB), 409, "offset-mismatch", { uploadedBytes: MIB });
      const headers = { "Upload-Length": file.length };
      const path = `/upload?patch=${id}`;
      assertBadRequest(await client.request("PATCH", path, { headers, body: "bytes" }), "Upload-Offset");
    });
    assertRefused(await patch(randomUUID(), file, 0, MIB), 404, "upload-not-found");
    assertRefused(await patch("7", file, 0, MIB), 404, "upload-not-found");
    assertBadRequest(await begin(Number.NaN), "Upload-Length");
    assert.equal((await client.request("HEAD", `/upload?patch=${randomUUID()}`)).status, 404);
  });

  test("what is taken back is gone", async () => {
    const id = await begun(2 * MIB);
    assert.equal((await client.request("DELETE", "/upload", { body: id })).status, 204);
    assert.equal((await client.request("HEAD", `/upload?patch=${id}`)).status, 410);
  });
});
