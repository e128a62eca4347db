// Watching an upload, whoever sends it and by whatever protocol: how it stands, until nothing more can follow.

import { goneError, UploadError } from "./errors.ts";
import type { ServerState, Status, UploadOptions, World } from "./interfaces.ts";
import { Live } from "./live.ts";
import { Patience } from "./patience.ts";
import { fetchHttp, systemClock, systemRandom, webSockets } from "./platform.ts";
import { Server } from "./server.ts";

export interface WatchOptions extends Pick<UploadOptions, "endpoint" | "headers"> {
  /** Stops the watching, which then ends with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly world?: Partial<Pick<World, "http" | "clock" | "random" | "live">>;
}

const ENDED: readonly ServerState[] = ["completed", "failed", "aborted", "expired", "deleted"];

/**
 * How the upload stands now, and again at every change: its bytes, its state, and how far the telling of the origin is. Ends
 * when nothing can change by itself any more. Throws an `UploadError` when the server cannot be asked or does not know it.
 */
export async function* watchUpload(uploadId: string, options: WatchOptions): AsyncGenerator<Status, void> {
  const { endpoint, headers, signal = new AbortController().signal } = options;
  const world = { http: fetchHttp, clock: systemClock, random: systemRandom, live: webSockets, ...options.world };
  const patience = new Patience(world.clock, world.random, () => {});
  const server = new Server(endpoint, headers, world.http, world.clock);
  const ask = async (): Promise<Status> => {
    try {
      return await patience.ask(signal, () => server.status(uploadId, signal));
    } catch (error) {
      throw error instanceof UploadError && error.code === "gone" ? goneError(error) : error;
    }
  };
  for await (const status of new Live(server, world).statuses(uploadId, ask, signal)) {
    yield status;
    if (ENDED.includes(status.state) && status.delivery !== "queued") {
      return;
    }
  }
}
