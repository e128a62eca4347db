// The SDK against a running Worker: what goes up with it arrives at the origin whole, whatever interrupts, and only what
// the server has not counted is sent again.

import assert from "node:assert/strict";
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { PageClaims } from "../client/src/claims.ts";
import { sizeOf } from "../client/src/file_reader.ts";
import { createUpload, type Status, type Upload, type UploadOptions, type UploadResult } from "../client/src/index.ts";
import type { HttpClient, Progress } from "../client/src/interfaces.ts";
import { fetchHttp } from "../client/src/platform.ts";
import { MemoryLocks, MemoryStore } from "./sdk/dialogue.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const CHUNK_BYTES = 5 * MIB;

const { origin, stack, client } = await sceneWithOrigin();

/** fetch, and the bytes of all chunks that were answered with 200. */
class CountingHttp implements HttpClient {
  takenBytes = 0;

  async send(request: Parameters<HttpClient["send"]>[0]): ReturnType<HttpClient["send"]> {
    const response = await fetchHttp.send(request);
    if (request.method === "PUT" && response.status === 200) {
      this.takenBytes += sizeOf(request.body);
    }
    return response;
  }
}

function fileOf(seed: string, sizeBytes: number): File {
  return new File([new Uint8Array(fileBytes(seed, sizeBytes))], `${seed} 🏖️.bin`, { lastModified: 1_700_000_000_000 });
}

function uploadOf(file: File, http: HttpClient, options: Partial<UploadOptions> = {}): Upload {
  return createUpload(file, {
    endpoint: stack.baseUrl,
    chunkBytes: CHUNK_BYTES,
    store: null,
    ...options,
    runtime: { http, ...options.runtime },
  });
}

async function assertAtOrigin(uploadId: string, file: File): Promise<void> {
  const record = await origin.waitForStored(uploadId);
  assert.equal(record.sha256, sha256(new Uint8Array(await file.arrayBuffer())));
  assert.equal(record.fileName, file.name);
}

function confirmed(upload: Upload, atLeastBytes: number): Promise<Progress> {
  return new Promise((resolve) =>
    upload.on("progress", (progress) => progress.uploadedBytes >= atLeastBytes && resolve(progress)),
  );
}

test("a small file takes one request, and arrives with its name, type and metadata", async () => {
  const bytes = new Uint8Array(fileBytes("small", 10_000));
  const file = new File([bytes], "small 🏖️ Ärger.txt", { type: "text/plain", lastModified: 1 });
  const asked: string[] = [];
  const http: HttpClient = {
    send: (request) => {
      asked.push(`${request.method} ${new URL(request.url).pathname}`);
      return fetchHttp.send(request);
    },
  };
  const { uploadId, object } = await uploadOf(file, http, { metadata: { album: "Übermut, 2026" } }).start();
  assert.deepEqual(asked, ["POST /files"]);
  assert.equal(object, null, "whose answer tells nothing of the object");
  const status = await client.state(uploadId);
  const { metadata, object: stored } = status as { metadata?: { album?: string }; object?: { crc64nvme?: string } };
  assert.equal(metadata?.album, "Übermut, 2026");
  assert.equal(stored?.crc64nvme, crc64nvme(bytes));
  await assertAtOrigin(uploadId, file);
  assert.equal((await origin.waitForStored(uploadId)).contentType, "text/plain");
});

test("a chunk that changes after it was hashed, and before it is sent, does not count: it is sent again", async () => {
  const bytes = new Uint8Array(fileBytes("changes", CHUNK_BYTES));
  const file = new File([bytes], "changes.bin", { lastModified: 1 });
  let hashed = 0;
  const slice = file.slice.bind(file);
  file.slice = (from, to) => {
    const piece = slice(from, to);
    const isChunk = piece.size === CHUNK_BYTES;
    if (isChunk && ++hashed === 1) {
      // What the browser sends is another file than the one that was read.
      const other = new Blob([new Uint8Array(CHUNK_BYTES)]);
      other.arrayBuffer = () => piece.arrayBuffer();
      return other;
    }
    return piece;
  };
  const refused: number[] = [];
  const http: HttpClient = {
    send: async (request) => {
      const response = await fetchHttp.send(request);
      if (response.status >= 400) {
        refused.push(response.status);
      }
      return response;
    },
  };
  const { uploadId } = await uploadOf(file, http, { parallel: false }).start();
  assert.deepEqual([hashed, refused], [2, [422]]);
  await assertAtOrigin(uploadId, file);
});

