// A real client of the draft's older versions, tus-js-client, uploads files in every way it knows; the origin has the same
// bytes in the end.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Upload, type UploadOptions } from "tus-js-client";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { sceneWithOrigin } from "./support/scene.ts";

const { origin, stack } = await sceneWithOrigin();
const endpoint = `${stack.baseUrl}/files`;

/** `protocol` is there since 4.2, and not yet in the package's types. */
type Options = Partial<UploadOptions> & { protocol: "ietf-draft-03" | "ietf-draft-05" };

type Run = { url: string; requests: string[] };

/** Uploads the file; resolves when the client calls it a success, with all requests that it sent. */
function upload(file: Buffer, options: Options): Promise<Run> {
  const requests: string[] = [];
  return new Promise((resolve, reject) => {
    const upload: Upload = new Upload(file, {
      endpoint,
      retryDelays: null,
      headers: { "Content-Disposition": "inline; filename=client.bin" },
      onBeforeRequest: (request) => {
        requests.push(request.getMethod());
      },
      onError: reject,
      onSuccess: () => resolve({ url: upload.url ?? "", requests }),
      ...options,
    });
    upload.start();
  });
}

/** Uploads until `bytes` are acknowledged, and gives up there; the URL that it had. */
function uploadUntil(file: Buffer, bytes: number, options: Options): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload: Upload = new Upload(file, {
      endpoint,
      retryDelays: null,
      onError: reject,
      onSuccess: () => reject(new Error("the upload was to be aborted")),
      ...options,
      onChunkComplete: (_chunkBytes, acceptedBytes) => {
        if (acceptedBytes >= bytes) {
          upload.abort().then(() => resolve(upload.url ?? ""), reject);
        }
      },
    });
    upload.start();
  });
}

async function arrives(url: string, file: Buffer): Promise<void> {
  const record = await origin.waitForStored(url.slice(url.lastIndexOf("/") + 1));
  assert.deepEqual([record.fileSize, record.sha256], [file.length, sha256(file)]);
}

for (const protocol of ["ietf-draft-03", "ietf-draft-05"] as const) {
  test(`tus-js-client, ${protocol}: a file in one append`, async () => {
    const file = fileBytes(`${protocol} single`, 12 * MIB);
    const { url, requests } = await upload(file, { protocol });
    assert.deepEqual(requests, ["POST", "PATCH"]);
    await arrives(url, file);
  });

  test(`tus-js-client, ${protocol}: a file whose bytes come with its creation`, async () => {
    const file = fileBytes(`${protocol} creation`, 3 * MIB);
    const { url, requests } = await upload(file, { protocol, uploadDataDuringCreation: true });
    assert.deepEqual(requests, ["POST"]);
    await arrives(url, file);
  });

  test(`tus-js-client, ${protocol}: a file in chunks that fill no part`, async () => {
    const file = fileBytes(`${protocol} chunked`, 11 * MIB + 1);
    const { url, requests } = await upload(file, { protocol, chunkSize: 3 * MIB });
    assert.deepEqual(requests, ["POST", "PATCH", "PATCH", "PATCH", "PATCH"]);
    await arrives(url, file);
  });

  test(`tus-js-client, ${protocol}: aborted, and resumed by another run`, async () => {
    const file = fileBytes(`${protocol} resumed`, 20 * MIB);
    const options = { protocol, chunkSize: 5 * MIB };
    const uploadUrl = await uploadUntil(file, 10 * MIB, options);
    const { requests } = await upload(file, { ...options, uploadUrl });
    assert.equal(requests[0], "HEAD");
    assert.ok(requests.length >= 2 && requests.length <= 3, `the rest and no more: ${requests}`);
    await arrives(uploadUrl, file);
    const again = await upload(file, { ...options, uploadUrl });
    assert.deepEqual(again.requests, ["HEAD"], "there is nothing left to upload");
  });

  test(`tus-js-client, ${protocol}: the file's type goes along with its creation`, async () => {
    const file = fileBytes(`${protocol} typed`, 1000);
    const { url } = await upload(file, {
      protocol,
      onBeforeRequest: (request) => {
        if (request.getMethod() === "POST") {
          request.setHeader("Content-Type", "video/mp4");
        }
      },
    });
    const { contentType } = await origin.waitForStored(url.slice(url.lastIndexOf("/") + 1));
    assert.equal(contentType, "video/mp4");
  });

  test(`tus-js-client, ${protocol}: a file of no bytes`, async () => {
    const file = Buffer.alloc(0);
    const { url, requests } = await upload(file, { protocol });
    assert.deepEqual(requests, ["POST"]);
    await arrives(url, file);
  });
}
