// All the wiring: an upload out of a file, wishes and the outside world.

import { Direct } from "./direct.ts";
import { Emitter } from "./emitter.ts";
import { BrowserHasher } from "./hash.ts";
import type { Upload, UploadEvents, UploadFile, UploadOptions, World } from "./interfaces.ts";
import { Live } from "./live.ts";
import { Patience } from "./patience.ts";
import { browserConnectivity, fetchHttp, systemClock, systemRandom, webSockets } from "./platform.ts";
import { Server } from "./server.ts";
import { Sessions, type Wishes } from "./session.ts";
import { forgiving, noStore, sessionStore } from "./stores.ts";
import { QuaysideUpload } from "./upload.ts";

const CHUNK_BYTES = 8 * 1024 * 1024;

/** An upload that has not begun. Throws a `TypeError` when an option makes no sense. */
export function createUpload(file: UploadFile, options: UploadOptions): Upload {
  const world: World = {
    http: fetchHttp,
    clock: systemClock,
    random: systemRandom,
    connectivity: browserConnectivity,
    hasher: options.world?.hasher ?? new BrowserHasher(),
    live: webSockets,
    ...options.world,
  };
  const emitter = new Emitter<UploadEvents>();
  const patience = new Patience(world.clock, world.random, (retry) => emitter.emit("retry", retry));
  const server = new Server(options.endpoint, options.headers, world.http, world.clock);
  const store = options.store === null ? noStore : forgiving(options.store ?? sessionStore());
  const parts = { server, patience, world, store };
  const sessions = new Sessions(file, options.endpoint, wishes(file, options), parts);
  const live = new Live(server, world);
  const direct = new Direct(server);
  return new QuaysideUpload({ ...parts, live, direct, file, emitter, sessions, checksums: options.checksums ?? true });
}

function wishes(file: UploadFile, options: UploadOptions): Wishes {
  const { chunkBytes = CHUNK_BYTES, dedup = false } = options;
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes < 1) {
    throw new TypeError("chunkBytes is not a whole number of bytes, at least 1");
  }
  return {
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
