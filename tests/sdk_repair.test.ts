// The SDK against a running Worker, with a file that is read wrong: what arrives damaged is repaired by itself, only what differs is sent
// again, and the origin has the true file.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BrowserHasher, createUpload, type Hasher, type Upload, type UploadOptions } from "../client/src/index.ts";
import type { HttpClient, UploadFile } from "../client/src/interfaces.ts";
import { fetchHttp } from "../client/src/platform.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const CHUNK_BYTES = 5 * MIB;
const FILE_BYTES = 4 * CHUNK_BYTES + 12_345;

const { origin, stack, client } = await sceneWithOrigin();

/** A file of which one chunk is read wrong, so often. */
class MisreadFile implements UploadFile {
  readonly name: string;
  readonly size = FILE_BYTES;
  readonly type = "video/mp4";
  readonly lastModified = 1_700_000_000_000;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #misread: number;
  #times: number;

  constructor(name: string, misread: number, times: number) {
    this.name = name;
    this.bytes = new Uint8Array(fileBytes(name, FILE_BYTES));
    this.#misread = misread;
    this.#times = times;
  }

  slice(from: number, to: number): Blob {
    const bytes = this.bytes.slice(from, to);
    if (from === this.#misread && bytes.length === CHUNK_BYTES && this.#times > 0) {
      this.#times -= 1;
      bytes[CHUNK_BYTES - 1] = ~(bytes[CHUNK_BYTES - 1] ?? 0);
    }
    return new Blob([bytes]);
  }
}

/** fetch, and where every chunk began, in the order in which they were sent. */
class NotingHttp implements HttpClient {
  readonly puts: number[] = [];
  /** The connection breaks after the server has heard the first request for a repair. */
  losesRepair = false;

  async send(request: Parameters<HttpClient["send"]>[0]): ReturnType<HttpClient["send"]> {
    if (request.method === "PUT") {
      this.puts.push(Number(request.headers["X-Upload-Offset"]));
    }
    const response = await fetchHttp.send(request);
    if (this.losesRepair && request.url.endsWith("/repair")) {
      this.losesRepair = false;
      throw new TypeError("the answer was lost");
    }
    return response;
  }
}

function uploadOf(file: UploadFile, http: HttpClient, options: Partial<UploadOptions> = {}): Upload {
  return createUpload(file, {
    endpoint: stack.baseUrl,
    chunkBytes: CHUNK_BYTES,
    dedup: true,
    store: null,
    ...options,
    runtime: { http, ...options.runtime },
  });
}

async function assertAtOrigin(uploadId: string, file: MisreadFile): Promise<void> {
  const record = await origin.waitForStored(uploadId);
  assert.equal(record.sha256, sha256(file.bytes));
}

for (const parallel of [false, true]) {
  const how = parallel ? "in parallel" : "in order";

  test(`sent ${how}, a chunk that was read wrong is sent again, and only that`, async () => {
    const file = new MisreadFile(`misread ${how}`, CHUNK_BYTES, 1);
    const http = new NotingHttp();
    const upload = uploadOf(file, http, { parallel });
    const repairs: object[] = [];
    const progress: number[] = [];
    upload.on("repair", ({ missingBytes }) => repairs.push({ missingBytes, sent: http.puts.length }));
    upload.on("progress", ({ uploadedBytes }) => progress.push(uploadedBytes));
    const { uploadId, object } = await upload.start();
    assert.equal(object?.sha256, sha256(file.bytes));
    assert.deepEqual(repairs, [{ missingBytes: CHUNK_BYTES, sent: 5 }]);
    assert.deepEqual(http.puts.slice(5), [CHUNK_BYTES]);
    assert.deepEqual(progress.slice(-3), [FILE_BYTES, FILE_BYTES - CHUNK_BYTES, FILE_BYTES]);
    await assertAtOrigin(uploadId, file);
  });
}

test("read wrong twice, and with a lost answer, it is repaired twice", async () => {
  const file = new MisreadFile("misread twice", 2 * CHUNK_BYTES, 2);
  const http = new NotingHttp();
  http.losesRepair = true;
  const { uploadId } = await uploadOf(file, http, { parallel: false }).start();
  assert.deepEqual(http.puts.slice(5), [2 * CHUNK_BYTES, 2 * CHUNK_BYTES]);
  await assertAtOrigin(uploadId, file);
});

test("paused in the middle of a repair, it goes on", async () => {
  const file = new MisreadFile("paused repair", CHUNK_BYTES, 1);
  const http = new NotingHttp();
  const upload = uploadOf(file, http);
  upload.on("repair", () => upload.pause());
  const done = upload.start();
  await waitFor("the pause", () => upload.state === "paused");
  assert.equal((await client.state(String(upload.uploadId))).state, "open");
  upload.resume();
  await assertAtOrigin((await done).uploadId, file);
  assert.ok(http.puts.slice(5).every((from) => from === CHUNK_BYTES));
});

test("a file whose hash was wrong is not sent again, and starting afresh hashes it anew", async () => {
  const file = new MisreadFile("wrong hash", 0, 0);
  const http = new NotingHttp();
  const browser = new BrowserHasher();
  let hashed = 0;
  const hasher: Hasher = {
    chunk: (bytes) => browser.chunk(bytes),
    parts: (...args) => browser.parts(...args),
    file: async (...args) => (++hashed === 1 ? sha256(new Uint8Array(1)) : browser.file(...args)),
  };
  const upload = uploadOf(file, http, { parallel: false, runtime: { hasher } });
  await assert.rejects(upload.start(), { code: "failed", remedy: "start-over", message: /sha-?256.*as it is/i });
  assert.equal(http.puts.length, 5);
  const { uploadId } = await upload.start();
  await assertAtOrigin(uploadId, file);
});
