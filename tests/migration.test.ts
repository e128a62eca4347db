// Uploads that an older build has stored, under the build of today: each is what it was, an open one goes on at the byte where
// it was and arrives whole, and an event that was still owed is told.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import {
  ARCHIVE_EXTENSION,
  compressibleBytes,
  type OldUpload,
  readOldState,
  stateFile,
  storedCommits,
} from "./migration/old_state.ts";
import { sha256 } from "./support/bytes.ts";
import { assertRefused } from "./support/refusals.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { freshSecrets, Stack } from "./support/stack.ts";
import { Tus } from "./support/tus.ts";

/** Every layout that has ever been released, by a commit that wrote it. */
const COMMITS = storedCommits();

for (const commit of COMMITS) {
  const { uploads } = readOldState(commit);
  const origin = await ScriptedOrigin.start();
  // Known before the Worker starts: what it owes is told at once.
  const secrets = freshSecrets();
  origin.trust(secrets.WEBHOOK_SECRET);
  const stack = await Stack.start({
    secrets,
    state: stateFile(commit, ARCHIVE_EXTENSION),
    vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1, OUTBOX_RESEND_SECONDS: 2 },
  });
  const { client } = stack;
  after(async () => {
    await origin.stop();
    await stack.stop();
  });

  const known = (name: string): OldUpload => uploads[name] ?? assert.fail(`there is no upload ${name}`);

  /** The origin has been told, and what it can fetch is the file. */
  async function assertArrived(uploadId: string, file: Uint8Array): Promise<void> {
    // The link names the address that the Worker had when the upload was created.
    const object = await client.request("GET", await origin.waitForDownloadPath(uploadId));
    assert.equal(object.status, 200, object.body.toString().slice(0, 500));
    assert.equal(sha256(object.body), sha256(file));
    await client.waitUntilDelivery(uploadId, "delivered");
  }

  for (const name of ["a tail in a row", "a tail in an object", "a declared SHA-256", "one part, some of it there"]) {
    test(`${commit}, ${name}: goes on at its byte and arrives whole`, async () => {
      const { uploadId, seed, sizeBytes, countedBytes } = known(name);
      const status = await client.state(uploadId);
      assert.deepEqual([status.state, status.uploadedBytes, status.fileName], ["open", countedBytes, name]);
      assert.equal(await client.offset(uploadId), countedBytes);
      const file = compressibleBytes(seed, sizeBytes);
      await client.putPiece(uploadId, file, countedBytes, sizeBytes);
      await assertArrived(uploadId, file);
    });
  }

  test(`${commit}, parallel: the chunks that are missing may still come in any order`, async () => {
    const { uploadId, seed, sizeBytes, chunkBytes, countedBytes } = known("parallel, its middle chunk there");
    const status = await client.state(uploadId);
    assert.equal(status.uploadedBytes, countedBytes);
    assert.deepEqual(status.missing, [
      [0, chunkBytes],
      [2 * chunkBytes, sizeBytes],
    ]);
    const file = compressibleBytes(seed, sizeBytes);
    for (const [from = 0, to = 0] of status.missing.toReversed()) {
      assert.equal((await client.put(uploadId, from, file.subarray(from, to))).status, 200);
    }
    await assertArrived(uploadId, file);
  });

  test(`${commit}, tus without a length: it may still be declared`, async () => {
    const { uploadId, url = "", seed, sizeBytes, countedBytes } = known("tus, its length not declared yet");
    const tus = new Tus(client);
    assert.equal(await tus.offset(url), countedBytes);
    const file = compressibleBytes(seed, sizeBytes);
    const rest = await tus.patch(url, countedBytes, file.subarray(countedBytes), { "Upload-Length": sizeBytes });
    assert.equal(rest.status, 204, rest.body.toString());
    await assertArrived(uploadId, file);
  });

  test(`${commit}, completed while the origin was away: it is told now`, async () => {
    const { uploadId, seed, sizeBytes } = known("completed, the origin away");
    await assertArrived(uploadId, compressibleBytes(seed, sizeBytes));
  });

  test(`${commit}, ended: what is remembered is what was`, async () => {
    const delivered = await client.state(known("completed and delivered").uploadId);
    assert.deepEqual([delivered.state, delivered.delivery], ["completed", "delivered"]);
    const { uploadId, countedBytes } = known("aborted");
    assertRefused(await client.put(uploadId, countedBytes, Buffer.alloc(1)), 410, "upload-gone");
  });
}
