// The same bytes through the baseline Worker: one part per chunk, or one object per file.

import { randomUUID } from "node:crypto";

import { chunkOf, spans } from "./bytes.ts";
import { type Http, inParallel } from "./http.ts";

/** What a workload leaves: the keys of its objects. */
export type Objects = string[];

type Part = { partNumber: number; etag: string };

/** A multipart upload with the parts of a file. Where `complete` is false it is aborted: R2 does not assemble small parts. */
export async function multipart(
  http: Http,
  fileBytes: number,
  chunkBytes: number,
  { parallel = 1, complete = true }: { parallel?: number; complete?: boolean } = {},
): Promise<Objects> {
  const key = randomUUID();
  const created = await http.send("POST", `/create?key=${key}`, 200);
  const query = `key=${key}&upload=${encodeURIComponent((JSON.parse(created.text) as { upload: string }).upload)}`;
  const parts: Part[] = [];
  await inParallel(parallel, spans(fileBytes, chunkBytes), async ({ index, bytes }) => {
    const stored = await http.send("PUT", `/part?${query}&number=${index + 1}`, 200, { body: chunkOf(bytes) });
    parts[index] = JSON.parse(stored.text) as Part;
  });
  if (complete) {
    await http.send("POST", `/complete?${query}`, 204, { body: JSON.stringify(parts) });
    return [key];
  }
  await http.send("POST", `/abort?${query}`, 204);
  return [];
}

/** So many files, an object each, so many at a time. */
export async function wholeFiles(http: Http, files: number, fileBytes: number, atOnce: number): Promise<Objects> {
  const keys = Array.from({ length: files }, () => randomUUID());
  await inParallel(atOnce, keys, async (key) => {
    await http.send("PUT", `/object?key=${key}`, 204, { body: chunkOf(fileBytes) });
  });
  return keys;
}

export async function clear(http: Http, keys: Objects): Promise<void> {
  await inParallel(8, keys, async (key) => {
    await http.send("DELETE", `/object?key=${key}`, 204);
  });
}
