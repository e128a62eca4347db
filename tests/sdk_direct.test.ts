// The SDK past the Worker, against a running one and R2's own S3 endpoint: what goes up with `direct` arrives at the origin whole,
// no byte of it passes the Worker, and what has counted is not sent again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sizeOf } from "../client/src/file_reader.ts";

import { createUpload, type Upload, UploadError, type UploadOptions } from "../client/src/index.ts";
import type { HttpClient, HttpRequest, HttpResponse, Progress } from "../client/src/interfaces.ts";
import { fetchHttp } from "../client/src/platform.ts";
import { MemoryStore } from "./sdk/dialogue.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { sceneWithS3 } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client, s3 } = await sceneWithS3();

const CHUNK_BYTES = 5 * MIB;

type Spoil = (request: HttpRequest) => Promise<HttpResponse> | undefined;

/** fetch, and how many bytes went where; `spoil` may take a request's place. */
class WatchedHttp implements HttpClient {
  storedBytes = 0;
  relayedBytes = 0;
  mostAtOnce = 0;
  #atOnce = 0;
  readonly #spoil: Spoil;

  constructor(spoil: Spoil = () => undefined) {
    this.#spoil = spoil;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const spoilt = this.#spoil(request);
    if (spoilt !== undefined) {
      return spoilt;
    }
    if (request.method !== "PUT") {
      return fetchHttp.send(request);
    }
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    try {
      const response = await fetchHttp.send(request);
      const isStorage = request.url.startsWith(s3.endpoint);
      this[isStorage ? "storedBytes" : "relayedBytes"] += response.status === 200 ? sizeOf(request.body) : 0;
      return response;
    } finally {
      this.#atOnce -= 1;
    }
  }
}

function fileOf(seed: string, sizeBytes: number): File {
  return new File([new Uint8Array(fileBytes(seed, sizeBytes))], `${seed}.bin`, { lastModified: 1_700_000_000_000 });
}

function uploadOf(file: File, http: HttpClient, options: Partial<UploadOptions> = {}): Upload {
  const endpoint = stack.baseUrl;
  return createUpload(file, {
    endpoint,
    direct: true,
    chunkBytes: CHUNK_BYTES,
    store: null,
    ...options,
    runtime: { http },
  });
}

async function assertAtOrigin(uploadId: string, file: File): Promise<void> {
  const record = await origin.waitForStored(uploadId);
  assert.equal(record.sha256, sha256(new Uint8Array(await file.arrayBuffer())));
  assert.equal((await client.state(uploadId)).mode, "direct");
}

function confirmed(upload: Upload, atLeastBytes: number): Promise<Progress> {
  return new Promise((resolve) =>
    upload.on("progress", (progress) => progress.uploadedBytes >= atLeastBytes && resolve(progress)),
  );
}

for (const listsParts of [true, false]) {
  const where = listsParts ? "an endpoint that lists parts" : "R2's simulator, which lists none";
  test(`several chunks at once to ${where}: whole at the origin, and none through the Worker`, async () => {
    s3.listsParts = listsParts;
    const file = fileOf(`direct to ${where}`, 6 * CHUNK_BYTES + 12_345);
    const http = new WatchedHttp();
    const upload = uploadOf(file, http);
    const seen: number[] = [];
    upload.on("progress", ({ uploadedBytes }) => seen.push(uploadedBytes));
    const { uploadId } = await upload.start();
    s3.listsParts = true;
    assert.deepEqual([http.storedBytes, http.relayedBytes], [file.size, 0]);
    assert.ok(http.mostAtOnce >= 2, `${http.mostAtOnce} at once`);
    assert.deepEqual(
      seen,
      [...new Set(seen)].sort((a, b) => a - b),
      "progress only grows",
    );
    assert.equal(seen.at(-1), file.size);
    await assertAtOrigin(uploadId, file);
  });
}

test("after a reload a second client sends only what does not count", async () => {
  const file = fileOf("direct, resumed", 6 * CHUNK_BYTES + 1);
  const store = new MemoryStore();
  const first = uploadOf(file, new WatchedHttp(), { store });
  const enough = confirmed(first, 2 * CHUNK_BYTES);
  first.start();
  await enough;
  first.pause();
  await waitFor("the pause", () => first.state === "paused");
  const id = String(first.uploadId);
  const { uploadedBytes } = await client.state(id);
  const http = new WatchedHttp();
  // What is resumed goes the way it began.
  const second = uploadOf(file, http, { store, direct: false });
  assert.equal((await second.start()).uploadId, id);
  assert.ok(http.storedBytes <= file.size - uploadedBytes, `${http.storedBytes} bytes were sent again`);
  assert.equal(http.relayedBytes, 0);
  await assertAtOrigin(id, file);
});