for (const parallel of [false, true]) {
  const mode = parallel ? "in parallel" : "in order";

  test(`a file goes up ${mode} and reaches the origin whole`, async () => {
    const file = fileOf(`whole ${mode}`, 6 * CHUNK_BYTES + 12_345);
    const http = new CountingHttp();
    const upload = uploadOf(file, http, { parallel });
    const seen: number[] = [];
    upload.on("progress", ({ uploadedBytes }) => seen.push(uploadedBytes));
    const { uploadId, duplicate } = await upload.start();
    assert.equal(duplicate, false);
    assert.equal((await client.state(uploadId)).mode, parallel ? "parallel" : "sequential");
    assert.equal(http.takenBytes, file.size, "every byte once");
    assert.deepEqual(
      seen,
      [...new Set(seen)].sort((a, b) => a - b),
      "progress only grows",
    );
    assert.equal(seen.at(-1), file.size);
    await assertAtOrigin(uploadId, file);
  });

  test(`a second client goes on ${mode} from the record, and sends only what is missing`, async () => {
    const file = fileOf(`resumed ${mode}`, 6 * CHUNK_BYTES + 1);
    const store = new MemoryStore();
    const first = uploadOf(file, new CountingHttp(), { parallel, store });
    const enough = confirmed(first, 2 * CHUNK_BYTES);
    first.start();
    await enough;
    first.pause();
    const id = String(first.uploadId);
    // The tab is gone; what was on its way may still be counted.
    const http = new CountingHttp();
    const second = uploadOf(file, http, { parallel, store });
    const resumedFrom = new Promise<number | undefined>((resolve) =>
      second.on("state", ({ state, resumedFromBytes }) => state === "uploading" && resolve(resumedFromBytes)),
    );
    assert.equal((await second.start()).uploadId, id);
    assert.ok(Number(await resumedFrom) >= 2 * CHUNK_BYTES);
    assert.ok(http.takenBytes <= file.size - 2 * CHUNK_BYTES, `${http.takenBytes} bytes were sent again`);
    await assertAtOrigin(id, file);
  });

  test(`pause and resume ${mode} end in the same upload`, async () => {
    const file = fileOf(`paused ${mode}`, 5 * CHUNK_BYTES);
    const upload = uploadOf(file, fetchHttp, { parallel });
    const enough = confirmed(upload, CHUNK_BYTES);
    const done = upload.start();
    await enough;
    upload.pause();
    await waitFor("the pause", () => upload.state === "paused");
    upload.resume();
    await assertAtOrigin((await done).uploadId, file);
  });

  test(`the Worker is killed midway and comes back: the upload goes on ${mode} by itself`, async () => {
    const file = fileOf(`killed ${mode}`, 8 * CHUNK_BYTES + 5);
    const upload = uploadOf(file, fetchHttp, { parallel });
    const failures: string[] = [];
    upload.on("retry", ({ error }) => failures.push(error.code));
    const enough = confirmed(upload, 2 * CHUNK_BYTES);
    const done = upload.start();
    await enough;
    await stack.kill();
    await waitFor("the upload to notice", () => failures.length > 0);
    await stack.restart();
    await assertAtOrigin((await done).uploadId, file);
  });
}

/** A device of its own: nothing of what others remember or send is known here. */
function device(): Partial<UploadOptions> {
  const claims = new PageClaims(new MemoryLocks().page());
  return { store: new MemoryStore(), runtime: { claims } };
}

test("another device goes on from the owner's list, and only with this very file", async () => {
  const file = fileOf("another device", 4 * CHUNK_BYTES);
  const first = uploadOf(file, fetchHttp, { parallel: false, ...device() });
  const enough = confirmed(first, CHUNK_BYTES);
  first.start();
  await enough;
  first.pause();
  await waitFor("the pause", () => first.state === "paused");
  // Of the same name and size, but with other bytes at its end.
  const namesake = new File([file.slice(0, file.size - 1), "x"], file.name, { lastModified: file.lastModified });
  const other = await uploadOf(namesake, fetchHttp, { resumeFromServer: true, ...device() }).start();
  assert.notEqual(other.uploadId, first.uploadId);
  await assertAtOrigin(other.uploadId, namesake);
  const second = uploadOf(file, fetchHttp, { resumeFromServer: true, ...device() });
  assert.equal((await second.start()).uploadId, first.uploadId);
  await assertAtOrigin(String(first.uploadId), file);
});

test("two files of one folder drop that look the same both reach the origin, each with its own bytes", async () => {
  const store = new MemoryStore();
  const at = (file: File, path: string) => Object.defineProperty(file, "webkitRelativePath", { value: path });
  const files = [
    at(fileOf("namesakes", 2 * CHUNK_BYTES), "a/film.mp4"),
    at(fileOf("namesakes", 2 * CHUNK_BYTES), "b/film.mp4"),
    fileOf("namesakes", 2 * CHUNK_BYTES),
    fileOf("namesakes", 2 * CHUNK_BYTES),
  ];
  const done = await Promise.all(files.map((file) => uploadOf(file, fetchHttp, { store }).start()));
  assert.equal(new Set(done.map(({ uploadId }) => uploadId)).size, files.length);
  for (const { uploadId } of done) {
    await assertAtOrigin(uploadId, files[0] as File);
  }
  const { uploadId } = done[1] as UploadResult;
  const status = (await client.status(uploadId)).json<Status>();
  assert.equal(status.metadata?.relativePath, "b/film.mp4");
});

