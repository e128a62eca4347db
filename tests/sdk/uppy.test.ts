// The plugin for Uppy, with Uppy as it is published: thousands of files wait without being read, and pause, cancelling and retrying
// act on those that wait too.

import assert from "node:assert/strict";
import { test } from "node:test";

import Uppy from "@uppy/core";

import type { HttpRequest, HttpResponse, Upload } from "../../client/src/index.ts";
import { systemClock } from "../../client/src/platform.ts";
import { QuaysideUploader, type QuaysideUploaderOptions } from "../../client/src/uppy.ts";
import { waitFor } from "../support/wait.ts";
import { ENDPOINT, OBJECT } from "./dialogue.ts";

const MIB = 1024 * 1024;

/** Takes every file in one request, when it is let. */
class Server {
  readonly asked: string[] = [];
  /** Uploads that have arrived, and wait for their answer. */
  readonly waiting: (() => void)[] = [];
  isPatient = false;
  /** Says how much of the last body has left. */
  onSent: (bytes: number) => void = () => {};

  async send({ method, url, headers, onSent = () => {} }: HttpRequest): Promise<HttpResponse> {
    const path = url.replace(ENDPOINT, "");
    this.onSent = onSent;
    this.asked.push(`${method} ${path}`);
    if (path === "/upload/init") {
      const created = { uploadId: `id-${this.asked.length}`, chunkSize: 8 * MIB, uploadedBytes: 0 };
      return answer(201, JSON.stringify(created));
    }
    if (this.isPatient && (path === "/files" || method === "PUT")) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    if (path === "/files") {
      const id = `id-${this.asked.length}`;
      return answer(201, "", { Location: `/files/${id}`, "Upload-Offset": String(headers["Upload-Length"]) });
    }
    if (method === "DELETE") {
      return answer(204, "");
    }
    const uploadId = path.split("/")[2];
    const facts = { uploadId, state: "completed", uploadedBytes: 10, fileSize: 10, missing: [], object: OBJECT };
    return answer(200, JSON.stringify(facts));
  }
}

function answer(status: number, body: string, headers: Record<string, string> = {}): HttpResponse {
  return { status, body, header: (name) => headers[name] ?? null };
}

/** Counts what is read of it. */
class CountedFile extends File {
  static opened = 0;

  override arrayBuffer(): Promise<ArrayBuffer> {
    CountedFile.opened += 1;
    return super.arrayBuffer();
  }

  override slice(from?: number, to?: number, type?: string): Blob {
    CountedFile.opened += 1;
    return super.slice(from, to, type);
  }
}

function uppyWith(server: Server, options: Partial<QuaysideUploaderOptions> = {}): { uppy: Uppy; begun: string[] } {
  const begun: string[] = [];
  CountedFile.opened = 0;
  const onUpload = (_upload: Upload, fileId: string) => begun.push(fileId);
  const runtime = { http: server };
  const wanted = { endpoint: ENDPOINT, store: null, onUpload, runtime, ...options };
  const uppy = new Uppy().use(QuaysideUploader, wanted);
  return { uppy, begun };
}

function add(uppy: Uppy, count: number, sizeBytes = 10): string[] {
  return Array.from({ length: count }, (_, index) => {
    const data = new CountedFile([new Uint8Array(sizeBytes).fill(index % 251)], `${index}.bin`, { lastModified: 1 });
    return uppy.addFile({ name: data.name, data });
  });
}

test("nothing of a file is read before its turn, and nothing listens for it", async () => {
  const server = new Server();
  server.isPatient = true;
  const { uppy, begun } = uppyWith(server);
  add(uppy, 300);
  const done = uppy.upload();
  await waitFor("the first files", () => server.waiting.length === 6);
  assert.deepEqual([begun.length, server.asked.length], [6, 6], "six small files in the place of two");
  assert.equal(CountedFile.opened, 6, "each was read once");
  server.isPatient = false;
  for (const go of server.waiting) {
    go();
  }
  const result = await done;
  assert.equal(result?.successful?.length, 300);
  assert.equal(server.asked.length, 300, "one request for each");
  assert.equal(CountedFile.opened, 300, "each was read once");
});

test("a file that is sent in no time is told to Uppy once; of one that takes time, the progress", async () => {
  const server = new Server();
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const { uppy } = uppyWith(server, { runtime: { http: server, clock } });
  const told: number[] = [];
  uppy.on("upload-progress", (_file, { bytesUploaded }) => told.push(bytesUploaded || 0));
  add(uppy, 50);
  await uppy.upload();
  assert.deepEqual(told, []);
  server.isPatient = true;
  add(uppy, 1, 2 * MIB);
  const done = uppy.upload();
  await waitFor("the chunk", () => server.waiting.length === 1);
  server.onSent(MIB / 2);
  assert.deepEqual(told, []);
  aheadMs = 300;
  server.onSent(MIB);
  server.onSent(1.5 * MIB);
  assert.deepEqual(told, [MIB]);
  server.waiting[0]?.();
  await done;
  assert.deepEqual(told, [MIB, 2 * MIB], "all has been sent: what is waited for from here on may take its time");
});

test("large files go two at a time, as ever", async () => {
  const server = new Server();
  server.isPatient = true;
  const { uppy, begun } = uppyWith(server, { oneRequest: false });
  add(uppy, 4, MIB + 1);
  void uppy.upload();
  await waitFor("the first files", () => server.waiting.length === 2);
  assert.equal(begun.length, 2);
  uppy.cancelAll();
  await waitFor("the removal of both", () => server.asked.filter((asked) => /^DELETE/.test(asked)).length === 2);
  assert.equal(server.asked.filter((asked) => asked === "POST /upload/init").length, 2);
});

test("paused while they wait, files begin when they are resumed", async () => {
  const server = new Server();
  server.isPatient = true;
  const { uppy, begun } = uppyWith(server);
  const ids = add(uppy, 8);
  const done = uppy.upload();
  await waitFor("the first files", () => server.waiting.length === 6);
  uppy.pauseResume(String(ids[7]));
  server.isPatient = false;
  for (const go of server.waiting) {
    go();
  }
  await waitFor("all but the paused one", () => uppy.getFiles().filter(isDone).length === 7);
  assert.ok(!begun.includes(String(ids[7])));
  uppy.pauseResume(String(ids[7]));
  assert.equal((await done)?.successful?.length, 8);
});

test("removed while it waits, a file is never sent", async () => {
  const server = new Server();
  server.isPatient = true;
  const { uppy } = uppyWith(server);
  const ids = add(uppy, 8);
  const done = uppy.upload();
  await waitFor("the first files", () => server.waiting.length === 6);
  uppy.removeFile(String(ids[7]));
  server.isPatient = false;
  for (const go of server.waiting) {
    go();
  }
  assert.equal((await done)?.successful?.length, 7);
  assert.equal(server.asked.filter((asked) => asked === "POST /files").length, 7);
});

test("a mistake in its options is said when the plugin is installed", () => {
  assert.throws(() => uppyWith(new Server(), { endpoint: "upload.example.com" }), /endpoint is an address/);
  assert.throws(() => uppyWith(new Server(), { chunkSize: 5 } as object), /no option chunkSize/);
});

function isDone({ progress }: { progress: { uploadComplete?: boolean } }): boolean {
  return progress.uploadComplete === true;
}
