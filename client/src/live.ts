// How an upload stands, as it comes: pushed by the server over a channel, and asked for where there is none, where it has
// ended, or where it has been quiet for suspiciously long.

import type { Clock, LiveChannel, Status } from "./interfaces.ts";
import type { Server } from "./server.ts";

/** Without a channel: soon, then less often. */
const FIRST_LOOK_MS = 250;
const LONGEST_LOOK_MS = 5_000;
/** A connection can be dead without anybody having noticed. */
const QUIET_MS = 15_000;

export class Live {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #channel: LiveChannel;

  constructor(server: Server, { clock, live }: { clock: Clock; live: LiveChannel }) {
    this.#server = server;
    this.#clock = clock;
    this.#channel = live;
  }

  /** Each status as it comes; never ends by itself. `ask` is for when nothing is pushed. */
  async *statuses(uploadId: string, ask: () => Promise<Status>, signal: AbortSignal): AsyncGenerator<Status> {
    const pushed: string[] = [];
    let isOpen = true;
    let wake = () => {};
    const close = await this.#open(
      uploadId,
      (text) => {
        pushed.push(text);
        wake();
      },
      () => {
        isOpen = false;
        wake();
      },
    );
    try {
      for (let lookMs = FIRST_LOOK_MS, isQuiet = false; ; ) {
        signal.throwIfAborted();
        const text = pushed.shift();
        if (text !== undefined) {
          isQuiet = false;
          yield JSON.parse(text) as Status;
          continue;
        }
        if (!isOpen || isQuiet) {
          yield await ask();
        }
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const wasOpen = isOpen;
        if (pushed.length === 0) {
          isQuiet = await this.#passes(isOpen ? QUIET_MS : lookMs, woken, signal);
        }
        lookMs = wasOpen ? FIRST_LOOK_MS : Math.min(LONGEST_LOOK_MS, lookMs * 2);
      }
    } finally {
      close();
    }
  }

  async #open(uploadId: string, onMessage: (text: string) => void, onEnd: () => void): Promise<() => void> {
    const socket = await this.#server.socket(uploadId);
    if (socket === undefined) {
      onEnd();
      return () => {};
    }
    return this.#channel.open(socket.url, socket.protocols, onMessage, onEnd);
  }

  /** Whether the time passed before anything happened. */
  async #passes(delayMs: number, woken: Promise<void>, signal: AbortSignal): Promise<boolean> {
    const timer = new AbortController();
    const passOn = () => timer.abort(signal.reason);
    signal.addEventListener("abort", passOn);
    try {
      const slept = this.#clock.sleep(delayMs, timer.signal).then(() => true);
      return await Promise.race([slept, woken.then(() => false)]);
    } finally {
      signal.removeEventListener("abort", passOn);
      timer.abort();
    }
  }
}