test("answers that are lost and URLs that are bad cost a signature, and never a wrong byte", async () => {
  const file = fileOf("direct, and unlucky", 4 * CHUNK_BYTES);
  let spoilt = 0;
  const http = new WatchedHttp((request) => {
    const { method, url } = request;
    if (method === "PUT" && spoilt < 2) {
      spoilt += 1;
      return fetchHttp.send({ ...request, url: url.replace(/X-Amz-Signature=\w{8}/, "X-Amz-Signature=00000000") });
    }
    if (method === "POST" && url.endsWith("/parts") && spoilt < 4) {
      spoilt += 1;
      return fetchHttp.send(request).then(() => Promise.reject(new TypeError("the answer was lost")));
    }
    return undefined;
  });
  const upload = uploadOf(file, http);
  const failures: string[] = [];
  upload.on("retry", ({ error }) => failures.push(error.code));
  const { uploadId } = await upload.start();
  assert.equal(spoilt, 4);
  assert.equal(http.storedBytes, file.size, "no chunk that R2 had was sent again");
  // A refusal in the middle of a body is an answer or a broken connection.
  assert.ok(failures.length >= 2 && failures.every((code) => code === "server" || code === "network"), `${failures}`);
  await assertAtOrigin(uploadId, file);
});

test("a part that somebody overwrites after it was recorded is sent again, and no other", async () => {
  const file = fileOf("direct, overwritten", 3 * CHUNK_BYTES);
  let first: string | undefined;
  const http = new WatchedHttp((request) => {
    if (request.method === "PUT") {
      first ??= request.url;
    }
    return undefined;
  });
  const upload = uploadOf(file, http, { parallel: false });
  let isSpoilt = false;
  upload.on("progress", async ({ uploadedBytes }) => {
    // Once: all parts are counted anew afterwards, so progress comes by here again.
    if (uploadedBytes === CHUNK_BYTES && !isSpoilt) {
      isSpoilt = true;
      const body = new Uint8Array(fileBytes("garbage", CHUNK_BYTES));
      await fetchHttp.send({ method: "PUT", url: String(first), headers: {}, body });
    }
  });
  const { uploadId } = await upload.start();
  assert.equal(http.storedBytes, file.size + CHUNK_BYTES);
  await assertAtOrigin(uploadId, file);
});

test("the Worker is killed midway and comes back: the upload goes on by itself", async () => {
  const file = fileOf("direct, killed", 6 * CHUNK_BYTES + 5);
  const upload = uploadOf(file, fetchHttp);
  let failures = 0;
  upload.on("retry", () => {
    failures += 1;
  });
  const enough = confirmed(upload, 2 * CHUNK_BYTES);
  const done = upload.start();
  await enough;
  await stack.kill();
  await waitFor("the upload to notice", () => failures > 0);
  await stack.restart();
  await assertAtOrigin((await done).uploadId, file);
});

test("known by its SHA-256, empty, or cancelled: as through any other door", async () => {
  const file = fileOf("direct, twice", CHUNK_BYTES + 1);
  const { uploadId } = await uploadOf(file, fetchHttp, { dedup: true }).start();
  // One counts once the origin has it, and the ledger has heard of that. What comes before is an upload of its own, and may be the one.
  const known = new Set([uploadId]);
  await client.waitUntilDelivery(uploadId, "delivered");
  await waitFor("the duplicate", async () => {
    const again = await uploadOf(file, fetchHttp, { dedup: true }).start();
    const isKnown = again.duplicate && known.has(again.uploadId);
    known.add(again.uploadId);
    await client.waitUntilDelivery(again.uploadId, "delivered");
    return isKnown;
  });
  const empty = fileOf("direct, empty", 0);
  await assertAtOrigin((await uploadOf(empty, fetchHttp).start()).uploadId, empty);
  const cancelled = uploadOf(fileOf("direct, cancelled", 4 * CHUNK_BYTES), fetchHttp);
  const ended = assert.rejects(cancelled.start(), { code: "aborted" });
  await confirmed(cancelled, CHUNK_BYTES);
  const id = String(cancelled.uploadId);
  await cancelled.abort();
  await ended;
  assert.equal((await client.head(id)).status, 410);
});

test("a deployment without R2's keys says which setting is missing, before a byte is sent", async () => {
  const bare = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", R2_S3_ENDPOINT: "" } });
  try {
    const upload = uploadOf(fileOf("no door", 9), fetchHttp, { endpoint: bare.baseUrl });
    const error = await upload.start().then(
      () => assert.fail("it went up"),
      (error: unknown) => error,
    );
    assert.ok(error instanceof UploadError);
    assert.deepEqual([error.code, error.remedy, error.status], ["rejected", "none", 503]);
    assert.match(error.message, /R2_S3_ENDPOINT/);
  } finally {
    await bare.stop();
  }
});
