// Uppy with @uppy/aws-s3, as they are published, against the Companion routes: Uppy sends its parts to R2 itself and is told
// nothing but the endpoint. Every run ends at the origin, which must hold the same bytes.

import assert from "node:assert/strict";
import { test } from "node:test";

import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";

import type { Cost } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { waitUntilNothingLeft, waitUntilOnlyObjectLeft } from "./support/r2_state.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { putPart } from "./support/s3.ts";
import { sceneWithS3 } from "./support/scene.ts";
import { install } from "./support/xml_http_request.ts";

install();
const { origin, stack, client, s3 } = await sceneWithS3();

const CHUNK_BYTES = 5 * MIB;

function uppy(): Uppy {
  return new Uppy({ allowMultipleUploadBatches: true }).use(AwsS3, {
    companionEndpoint: stack.baseUrl,
    shouldUseMultipart: true,
  });
}

function add(to: Uppy, name: string, bytes: Buffer): string {
  const data = new File([new Uint8Array(bytes)], name, { type: "application/x-quayside" });
  return to.addFile({ name, type: data.type, data });
}

/** The upload that Uppy has made of a file. */
function uploadOf(of: Uppy, file: string): string {
  return (of.getFile(file) as { s3Multipart?: { uploadId: string } }).s3Multipart?.uploadId ?? "";
}

async function assertStored(url: string | undefined, bytes: Buffer, name: string): Promise<void> {
  const id = url?.split("/").at(-1) ?? "";
  const record = await origin.waitForStored(id);
  assert.equal(record.sha256, sha256(bytes));
  assert.deepEqual(
    [record.fileSize, record.fileName, record.contentType],
    [bytes.length, name, "application/x-quayside"],
  );
  const status = await client.state(id);
  assert.deepEqual([status.state, status.uploadedBytes, status.missing], ["completed", bytes.length, []]);
  await waitUntilOnlyObjectLeft(stack.persistDir, id);
}

for (const listsParts of [true, false]) {
  const where = listsParts ? "an endpoint that lists parts" : "R2's simulator, which lists none";
  test(`two files, of one part and of several, at ${where}`, async () => {
    s3.listsParts = listsParts;
    const files = new Map([
      ["one part.bin", fileBytes(`uppy one ${where}`, 3 * MIB)],
      ["parts.bin", fileBytes(`uppy parts ${where}`, 2 * CHUNK_BYTES + 7)],
    ]);
    const uploader = uppy();
    for (const [name, bytes] of files) {
      add(uploader, name, bytes);
    }
    const result = await uploader.upload();
    s3.listsParts = true;
    assert.deepEqual(result?.failed, []);
    assert.equal(result?.successful?.length, files.size);
    for (const { name, uploadURL } of result?.successful ?? []) {
      await assertStored(uploadURL, files.get(name ?? "") ?? Buffer.alloc(0), name ?? "");
    }
    uploader.destroy();
  });
}

test("paused in the middle and resumed: no stored part is sent again", async () => {
  const bytes = fileBytes("uppy paused", 4 * CHUNK_BYTES);
  const uploader = uppy();
  const file = add(uploader, "paused.bin", bytes);
  const sent: number[] = [];
  uploader.on("s3-multipart:part-uploaded", (_, { PartNumber }) => {
    sent.push(PartNumber);
    if (sent.length === 2) {
      uploader.pauseResume(file);
      setImmediate(() => uploader.pauseResume(file));
    }
  });
  const result = await uploader.upload();
  assert.deepEqual(result?.failed, []);
  assert.deepEqual(sent, [1, 2, 3, 4]);
  await assertStored(result?.successful?.[0]?.uploadURL, bytes, "paused.bin");
  uploader.destroy();
});

test("gone in the middle, as with a closed tab, and resumed by another Uppy from what R2 has", async () => {
  const bytes = fileBytes("uppy gone", 4 * CHUNK_BYTES - 9);
  const first = uppy();
  const file = add(first, "gone.bin", bytes);
  const id = await new Promise<string>((resolve, reject) => {
    let sent = 0;
    first.on("s3-multipart:part-uploaded", () => {
      sent += 1;
      if (sent === 2) {
        resolve(uploadOf(first, file));
        first.pauseAll();
      }
    });
    first.upload().catch(reject);
  });
  const second = uppy();
  const again = add(second, "gone.bin", bytes);
  // What Golden Retriever brings back after a reload.
  second.setFileState(again, { s3Multipart: { uploadId: id, key: id } } as object);
  const sent: number[] = [];
  second.on("s3-multipart:part-uploaded", (_, { PartNumber }) => void sent.push(PartNumber));
  const result = await second.upload();
  assert.deepEqual(result?.failed, []);
  assert.deepEqual(sent, [3, 4]);
  await assertStored(result?.successful?.[0]?.uploadURL, bytes, "gone.bin");
  second.destroy();
});

