// All the wiring: an upload out of a file, settings and the outside world.

import { browserClaims } from "./claims.ts";
import { Deadlines } from "./deadlines.ts";
import { Direct } from "./direct.ts";
import { Emitter } from "./emitter.ts";
import { BrowserHasher } from "./hash.ts";
import { HeaderSource } from "./headers.ts";
import type { Repair, RetryPolicy, Runtime, Upload, UploadEvents, UploadFile, UploadOptions } from "./interfaces.ts";
import { Live } from "./live.ts";
import { browserConnectivity, browserHttp, systemClock, systemRandom, webSockets } from "./platform.ts";
import { RemoteUpload, type Settings } from "./remote_upload.ts";
import { Repairs } from "./repair.ts";
import { Retrier } from "./retrier.ts";
import { Server, withoutSlash } from "./server.ts";
import { forgiving, localStore, noStore } from "./stores.ts";
import { QuaysideUpload } from "./upload.ts";

const CHUNK_BYTES = 8 * 1024 * 1024;

/** An upload that has not begun. Throws a `TypeError` when an option makes no sense. */
export function createUpload(file: UploadFile, options: UploadOptions): Upload {
  const runtime: Runtime = {
    http: browserHttp,
    clock: systemClock,
    random: systemRandom,
    connectivity: browserConnectivity,
    hasher: options.runtime?.hasher ?? new BrowserHasher(),
    live: webSockets,
    claims: browserClaims,
    ...options.runtime,
  };
  const { clock, random } = runtime;
  const emitter = new Emitter<UploadEvents>();
  const retrier = new Retrier({
    clock,
    random,
    policy: checked(options.retry),
    onRetry: (retry) => emitter.emit("retry", retry),
    onMended: () => upload.mended(),
  });
  const deadlines = new Deadlines(runtime.http, clock);
  const server = new Server(options.endpoint, new HeaderSource(options.headers, clock), deadlines, clock);
  const store = options.store === null ? noStore() : forgiving(options.store ?? localStore(), clock);
  const remote = new RemoteUpload({ file, settings: settings(file, options), server, retrier, runtime, store });
  const onRepair = (repair: Repair) => emitter.emit("repair", repair);
  const upload: QuaysideUpload = new QuaysideUpload({
    file,
    server,
    remote,
    retrier,
    runtime,
    emitter,
    deadlines,
    live: new Live(server, runtime),
    direct: new Direct(server),
    repairs: new Repairs({ file, server, remote, retrier, hasher: runtime.hasher, onRepair }),
    checksums: options.checksums ?? true,
  });
  return upload;
}

function settings(file: UploadFile, options: UploadOptions): Settings {
  const { chunkBytes = CHUNK_BYTES, dedup = false } = options;
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes < 1) {
    throw new TypeError("chunkBytes is not a whole number of bytes, at least 1");
  }
  return {
    endpoint: withoutSlash(options.endpoint),
    fileId: options.fileId,
    chunkBytes,
    dedup,
    // A single chunk gains nothing from it.
    parallel: options.parallel ?? file.size > chunkBytes,
    direct: options.direct ?? false,
    resumeFromServer: options.resumeFromServer ?? false,
    contentType: options.contentType ?? file.type,
    metadata: options.metadata,
  };
}

function checked(policy: RetryPolicy = {}): RetryPolicy {
  const wrong = Object.entries(policy).find(([, ms]) => ms !== undefined && !(ms > 0));
  if (wrong !== undefined) {
    throw new TypeError(`retry.${wrong[0]} is not a number of milliseconds above 0`);
  }
  return policy;
}
