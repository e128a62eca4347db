// `node examples/demo.mjs WORKER ORIGIN [FILE]`, as `cargo xtask demo` calls it: one upload from end to end through the SDK, for a first
// look. At half of the file the connection is cut in the middle of a chunk, and the sender is gone; another one finds the upload in
// the store and goes on. Succeeds when the origin has stored a file with the same hash.

import { createHash, randomBytes } from "node:crypto";
import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { createUpload } from "quayside-client";

const MIB = 2 ** 20;
const GENERATED_BYTES = 100 * MIB;

const [endpoint, origin, path] = process.argv.slice(2);
const content = path === undefined ? new Blob([randomBytes(GENERATED_BYTES)]) : await openAsBlob(path);
const file = new File([content], path === undefined ? "generated.bin" : basename(path));

/** What a browser's `localStorage` would remember. */
const records = new Map();
const store = {
  get: async (key) => records.get(key),
  set: async (key, record) => void records.set(key, record),
  remove: async (key) => void records.delete(key),
};
// Small enough that a file of a megabyte has several.
const chunkBytes = Math.min(8 * MIB, Math.max(Math.ceil(file.size / 8), 64 * 1024));

console.log(`uploading ${file.name}, ${file.size} bytes, in chunks of ${chunkBytes}`);
const half = newUpload();
const cut = new Promise((resolve) => {
  half.on("progress", ({ uploadedBytes }) => uploadedBytes >= file.size / 2 && uploadedBytes < file.size && resolve());
});
const first = half.start().catch(() => undefined);
await Promise.race([cut, first]);
if (half.state === "completed") {
  console.log("the file is too small to be cut");
} else {
  half.pause();
  console.log("connection cut in the middle of a chunk, and the sender is gone");
}
const { uploadId } = half.state === "completed" ? await first : await newUpload().start();
console.log("every byte is confirmed; waiting for the origin");
const theirs = (await storedAtOrigin(uploadId)).sha256;
const ours = createHash("sha256");
for await (const bytes of file.stream()) {
  ours.update(bytes);
}
const hash = ours.digest("hex");
console.log(`SHA-256 of the file        ${hash}`);
console.log(`SHA-256 the origin stored  ${theirs}`);
console.log(hash === theirs ? "equal" : "NOT EQUAL");
process.exit(hash === theirs ? 0 : 1);

function newUpload() {
  const upload = createUpload(file, { endpoint, store, chunkBytes, parallel: false });
  let said = -1;
  upload.on("progress", ({ uploadedBytes }) => {
    const percent = Math.floor((100 * uploadedBytes) / (file.size || 1));
    if (percent >= said + 10) {
      said = percent;
      console.log(`${String(percent).padStart(3)} % confirmed`);
    }
  });
  upload.on("state", ({ resumedFromBytes }) => {
    if (resumedFromBytes !== undefined) {
      console.log(`resuming from ${Math.floor((100 * resumedFromBytes) / file.size)} %`);
    }
  });
  upload.on("retry", ({ error }) => console.log(error.message));
  return upload;
}

async function storedAtOrigin(id) {
  for (;;) {
    const answer = await fetch(`${origin}/uploads/${id}`);
    const record = answer.ok ? await answer.json() : undefined;
    if (record?.state === "stored") {
      return record;
    }
    if (record?.state === "rejected") {
      throw new Error(`the origin rejected the upload: ${record.reason}`);
    }
    await sleep(100);
  }
}
