// All the wiring: an upload out of a file, settings and the outside world.

import { browserClaims } from "./claims.ts";
import { Deadlines } from "./deadlines.ts";
import { Direct } from "./direct.ts";
import { Emitter } from "./emitter.ts";
import { BrowserHasher } from "./hash.ts";
import { HeaderSource } from "./headers.ts";
import type { Repair, Runtime, Upload, UploadEvents, UploadFile, UploadOptions } from "./interfaces.ts";
import { Live } from "./live.ts";
import { settingsOf } from "./options.ts";
import {
  browserConnectivity,
  browserHttp,
  serverSentEvents,
  systemClock,
  systemRandom,
  webSockets,
} from "./platform.ts";
import { RemoteUpload } from "./remote_upload.ts";
import { Repairs } from "./repair.ts";
import { Retrier } from "./retrier.ts";
import { Server } from "./server.ts";
import { forgiving, localStore, noStore } from "./stores.ts";
import { QuaysideUpload } from "./upload.ts";

/** An upload that has not begun. Throws a `TypeError` when an option makes no sense. */
export function createUpload(file: UploadFile, options: UploadOptions): Upload {
  const settings = settingsOf(file, options);
  const runtime: Runtime = {
    http: browserHttp,
    clock: systemClock,
    random: systemRandom,
    connectivity: browserConnectivity,
    hasher: options.runtime?.hasher ?? new BrowserHasher(),
    live: webSockets,
    stream: serverSentEvents,
    claims: browserClaims,
    ...options.runtime,
  };
  const { clock, random } = runtime;
  const emitter = new Emitter<UploadEvents>();
  const retrier = new Retrier({
    clock,
    random,
    policy: options.retry,
    onRetry: (retry) => emitter.emit("retry", retry),
    onMended: () => upload.mended(),
  });
  const deadlines = new Deadlines(runtime.http, clock);
  const server = new Server(settings.endpoint, new HeaderSource(options.headers, clock), deadlines, clock);
  const store = options.store === null ? noStore() : forgiving(options.store ?? localStore(), clock);
  const remote = new RemoteUpload({ file, settings, server, retrier, runtime, store });
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
    checksums: settings.checksums,
  });
  if (options.keepAwake) {
    // Where it cannot be loaded, the screen goes off.
    const loading = import("./wake_lock.ts").catch(() => undefined);
    upload.on("state", async () => (await loading)?.keepAwake(upload));
  }
  return upload;
}
