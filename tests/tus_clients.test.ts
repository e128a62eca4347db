// Clients of tus as they are published, against a running Worker: every run ends at the origin, which must hold the same
// bytes. No client is told anything but the endpoint.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";

import Uppy from "@uppy/core";
import UppyTus from "@uppy/tus";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { codeBlock } from "./support/guides.ts";
import { hasPython } from "./support/python.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { idOf, Tus } from "./support/tus.ts";
import { finished, libraries, type Options, type Upload } from "./support/tus_js.ts";
import * as tuspy from "./support/tuspy.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const { origin, stack } = await sceneWithOrigin();
const endpoint = `${stack.baseUrl}/files`;
const tus = new Tus(stack.client);
const folder = mkdtempSync(join(tmpdir(), "quayside-tus-"));
after(() => rmSync(folder, { recursive: true, force: true }));

async function assertStored(url: string | null | undefined, file: Buffer, name?: string): Promise<void> {
  const record = await origin.waitForStored(idOf(url ?? ""));
  assert.equal(record.sha256, sha256(file));
  assert.equal(record.fileSize, file.length);
  if (name !== undefined) {
    assert.equal(record.fileName, name);
  }
}

function written(name: string, file: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, file);
  return path;
}

for (const [line, library] of Object.entries(libraries)) {
  const client = `tus-js-client ${line}`;
  const metadata = { filename: `${client}.mp4`, filetype: "video/mp4" };

  test(`${client}: a single request`, async () => {
    const file = fileBytes(`${client} single`, 21 * MIB + 1);
    const { url } = await finished(library, file, { endpoint, metadata });
    await assertStored(url, file, metadata.filename);
  });

  test(`${client}: a file from disk, in chunks of 3 MB`, async () => {
    const file = fileBytes(`${client} chunked`, 20 * MIB);
    const path = written(`chunked ${line}`, file);
    const { url } = await finished(library, createReadStream(path), { endpoint, metadata, chunkSize: 3_000_000 });
    await assertStored(url, file, metadata.filename);
  });

  test(`${client}: a stream whose length is declared with its end`, async () => {
    const file = fileBytes(`${client} deferred`, 20 * MIB + 5);
    const stream = Readable.from([file.subarray(0, 7), file.subarray(7, 15 * MIB), file.subarray(15 * MIB)]);
    const options: Options = { endpoint, metadata, uploadLengthDeferred: true, chunkSize: 6 * MIB };
    const { url } = await finished(library, stream, options);
    await assertStored(url, file, metadata.filename);
  });

  test(`${client}: upload data during creation, the whole file and a chunk of it`, async () => {
    const file = fileBytes(`${client} creation`, 12 * MIB);
    const options: Options = { endpoint, metadata, uploadDataDuringCreation: true };
    await assertStored((await finished(library, file, options)).url, file);
    await assertStored((await finished(library, file, { ...options, chunkSize: 5 * MIB })).url, file);
  });

  test(`${client}: four parts at the same time, put together`, async () => {
    const file = fileBytes(`${client} parallel`, 43 * MIB + 1);
    const options: Options = { endpoint, metadata, parallelUploads: 4 };
    const { url } = await finished(library, file, options);
    await assertStored(url, file, metadata.filename);
    const given = (await tus.head(new URL(url ?? "").pathname)).header("Upload-Concat") ?? "";
    assert.equal(given.split(" ").length, 4, given);
    const path = written(`parallel ${line}`, file);
    const chunked: Options = { ...options, parallelUploads: 3, chunkSize: 5_000_000 };
    await assertStored((await finished(library, createReadStream(path), chunked)).url, file, metadata.filename);
    await assertStored((await finished(library, file.subarray(0, 2), options)).url, file.subarray(0, 2));
  });

  test(`${client}: parts at the same time, aborted in the middle and resumed by another instance`, async () => {
    const file = fileBytes(`${client} parallel abort`, 40 * MIB);
    const path = written(`parallel abort ${line}`, file);
    const urlStorage = new library.FileUrlStorage(written(`parallel urls ${line}`, Buffer.from("{}")));
    const more = { parallelUploads: 2, urlStorage, metadata };
    await abortedAfter(3, (options) => new library.Upload(createReadStream(path), { ...options, ...more }));
    const resumed = await new Promise<Upload>((resolve, reject) => {
      const options = { endpoint, chunkSize: 4 * MIB, ...more, onError: reject, onSuccess: () => resolve(upload) };
      const upload = new library.Upload(createReadStream(path), options);
      upload.findPreviousUploads().then(([previous, ...others]) => {
        assert.ok(previous !== undefined && others.length === 0, "one upload is remembered");
        upload.resumeFromPreviousUpload(previous);
        upload.start();
      }, reject);
    });
    await assertStored(resumed.url, file, metadata.filename);
  });

  test(`${client}: POST in place of PATCH`, async () => {
    const file = fileBytes(`${client} override`, 10 * MIB);
    const { url } = await finished(library, file, { endpoint, overridePatchMethod: true, chunkSize: 4 * MIB });
    await assertStored(url, file);
  });

  test(`${client}: a file of no bytes`, async () => {
    const { url } = await finished(library, Buffer.alloc(0), { endpoint, metadata });
    await assertStored(url, Buffer.alloc(0));
  });

  test(`${client}: aborted in the middle, and resumed by another instance`, async () => {
    const file = fileBytes(`${client} abort`, 30 * MIB);
    const aborted = await abortedAfter(2, (options) => new library.Upload(file, { ...options, metadata }));
    assert.ok((await tus.offset(new URL(aborted.url ?? "").pathname)) >= 8 * MIB);
    const resumed = await finished(library, file, { endpoint, uploadUrl: aborted.url ?? "" });
    assert.equal(resumed.url, aborted.url);
    await assertStored(resumed.url, file, metadata.filename);
  });

  test(`${client}: its process is killed, and another goes on by the URL it had remembered`, async () => {
    const file = fileBytes(`${client} process`, 24 * MIB);
    const path = written(`process ${line}`, file);
    const urls = written(`urls ${line}`, Buffer.from("{}"));
    const script = join(repositoryRoot, "tests/support/tus_js_process.ts");
    const args = ["--disable-warning=ExperimentalWarning", script, line, endpoint, path, urls, String(4 * MIB), "3"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
    const [, signal] = await once(child, "exit");
    assert.equal(signal, "SIGKILL");

    const resumed = await new Promise<{ upload: Upload; firstOffset: number }>((resolve, reject) => {
      let firstOffset = 0;
      const upload = new library.Upload(createReadStream(path), {
        endpoint,
        chunkSize: 4 * MIB,
        urlStorage: new library.FileUrlStorage(urls),
        onChunkComplete: (chunkBytes, acceptedBytes) => {
          firstOffset ||= acceptedBytes - chunkBytes;
        },
        onSuccess: () => resolve({ upload, firstOffset }),
        onError: reject,
      });
      upload.findPreviousUploads().then(([previous, ...others]) => {
        assert.ok(previous !== undefined && others.length === 0, "one upload is remembered");
        upload.resumeFromPreviousUpload(previous);
        upload.start();
      }, reject);
    });
    assert.ok(resumed.firstOffset >= 12 * MIB, `went on at ${resumed.firstOffset}`);
    await assertStored(resumed.upload.url, file);
  });

  test(`${client}: terminated, while it runs and when it is complete`, async () => {
    const file = fileBytes(`${client} terminate`, 30 * MIB);
    const running = await abortedAfter(1, (options) => new library.Upload(file, options), true);
    const complete = await finished(library, file, { endpoint });
    await library.Upload.terminate(complete.url ?? "");
    for (const { url } of [running, complete]) {
      assert.equal((await tus.head(new URL(url ?? "").pathname)).status, 404);
    }
  });
}

/** Starts an upload in chunks of 4 MiB, and aborts it when so many have been accepted. */
function abortedAfter(chunks: number, make: (options: Options) => Upload, terminate = false): Promise<Upload> {
  return new Promise((resolve, reject) => {
    let accepted = 0;
    const upload = make({
      endpoint,
      chunkSize: 4 * MIB,
      onChunkComplete: () => {
        accepted += 1;
        if (accepted === chunks) {
          upload.abort(terminate).then(() => resolve(upload), reject);
        }
      },
      onSuccess: () => reject(new Error("it was to be aborted")),
      onError: reject,
    });
    upload.start();
  });
}

for (const { how, ...more } of [
  { how: "in a single request" },
  { how: "in chunks of 5 MiB", chunkSize: 5 * MIB },
  { how: "in three parts at the same time", parallelUploads: 3 },
]) {
  test(`Uppy with @uppy/tus: two files, ${how}`, async () => {
    const uppy = new Uppy().use(UppyTus, { endpoint, ...more });
    const files = new Map(["a.bin", "b.bin"].map((name) => [name, fileBytes(`uppy ${name} ${how}`, 11 * MIB)]));
    for (const [name, file] of files) {
      // Uppy asks its data for a `size`, as a Blob has it; in Node the client underneath wants a Buffer.
      const data = Object.assign(Buffer.from(file), { size: file.length });
      uppy.addFile({ name, type: "application/x-quayside", data: data as unknown as Blob });
    }
    const result = await uppy.upload();
    assert.deepEqual(result?.failed, []);
    assert.equal(result?.successful?.length, files.size);
    for (const { name, uploadURL } of result?.successful ?? []) {
      await assertStored(uploadURL, files.get(name ?? "") ?? Buffer.alloc(0), name);
    }
    uppy.destroy();
  });
}

const skip = (await hasPython()) ? false : "there is no python3 with venv";

test("tuspy: a single chunk without metadata, with a checksum", { skip }, async () => {
  await tuspy.prepare();
  const file = fileBytes("tuspy single", 10 * MIB);
  const { url } = await tuspy.upload(endpoint, written("tuspy single", file), { chunkBytes: file.length });
  await assertStored(url, file, "file");
});

test("tuspy: in chunks of 2 MB, each with a checksum", { skip }, async () => {
  await tuspy.prepare();
  const file = fileBytes("tuspy chunked", 20 * MIB + 3);
  const { url } = await tuspy.upload(endpoint, written("tuspy chunked", file), { chunkBytes: 2_000_000 });
  await assertStored(url, file);
});

test("tuspy: stopped half-way, and resumed by another process", { skip }, async () => {
  await tuspy.prepare();
  const file = fileBytes("tuspy resumed", 20 * MIB);
  const path = written("tuspy resumed", file);
  const urls = join(folder, "tuspy urls");
  const first = await tuspy.upload(endpoint, path, { chunkBytes: 3 * MIB, urls, stopAt: 9 * MIB });
  assert.equal(first.offset, 9 * MIB);
  const second = await tuspy.upload(endpoint, path, { chunkBytes: 3 * MIB, urls });
  assert.deepEqual([second.url, second.beganAt], [first.url, 9 * MIB]);
  await assertStored(second.url, file, "from python.bin");
});

test("tuspy: the guide's example, as it stands there", { skip }, async () => {
  await tuspy.prepare();
  const example = codeBlock("docs/guides/tus-clients.md", "In Python", "python");
  const file = fileBytes("tuspy guide", 20 * MIB);
  const url = await tuspy.runScript(written("upload.py", Buffer.from(example)), [
    endpoint,
    written("holiday.mp4", file),
  ]);
  await assertStored(url, file, "holiday.mp4");
});
