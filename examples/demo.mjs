// `node examples/demo.mjs WORKER ORIGIN QUAY FOLDER [FILE]`, as `cargo xtask demo` calls it: one upload from end to end with the command line,
// for a first look. At half of the file `quay put` is killed; the same command, run again, goes on. Succeeds when the origin has stored a
// file with the same hash.

import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const MIB = 2 ** 20;
const GENERATED_BYTES = 100 * MIB;
/** How long the whole takes at least: a file that is there at once cannot be cut. */
const SECONDS = 4;

const [endpoint, origin, quay, folder, given] = process.argv.slice(2);
const path = given ?? join(folder, "generated.bin");
if (given === undefined) {
  writeFileSync(path, randomBytes(GENERATED_BYTES));
}
const { size } = statSync(path);
const rate = Math.max(Math.ceil(size / SECONDS), MIB);

let finished = await put((uploadedBytes) => uploadedBytes >= size / 2 && uploadedBytes < size);
if (finished === undefined) {
  console.log("killed, with chunks on their way. The same command again:");
  finished = await put(() => false);
} else {
  console.log("the file is too small to be cut");
}
console.log("every byte is confirmed; waiting for the origin");
const theirs = (await storedAtOrigin(finished.uploadId)).sha256;
const hash = await hashed();
console.log(`SHA-256 of the file        ${hash}`);
console.log(`SHA-256 the origin stored  ${theirs}`);
console.log(hash === theirs ? "equal" : "NOT EQUAL");
process.exit(hash === theirs ? 0 : 1);

/** Runs `quay put`, and kills it where `isCut` says so. What it says of the file in the end, where it gets so far. */
async function put(isCut) {
  console.log(`$ quay put ${basename(path)}`);
  const args = ["put", path, "--json", "--endpoint", endpoint, "--limit-rate", `${rate}`];
  const child = spawn(quay, args, {
    env: { ...process.env, QUAY_STATE_DIR: join(folder, "quay") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
  let last;
  let said = -1;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    if (event.event === "started" && event.resumedFromBytes > 0) {
      console.log(`going on from ${percent(event.resumedFromBytes)} %`);
    } else if (event.event === "progress") {
      if (percent(event.uploadedBytes) >= said + 10) {
        said = percent(event.uploadedBytes);
        console.log(`${String(said).padStart(3)} % confirmed`);
      }
      if (isCut(event.uploadedBytes)) {
        child.kill("SIGKILL");
      }
    } else if (event.event === "note" || event.event === "failed") {
      console.log(event.text ?? event.message);
    } else if (event.event === "finished") {
      last = event;
    }
  }
  const { code, signal } = await ended;
  if (signal !== "SIGKILL" && code !== 0) {
    throw new Error(`quay put ended with ${code ?? signal}`);
  }
  return last;
}

function percent(bytes) {
  return Math.floor((100 * bytes) / (size || 1));
}

async function hashed() {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path)) {
    hash.update(bytes);
  }
  return hash.digest("hex");
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
