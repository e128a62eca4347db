// As much of the platform's types as the probe uses.

export type Part = { partNumber: number; etag: string };

export type StoredObject = { size: number; etag: string; arrayBuffer(): Promise<ArrayBuffer> };

export type Multipart = {
  uploadId: string;
  uploadPart(number: number, body: ReadableStream | Uint8Array): Promise<Part>;
  complete(parts: Part[]): Promise<StoredObject>;
  abort(): Promise<void>;
};

export type Bucket = {
  createMultipartUpload(key: string): Promise<Multipart>;
  resumeMultipartUpload(key: string, uploadId: string): Multipart;
  put(key: string, body: Uint8Array | string): Promise<StoredObject | null>;
  get(key: string): Promise<StoredObject | null>;
  head(key: string): Promise<StoredObject | null>;
  list(options: { prefix: string }): Promise<{ objects: { key: string }[] }>;
  delete(keys: string | string[]): Promise<void>;
};

export type Storage = {
  sql: { exec(query: string, ...values: unknown[]): { toArray(): Record<string, unknown>[] } };
  transactionSync<T>(work: () => T): T;
  setAlarm(atMs: number): Promise<void>;
  deleteAll(): Promise<void>;
};

export type State = { storage: Storage };

export type Namespace = {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(url: string): Promise<Response> };
};

export type Env = { BUCKET: Bucket; PROBES: Namespace; PROBE_TOKEN: string };

export type Context = { waitUntil(work: Promise<unknown>): void };

declare global {
  class FixedLengthStream extends TransformStream<Uint8Array, Uint8Array> {
    constructor(lengthBytes: number);
  }
}
