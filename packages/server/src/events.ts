// Events, as they come to a webhook. They are signed (Standard Webhooks); what is not genuine, or was sent long ago, is refused.
//
// An event is told until it is answered with a 2xx, so it may come more than once: `id` is the same each time.

import { Webhook } from "standardwebhooks";

const LEAST_SECRET_BYTES = 24;
const MOST_SECRET_BYTES = 64;

export type UploadEventType =
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

export type UploadEvent = {
  /** The same in every repetition: remember it, and a repetition is one. */
  id: string;
  type: UploadEventType;
  timestamp: string;
  data: UploadData;
};

export type UploadData = {
  uploadId: string;
  /** Where the object is in the bucket. */
  key: string;
  /** The bucket, where one was named for it. */
  bucket?: string;
  /** The `owner` of the token that created it; `anonymous` where AUTH is `open`. */
  owner: string;
  fileName: string;
  contentType: string | null;
  /** In bytes; null where the upload has ended before it was known. */
  fileSize: number | null;
  /** What the client has said. */
  metadata: Record<string, string>;
  /** What the token has said, as `metadata`. The client can neither see nor change it. */
  attached: Record<string, string>;
  createdAt: string;
  /** Missing in `upload.created` and `upload.progressed`. */
  endedAt?: string;
  deletedAt?: string;
  etag?: string;
  digests?: { crc64nvme: string; sha256?: string };
  /** Where nothing was sent, since these bytes were stored already: the upload whose object they are. `key` is that object's. */
  duplicateOf?: string;
  /** Where everybody gets the file, where it is public. */
  publicUrl?: string;
  /** What its owner stored and had open with this upload when it was created, in bytes, where that was more than the soft limit. */
  quotaWarning?: { used: number; limit: number | null; softLimit: number };
  /** The link that takes one file by which it came, and what whoever made that has said: an owner's word, and not the application's. */
  link?: { id: string; metadata: Record<string, string> };
  /** What is new of a live upload that is told of on the way, in bytes: from here, and up to here. In `upload.progressed`. */
  fromBytes?: number;
  toBytes?: number;
  /** A live upload that ended since nothing more came: its recorder has not said that this is all. */
  truncated?: true;
  /** A signed link to the object; in `upload.held` for the scanner alone. */
  downloadUrl?: string;
  /** Why it has failed, or was rejected. */
  reason?: string;
};

/** It is not genuine, or it is too old, or it is no event: answer 400, and forget it. */
export class EventError extends Error {
  override readonly name = "EventError";
}

/** What a request's headers come as: the platform's `Headers`, or an object of them, with names in any case. */
type HeadersLike = Headers | Record<string, string | string[] | undefined>;

const HEADERS = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const;

/**
 * The event, where it is genuine; else an `EventError`. `secrets` is WEBHOOK_SECRET as Quayside has it: one, or two with a space between
 * them while one is replaced. `body` is the body as it came, not parsed and put together again.
 */
export function verifyEvent(secrets: string, headers: HeadersLike, body: string): UploadEvent {
  const given = Object.fromEntries(HEADERS.map((name) => [name, header(headers, name)]));
  const active = activeSecrets(secrets);
  let refusal: unknown;
  for (const webhook of active.map((secret) => new Webhook(secret))) {
    try {
      const event = webhook.verify(body, given) as Omit<UploadEvent, "id">;
      return { id: String(given["webhook-id"]), ...event };
    } catch (error) {
      refusal = error;
    }
  }
  const why = refusal instanceof Error ? refusal.message : String(refusal);
  throw new EventError(`the event is not genuine: ${why}`, { cause: refusal });
}

/** The same, of a `Request`, whose body it reads. */
export async function verifyRequest(secrets: string, request: Request): Promise<UploadEvent> {
  return verifyEvent(secrets, request.headers, await request.text());
}

function header(headers: HeadersLike, name: string): string {
  if (headers instanceof Headers) {
    return headers.get(name) ?? "";
  }
  const [, value] = Object.entries(headers).find(([given]) => given.toLowerCase() === name) ?? [];
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

/** Each, by the rules by which Quayside reads them: one that it would refuse signs nothing. */
function activeSecrets(secrets: string): string[] {
  const active = `${secrets ?? ""}`.split(/[, \n]/).filter((secret) => secret !== "");
  if (active.length === 0) {
    throw new TypeError("there is no secret: WEBHOOK_SECRET is not set");
  }
  if (!active.every(isSecret)) {
    throw new TypeError("WEBHOOK_SECRET is not `whsec_` and 24 to 64 bytes in base64");
  }
  return active;
}

function isSecret(secret: string): boolean {
  const text = /^whsec_((?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?)$/.exec(secret)?.[1] ?? "";
  const bytes = atob(text);
  // Its last character may say more than there is.
  return bytes.length >= LEAST_SECRET_BYTES && bytes.length <= MOST_SECRET_BYTES && btoa(bytes) === text;
}
