// What makes a file this file and no other: its name as the server takes it, where it lay, and a fingerprint of what is in it. Two
// files that differ in any of these never share an upload.

import { readBytes } from "./file_reader.ts";
import type { Hasher, UploadFile } from "./interfaces.ts";

/** Where the fingerprint stands in an upload's metadata, for other devices. */
export const FINGERPRINT = "quayside.fingerprint";
const RELATIVE_PATH = "relativePath";

const SAMPLE_BYTES = 64 * 1024;
/** The server's limits. A name is cut; what the SDK adds to metadata is left out before an upload is refused for it. */
const MAX_NAME_BYTES = 1024;
const MAX_METADATA_BYTES = 8 * 1024;

export interface Identity {
  /** A SHA-256 over the size and samples of the content, over where the file lay, and over what is told to the origin. */
  readonly fingerprint: string;
  /** The name under which a record is kept: the fingerprint, the endpoint, and what only this device knows. Opaque. */
  readonly recordName: string;
  readonly metadata: Metadata;
}

export interface Wanted {
  readonly endpoint: string;
  readonly fileId: string | undefined;
  readonly metadata: Metadata | undefined;
}

type Metadata = Readonly<Record<string, string>>;

/** Reads samples of the file, unless its bytes are here. The same file gives the same identity, after a reload too. */
export async function identify(
  file: UploadFile,
  { endpoint, fileId, metadata = {} }: Wanted,
  hasher: Hasher,
  signal: AbortSignal,
  bytes?: Uint8Array,
): Promise<Identity> {
  const path = withoutControls(file.webkitRelativePath ?? "");
  const told = path === "" ? metadata : fitting({ [RELATIVE_PATH]: path, ...metadata }, metadata);
  const facts = JSON.stringify([file.size, Object.entries(told).sort()]);
  const sample = (at: number) => {
    const from = Math.max(0, at);
    const to = Math.min(file.size, from + SAMPLE_BYTES);
    return bytes?.subarray(from, to) ?? readBytes(file, from, to, signal);
  };
  const samples = await Promise.all([0, Math.floor(file.size / 2), file.size - SAMPLE_BYTES].map(sample));
  const fingerprint = await hasher.chunk(joined([utf8(`${facts}\n`), ...samples]));
  const here = [endpoint, file.name, file.lastModified, fileId ?? "", fingerprint];
  const recordName = `quayside:${await hasher.chunk(utf8(JSON.stringify(here)))}`;
  return { fingerprint, recordName, metadata: fitting({ ...told, [FINGERPRINT]: fingerprint }, told) };
}

/** A name as the server takes it: macOS has files called `Icon\r`, and Windows names that are no Unicode. */
export function cleanName(name: string): string {
  let clean = "";
  let bytes = 0;
  for (const character of withoutControls(name)) {
    bytes += utf8(character).length;
    if (bytes > MAX_NAME_BYTES) {
      break;
    }
    clean += character;
  }
  return clean === "" ? "unnamed" : clean;
}

function withoutControls(text: string): string {
  return text.replace(/\p{Cc}/gu, "").replace(/\p{Cs}/gu, "\u{fffd}");
}

/** The metadata, or where that would be more than the server takes, what it was before. */
function fitting(metadata: Metadata, before: Metadata): Metadata {
  return utf8(Object.entries(metadata).flat().join("")).length > MAX_METADATA_BYTES ? before : metadata;
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
