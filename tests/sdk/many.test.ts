// Thousands of files in a queue: before its turn nothing is read of a file, nothing asked, claimed or remembered for it; and of a small
// one nothing is claimed or remembered at all.

import assert from "node:assert/strict";
import { test } from "node:test";

import { type Upload, UploadError, UploadQueue } from "../../client/src/index.ts";
import type { Claims, HttpRequest, HttpResponse, UploadOptions } from "../../client/src/interfaces.ts";
import { waitFor } from "../support/wait.ts";
import { ENDPOINT, FakeChannel, MemoryStore } from "./dialogue.ts";

const FILES = 1_000;
const AT_ONCE = 6;

/** Takes files in one request, each as soon as it is let. */
class Gate {
  readonly waiting: (() => void)[] = [];
  count = 0;
  isOpen = false;

  async send({ url, headers }: HttpRequest): Promise<HttpResponse> {
    const id = `id-${++this.count}`;
    assert.equal(url, `${ENDPOINT}/files`);
    if (!this.isOpen) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    const said: Record<string, string> = {
      Location: `/files/${id}`,
      "Upload-Offset": String(headers["Upload-Length"]),
    };
    return { status: 201, body: "", header: (name) => said[name] ?? null };
  }

  open(): void {
    this.isOpen = true;
    for (const go of this.waiting) {
      go();
    }
  }
}

function scene(): { gate: Gate; live: FakeChannel; touched: string[]; files: File[]; options: UploadOptions } {
  const [gate, live, touched] = [new Gate(), new FakeChannel("silence"), [] as string[]];
  const claimed = async () => {
    touched.push("a claim");
    return "elsewhere" as const;
  };
  const store = new MemoryStore();
  store.set = async () => void touched.push("a record");
  const files = Array.from({ length: FILES }, (_, index) => {
    const file = new File([`${index}`], `${index}.txt`, { lastModified: 1 });
    const read = () => {
      touched.push(`file ${index}`);
      return new Blob([`${index}`]);
    };
    file.slice = read;
    file.arrayBuffer = () => read().arrayBuffer();
    return file;
  });
  const claims: Claims = { claim: claimed, takeOver: claimed, leave: () => {} };
  const runtime = { http: gate, live, claims };
  return { gate, live, touched, files, options: { endpoint: ENDPOINT, store, runtime } };
}

test("of thousands of files six are read, once each, and asked for; when they have arrived, the others", async () => {
  const { gate, live, touched, files, options } = scene();
  const queue = new UploadQueue();
  let begun = 0;
  const done = Promise.all(files.map((file) => queue.add(file, options, () => ++begun)));
  await waitFor("the first files", () => gate.waiting.length === AT_ONCE);
  assert.deepEqual([begun, gate.count], [AT_ONCE, AT_ONCE]);
  assert.deepEqual(touched.sort(), ["file 0", "file 1", "file 2", "file 3", "file 4", "file 5"]);
  gate.open();
  assert.equal(new Set((await done).map(({ uploadId }) => uploadId)).size, FILES);
  assert.deepEqual([begun, gate.count, live.opened.length], [FILES, FILES, 0]);
  assert.equal(touched.length, FILES, "each was read once, and nothing claimed or remembered");
});

test("one that is cancelled when its turn comes is neither read nor asked for, and keeps nobody", async () => {
  const { gate, touched, files, options } = scene();
  const queue = new UploadQueue();
  gate.isOpen = true;
  const cancelled: Upload[] = [];
  const cancel = (upload: Upload) => {
    cancelled.push(upload);
    upload.abort();
  };
  const ends = await Promise.allSettled(
    files.slice(0, 20).map((file, index) => queue.add(file, options, index === 3 ? cancel : undefined)),
  );
  assert.equal(cancelled.length, 1);
  assert.equal(ends.filter(({ status }) => status === "fulfilled").length, 19);
  const [end] = ends.filter((end) => end.status === "rejected");
  assert.ok(end?.reason instanceof UploadError && end.reason.code === "aborted");
  assert.deepEqual([gate.count, touched.includes("file 19")], [19, true]);
});
