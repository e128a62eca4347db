// The examples in client/README.md, run as they stand there (those for plain tus in `browser/examples.test.ts`); and the plugin
// for Uppy driven by Uppy itself.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

import Uppy, { type Body, type Meta } from "@uppy/core";

import { type Status, type Upload, UploadError } from "../client/src/index.ts";
import { QuaysideUploader } from "../client/src/uppy.ts";
import { MemoryStore } from "./sdk/dialogue.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { runnableExample } from "./support/readme.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const { origin, stack, client } = await sceneWithOrigin();
/** Inside the repository, so that packages are found from there. */
const scratch = join(repositoryRoot, "target");
mkdirSync(scratch, { recursive: true });
const folder = mkdtempSync(join(scratch, "examples-"));
after(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, sizeBytes: number): File {
  return new File([new Uint8Array(fileBytes(name, sizeBytes))], name, { type: "video/mp4", lastModified: 1 });
}

async function assertAtOrigin(uploadId: string, name: string, sizeBytes: number): Promise<void> {
  const record = await origin.waitForStored(uploadId);
  assert.deepEqual([record.fileName, record.sha256], [name, sha256(fileBytes(name, sizeBytes))]);
}

/** The example that exports this function, with the package's name replaced by where its source is. */
async function example(exported: string): Promise<(...args: unknown[]) => unknown> {
  const path = join(folder, `${exported}.ts`);
  writeFileSync(path, runnableExample(exported));
  return (await import(pathToFileURL(path).href))[exported];
}

test("the example of an upload", async () => {
  const send = await example("send");
  const shown: string[] = [];
  const id = await send(fileOf("film.mp4", 20 * MIB), stack.baseUrl, (text: string) => shown.push(text));
  await assertAtOrigin(String(id), "film.mp4", 20 * MIB);
  assert.ok(shown.includes("uploading") && shown.includes("completed"), shown.join("; "));
  assert.match(shown.findLast((text) => text.includes("bytes")) ?? "", /^20971520 of 20971520 bytes, 0 s left$/);
});

test("the example of what to offer after an error", async () => {
  const offer = await example("offer");
  let starts = 0;
  const upload = { start: () => ++starts } as unknown as Upload;
  const offered = (["resume", "start-over", "none"] as const).map((remedy) => {
    const button = offer(upload, new UploadError("server", remedy, "m")) as { press(): void } | undefined;
    button?.press();
    return button === undefined;
  });
  assert.deepEqual([offered, starts], [[false, false, true], 2]);
  assert.throws(() => offer(upload, new Error("mine")), /mine/);
});

function uppyOf(options = {}): Uppy<Meta, Body> {
  return new Uppy<Meta, Body>().use(QuaysideUploader, {
    endpoint: stack.baseUrl,
    chunkBytes: 5 * MIB,
    store: null,
    ...options,
  });
}

test("the example for Uppy: two files reach the origin, with their metadata, and Uppy knows it", async () => {
  const createUppy = await example("createUppy");
  const uppy = createUppy(stack.baseUrl) as Uppy<Meta, Body>;
  const names = ["one.mp4", "two 🏖️.mp4"];
  for (const name of names) {
    uppy.addFile({ name, type: "video/mp4", data: fileOf(name, 9 * MIB), meta: { album: "2026" } });
  }
  const result = await uppy.upload();
  assert.deepEqual(result?.failed, []);
  for (const file of result?.successful ?? []) {
    const id = String(file.uploadURL?.split("/").at(-1));
    assert.equal(file.response?.status, 200);
    assert.equal(uppy.getFile(file.id).progress.percentage, 100);
    await assertAtOrigin(id, String(file.name), 9 * MIB);
    const status = await client.request("GET", `/upload/${id}`);
    assert.equal(status.json<{ contentType: string }>().contentType, "video/mp4");
  }
  assert.equal(result?.successful?.length, 2);
});

test("the example of many files: all arrive", async () => {
  const sendAll = await example("sendAll");
  const shown: string[] = [];
  const files = Array.from({ length: 12 }, (_, index) => new File([`many ${index}`], `many ${index}.txt`));
  await sendAll(files, stack.baseUrl, (name: string) => shown.push(name));
  assert.deepEqual(
    shown,
    files.map(({ name }) => name),
  );
});

test("the example of watching: told until the origin has it", async () => {
  const follow = await example("follow");
  const file = fileBytes("followed.mp4", 3 * MIB);
  const upload = await client.create(file, { fileName: "followed.mp4" });
  const shown: string[] = [];
  const following = follow(upload.uploadId, stack.baseUrl, (text: string) => shown.push(text));
  await waitFor("the truth", () => shown.length > 0);
  await client.putRest(upload, file);
  await following;
  assert.deepEqual(
    [shown[0], shown.at(-1)],
    ["open, 0 bytes, origin: none", `completed, ${file.length} bytes, origin: delivered`],
  );
});

