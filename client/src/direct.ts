// Chunks that go to R2 itself: each is signed for, sent to its URL, and recorded. A URL is used once. What R2 has is remembered, so
// that a record whose answer was lost, or that the server takes back, costs no second sending.

import type { Chunk } from "./chunks.ts";
import { UploadError } from "./errors.ts";
import type { SendPlan } from "./found.ts";
import type { RequestBytes } from "./interfaces.ts";
import type { OnSent, Server, StoredPart } from "./server.ts";

export class Direct {
  readonly #server: Server;
  /** What R2 has taken, by upload and where the chunk begins. */
  readonly #taken = new Map<string, StoredPart>();

  constructor(server: Server) {
    this.#server = server;
  }

  /** Sends a chunk, unless R2 has it. The number of bytes that count afterwards. */
  async put(
    { uploadId, chunkBytes }: SendPlan,
    { from }: Chunk,
    body: () => Promise<RequestBytes>,
    signal: AbortSignal,
    onSent: OnSent,
  ): Promise<number> {
    const key = `${uploadId} ${from}`;
    let taken = this.#taken.get(key);
    if (taken === undefined) {
      const bytes = await body();
      const signed = await this.#server.sign(uploadId, Math.floor(from / chunkBytes), signal);
      if (typeof signed === "number") {
        return signed;
      }
      taken = await this.#server.store(signed, bytes, signal, onSent);
      this.#taken.set(key, taken);
    }
    try {
      return await this.#server.record(uploadId, taken, signal);
    } catch (error) {
      if (error instanceof UploadError && error.problem !== undefined && error.status === 409) {
        // R2 does not have it so, or somebody else was given the right to this chunk.
        this.#taken.delete(key);
      }
      throw error;
    }
  }
}
