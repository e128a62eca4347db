// The main job, against the application as it runs under `wrangler dev`: a token, an upload in two chunks, and the file at its owner's.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const CHUNK_BYTES = 5 * 1024 * 1024;
const state = mkdtempSync(join(tmpdir(), "uploads-"));
let base;
let wrangler;

before(async () => {
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  const args = ["dev", "--ip", "127.0.0.1", "--port", port, "--inspector-port", "0", "--persist-to", state];
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_REGISTRY_PATH: join(state, "registry") };
  delete env.NODE_TEST_CONTEXT;
  const options = ["--show-interactive-dev-session=false"];
  wrangler = spawn("wrangler", [...args, ...options].map(String), { env, detached: true, stdio: "ignore" });
  await until("the Worker is ready", async () => (await fetch(`${base}/api/files/readyz`)).ok);
});

after(() => {
  process.kill(-wrangler.pid, "SIGKILL");
  rmSync(state, { recursive: true, force: true });
});

test("a file is uploaded in two chunks, and its owner gets it back", async () => {
  const file = randomBytes(CHUNK_BYTES + 123_456);
  const answer = await fetch(`${base}/api/token`, { method: "POST" });
  const cookie = answer.headers.get("set-cookie").split(";")[0];
  const authorization = `Bearer ${(await answer.json()).token}`;

  const init = JSON.stringify({ fileName: "holiday.mp4", fileSize: file.length, chunkSize: CHUNK_BYTES });
  const created = await fetch(`${base}/api/files/upload/init`, {
    method: "POST",
    body: init,
    headers: { authorization },
  });
  assert.equal(created.status, 201, await created.clone().text());
  const { uploadId, uploadUrl } = await created.json();
  for (let offset = 0; offset < file.length; offset += CHUNK_BYTES) {
    const headers = { authorization, "x-upload-offset": String(offset) };
    const chunk = file.subarray(offset, offset + CHUNK_BYTES);
    const taken = await fetch(uploadUrl, { method: "PUT", body: chunk, headers });
    assert.equal(taken.status, 200, await taken.text());
  }

  const mine = () => fetch(`${base}/api/library/${uploadId}`, { headers: { cookie } });
  const stored = await until("the file is in the library", async () => {
    const found = await mine();
    return found.ok && found;
  });
  assert.ok(Buffer.from(await stored.arrayBuffer()).equals(file));
  assert.equal((await fetch(`${base}/api/library/${uploadId}`)).status, 404, "nobody else's");
});

test("without a token nothing is uploaded", async () => {
  const body = JSON.stringify({ fileName: "a", fileSize: 1 });
  assert.equal((await fetch(`${base}/api/files/upload/init`, { method: "POST", body })).status, 401);
});

async function until(what, look) {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
    const found = await look().catch(() => false);
    if (found) {
      return found;
    }
  }
  throw new Error(`gave up waiting: ${what}`);
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
