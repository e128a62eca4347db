// tus-js-client in both of its lines, unmodified, under one type: what the tests use of it is the same in both.

import type { Readable } from "node:stream";

import * as version4 from "tus-js-client";
import * as version5 from "tus-js-client-5";
import { FileUrlStorage as FileUrlStorage5 } from "tus-js-client-5/node/FileUrlStorage";

export type Options = {
  endpoint: string;
  metadata?: Record<string, string>;
  chunkSize?: number;
  uploadUrl?: string;
  uploadLengthDeferred?: boolean;
  uploadDataDuringCreation?: boolean;
  parallelUploads?: number;
  metadataForPartialUploads?: Record<string, string>;
  overridePatchMethod?: boolean;
  retryDelays?: number[];
  urlStorage?: unknown;
  onChunkComplete?: (chunkBytes: number, acceptedBytes: number) => void;
  onSuccess?: () => void;
  onError?: (error: Error) => void;
};

export type Upload = {
  url: string | null;
  start(): void;
  abort(shouldTerminate?: boolean): Promise<void>;
  findPreviousUploads(): Promise<object[]>;
  resumeFromPreviousUpload(previous: object): void;
};

export type Library = {
  Upload: {
    new (file: Buffer | Readable, options: Options): Upload;
    terminate(url: string, options?: Partial<Options>): Promise<void>;
  };
  FileUrlStorage: new (path: string) => unknown;
};

export const libraries = {
  "4": version4 as unknown as Library,
  "5 (pre-release)": { Upload: version5.Upload, FileUrlStorage: FileUrlStorage5 } as unknown as Library,
} satisfies Record<string, Library>;

/** Runs an upload to its success, or fails with what the client says. */
export function finished({ Upload }: Library, file: Buffer | Readable, options: Options): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(file, { ...options, onSuccess: () => resolve(upload), onError: reject });
    upload.start();
  });
}
