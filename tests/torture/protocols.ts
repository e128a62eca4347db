// The same chunk in three protocols: an upload is one upload, whoever speaks of it, so a client may change its words in the
// middle. And what an answer says, in one shape.

import { createHash } from "node:crypto";

import type { Headers, Reply } from "../support/http.ts";
import type { Random } from "./random.ts";
import type { Truth } from "./truth.ts";

export type Protocol = "json" | "tus" | "ietf";

export type Spoken = { method: "PUT" | "PATCH"; path: string; headers: Headers };

/** A chunk of a sequential upload of `sizeBytes`, in tus or in the IETF draft's words. */
export function speak(
  protocol: "tus" | "ietf",
  uploadId: string,
  chunk: { offset: number; length: number; sizeBytes: number },
  body: Uint8Array | undefined,
): Spoken {
  const path = `/files/${uploadId}`;
  const digest = body && createHash("sha256").update(body).digest("base64");
  if (protocol === "tus") {
    const headers: Headers = {
      "Tus-Resumable": "1.0.0",
      "Content-Type": "application/offset+octet-stream",
      "Upload-Offset": chunk.offset,
      ...(digest ? { "Upload-Checksum": `sha256 ${digest}` } : {}),
    };
    return { method: "PATCH", path, headers };
  }
  const isLast = chunk.offset + chunk.length === chunk.sizeBytes;
  const headers: Headers = {
    "Content-Type": "application/partial-upload",
    "Upload-Draft-Interop-Version": "8",
    "Upload-Offset": chunk.offset,
    "Upload-Complete": isLast ? "?1" : "?0",
    ...(digest ? { "Content-Digest": `sha-256=:${digest}:` } : {}),
  };
  return { method: "PATCH", path, headers };
}

export function anyProtocol(random: Random): Protocol {
  return random.weighted<Protocol>([
    [3, "json"],
    [2, "tus"],
    [2, "ietf"],
  ]);
}

/** What an answer to a chunk says that counts now; nothing where the chunk was not taken. */
export function taken(
  reply: Reply | undefined,
  sizeBytes: number,
): { uploadedBytes: number; state: Truth["state"] } | undefined {
  if (reply === undefined || reply.status < 200 || reply.status > 299) {
    return undefined;
  }
  const offset = reply.header("Upload-Offset");
  if (reply.header("Content-Type")?.startsWith("application/json") && !reply.header("Upload-Complete")) {
    return reply.json<{ uploadedBytes: number; state: Truth["state"] }>();
  }
  if (offset === undefined) {
    return undefined;
  }
  const uploadedBytes = Number(offset);
  return { uploadedBytes, state: uploadedBytes === sizeBytes ? "completing" : "open" };
}
