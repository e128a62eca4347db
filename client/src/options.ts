// What a caller asks for, checked at once: a mistake in a program is said where it is made, and is not an upload that never ends.

import type { UploadFile, UploadOptions } from "./interfaces.ts";
import { withoutSlash } from "./server.ts";

const CHUNK_BYTES = 8 * 1024 * 1024;

/** Every option there is; the compiler sees to it that none is missing. */
const KNOWN: Readonly<Record<keyof UploadOptions, true>> = {
  endpoint: true,
  headers: true,
  metadata: true,
  contentType: true,
  chunkBytes: true,
  parallel: true,
  direct: true,
  checksums: true,
  dedup: true,
  oneRequest: true,
  store: true,
  resumeFromServer: true,
  fileId: true,
  keepAwake: true,
  retry: true,
  runtime: true,
};

/** What is wanted of one upload, with everything that was not said. */
export interface Settings {
  readonly endpoint: string;
  readonly fileId: string | undefined;
  readonly chunkBytes: number;
  readonly parallel: boolean;
  readonly direct: boolean;
  readonly dedup: boolean;
  readonly checksums: boolean;
  readonly oneRequest: boolean;
  readonly resumeFromServer: boolean;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** Throws a `TypeError` that names the first mistake. */
export function settingsOf(file: UploadFile, options: UploadOptions): Settings {
  if (typeof file?.slice !== "function" || typeof file.name !== "string") {
    throw new TypeError("createUpload: the first argument is no File");
  }
  checkOptions(options);
  const { chunkBytes = CHUNK_BYTES, dedup = false, direct = false, resumeFromServer = false } = options;
  return {
    endpoint: withoutSlash(options.endpoint),
    fileId: options.fileId,
    chunkBytes,
    dedup,
    // A single chunk gains nothing from it.
    parallel: options.parallel ?? file.size > chunkBytes,
    direct,
    checksums: options.checksums ?? true,
    oneRequest: options.oneRequest ?? true,
    resumeFromServer,
    contentType: options.contentType ?? file.type,
    metadata: options.metadata,
  };
}

/** The same of options that are for no file yet. */
export function checkOptions(options: UploadOptions): void {
  const { endpoint, chunkBytes = CHUNK_BYTES, retry = {} } = options ?? {};
  endpointOf(endpoint);
  const unknown = Object.keys(options).find((name) => !(name in KNOWN));
  if (unknown !== undefined) {
    throw new TypeError(`there is no option ${unknown}`);
  }
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes < 1) {
    throw new TypeError("chunkBytes is not a whole number of bytes, at least 1");
  }
  const wrong = Object.entries(retry).find(([, ms]) => ms !== undefined && !(ms > 0));
  if (wrong !== undefined) {
    throw new TypeError(`retry.${wrong[0]} is not a number of milliseconds above 0`);
  }
}

/** Without a scheme a browser would look for it below the page's own address, and find something else, or nothing, for ever. */
export function endpointOf(endpoint: unknown): string {
  const isAbsolute = typeof endpoint === "string" && /^https?:\/\/[^/]/i.test(endpoint);
  const isOfThisPage = typeof endpoint === "string" && /^(\/|$)/.test(endpoint) && globalThis.location !== undefined;
  if (!isAbsolute && !isOfThisPage) {
    const what = "is an address like https://upload.example.com, or a path on the page's own host";
    throw new TypeError(`endpoint ${what}, not ${JSON.stringify(endpoint)}`);
  }
  return withoutSlash(endpoint);
}