test("Uppy's pause and resume", async () => {
  const uppy = uppyOf();
  const id = uppy.addFile({ name: "paused.mp4", data: fileOf("paused.mp4", 40 * MIB) });
  const counted = new Promise<void>((resolve) =>
    uppy.on("upload-progress", (_, { bytesUploaded }) => bytesUploaded && resolve()),
  );
  const done = uppy.upload();
  await counted;
  assert.equal(uppy.pauseResume(id), true);
  const before = uppy.getFile(id).progress.bytesUploaded;
  assert.ok(before && before < 40 * MIB);
  assert.equal(uppy.pauseResume(id), false);
  const file = (await done)?.successful?.[0];
  await assertAtOrigin(String(file?.uploadURL?.split("/").at(-1)), "paused.mp4", 40 * MIB);
});

test("a file that is removed from Uppy is removed from the server", async () => {
  const uppy = uppyOf();
  const id = uppy.addFile({ name: "removed.mp4", data: fileOf("removed.mp4", 40 * MIB) });
  const counted = new Promise<void>((resolve) =>
    uppy.on("upload-progress", (_, { bytesUploaded }) => bytesUploaded && resolve()),
  );
  const done = uppy.upload();
  await counted;
  const [open] = (await client.openUploads()).filter(({ fileName }) => fileName === "removed.mp4");
  assert.ok(open);
  uppy.removeFile(id);
  await done;
  await waitFor("the upload to be gone", async () => (await client.head(open.uploadId)).status === 410);
});

test("an error shows at its file, and Uppy's retry mends it", async () => {
  let token = "";
  const uppy = uppyOf({
    headers: () => {
      if (token === "") {
        throw new UploadError("unauthorized", "resume", "not signed in");
      }
      return {};
    },
  });
  const id = uppy.addFile({ name: "retried.mp4", data: fileOf("retried.mp4", MIB) });
  const failed = await uppy.upload();
  assert.equal(failed?.failed?.length, 1);
  assert.match(String(uppy.getFile(id).error), /not signed in/);
  token = "t";
  const retried = await uppy.retryUpload(id);
  await assertAtOrigin(String(retried?.successful?.[0]?.uploadURL?.split("/").at(-1)), "retried.mp4", MIB);
});

test("more files than slots: the others wait, and a paused file makes room", async () => {
  const uppy = uppyOf({ filesAtOnce: 1 });
  const first = uppy.addFile({ name: "first.mp4", data: fileOf("first.mp4", 30 * MIB) });
  const second = uppy.addFile({ name: "second.mp4", data: fileOf("second.mp4", MIB) });
  const begun = new Promise<void>((resolve) =>
    uppy.on("upload-progress", (file, { bytesUploaded }) => file?.id === first && bytesUploaded && resolve()),
  );
  const secondDone = new Promise<void>((resolve) =>
    uppy.on("upload-success", (file) => file?.id === second && resolve()),
  );
  const done = uppy.upload();
  await begun;
  assert.equal(uppy.getFile(second).progress.bytesUploaded || 0, 0, "the second waits");
  uppy.pauseResume(first);
  await secondDone;
  uppy.pauseResume(first);
  assert.equal((await done)?.successful?.length, 2);
});

test("two files of one name, as a folder drop brings them: both arrive, with where they lay", async () => {
  const uppy = uppyOf();
  for (const folder of ["a", "b"]) {
    const relativePath = `${folder}/same.mp4`;
    uppy.addFile({ name: "same.mp4", data: fileOf("same.mp4", 6 * MIB), meta: { relativePath } });
  }
  const successful = (await uppy.upload())?.successful ?? [];
  const ids = successful.map(({ uploadURL }) => String(uploadURL?.split("/").at(-1)));
  assert.equal(new Set(ids).size, 2);
  const paths = await Promise.all(
    ids.map(async (id) => {
      await assertAtOrigin(id, "same.mp4", 6 * MIB);
      return (await client.status(id)).json<Status>().metadata?.relativePath;
    }),
  );
  assert.deepEqual(paths.sort(), ["a/same.mp4", "b/same.mp4"]);
});

test("a file that waits for its turn is removed: its namesake, on its way, is not", async () => {
  const uppy = uppyOf({ filesAtOnce: 1, store: new MemoryStore() });
  const [running, waiting] = ["a", "b"].map((folder) =>
    uppy.addFile({
      name: "same.mp4",
      data: fileOf("same.mp4", 20 * MIB),
      meta: { relativePath: `${folder}/same.mp4` },
    }),
  );
  uppy.once("upload-progress", () => uppy.removeFile(String(waiting)));
  const successful = (await uppy.upload())?.successful ?? [];
  assert.deepEqual(
    successful.map(({ id }) => id),
    [running],
  );
  await assertAtOrigin(String(successful[0]?.uploadURL?.split("/").at(-1)), "same.mp4", 20 * MIB);
});
