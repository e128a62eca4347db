// What is really left in the bucket: Miniflare's own tables, read while it runs. The binding has no way to list
// unfinished multipart uploads, and a leak there is what costs money in production.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { waitFor } from "./wait.ts";

export type BucketState = {
  objects: string[];
  /** Keys with a multipart upload that was neither completed nor aborted. */
  unfinished: string[];
  /** Keys with stored parts, whether they belong to a finished object or to nobody. */
  parts: string[];
};

const IN_PROGRESS = 0;

export function bucketState(persistDir: string): BucketState {
  const state: BucketState = { objects: [], unfinished: [], parts: [] };
  const dir = join(persistDir, "v3/r2/miniflare-R2BucketObject");
  const files = readdirSync(dir).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  for (const file of files) {
    const database = new DatabaseSync(join(dir, file), { readOnly: true });
    const keys = (sql: string) =>
      database
        .prepare(sql)
        .all()
        .map(({ key }) => String(key));
    state.objects.push(...keys("SELECT key FROM _mf_objects"));
    state.unfinished.push(...keys(`SELECT key FROM _mf_multipart_uploads WHERE state = ${IN_PROGRESS}`));
    state.parts.push(...keys("SELECT key FROM _mf_multipart_parts JOIN _mf_multipart_uploads USING (upload_id)"));
    database.close();
  }
  return state;
}

export type Part = { number: number; etag: string; sizeBytes: number };

/** The parts of one multipart upload, by R2's id of it, in the order of their numbers. */
export function partsOf(persistDir: string, multipartId: string): Part[] {
  const dir = join(persistDir, "v3/r2/miniflare-R2BucketObject");
  const files = readdirSync(dir).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  return files.flatMap((file) => {
    const database = new DatabaseSync(join(dir, file), { readOnly: true });
    const rows = database
      .prepare("SELECT part_number, etag, size FROM _mf_multipart_parts WHERE upload_id = ? ORDER BY part_number")
      .all(multipartId);
    database.close();
    return rows.map(({ part_number, etag, size }) => ({
      number: Number(part_number),
      etag: String(etag),
      sizeBytes: Number(size),
    }));
  });
}

/** Only what belongs to one upload. Every key that an upload may use carries its id. */
export function bucketStateOf(persistDir: string, uploadId: string): BucketState {
  const { objects, unfinished, parts } = bucketState(persistDir);
  const own = (key: string) => key.includes(uploadId);
  return { objects: objects.filter(own), unfinished: unfinished.filter(own), parts: parts.filter(own) };
}

/** Miniflare's files of those buckets that hold anything of an upload: one for each bucket. */
export function filesHolding(persistDir: string, uploadId: string): string[] {
  const dir = join(persistDir, "v3/r2/miniflare-R2BucketObject");
  const files = readdirSync(dir).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  return files.filter((file) => {
    const database = new DatabaseSync(join(dir, file), { readOnly: true });
    const sql =
      "SELECT key FROM _mf_objects WHERE instr(key, ?1) UNION SELECT key FROM _mf_multipart_uploads WHERE instr(key, ?1)";
    const found = database.prepare(sql).all(uploadId);
    database.close();
    return found.length > 0;
  });
}

/** Takes an upload's object away behind the Worker's back, as whoever may write to the bucket can. */
export function loseObject(persistDir: string, uploadId: string): void {
  const dir = join(persistDir, "v3/r2/miniflare-R2BucketObject");
  const files = readdirSync(dir).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  for (const file of files) {
    const database = new DatabaseSync(join(dir, file), { timeout: 5_000 });
    database.prepare("DELETE FROM _mf_objects WHERE instr(key, ?) > 0").run(uploadId);
    database.close();
  }
}

export const NOTHING_LEFT: BucketState = { objects: [], unfinished: [], parts: [] };

const GIVE_UP_MS = 60_000;

/** Waits until R2 holds nothing at all of an upload. */
export async function waitUntilNothingLeft(persistDir: string, uploadId: string): Promise<void> {
  const holds = () => {
    assert.deepEqual(bucketStateOf(persistDir, uploadId), NOTHING_LEFT);
    return true;
  };
  await waitFor(`nothing of ${uploadId} to be left`, holds, { giveUpMs: GIVE_UP_MS });
}

/** Waits until R2 holds the finished object of an upload and nothing beside it. */
export async function waitUntilOnlyObjectLeft(persistDir: string, uploadId: string): Promise<void> {
  const holds = () => {
    const { objects, unfinished } = bucketStateOf(persistDir, uploadId);
    assert.deepEqual({ objects: objects.map(uploadOf), unfinished }, { objects: [uploadId], unfinished: [] });
    return true;
  };
  await waitFor(`only the object of ${uploadId} to be left`, holds, { giveUpMs: GIVE_UP_MS });
}

/** Whose object it is: with the template of whoever gives none its key ends with the upload's id, or with a mark behind that. */
export function uploadOf(key: string): string | undefined {
  return /^uploads\/(?:.*\/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:[-.]\d+)?$/.exec(key)?.[1];
}

/** Where the bytes behind the last whole part are, when they are too many for a row. */
export function segmentsOf(persistDir: string, uploadId: string): string[] {
  return bucketStateOf(persistDir, uploadId).objects.filter((key) => key.startsWith("segments/"));
}