test("a second tab follows the first, and takes over when it is closed", async () => {
  const file = fileOf("two tabs", 6 * CHUNK_BYTES);
  const [store, locks] = [new MemoryStore(), new MemoryLocks()];
  const pages = [locks.page(), locks.page()] as const;
  const first = uploadOf(file, fetchHttp, { store, runtime: { claims: new PageClaims(pages[0]) } });
  const enough = confirmed(first, CHUNK_BYTES);
  first.start();
  await enough;
  const http = new CountingHttp();
  const second = uploadOf(file, http, { store, runtime: { claims: new PageClaims(pages[1]) } });
  const following = confirmed(second, CHUNK_BYTES);
  const done = second.start();
  await waitFor("the second tab to follow", () => second.state === "following");
  await following;
  assert.equal(http.takenBytes, 0);
  first.pause();
  locks.close(pages[0]);
  const { uploadId } = await done;
  assert.equal(uploadId, first.uploadId);
  assert.ok(http.takenBytes <= file.size - CHUNK_BYTES);
  await assertAtOrigin(uploadId, file);
});

test("a name with control characters, as macOS has them, arrives without", async () => {
  const file = new File([new Uint8Array(fileBytes("icon", 1000))], "Icon\r");
  const { uploadId } = await uploadOf(file, fetchHttp).start();
  assert.equal((await origin.waitForStored(uploadId)).fileName, "Icon");
});

test("the whole service below a path", async () => {
  const { hostname, port } = new URL(stack.baseUrl);
  const proxy = createServer((request, response) => {
    const path = request.url?.replace(/^\/some\/base/, "");
    const { method, headers } = request;
    const passOn = forward({ hostname, port, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(passOn);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  after(() => proxy.closeAllConnections());
  after(() => proxy.close());
  const file = fileOf("below a path", 2 * CHUNK_BYTES);
  const endpoint = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/some/base/`;
  await assertAtOrigin((await uploadOf(file, fetchHttp, { endpoint }).start()).uploadId, file);
});

test("bytes that are stored already are recognised, and nothing is sent", async () => {
  const file = fileOf("duplicate", 2 * CHUNK_BYTES);
  const first = await uploadOf(file, fetchHttp, { dedup: true }).start();
  assert.equal(first.duplicate, false);
  assert.equal(first.object?.sha256, sha256(new Uint8Array(await file.arrayBuffer())), "read back and verified");
  assert.equal((await client.state(first.uploadId)).mode, "parallel");
  // What the origin has not acknowledged may still be taken from whoever shares it.
  await client.waitUntilDelivery(first.uploadId, "delivered");
  const known = new Set([first.uploadId]);
  await waitFor("the duplicate", async () => {
    const http = new CountingHttp();
    const again = await uploadOf(file, http, { dedup: true }).start();
    assert.ok(!again.duplicate || (http.takenBytes === 0 && known.has(again.uploadId)));
    known.add(again.uploadId);
    await client.waitUntilDelivery(again.uploadId, "delivered");
    return again.duplicate;
  });
});

for (const parallel of [false, true]) {
  test(`a file of no bytes, parallel: ${parallel}`, async () => {
    const file = fileOf(`empty ${parallel}`, 0);
    await assertAtOrigin((await uploadOf(file, fetchHttp, { parallel }).start()).uploadId, file);
  });
}

test("an aborted upload is gone, and its client is told", async () => {
  const upload = uploadOf(fileOf("aborted", 4 * CHUNK_BYTES), fetchHttp);
  const enough = confirmed(upload, CHUNK_BYTES);
  const ended = assert.rejects(upload.start(), { code: "aborted" });
  await enough;
  const id = String(upload.uploadId);
  await upload.abort();
  await ended;
  assert.equal((await client.head(id)).status, 410);
});

test("an upload that was cancelled elsewhere says so, and can be started afresh", async () => {
  const file = fileOf("cancelled elsewhere", 3 * CHUNK_BYTES);
  const store = new MemoryStore();
  const upload = uploadOf(file, fetchHttp, { store, parallel: false });
  const enough = confirmed(upload, CHUNK_BYTES);
  const done = upload.start();
  await enough;
  upload.pause();
  await waitFor("the pause", () => upload.state === "paused");
  const id = String(upload.uploadId);
  assert.equal((await client.abort(id)).status, 204);
  upload.resume();
  await assert.rejects(done, { code: "gone", remedy: "start-over" });
  const fresh = await upload.start();
  assert.notEqual(fresh.uploadId, id);
  await assertAtOrigin(fresh.uploadId, file);
});
