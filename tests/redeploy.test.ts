// What a deployment of a new bundle means to uploads in flight. On Cloudflare a running request has 30 seconds to end on the old
// version and objects move to the new one; what a client sees of the worst of it is a connection that breaks and an object whose
// memory is gone. Here the worst is done at once: everything is killed in the middle of chunks, another bundle is put in place, and
// what comes up again must take each upload further from exactly the byte that it told.

import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import type { PendingRequest } from "./support/http.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithOrigin({ OUTBOX_RESEND_SECONDS: 2 });
const FILE_BYTES = 24 * MIB;

type InFlight = { uploadId: string; file: Buffer; running: PendingRequest; counted: number };

/** An upload whose chunk is on its way: one part of it counts, and some bytes behind that have left this process. */
async function inFlight(name: string): Promise<InFlight> {
  const file = fileBytes(name, FILE_BYTES);
  const { uploadId, limits } = await client.create(file);
  const running = client.putSlowly(uploadId, 0, FILE_BYTES);
  await running.writeThrough(file.subarray(0, limits.partBytes + 300_000));
  await client.waitUntilCounted(uploadId, limits.partBytes);
  return { uploadId, file, running, counted: limits.partBytes };
}

test("uploads in flight go on under the new bundle at the byte where they were", async () => {
  const flying = await Promise.all(["one", "two", "three"].map(inFlight));
  const tus = new Tus(client);
  const tusFile = fileBytes("tus in flight", 2_000_000);
  const url = await tus.create({ "Upload-Length": tusFile.length });
  await tus.patch(url, 0, tusFile.subarray(0, 700_001));
  const completed = fileBytes("completed just before", 1_000_000);
  const { uploadId: justBefore } = await client.create(completed);
  await client.putPiece(justBefore, completed, 0, completed.length);

  await stack.kill();
  for (const { running } of flying) {
    running.cut();
  }
  const bundle = join(stack.stateDir, "build/index.js");
  const before = readFileSync(bundle, "utf8");
  appendFileSync(bundle, "\nglobalThis.quaysideBuild = 2;\n");
  assert.notEqual(readFileSync(bundle, "utf8"), before, "the bundle is another one");
  await stack.restart();

  for (const { uploadId, file, counted } of flying) {
    assert.equal(await client.offset(uploadId), counted);
    await client.putPiece(uploadId, file, counted, file.length);
    assert.equal((await origin.waitForStored(uploadId)).sha256, sha256(file));
  }
  assert.equal(await tus.offset(url), 700_001);
  assert.equal((await tus.patch(url, 700_001, tusFile.subarray(700_001))).status, 204);
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(tusFile));
  assert.equal((await origin.waitForStored(justBefore)).sha256, sha256(completed));
});

test("a bundle that changes under running uploads is reloaded, and none of them is lost", async () => {
  const { uploadId, file, running } = await inFlight("reloaded under it");
  const bundle = join(stack.stateDir, "build/index.js");
  const reloads = () => stack.log.texts.filter((text) => text.includes("Reloading")).length;
  const before = reloads();
  appendFileSync(bundle, "\nglobalThis.quaysideBuild = 3;\n");
  await waitFor("the bundle to be reloaded", () => reloads() > before, { lastSeen: () => stack.log.tail() });
  // Either the old version takes the rest of the chunk, or the connection breaks: the client asks, and goes on.
  await running.writeThrough(file.subarray(8 * MIB + 300_000)).catch(() => {});
  const reply = await running.finish().catch(() => undefined);
  if (reply?.status !== 200) {
    const offset = await client.offset(uploadId);
    assert.ok(offset >= 8 * MIB, `${offset} bytes count`);
    await client.putPiece(uploadId, file, offset, file.length);
  }
  assert.equal((await origin.waitForStored(uploadId)).sha256, sha256(file));
  assert.equal((await origin.records(uploadId)).length, 1);
});
