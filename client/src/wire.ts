// What the server says, as far as it is used here: the documents of its JSON API.

import type { ProblemCode } from "./problem_codes.ts";

export interface StoredObject {
  readonly key: string;
  /** The bucket, where one was named for it. */
  readonly bucket?: string;
  readonly etag: string;
  readonly crc64nvme: string;
  readonly sha256: string | null;
  /** What the application answered when it heard of it. */
  readonly result?: unknown;
}

export type ServerState =
  | "open"
  | "completing"
  | "verifying"
  | "damaged"
  | "completed"
  | "failed"
  | "aborted"
  | "expired"
  | "deleted";

/** How far the telling of the origin is; `none` where there is nothing to tell, or not yet. */
export type Delivery = "none" | "queued" | "delivered" | "failed";

/** The right to store one chunk, by a `PUT` to this URL. */
export interface SignedPart {
  readonly partNumber: number;
  readonly url: string;
}

export interface Status {
  readonly uploadId: string;
  readonly state: ServerState;
  readonly reason: string | null;
  readonly uploadedBytes: number;
  /** Null where it is not known yet. */
  readonly fileSize: number | null;
  /** Ranges without their last byte: `[from, to)`. */
  readonly missing: readonly (readonly [number, number])[];
  readonly mode: "sequential" | "parallel" | "direct";
  readonly chunkSize: number;
  readonly delivery: Delivery;
  readonly object: StoredObject | null;
  /** Whether it could be read while it grew. */
  readonly live?: boolean;
  /** When the object was deleted, where it was: the origin has taken it, or somebody who may has deleted it. */
  readonly deletedAt?: string | null;
  /** As it was given at creation. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What the server has of a damaged upload. */
export interface Manifest {
  readonly parts: readonly (ByteRange & { readonly crc64nvme: string })[];
}

export interface OpenUpload {
  readonly uploadId: string;
  readonly fileName: string;
  /** Null where it is not known yet. */
  readonly fileSize: number | null;
  readonly createdAt: string;
}

/** A page of the owner's open uploads; `next` asks for the following one. */
export interface OpenUploads {
  readonly uploads: readonly OpenUpload[];
  readonly next?: string | null;
}

/** RFC 9457; only what is used here. */
export interface Problem {
  /** The address of a page about it. */
  readonly type: string;
  /** Its stable code. A newer server may have codes that are not among these. */
  readonly code: ProblemCode;
  readonly title: string;
  readonly detail: string;
  readonly uploadedBytes?: number;
  readonly limitBytes?: number;
  /** How an upload that is gone has ended. */
  readonly state?: ServerState;
}
