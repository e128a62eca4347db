// Uploads whose length is declared later: they count for what has arrived, grow as far as their owner has room, and nobody is told a
// length that is not theirs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { ChunkTaken, Created } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const deferred = { "Upload-Defer-Length": "1" };

describe("what is said of a length that nobody knows yet", async () => {
  const { origin, client } = await sceneWithScriptedOrigin();
  const tus = new Tus(client);

  test("is nothing, in the list, the status and the events, until it is declared", async () => {
    const url = await tus.create(deferred);
    const id = idOf(url);
    const listed = async () => (await client.openUploads()).find(({ uploadId }) => uploadId === id)?.fileSize;
    assert.equal(await listed(), null);
    assert.equal((await tus.patch(url, 0, Buffer.from("begun"))).status, 204);
    const { fileSize, missing } = await client.state(id);
    assert.deepEqual([fileSize, missing], [null, [[5, null]]]);
    const problem = assertRefused(await client.complete(id), 409, "incomplete", { uploadedBytes: 5 });
    assert.equal(problem.missingBytes, undefined);
    assert.equal((await tus.patch(url, 5, Buffer.alloc(0), { "Upload-Length": 10 })).status, 204);
    assert.equal(await listed(), 10);
    assert.deepEqual((await client.state(id)).missing, [[5, 10]]);
    assert.equal((await tus.patch(url, 5, Buffer.from("ended"))).status, 204);
    assert.equal((await origin.waitForEvent(id, "upload.completed")).data.fileSize, 10);
  });

  for (const [end, bytes] of [
    ["with the last chunk", 20 * MIB + 5],
    ["once all is there", 20 * MIB + 5],
    ["of a file without a byte", 0],
  ] as const) {
    test(`is said in the JSON API ${end}`, async () => {
      const file = fileBytes(end, bytes);
      const { uploadId } = (await client.init({ fileName: "grows", fileSize: null })).json<Created>();
      let offset = 0;
      const send = (to: number, total: number | "*") => {
        const headers = { "Content-Range": `bytes ${offset}-${to - 1}/${total}` };
        return client.request("PUT", `/upload/${uploadId}`, { headers, body: file.subarray(offset, to) });
      };
      for (const to of [3, MIB, 9 * MIB, 9 * MIB + 1].filter((to) => to < bytes)) {
        const { uploadedBytes, fileSize, state } = (await send(to, "*")).json<ChunkTaken>();
        assert.deepEqual([uploadedBytes, fileSize, state], [to, null, "open"]);
        offset = to;
      }
      const complete = (fileSize: number) =>
        client.request("POST", `/upload/${uploadId}/complete`, { body: JSON.stringify({ fileSize }) });
      if (offset > 0) {
        assertRefused(await complete(offset - 1), 409, "offset-mismatch", { uploadedBytes: offset });
        assertRefused(await complete(offset + 1), 409, "offset-mismatch", { uploadedBytes: offset });
      }
      if (end === "once all is there") {
        assert.equal((await send(bytes, "*")).status, 200);
      }
      const last = end === "with the last chunk" ? await send(bytes, bytes) : await complete(bytes);
      assert.equal(last.status, 200, last.body.toString());
      const told = (await origin.waitForEvent(uploadId, "upload.completed")).data;
      assert.equal(told.fileSize, bytes);
      const stored = await client.request("GET", `/upload/${uploadId}/content`);
      assert.equal(sha256(stored.body), sha256(file));
      // Its answer was lost, and it is said once more.
      assert.equal((await complete(bytes)).status, 200);
    });
  }

  test("needs to be known where chunks come in any order, and to be said to be unknown", async () => {
    for (const body of [{ fileSize: null, parallel: true }, { fileSize: null, direct: true }, {}]) {
      const refused = assertRefused(await client.init({ fileName: "x", ...body }), 400, "bad-request");
      assert.equal(refused.field, "fileSize");
    }
  });

  test("is nothing in the event of one that ends before that, either", async () => {
    const url = await tus.create(deferred);
    assert.equal((await tus.patch(url, 0, Buffer.from("begun"))).status, 204);
    assert.equal((await tus.send("DELETE", url)).status, 204);
    const { data } = await origin.waitForEvent(idOf(url), "upload.aborted");
    assert.equal(data.fileSize, null);
  });
});

describe("where bytes are bounded", async () => {
  const room = { QUOTA_OPEN_BYTES: 100 * MIB, QUOTA_BYTES_PER_DAY: 150 * MIB };
  const { client } = await sceneWithScriptedOrigin(room);
  const tus = new Tus(client);
  const chunk = fileBytes("grows", 40 * MIB);

  /** Declares a file of this size, and says whether there is room for it. Nothing of it stays. */
  async function fits(fileSize: number): Promise<boolean> {
    const reply = await client.init({ fileName: "beside", fileSize });
    if (reply.status !== 201) {
      assertRefused(reply, 429, "quota-exceeded");
      return false;
    }
    return true;
  }

  test("it counts for what has arrived, is refused what is too much, and goes on when there is room", async () => {
    const url = await tus.create(deferred);
    const beside = await client.create(Buffer.alloc(0), { fileSize: 30 * MIB });
    assert.equal((await tus.patch(url, 0, chunk)).status, 204);
    const refused = await tus.patch(url, chunk.length, chunk);
    assert.equal(refused.status, 429, refused.body.toString());
    assert.equal(refused.header("Retry-After"), "60");
    assert.equal(await tus.offset(url), chunk.length, "which has changed nothing");
    const tooLong = await tus.patch(url, chunk.length, Buffer.alloc(0), { "Upload-Length": 90 * MIB });
    assert.equal(tooLong.status, 429, "nor is so great a length declared");
    assert.equal((await client.state(idOf(url))).fileSize, null);

    assert.equal((await client.abort(beside.uploadId)).status, 204);
    await waitFor("room", async () => (await tus.patch(url, chunk.length, chunk)).status === 204);
    const end = 2 * chunk.length;
    assert.equal((await tus.patch(url, end, Buffer.alloc(0), { "Upload-Length": end + 1 })).status, 204);
    assert.equal((await tus.patch(url, end, Buffer.from("!"))).status, 204);
    await client.waitUntilState(idOf(url), "completed");
    // Of 150 MiB the other one has taken 30, and this one what it came to.
    await waitFor("the length to be settled", () => fits(40 * MIB - 2));
    assert.equal(await fits(2 * MIB), false);
  });
});
