// Watching an upload, whoever sends it and by whatever protocol: how it stands, until nothing more can follow.

import { Deadlines } from "./deadlines.ts";
import { goneError, isGone } from "./errors.ts";
import { HeaderSource } from "./headers.ts";
import type { Runtime, ServerState, Status, UploadOptions } from "./interfaces.ts";
import { Live } from "./live.ts";
import { endpointOf } from "./options.ts";
import { browserHttp, serverSentEvents, systemClock, systemRandom, webSockets } from "./platform.ts";
import { Retrier } from "./retrier.ts";
import { Server } from "./server.ts";

export interface WatchOptions extends Pick<UploadOptions, "endpoint" | "headers" | "retry"> {
  /** Stops the watching, which then ends with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly runtime?: Partial<Pick<Runtime, "http" | "clock" | "random" | "live" | "stream">>;
}

const ENDED: readonly ServerState[] = ["completed", "failed", "aborted", "expired", "deleted"];

/**
 * How the upload stands now, and again at every change: its bytes, its state, and how far the telling of the origin is. Ends
 * when nothing can change by itself any more. Throws an `UploadError` when the server does not know it, or
 * will not say. A server that is away is asked until it is back.
 */
export async function* watchUpload(uploadId: string, options: WatchOptions): AsyncGenerator<Status, void> {
  const { endpoint, headers, retry, signal = new AbortController().signal } = options;
  const runtime = {
    http: browserHttp,
    clock: systemClock,
    random: systemRandom,
    live: webSockets,
    stream: serverSentEvents,
    ...options.runtime,
  };
  const { clock, random } = runtime;
  const retrier = new Retrier({ clock, random, policy: retry, onRetry: () => {} });
  const server = new Server(
    endpointOf(endpoint),
    new HeaderSource(headers, clock),
    new Deadlines(runtime.http, clock),
    clock,
  );
  const ask = async (): Promise<Status> => {
    try {
      return await retrier.ask(signal, () => server.status(uploadId, signal));
    } catch (error) {
      throw isGone(error) ? goneError(error) : error;
    }
  };
  for await (const status of new Live(server, runtime).statuses(uploadId, ask, signal)) {
    yield status;
    if (ENDED.includes(status.state) && status.delivery !== "queued") {
      return;
    }
  }
}
