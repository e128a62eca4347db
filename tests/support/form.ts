// Forms with files as bytes, written by hand, so that tests can get them wrong.

import type { Headers } from "./http.ts";

export type FormPart =
  | { name: string; value: string }
  | { name: string; fileName: string; bytes: Uint8Array; type?: string };

export const BOUNDARY = "----quayside7MA4YWxkTrZu0gW";

export const formHeaders = (boundary = BOUNDARY): Headers => ({
  "Content-Type": `multipart/form-data; boundary=${boundary}`,
});

/** What stands above a part, the boundary before it included. */
export function partHead(part: FormPart, boundary = BOUNDARY): string {
  const name = `--${boundary}\r\nContent-Disposition: form-data; name="${part.name}"`;
  if ("value" in part) {
    return `${name}\r\n\r\n`;
  }
  return `${name}; filename="${part.fileName}"\r\nContent-Type: ${part.type ?? "application/octet-stream"}\r\n\r\n`;
}

/** As browsers write it. */
export function formBody(parts: FormPart[], boundary = BOUNDARY): Buffer {
  const pieces = parts.flatMap((part) => [
    Buffer.from(partHead(part, boundary)),
    "value" in part ? Buffer.from(part.value) : part.bytes,
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
}