test("aborted in the middle: nothing is left", async () => {
  const uploader = uppy();
  const file = add(uploader, "aborted.bin", fileBytes("uppy aborted", 3 * CHUNK_BYTES));
  const aborted = new Promise<string>((resolve) => {
    uploader.on("s3-multipart:part-uploaded", () => {
      resolve(uploadOf(uploader, file));
      uploader.cancelAll();
    });
  });
  await Promise.all([uploader.upload(), aborted]);
  await waitUntilNothingLeft(stack.persistDir, await aborted);
  assertRefused(await client.status(await aborted), 410, "upload-gone", { state: "aborted" });
});

const post = (path: string, body: unknown) => client.request("POST", `/s3${path}`, { body: JSON.stringify(body) });

async function created(): Promise<{ uploadId: string; key: string }> {
  const reply = await post("/multipart", { filename: "by hand.bin", type: "application/x-quayside", metadata: {} });
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json();
}

test("the routes by hand: batch, list, a wrong list of parts, and a right one", async () => {
  const bytes = fileBytes("by hand", CHUNK_BYTES + 3);
  const { uploadId, key } = await created();
  assert.equal(key, uploadId);
  const batch = await client.request("GET", `/s3/multipart/${uploadId}/batch?key=${key}&partNumbers=1%2C2`);
  const { presignedUrls } = batch.json<{ presignedUrls: Record<string, string> }>();
  const etags: string[] = [];
  for (const [number, url] of Object.entries(presignedUrls)) {
    const piece = bytes.subarray((Number(number) - 1) * CHUNK_BYTES, Number(number) * CHUNK_BYTES);
    etags.push((await putPart(url, piece)).header("ETag")?.replaceAll('"', "") ?? "");
  }
  const listed = await client.request("GET", `/s3/multipart/${uploadId}?key=${key}`);
  assert.deepEqual(listed.json(), [
    { PartNumber: 1, ETag: etags[0], Size: CHUNK_BYTES },
    { PartNumber: 2, ETag: etags[1], Size: 3 },
  ]);
  const complete = (...parts: [number, string | undefined][]) =>
    post(`/multipart/${uploadId}/complete?key=${key}`, {
      parts: parts.map(([PartNumber, ETag]) => ({ PartNumber, ETag })),
    });
  assertBadRequest(await complete(), "parts");
  assertBadRequest(await complete([2, etags[1]]), "parts");
  assertBadRequest(await complete([1, etags[0]], [2, etags[1]], [3, "never signed"]), "parts");
  assert.match(assertBadRequest(await complete([1, "made up"], [2, etags[1]]), "parts").detail, /10025/);
  assertRefused(await client.complete(uploadId), 409, "incomplete");
  for (const again of [false, true]) {
    const reply = await complete([2, etags[1]], [1, etags[0]]);
    assert.equal(reply.status, 200, `again: ${again}: ${reply.body}`);
    assert.deepEqual(reply.json(), { location: `${stack.baseUrl}/upload/${uploadId}`, key });
  }
  await assertStored(`/upload/${uploadId}`, bytes, "by hand.bin");
  const line = stack.log.of(uploadId, "completed")[0] ?? assert.fail("no line completed");
  // Created; two parts that Uppy would have stored, once, though they were listed twice; one list; put together twice.
  assert.equal((line.cost as Cost).r2ClassA, 1 + 2 + 1 + 2);
  const recorded = stack.log.of(uploadId, "parts_recorded").map((line) => [line.parts, line.bytes]);
  assert.deepEqual(recorded, [
    [2, 0],
    [2, 0],
  ]);
});

test("parts of unequal size are refused by R2, and the upload stays open", async () => {
  const { uploadId, key } = await created();
  const parts = [];
  for (const [PartNumber, length] of [CHUNK_BYTES, CHUNK_BYTES + 1, 1].entries()) {
    const signed = await client.request("GET", `/s3/multipart/${uploadId}/${PartNumber + 1}?key=${key}`);
    const reply = await putPart(signed.json<{ url: string }>().url, Buffer.alloc(length));
    parts.push({ PartNumber: PartNumber + 1, ETag: reply.header("ETag") });
  }
  const refused = await post(`/multipart/${uploadId}/complete?key=${key}`, { parts });
  assert.match(assertBadRequest(refused, "parts").detail, /10048/);
  assert.equal((await client.state(uploadId)).state, "open");
});

test("what Companion has and R2 has not is refused with what helps; nobody's upload is not found", async () => {
  const single = await client.request("GET", "/s3/params?filename=a&type=a%2Fb");
  assertBadRequest(single, "shouldUseMultipart");
  for (const path of ["/s3/multipart/nobody", `/s3/multipart/${crypto.randomUUID()}?key=a`]) {
    assertRefused(await client.request("GET", path), 404, "upload-not-found");
  }
  assertRefused(await client.request("GET", "/s3/sts"), 404, "no-such-route");
  const proxied = await client.create(fileBytes("proxied", 5));
  assertRefused(await client.request("GET", `/s3/multipart/${proxied.uploadId}/1`), 409, "not-direct");
});
