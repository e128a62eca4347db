// `quay put --direct`: chunks go to R2 itself, and only the questions about them to the server.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { CountingProxy } from "../support/counting_proxy.ts";
import { eventOf, Quay } from "../support/quay.ts";
import { S3 } from "../support/s3.ts";
import { Stack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";

const { s3, stack } = await S3.withStack({ ORIGIN_WEBHOOK_URL: "" });
const { client } = stack;
after(async () => {
  s3.stop();
  await stack.stop();
});

const DIRECTLY = ["--direct", "--chunk-size", "5M", "--parallel", "2"];

async function quay(): Promise<{ user: Quay; proxy: CountingProxy }> {
  const proxy = await CountingProxy.before(stack.baseUrl);
  const user = new Quay(proxy.url);
  after(() => {
    user.remove();
    proxy.stop();
  });
  return { user, proxy };
}

async function assertStored(uploadId = "", bytes: Uint8Array): Promise<void> {
  const { object } = await client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(bytes));
}

test("no byte of the file passes the server, and it is whole and compared all the same", async () => {
  const { user, proxy } = await quay();
  const bytes = fileBytes("quay direct", 17 * MIB + 3);
  const path = user.file("film.mp4", bytes);
  const finished = eventOf(await user.events(["put", path, ...DIRECTLY]), "finished");
  assert.equal(finished.sha256, sha256(bytes));
  assert.equal(finished.sentBytes, bytes.length);
  await assertStored(finished.uploadId, bytes);
  assert.ok(proxy.upBytes < MIB / 4, `${proxy.upBytes} bytes went to the server`);
  assert.equal((await client.state(finished.uploadId ?? "")).mode, "direct");
});

test("killed, the same command goes on with what is not recorded yet, also without being told that it is direct", async () => {
  const { user, proxy } = await quay();
  const bytes = fileBytes("quay direct killed", 30 * MIB);
  const path = user.file("large.bin", bytes);
  const running = user.start(["put", path, "--json", ...DIRECTLY, "--limit-rate", "8M"]);
  const { uploadId = "" } = await running.event("started");
  await client.waitUntilCounted(uploadId, 10 * MIB);
  await running.kill();
  const before = (await client.state(uploadId)).uploadedBytes;
  const events = await user.events(["put", path]);
  const [started, finished] = [eventOf(events, "started"), eventOf(events, "finished")];
  assert.equal(finished.uploadId, uploadId);
  assert.ok((started.resumedFromBytes ?? 0) >= before);
  assert.equal(finished.sentBytes, bytes.length - (started.resumedFromBytes ?? 0));
  await assertStored(uploadId, bytes);
  assert.ok(proxy.upBytes < MIB / 4, `${proxy.upBytes} bytes went to the server`);
});

test("a small file goes through the server, since that is one request", async () => {
  const { user } = await quay();
  const finished = eventOf(await user.events(["put", user.file("small", "small"), ...DIRECTLY]), "finished");
  await assertStored(finished.uploadId, Buffer.from("small"));
});

test("where storage refuses every chunk, it is given up, and the same command goes on later", async () => {
  const { user } = await quay();
  const bytes = fileBytes("quay direct refused", 6 * MIB);
  const path = user.file("refused.bin", bytes);
  s3.refusesParts = true;
  after(() => {
    s3.refusesParts = false;
  });
  const running = user.start(["put", path, ...DIRECTLY, "--json", "--retry-for", "2s"]);
  assert.equal((await running.ended).code, 1);
  assert.match(eventOf(running.events, "failed").message ?? "", /R2 has answered 403 to a chunk.*Given up/);
  s3.refusesParts = false;
  const finished = eventOf(await user.events(["put", path, ...DIRECTLY]), "finished");
  await assertStored(finished.uploadId, bytes);
});

test("where the deployment has no direct way, it goes through the server, and says so", async () => {
  const other = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", R2_S3_ENDPOINT: "" } });
  after(() => other.stop());
  const user = new Quay(other.baseUrl);
  after(() => user.remove());
  const bytes = fileBytes("quay not direct", 12 * MIB);
  const path = user.file("a.bin", bytes);
  const running = user.start(["put", path, ...DIRECTLY, "--json", "--limit-rate", "8M"]);
  const { uploadId = "" } = await running.event("started");
  assert.match(eventOf(running.events, "note").text ?? "", /no direct way to R2/);
  await waitFor("a chunk", async () => (await other.client.state(uploadId)).uploadedBytes > 0);
  await running.kill();
  const finished = eventOf(await user.events(["put", path, ...DIRECTLY]), "finished");
  assert.equal(finished.uploadId, uploadId, "which goes on as what it has begun as");
  const { object } = await other.client.waitUntilState(uploadId, "completed");
  assert.equal(object?.crc64nvme, crc64nvme(bytes));
});

test("of standard input nobody knows how long it is", async () => {
  const { user } = await quay();
  const { code, stderr } = await user.run(["put", "-", "--direct"]);
  assert.equal(code, 2);
  assert.match(stderr, /--direct needs to know how long a file is/);
});
