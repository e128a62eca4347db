// A damaged file that nobody repairs: it is kept for REPAIR_TTL_SECONDS, and then the upload fails, its origin hears of it, and nothing
// stays. Where that is 0 it fails at once, and so does a file of which nothing is worth keeping.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { DamagedFile } from "./support/damaged_file.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin({ REPAIR_TTL_SECONDS: 2 });

for (const parallel of [false, true]) {
  test(`${parallel ? "parallel" : "sequential"}: when its time is over it fails, and nothing stays`, async () => {
    const file = new DamagedFile(client, `nobody repairs it, ${parallel}`);
    const { uploadId } = await file.create({ parallel });
    await file.sendAll(uploadId, file.wrongAt(1));
    const { reason } = await client.waitUntilState(uploadId, "failed");
    assert.match(reason ?? "", new RegExp(sha256(file.wrongAt(1))));
    assert.equal(stack.log.of(uploadId, "damaged").length, 1);
    const { data } = await origin.waitForEvent(uploadId, "upload.failed");
    assert.equal(data.downloadUrl, undefined);
    await waitUntilNothingLeft(stack.persistDir, uploadId);
    assertRefused(await client.manifest(uploadId), 410, "upload-gone", { state: "failed" });
  });
}

test("a repair that nobody finishes expires like any upload", async () => {
  const scene = await sceneWithScriptedOrigin({ UPLOAD_TTL_SECONDS: 5 });
  const file = new DamagedFile(scene.client, "nobody finishes it");
  const id = await file.damaged(file.wrongAt(1));
  await file.repair(id, [{ offset: 1, length: 1 }]);
  await scene.origin.waitForEvent(id, "upload.expired");
  await waitUntilNothingLeft(scene.stack.persistDir, id);
});

test("a file of one part is not kept", async () => {
  const file = fileBytes("one part", 3 * MIB);
  const { uploadId } = await client.create(file, { sha256: sha256(Buffer.from("another")), parallel: true });
  assert.equal((await client.put(uploadId, 0, file)).status, 200);
  await client.waitUntilState(uploadId, "failed");
  assert.equal(stack.log.of(uploadId, "damaged").length, 0);
});

test("REPAIR_TTL_SECONDS = 0: it fails at once", async (t) => {
  const off = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", REPAIR_TTL_SECONDS: 0 } });
  t.after(() => off.stop());
  const file = new DamagedFile(off.client, "not kept");
  const { uploadId } = await file.create();
  const last = await file.sendAll(uploadId, file.wrongAt(1));
  assert.equal(assertRefused(last, 422, "digest-mismatch").repairable, false);
  assert.equal((await off.client.state(uploadId)).state, "failed");
  await waitUntilNothingLeft(off.persistDir, uploadId);
});

test("a longer time than an upload may live is refused", async (t) => {
  const tooLong = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", REPAIR_TTL_SECONDS: 561_601 } });
  t.after(() => tooLong.stop());
  const reply = await tooLong.client.init({ fileName: "a", fileSize: 1 });
  assert.match(assertRefused(reply, 503, "not-configured").detail, /REPAIR_TTL_SECONDS is above 561600 \(6\.5 days\)/);
});
