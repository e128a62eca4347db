// What an older build has left behind: a state folder, and what is known of the uploads in it. `write.ts` makes them, once
// per stored layout that must stay readable; `migration.test.ts` goes on with them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { MIB } from "../support/bytes.ts";

export type OldUpload = {
  uploadId: string;
  /** The protocol's own URL, where it was not created in JSON. */
  url?: string;
  /** What the whole file is made of, and how long it is. */
  seed: string;
  sizeBytes: number;
  chunkBytes: number;
  /** How many bytes counted. */
  countedBytes: number;
};

export type OldState = {
  /** The commit whose build wrote it. */
  commit: string;
  uploads: Record<string, OldUpload>;
};

export const ARCHIVE_EXTENSION = ".tar.gz";

export function stateFile(commit: string, extension: string): string {
  return join(import.meta.dirname, `${commit}${extension}`);
}

/** Whose archives are here. */
export function storedCommits(): string[] {
  const archives = readdirSync(import.meta.dirname).filter((name) => name.endsWith(ARCHIVE_EXTENSION));
  return archives.map((name) => name.slice(0, -ARCHIVE_EXTENSION.length));
}

export function readOldState(commit: string): OldState {
  return JSON.parse(readFileSync(stateFile(commit, ".json"), "utf8"));
}

/** A file of blocks that differ in their first bytes only: misplaced ones are found, and an archive of them is small. */
export function compressibleBytes(seed: string, sizeBytes: number): Buffer {
  const blockBytes = MIB / 16;
  const file = Buffer.alloc(sizeBytes, seed);
  for (let at = 0; at + 4 <= sizeBytes; at += blockBytes) {
    file.writeUInt32BE(at / blockBytes, at);
  }
  return file;
}
