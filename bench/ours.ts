// Uploads through Quayside, as the workloads need them. Each function ends when the object is there.

import { setTimeout as sleep } from "node:timers/promises";

import type { Cost } from "../tests/support/api.ts";
import { formBody, formHeaders } from "../tests/support/form.ts";
import { chunkOf, sha256Of, spans } from "./bytes.ts";
import { type Http, inParallel } from "./http.ts";

const LOOK_EVERY_MS = 2;
const TUS = { "Tus-Resumable": "1.0.0" };
const TUS_BYTES = { ...TUS, "Content-Type": "application/offset+octet-stream" };

/** What a workload leaves: the ids of its uploads. */
export type Uploads = string[];

export type JsonOptions = { fileBytes: number; chunkBytes: number; parallel?: number; checked?: boolean };

/** Init, chunks, and looking until it is complete. */
export async function json(http: Http, options: JsonOptions): Promise<Uploads> {
  const { fileBytes, chunkBytes, parallel, checked = true } = options;
  const init = { fileName: "bench.bin", fileSize: fileBytes, chunkSize: chunkBytes, parallel: parallel !== undefined };
  const headers = { "Content-Type": "application/json" };
  const created = await http.send("POST", "/upload/init", 201, { headers, body: JSON.stringify(init) });
  const { uploadId, chunkSize } = JSON.parse(created.text) as { uploadId: string; chunkSize: number };
  if (chunkSize !== chunkBytes) {
    throw new Error(`asked for chunks of ${chunkBytes} bytes and got ${chunkSize}`);
  }
  await inParallel(parallel ?? 1, spans(fileBytes, chunkBytes), async ({ offset, bytes }) => {
    const checksum = checked ? { "X-Chunk-Checksum": `sha256=${sha256Of(bytes)}` } : {};
    const body = chunkOf(bytes);
    await http.send("PUT", `/upload/${uploadId}`, 200, { headers: { "X-Upload-Offset": offset, ...checksum }, body });
  });
  await untilCompleted(http, uploadId);
  return [uploadId];
}

/** Creation and PATCHes. The last one's answer waits for the object. */
export async function tus(http: Http, fileBytes: number, chunkBytes: number): Promise<Uploads> {
  const created = await http.send("POST", "/files", 201, { headers: { ...TUS, "Upload-Length": fileBytes } });
  const location = String(created.headers.location);
  for (const { offset, bytes } of spans(fileBytes, chunkBytes)) {
    const headers = { ...TUS_BYTES, "Upload-Offset": offset };
    await http.send("PATCH", location, 204, { headers, body: chunkOf(bytes) });
  }
  return [location.slice(location.lastIndexOf("/") + 1)];
}

/** So many files, each created with its bytes in one request, so many at a time. */
export async function tusWholeFiles(http: Http, files: number, fileBytes: number, atOnce: number): Promise<Uploads> {
  const uploads: Uploads = [];
  await inParallel(atOnce, Array.from({ length: files }), async () => {
    const headers = { ...TUS_BYTES, "Upload-Length": fileBytes };
    const created = await http.send("POST", "/files", 201, { headers, body: chunkOf(fileBytes) });
    const location = String(created.headers.location);
    uploads.push(location.slice(location.lastIndexOf("/") + 1));
  });
  return uploads;
}

/** The bare bytes in one request. */
export async function plain(http: Http, fileBytes: number): Promise<Uploads> {
  const headers = { "Content-Type": "application/octet-stream" };
  const created = await http.send("POST", "/upload?name=bench.bin", 201, { headers, body: chunkOf(fileBytes) });
  return [(JSON.parse(created.text) as { uploadId: string }).uploadId];
}

const forms = new Map<number, Buffer>();

/** The same in a form. */
export async function form(http: Http, fileBytes: number): Promise<Uploads> {
  const made = () => formBody([{ name: "file", fileName: "bench.bin", bytes: chunkOf(fileBytes) }]);
  const body = forms.get(fileBytes) ?? made();
  forms.set(fileBytes, body);
  const created = await http.send("POST", "/upload", 201, { headers: formHeaders(), body });
  return [(JSON.parse(created.text) as { uploadId: string }).uploadId];
}

/** So many uploads at once. */
export async function many(uploads: number, one: () => Promise<Uploads>): Promise<Uploads> {
  return (await Promise.all(Array.from({ length: uploads }, one))).flat();
}

async function untilCompleted(http: Http, uploadId: string): Promise<void> {
  for (;;) {
    const { state } = await status(http, uploadId);
    if (state === "completed") {
      return;
    }
    if (state !== "completing") {
      throw new Error(`the upload is ${state}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

export type Status = { state: string; delivery: string; cost: Cost };

export async function status(http: Http, uploadId: string): Promise<Status> {
  return JSON.parse((await http.send("GET", `/upload/${uploadId}/status`, 200)).text) as Status;
}

/** Has the object deleted, so that the disk does not fill. */
export async function clear(http: Http, uploads: Uploads): Promise<void> {
  await inParallel(8, uploads, async (id) => {
    await http.send("DELETE", `/upload/${id}`, 204);
  });
}
