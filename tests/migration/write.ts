// Writes the state folder of the build in `build/` as a fixture, in all the ways in which an upload can lie in storage:
//
//   node tests/migration/write.ts <commit>
//
// To be run with a build of that commit, before a change of what is stored. Nothing in it ever expires, so that the archive can be
// continued years later.

import { writeFileSync } from "node:fs";

import { MIB, sha256 } from "../support/bytes.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { Stack } from "../support/stack.ts";
import { encoded, idOf, Tus } from "../support/tus.ts";
import { ARCHIVE_EXTENSION, compressibleBytes, type OldUpload, stateFile } from "./old_state.ts";

/** More than a century. */
const NEVER_SECONDS = 4_000_000_000;

const [commit] = process.argv.slice(2);
if (commit === undefined) {
  throw new Error("the commit that was built is missing");
}
const origin = await ScriptedOrigin.start();
const stack = await Stack.start({
  vars: {
    ORIGIN_WEBHOOK_URL: origin.webhookUrl,
    UPLOAD_TTL_SECONDS: NEVER_SECONDS,
    TOMBSTONE_TTL_SECONDS: NEVER_SECONDS,
    DELIVERY_FIRST_DELAY_SECONDS: 5,
  },
});
origin.trust(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
const uploads: Record<string, OldUpload> = {};

async function open(name: string, sizeBytes: number, countedBytes: number, fields = {}): Promise<string> {
  const file = compressibleBytes(name, sizeBytes);
  const { uploadId, chunkSize } = await client.create(file, { fileName: name, ...fields });
  if (countedBytes > 0) {
    await client.putPiece(uploadId, file, 0, countedBytes);
  }
  uploads[name] = { uploadId, seed: name, sizeBytes, chunkBytes: chunkSize, countedBytes };
  return uploadId;
}

await open("a tail in a row", 20 * MIB, 8 * MIB + 100_000);
await open("a tail in an object", 20 * MIB, 8 * MIB + MIB);
await open("one part, some of it there", 3 * MIB, 100_000);
const declared = "a declared SHA-256";
await open(declared, 12 * MIB, 8 * MIB + 1000, { sha256: sha256(compressibleBytes(declared, 12 * MIB)) });

const parallel = "parallel, its middle chunk there";
await open(parallel, 24 * MIB, 0, { parallel: true, chunkSize: 8 * MIB });
const lanes = uploads[parallel];
if (lanes !== undefined) {
  const chunk = compressibleBytes(parallel, lanes.sizeBytes).subarray(8 * MIB, 16 * MIB);
  await client.put(lanes.uploadId, 8 * MIB, chunk);
  lanes.countedBytes = chunk.length;
}

const deferred = "tus, its length not declared yet";
const tus = new Tus(client);
const url = await tus.create({ "Upload-Defer-Length": 1, "Upload-Metadata": `filename ${encoded(deferred)}` });
await tus.patch(url, 0, compressibleBytes(deferred, 100_000).subarray(0, 60_000));
uploads[deferred] = {
  ...{ uploadId: idOf(url), url, seed: deferred, sizeBytes: 100_000, chunkBytes: 0, countedBytes: 60_000 },
};

const delivered = "completed and delivered";
const deliveredId = await open(delivered, 1000, 1000);
await client.waitUntilDelivery(deliveredId, "delivered");

const queued = "completed, the origin away";
const queuedId = await open(queued, 2000, 1000);
origin.script(queuedId, ...Array.from({ length: 20 }, () => ({ status: 503 })));
await client.put(queuedId, 1000, compressibleBytes(queued, 2000).subarray(1000));
await origin.waitForDeliveries(queuedId, 1);

const aborted = "aborted";
const abortedId = await open(aborted, 1000, 500);
await client.abort(abortedId);
await origin.waitForEvent(abortedId, "upload.aborted");

await stack.kill();
stack.packState(stateFile(commit, ARCHIVE_EXTENSION));
writeFileSync(stateFile(commit, ".json"), `${JSON.stringify({ commit, uploads }, null, 2)}\n`);
await origin.stop();
await stack.stop();
console.log(`${Object.keys(uploads).length} uploads in ${stateFile(commit, ARCHIVE_EXTENSION)}`);
