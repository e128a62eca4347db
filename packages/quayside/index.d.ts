// The types of the package `quayside`.

/** What wrangler's configuration binds this Worker to; `quayside/wrangler.jsonc` is one to start from. */
export interface QuaysideEnv {
  /** The R2 bucket that objects are put into. */
  BUCKET: R2BucketLike;
  /** The Durable Object class `UploadSession`. */
  UPLOAD_SESSIONS: object;
  /** The Durable Object class `OwnerLedger`. */
  OWNER_LEDGERS: object;
  /** Producers of the three queues. */
  EVENTS: object;
  TASKS: object;
  DEAD_LETTERS: object;
  /** Rate limits. */
  CREATIONS_BY_OWNER: object;
  CREATIONS_BY_ADDRESS: object;
  /** Analytics Engine; without it nothing is counted. */
  METRICS?: object;
  /** Another Worker that takes events, in the place of ORIGIN_WEBHOOK_URL. */
  ORIGIN?: object;
  /** Another Worker that is asked before an upload is created, in the place of ACCEPT_HOOK. */
  ACCEPT?: object;
  /** Secrets. */
  WEBHOOK_SECRET: string;
  DOWNLOAD_SECRET: string;
  TOKEN_SECRETS?: string;
}

/** As much of R2's binding as there is to say without the platform's types. */
export interface R2BucketLike {
  get(key: string): Promise<unknown>;
  put(key: string, value: never): Promise<unknown>;
  delete(keys: string | string[]): Promise<void>;
}

/** As much of the platform's `ExecutionContext` as is used. */
export interface ContextLike {
  waitUntil(promise: Promise<unknown>): void;
}

/** As much of the platform's `MessageBatch` as is used. */
export interface BatchLike {
  readonly queue: string;
  readonly messages?: readonly { readonly body: unknown }[];
}

/** The handlers of a Worker. */
export interface Handlers {
  fetch(request: Request, env: object, context: ContextLike): Promise<Response>;
  queue(batch: BatchLike, env: object, context: ContextLike): Promise<void>;
}

/** The Worker, to be mounted. */
export interface Quayside extends Handlers {
  /**
   * Whether the request is for one of its addresses: below `basePath`, or, without one, its own routes. Of what is below `/problems/` that is
   * one segment, a page about an error, and nothing where `PROBLEMS_URL` has those pages elsewhere.
   */
  handles(request: Request): boolean;
  /** Whether the batch is Quayside's: by its queue's name, and since each of its messages is. One with any other message is never taken. */
  handlesQueue(batch: BatchLike): boolean;
}

/** What an event tells of its upload. */
export interface UploadData {
  uploadId: string;
  /** Where the object is in the bucket. */
  key: string;
  /** The bucket, where one was named for it. */
  bucket?: string;
  /** The `sub` of the token that created it; `anonymous` where AUTH is `open`. */
  owner: string;
  fileName: string;
  contentType: string | null;
  /** In bytes; null where the upload has ended before it was known. */
  fileSize: number | null;
  /** What the client has said. */
  metadata: Record<string, string>;
  /** What the token has said, as `quayside.metadata`. The client can neither see nor change it. */
  attached: Record<string, string>;
  createdAt: string;
  /** Missing in `upload.progressed`, and in `upload.created`, which other receivers than the hooks may ask for. */
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
  /** A signed link to the object; there is one where PUBLIC_URL is set. */
  downloadUrl?: string;
  /** Why it has failed, or was rejected. */
  reason?: string;
}

export type UploadEventType =
  | "upload.progressed"
  | "upload.completed"
  | "upload.failed"
  | "upload.expired"
  | "upload.aborted"
  | "upload.deleted"
  | "upload.duplicate"
  | "upload.held"
  | "upload.rejected";

export interface UploadEvent<Type extends UploadEventType = UploadEventType> {
  /** The same in every repetition: remember it, and a repetition is one. */
  id: string;
  type: Type;
  timestamp: string;
  data: UploadData;
}

/**
 * `delete`: the application has taken the object over, and it may go from the bucket. `result` reaches the client: any JSON, up to 4 KiB.
 * `verdict` is for `upload.held`: what becomes of the file that nobody gets before somebody has looked at it, with a `reason` where it goes or stays. A
 * Response is read as a webhook's: with a status that is no 2xx the event is told again, and else its JSON says the same.
 */
export type Disposition =
  | { disposition?: "keep" | "delete"; result?: unknown; verdict?: "release" | "delete" | "hold"; reason?: string }
  | Response
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is a hook, too
  | void;

/**
 * Takes an event. It may be told more than once; after an exception it is told again, later. When WEBHOOK_TIMEOUT_SECONDS are over, nobody
 * waits for it any longer: it may be ended in its middle, and the event is told again.
 */
