// Somebody who reads a live upload while it grows, over one connection, and remembers what came.

import { type IncomingMessage, request } from "node:http";

import type { Headers } from "./http.ts";
import { waitFor } from "./wait.ts";

export class Follower {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #response: IncomingMessage | undefined;
  /** Resolves with how the answer ended. */
  readonly ended: Promise<"whole" | "broken">;
  readonly #request;

  constructor(url: string, headers: Headers = {}) {
    this.#request = request(url, { headers, agent: false });
    this.ended = new Promise((resolve) => {
      this.#request.on("error", () => resolve("broken"));
      this.#request.on("response", (response) => {
        this.#response = response;
        response.on("data", (piece: Buffer) => {
          this.#pieces.push(piece);
          this.#bytes += piece.length;
        });
        response.on("error", () => resolve("broken"));
        response.on("end", () => resolve(response.complete ? "whole" : "broken"));
      });
    });
    this.#request.end();
  }

  /** So many have come. */
  get bytes(): number {
    return this.#bytes;
  }

  get content(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  /** Of the answer, once there is one. */
  get statusCode(): number | undefined {
    return this.#response?.statusCode;
  }

  header(name: string): string | undefined {
    const value = this.#response?.headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  async status(): Promise<number> {
    return await waitFor("the head of the answer", async () => this.statusCode);
  }

  async has(bytes: number): Promise<void> {
    await waitFor(`${bytes} bytes at the follower`, async () => this.#bytes >= bytes);
  }

  /** It takes nothing more, and stays. */
  stall(): void {
    this.#response?.pause();
  }

  goOn(): void {
    this.#response?.resume();
  }

  leave(): void {
    this.#request.destroy();
  }
}
