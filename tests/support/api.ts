// The shapes that the Worker speaks: its answers and the event that it sends to the origin.

export type InitFields = {
  fileName?: unknown;
  fileSize?: unknown;
  live?: unknown;
  endAfterSeconds?: unknown;
  tellEveryBytes?: unknown;
  contentType?: unknown;
  chunkSize?: unknown;
  sha256?: unknown;
  crc64nvme?: unknown;
  metadata?: unknown;
  parallel?: unknown;
  direct?: unknown;
};

export type Created = {
  uploadId: string;
  uploadUrl: string;
  chunkSize: number;
  uploadedBytes: number;
  expiresAt: string;
  limits: { maxChunkBytes: number; maxUploadBytes: number; partBytes: number };
  quotaWarning?: Stored;
};

/** What an upload has cost so far: counts of what the platform charges for. */
export type Cost = {
  workerRequests: number;
  objectRequests: number;
  rowsRead: number;
  rowsWritten: number;
  r2ClassA: number;
  r2ClassB: number;
  queueOperations: number;
};

export type Status = {
  uploadId: string;
  state: "open" | "completing" | "verifying" | "damaged" | "completed" | "failed" | "aborted" | "expired" | "deleted";
  uploadedBytes: number;
  fileSize: number;
  live: boolean;
  truncated: boolean;
  /** Complete, and nobody gets it before somebody has looked at it. */
  held: boolean;
  missing: [number, number][];
  /** Which chunks of a parallel upload are there, one bit each, in base64; null in sequential mode. */
  receivedChunksBitmap: string | null;
  mode: "sequential" | "parallel" | "direct";
  chunkSize: number;
  partBytes: number;
  fileName: string;
  contentType: string | null;
  metadata: Record<string, string>;
  /** Where everybody gets the file, where it is public. */
  publicUrl?: string;
  quotaWarning?: Stored;
  expiresAt: string;
  delivery: "none" | "queued" | "delivered" | "failed";
  /** How the telling of each receiver beside the origin is; missing where there are none. */
  receivers?: {
    name: string;
    state: "none" | "queued" | "delivered" | "failed";
    attempts: number;
    lastError: string | null;
  }[];
  cost: Cost;
  reason?: string | null;
  object?: { key: string; etag: string; crc64nvme: string; sha256: string | null; result?: unknown } | null;
  /** Since when the bytes of a completed upload cannot be had any more. */
  deletedAt: string | null;
};

/** What is kept of a damaged upload: its parts, in order. */
export type Manifest = {
  uploadId: string;
  fileSize: number;
  parts: { offset: number; length: number; crc64nvme: string; sha256?: string }[];
};

/** Bytes of the file. */
export type ByteRange = { offset: number; length: number };

/** The answer to creating an upload of bytes that are stored already. */
export type Duplicate = {
  duplicate: true;
  object: { sha256: string; uploadId: string; key: string; etag: string; crc64nvme: string; fileSize: number };
};

/** An entry in the list of open uploads. */
export type OpenUpload = Pick<Created, "uploadId" | "uploadUrl" | "expiresAt"> & {
  fileName: string;
  /** Null until it is known. */
  fileSize: number | null;
  createdAt: string;
};

/** An entry in the list of uploads, open or finished. */
export type ListedUpload = OpenUpload & Pick<Status, "state" | "held" | "uploadedBytes" | "contentType" | "metadata">;

/** A page of the list; `next` where there is another. */
export type OpenUploads = { uploads: ListedUpload[]; next?: string };

/** What an owner uses, and may use. */
export type Usage = {
  openUploads: { used: number; limit: number | null };
  openBytes: { used: number; limit: number | null };
  bytesToday: { used: number; limit: number | null } | null;
  storedBytes: Stored;
  storedObjects: number;
};

/** What an owner stores; `softLimit` where there is one. */
export type Stored = { used: number; limit: number | null; softLimit?: number };

/** What became of many uploads that were to be deleted. */
export type DeletedMany = {
  deleted: string[];
  refused: { uploadId: string; code: string; status: number; detail: string }[];
};

/** The right to store one part. */
export type SignedPart = {
  chunk: number;
  partNumber: number;
  offset: number;
  bytes: number;
  method: "PUT";
  url: string;
  validSeconds: number;
};

export type ChunkTaken = { uploadId: string; uploadedBytes: number; fileSize: number; state: Status["state"] };

/** RFC 9457, with this service's own members. */
export type Problem = {
  type: string;
  code: string;
  title: string;
  status: number;
  detail: string;
  uploadId?: string;
  uploadedBytes?: number;
  chunk?: number;
  limitBytes?: number;
  missingBytes?: number;
  chunkSize?: number;
  fileSize?: number;
  state?: Status["state"];
  repairable?: boolean;
  field?: string;
  applicationCode?: string;
};

export type UploadEvent = {
  type:
    | "upload.created"
    | "upload.progressed"
    | "upload.completed"
    | "upload.failed"
    | "upload.expired"
    | "upload.aborted"
    | "upload.deleted"
    | "upload.duplicate"
    | "upload.held"
    | "upload.released"
    | "upload.rejected";
  timestamp: string;
  data: {
    uploadId: string;
    key: string;
    owner: string;
    /** What the token said. */
    attached: Record<string, string>;
    fileName: string;
    contentType?: string | null;
    /** Null where the upload has ended before it was known. */
    fileSize: number | null;
    etag?: string;
    digests?: { crc64nvme: string; sha256?: string | null };
    metadata: Record<string, string>;
    createdAt: string;
    endedAt: string;
    /** What is new, where it is told on the way. */
    fromBytes?: number;
    toBytes?: number;
    deletedAt?: string;
    reason?: string;
    /** The upload whose object it shares. */
    duplicateOf?: string;
    /** Its recorder has not said that this is all. */
    truncated?: true;
    /** The link that it came by. */
    link?: { id: string; metadata: Record<string, string> };
    downloadUrl?: string;
    publicUrl?: string;
    quotaWarning?: Stored;
  };
};
