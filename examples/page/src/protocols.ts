// Three ways for one file: our own protocol, tus 1.0.0, and the IETF's draft. Each is an uploader for Uppy, and reports the
// same few things.

import type { Body, Meta, Uppy, UppyFile } from "@uppy/core";
import Tus from "@uppy/tus";
import { indexedDbStore, type UploadState } from "quayside-client";
import { QuaysideUploader } from "quayside-client/uppy";
import type { HttpRequest, HttpResponse } from "tus-js-client";

import type { Moving, Stage } from "./journey.ts";
import { type Message, retrying } from "./messages.ts";
import { authorization } from "./token.ts";

export type Protocol = "quayside" | "tus" | "ietf";

export const PROTOCOLS: Readonly<Record<Protocol, string>> = {
  quayside: "Several chunks at once, each with its checksum; the speed decides how many.",
  tus: "tus 1.0.0, sent by tus-js-client, one chunk after another.",
  ietf: "Resumable Uploads for HTTP, the IETF's draft, sent by tus-js-client, one chunk after another.",
};

/** What an uploader tells of a file on its way. */
export interface Reports {
  /** The server's name for the upload. */
  named(fileId: string, uploadId: string): void;
  resumed(fileId: string, fromBytes: number): void;
  moved(fileId: string, moving: Moving): void;
  turned(fileId: string, stage: Stage, message?: Message): void;
  /** `tryNow` cuts a pause short. */
  began(fileId: string, tryNow: () => void): void;
  duplicate(fileId: string): void;
}

const UPLOADER = "Uploader";
const FILES_AT_ONCE = 2;
const TUS_CHUNK_BYTES = 8 * 1024 * 1024;
/** As patient as our own: for about half a minute. */
const RETRY_DELAYS_MS = [0, 1_000, 2_000, 4_000, 8_000, 15_000];

/** Replaces the uploader. Not while something is on its way. */
export function speak(uppy: Uppy, protocol: Protocol, endpoint: string, dedup: boolean, reports: Reports): void {
  const before = uppy.getPlugin(UPLOADER);
  if (before !== undefined) {
    uppy.removePlugin(before);
  }
  if (protocol === "quayside") {
    useQuayside(uppy, endpoint, dedup, reports);
  } else {
    useTus(uppy, protocol, endpoint, reports);
  }
}

const STAGES: Partial<Record<UploadState, Stage>> = {
  starting: "starting",
  hashing: "hashing",
  repairing: "repairing",
  uploading: "uploading",
  paused: "paused",
  offline: "offline",
  following: "following",
};

function useQuayside(uppy: Uppy, endpoint: string, dedup: boolean, reports: Reports): void {
  uppy.use(QuaysideUploader, {
    id: UPLOADER,
    endpoint,
    dedup,
    headers: authorization,
    store: indexedDbStore(),
    filesAtOnce: FILES_AT_ONCE,
    allowedMetaFields: ["relativePath"],
    keepAwake: true,
    onUpload: (upload, fileId) => {
      reports.began(fileId, () => upload.resume());
      const name = () => upload.uploadId !== undefined && reports.named(fileId, upload.uploadId);
      upload.on("state", ({ state, resumedFromBytes, hashed }) => {
        const stage = STAGES[state];
        if (stage !== undefined) {
          reports.turned(fileId, stage, hashed === undefined ? undefined : { text: `${Math.floor(100 * hashed)} % read` });
        }
        if (resumedFromBytes !== undefined) {
          reports.resumed(fileId, resumedFromBytes);
        }
        name();
      });
      upload.on("progress", (progress) => {
        name();
        reports.moved(fileId, progress);
      });
      upload.on("retry", ({ error, delayMs }) => {
        const stage = upload.state === "offline" ? "offline" : "uploading";
        reports.turned(fileId, stage, retrying(error, delayMs));
      });
      upload.on("restart", ({ error }) => reports.turned(fileId, "uploading", { text: error.message }));
      upload.on("duplicate", () => reports.duplicate(fileId));
    },
  });
}

function useTus(uppy: Uppy, protocol: "tus" | "ietf", endpoint: string, reports: Reports): void {
  /** Which file a request is about: its answer is told without. */
  const files = new WeakMap<HttpRequest, string>();
  const options = {
    headers: authorization,
    id: UPLOADER,
    endpoint: `${endpoint}/files`,
    chunkSize: TUS_CHUNK_BYTES,
    limit: FILES_AT_ONCE,
    retryDelays: RETRY_DELAYS_MS,
    allowedMetaFields: ["name", "type"],
    onBeforeRequest: (request: HttpRequest, file: UppyFile<Meta, Body>) => {
      files.set(request, file.id);
      // The draft takes the file's type from its creation; what is appended has a type of its own.
      if (protocol === "ietf" && request.getMethod() === "POST" && file.type) {
        request.setHeader("Content-Type", file.type);
      }
    },
    onAfterResponse: (request: HttpRequest, response: HttpResponse) => {
      const fileId = files.get(request);
      if (fileId !== undefined) {
        report(fileId, request, response, reports);
      }
    },
  };
  // The draft knows no metadata: the file's name travels as for a download (RFC 6266).
  const headers = (file: UppyFile<Meta, Body>) => ({
    ...authorization(),
    "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.name ?? "unnamed")}`,
  });
  const draft = { headers, protocol: "ietf-draft-05" as const };
  uppy.use(Tus, protocol === "tus" ? options : { ...options, ...draft });
}

/** What the answers say: a creation's where the upload is, a question's where it goes on. */
function report(fileId: string, request: HttpRequest, response: HttpResponse, reports: Reports): void {
  const address = response.getHeader("Location") ?? request.getURL();
  const uploadId = /\/files\/([^/?]+)/.exec(address)?.[1];
  if (uploadId !== undefined && response.getStatus() < 400) {
    reports.named(fileId, uploadId);
    reports.turned(fileId, "uploading");
    const offset = Number(response.getHeader("Upload-Offset"));
    if (request.getMethod() === "HEAD" && offset > 0) {
      reports.resumed(fileId, offset);
    }
  }
}
