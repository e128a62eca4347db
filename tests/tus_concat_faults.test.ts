// Copying an upload together from its partial uploads while things go wrong: the Worker is killed, a part hangs, storage refuses, a
// partial upload's object is lost. What was counted stays, the rest follows, and the bytes are the same; or it fails, and says so.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, beforeEach, test } from "node:test";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Origin } from "./support/origin.ts";
import { waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { Stack } from "./support/stack.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const PART_BYTES = 8 * MIB;

const origin = await Origin.prepare();
const stack = await Stack.start({
  buildDir: "build-faults",
  // A hanging call hangs for 5 s: longer than it takes to believe whoever copies dead.
  vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1, OUTBOX_RESEND_SECONDS: 3 },
});
await origin.start(stack.secrets.WEBHOOK_SECRET);
const tus = new Tus(stack.client);
after(async () => {
  await origin.remove();
  await stack.stop();
});
beforeEach(() => plan([]));

async function plan(rules: { point: string; nth: number; kind: "before" | "after" | "hang"; code?: number }[]) {
  await stack.client.request("POST", "/faults", { body: JSON.stringify(rules) });
}

async function partials(file: Buffer, bytes: number): Promise<string[]> {
  const urls: string[] = [];
  for (let at = 0; at < file.length; at += bytes) {
    urls.push(await tus.partial(file.subarray(at, at + bytes)));
  }
  return urls;
}

/** The upload that is being put together to so many bytes, once so many of them count. */
function counted(fileBytes: number, bytes: number): Promise<string> {
  return waitFor(`${bytes} bytes to be counted`, async () => {
    const open = (await stack.client.openUploads()).find(({ fileSize }) => fileSize === fileBytes);
    const now = open && (await stack.client.state(open.uploadId));
    return (now?.uploadedBytes ?? 0) >= bytes && now?.uploadId;
  });
}

async function assertWhole(url: string, file: Buffer): Promise<void> {
  await tus.whole(url);
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
  await waitUntilOnlyObjectLeft(stack.persistDir, idOf(url));
}

const bytesCopied = (id: string) => stack.log.of(id, "batch_copied").reduce((sum, { bytes = 0 }) => sum + bytes, 0);

test("killed while it copies: it goes on behind what was counted", async () => {
  const file = fileBytes("killed while copying", 60 * MIB + 11);
  const urls = await partials(file, 30 * MIB + 5);
  await plan([{ point: "r2.upload_part", nth: 4, kind: "hang" }]);
  const lost = tus.final(urls).catch(() => undefined);
  const id = await counted(file.length, 3 * PART_BYTES);
  await stack.kill();
  assert.equal(await lost, undefined, "the kill takes the answer with it");
  await stack.restart();
  // The client asks again, and gets the same upload.
  const url = await tus.composed(urls);
  assert.equal(idOf(url), id);
  await assertWhole(url, file);
  assert.equal(bytesCopied(id), file.length - 3 * PART_BYTES, "what was counted was not copied again");
});

test("a part that hangs: somebody else goes on, and the late part counts nowhere", async () => {
  const file = fileBytes("hanging", 40 * MIB + 3);
  const urls = await partials(file, 25 * MIB);
  await plan([{ point: "r2.upload_part", nth: 3, kind: "hang" }]);
  const url = await tus.composed(urls);
  await assertWhole(url, file);
  assert.equal(bytesCopied(idOf(url)), file.length - 2 * PART_BYTES);
});

test("storage and objects that fail in passing cost time and nothing else", async () => {
  const file = fileBytes("failing in passing", 40 * MIB + 3);
  const urls = await partials(file, 15 * MIB);
  await plan([
    { point: "r2.upload_part", nth: 2, kind: "before" },
    { point: "r2.upload_part", nth: 4, kind: "after" },
    { point: "r2.get", nth: 5, kind: "before" },
    { point: "object.commit", nth: 5, kind: "after" },
    { point: "object.begin-batch", nth: 2, kind: "after" },
    { point: "object.as-partial", nth: 9, kind: "before" },
    { point: "queue.send", nth: 3, kind: "before" },
  ]);
  await assertWhole(await tus.composed(urls), file);
});

test("a multipart upload that storage has dropped fails it", async () => {
  const file = fileBytes("dropped", 20 * MIB);
  const urls = await partials(file, 10 * MIB);
  await plan([{ point: "r2.upload_part", nth: 2, kind: "before", code: 10_024 }]);
  const reply = await tus.final(urls);
  assert.equal(reply.status, 410, reply.body.toString());
});

test("a partial upload whose object storage has lost fails it, and nothing of it stays", async () => {
  const lost = await tus.partial(fileBytes("lost", 9 * MIB));
  const kept = await tus.partial(fileBytes("kept", 9 * MIB));
  loseObject(`uploads/${idOf(lost)}`);
  const reply = await tus.final([kept, lost]);
  assert.equal(reply.status, 410, reply.body.toString());
  const failed = await waitFor("the origin to hear of it", async () => {
    const lines = stack.log.lines.filter(({ event, detail }) => event === "failed" && /lost/.test(String(detail)));
    return lines[0]?.uploadId;
  });
  await waitUntilNothingLeft(stack.persistDir, failed);
  assert.equal(await tus.offset(kept), 9 * MIB, "the other partial upload is as it was");
});

/** Takes an object out of the simulated bucket, behind everybody's back. */
function loseObject(key: string): void {
  const dir = join(stack.persistDir, "v3/r2/miniflare-R2BucketObject");
  for (const name of readdirSync(dir).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite")) {
    const database = new DatabaseSync(join(dir, name), { enableForeignKeyConstraints: false });
    database.prepare("DELETE FROM _mf_objects WHERE key = ?").run(key);
    database.close();
  }
}
