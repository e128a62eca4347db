// Pieces of a file as upload libraries send them: the fields of each, in its own words, and the form around them as a browser writes it.
// The libraries themselves, as published, are in `browser/chunked_libraries.test.ts`.

import type { Client } from "./client.ts";
import type { Headers, Reply } from "./http.ts";

export type Fields = Record<string, string | number>;

/** A piece: its fields, its headers, and what its part of the form calls it. */
export type Piece = { fields: Fields; headers?: Headers; fileName: string; bytes: Uint8Array };

/** How a library cuts a file, and what it says of each piece. */
export type Library = { name: string; pieces(file: Uint8Array, chunkBytes: number, id: string): Piece[] };

/** Pieces of one length, the last shorter. */
function cut(
  file: Uint8Array,
  chunkBytes: number,
): { index: number; count: number; offset: number; bytes: Uint8Array }[] {
  const count = Math.max(1, Math.ceil(file.length / chunkBytes));
  return Array.from({ length: count }, (_, index) => {
    const offset = index * chunkBytes;
    return { index, count, offset, bytes: file.subarray(offset, offset + chunkBytes) };
  });
}

/** Pieces of one length, the last up to twice as long, as Resumable.js and its descendants cut. */
function cutLong(file: Uint8Array, chunkBytes: number) {
  const count = Math.max(1, Math.floor(file.length / chunkBytes));
  return Array.from({ length: count }, (_, index) => {
    const offset = index * chunkBytes;
    return {
      number: index + 1,
      count,
      bytes: file.subarray(offset, index + 1 === count ? file.length : offset + chunkBytes),
    };
  });
}

export const dropzone: Library = {
  name: "Dropzone",
  pieces: (file, chunkBytes, id) =>
    cut(file, chunkBytes).map(({ index, count, offset, bytes }) => ({
      fields: {
        dzuuid: id,
        dzchunkindex: index,
        dztotalfilesize: file.length,
        dzchunksize: chunkBytes,
        dztotalchunkcount: count,
        dzchunkbyteoffset: offset,
      },
      fileName: "a b.bin",
      bytes,
    })),
};

export const fineUploader: Library = {
  name: "Fine Uploader",
  pieces: (file, chunkBytes, id) =>
    cut(file, chunkBytes).map(({ index, count, offset, bytes }) => ({
      fields: {
        qqpartindex: index,
        qqpartbyteoffset: offset,
        qqchunksize: bytes.length,
        qqtotalparts: count,
        qqtotalfilesize: file.length,
        qqfilename: "a b.bin",
        qquuid: id,
      },
      fileName: "blob",
      bytes,
    })),
};

function resumableLike(name: string, words: (word: string) => string): Library {
  return {
    name,
    pieces: (file, chunkBytes, id) =>
      cutLong(file, chunkBytes).map(({ number, count, bytes }) => ({
        fields: {
          [words("ChunkNumber")]: number,
          [words("ChunkSize")]: chunkBytes,
          [words("CurrentChunkSize")]: bytes.length,
          [words("TotalSize")]: file.length,
          [words("Identifier")]: `${file.length}-${id}`,
          [words("Filename")]: "a b.bin",
          [words("RelativePath")]: "a b.bin",
          [words("TotalChunks")]: count,
        },
        fileName: "a b.bin",
        bytes,
      })),
  };
}

export const resumable = resumableLike("Resumable.js", (word) => `resumable${word}`);
export const flow = resumableLike("Flow.js", (word) => `flow${word}`);
export const simpleUploader = resumableLike(
  "simple-uploader.js",
  (word) => word.charAt(0).toLowerCase() + word.slice(1),
);

export const plupload: Library = {
  name: "Plupload",
  pieces: (file, chunkBytes, id) =>
    cut(file, chunkBytes).map(({ index, count, bytes }) => ({
      fields: { name: `${id} a b.bin`, chunk: index, chunks: count },
      fileName: "blob",
      bytes,
    })),
};

export const ranged: Library = {
  name: "Content-Range",
  pieces: (file, chunkBytes, id) =>
    cut(file, chunkBytes).map(({ offset, bytes }) => ({
      fields: {},
      headers: { "Content-Range": `bytes ${offset}-${offset + bytes.length - 1}/${file.length}` },
      fileName: `${id} a b.bin`,
      bytes,
    })),
};

/** The form as a browser writes it. */
export async function formOf(piece: Piece, more: Fields = {}): Promise<{ type: string; body: Buffer }> {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...piece.fields, ...more })) {
    form.append(name, String(value));
  }
  form.append("file", new Blob([new Uint8Array(piece.bytes)], { type: "image/png" }), piece.fileName);
  const response = new Response(form);
  return { type: response.headers.get("Content-Type") ?? "", body: Buffer.from(await response.arrayBuffer()) };
}

export async function sendPiece(
  client: Client,
  piece: Piece,
  { headers = {}, fields = {} }: { headers?: Headers; fields?: Fields } = {},
): Promise<Reply> {
  const { type, body } = await formOf(piece, fields);
  return client.request("POST", "/upload", { headers: { "Content-Type": type, ...piece.headers, ...headers }, body });
}

/** What Resumable.js and its descendants ask before they send a piece. */
export function askForPiece(client: Client, { fields }: Piece, headers: Headers = {}): Promise<Reply> {
  const query = new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  return client.request("GET", `/upload?${query}`, { headers });
}
