// Whoever follows a live upload to its end, through everything that breaks: comes back from where they are until they are told that this was all.

import { setTimeout as sleep } from "node:timers/promises";

import { Follower } from "./follower.ts";

/** Before a server is asked again that has just refused, or is away. */
const PAUSE_MS = 200;

export class PatientFollower {
  /** How often the answer broke, and was asked for again. */
  breaks = 0;
  /** All of it, once it has ended; or what had come when they left. */
  readonly whole: Promise<Buffer>;
  readonly #url: string;
  readonly #before: Buffer[] = [];
  #beforeBytes = 0;
  #now: Follower | undefined;
  #hasLeft = false;

  constructor(url: string) {
    this.#url = url;
    this.whole = this.#follow();
  }

  /** So many have come. */
  get bytes(): number {
    return this.#beforeBytes + (this.#hasContent ? (this.#now?.bytes ?? 0) : 0);
  }

  /** Not an error that says why there is none just now. */
  get #hasContent(): boolean {
    return [200, 206].includes(this.#now?.statusCode ?? 0);
  }

  leave(): void {
    this.#hasLeft = true;
    this.#now?.leave();
  }

  async #follow(): Promise<Buffer> {
    while (!this.#hasLeft) {
      const now = new Follower(this.#url, this.#beforeBytes === 0 ? {} : { Range: `bytes=${this.#beforeBytes}-` });
      this.#now = now;
      const ended = await now.ended;
      const hasContent = this.#hasContent;
      if (hasContent) {
        this.#before.push(now.content);
        this.#beforeBytes += now.bytes;
      }
      this.#now = undefined;
      if (hasContent && ended === "whole") {
        return Buffer.concat(this.#before);
      }
      this.breaks += hasContent ? 1 : 0;
      await sleep(PAUSE_MS);
    }
    return Buffer.concat(this.#before);
  }
}