export type Hook<Env, Type extends UploadEventType = UploadEventType> = (
  event: UploadEvent<Type>,
  env: Env,
  context: ContextLike,
) => Disposition | Promise<Disposition>;

/** An upload that is about to be created. */
export interface AcceptQuestion {
  /** Of this question alone. */
  id: string;
  type: "upload.accept";
  timestamp: string;
  data: {
    uploadId: string;
    owner: string;
    fileName: string;
    contentType: string | null;
    /** In bytes; null where it is said later. */
    fileSize: number | null;
    /** Where it is a live upload, by its client's word or its token's. */
    live?: true;
    metadata: Record<string, string>;
    attached: Record<string, string>;
    /** The client's IP address. */
    address: string | null;
    /** The client's own name for this creation: a repetition has the same. */
    idempotencyKey: string | null;
  };
}

/**
 * What an upload that is accepted is held to: `maxBytes`, `types` and `expiresInSeconds` where that is less than its token and the settings allow. A field that is there has a value:
 * `undefined` is none, and lets nothing in.
 */
export interface AcceptTerms {
  /** The largest file. */
  maxBytes?: number;
  /** What files may be: `["image/*", "application/pdf"]`. */
  types?: string[];
  /** Told with every event of the upload, in `attached`. */
  metadata?: Record<string, string>;
  /** How long it lives without an accepted byte. */
  expiresInSeconds?: number;
  /** The bucket that it lies in, where there are several: `eu` for the binding `BUCKET_EU`. Over what the token says. */
  bucket?: string;
  /** What its object's key is made of, with `{id}` in it: `customers/7/{id}{.ext}`. Over what the token says. */
  objectKey?: string;
  /** Whether nobody gets it before somebody has looked at it. */
  hold?: boolean;
  /** Whether everybody gets it, below PUBLIC_FILES_URL. Here alone more may be allowed than the token does; `false` takes back what it says. */
  public?: boolean;
  /** `false`: it is no live upload. Otherwise it is one where no length is said, and this holds for it. */
  live?: boolean | { endAfterSeconds?: number; tellEveryBytes?: number };
}

/**
 * Says whether this may be uploaded: nothing, or terms, accept it. A Response with the status 403 refuses it, with `detail` and `code`
 * of its JSON for the client. After an exception, five seconds, or anything else than terms (an Error, a Map, a field with NaN or undefined),
 * nothing is created.
 */
export type Accept<Env> = (
  question: AcceptQuestion,
  env: Env,
  context: ContextLike,
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing accepts, too
) => AcceptTerms | Response | undefined | void | Promise<AcceptTerms | Response | undefined | void>;

export interface QuaysideOptions<Env = QuaysideEnv> {
  /** The path below which all addresses are, like `/api/files`. Without it BASE_PATH says it. */
  basePath?: string;
  /** The names of its queues, where they are not called like `quayside-events`, `quayside-tasks` and `quayside-dead-letters`. */
  queues?: string[];
  /** Is asked before an upload is created, in the place of ACCEPT_HOOK. */
  accept?: Accept<Env>;
  /** Takes every event. */
  onEvent?: Hook<Env>;
  /** Of a live upload that has asked for it: more of it is there, and can be read. */
  onProgressed?: Hook<Env, "upload.progressed">;
  onCompleted?: Hook<Env, "upload.completed">;
  onFailed?: Hook<Env, "upload.failed">;
  onExpired?: Hook<Env, "upload.expired">;
  onAborted?: Hook<Env, "upload.aborted">;
  onDeleted?: Hook<Env, "upload.deleted">;
  onDuplicate?: Hook<Env, "upload.duplicate">;
  /** May say `verdict`. */
  onHeld?: Hook<Env, "upload.held">;
  onRejected?: Hook<Env, "upload.rejected">;
}

/**
 * The Worker inside an application, with settings of its own. A Worker holds one: the first that answers.
 *
 * @example
 * const quayside = createQuayside<Env>({
 *   basePath: "/api/files",
 *   async onCompleted({ data }, env) { await env.DB.prepare("…").bind(data.uploadId, data.key).run(); },
 * });
 */
export function createQuayside<Env = QuaysideEnv>(options?: QuaysideOptions<Env>): Quayside;

/** The Worker as it is. */
declare const quayside: Quayside;
export default quayside;

/**
 * The Durable Object classes, which the application's main module exports again. The platform makes their objects. Each has the mark by which
 * the platform's types, which `wrangler types` writes, know such a class.
 */
export class UploadSession {
  constructor(state: object, env: object);
  readonly __DURABLE_OBJECT_BRAND: never;
}
export class OwnerLedger {
  constructor(state: object, env: object);
  readonly __DURABLE_OBJECT_BRAND: never;
}
