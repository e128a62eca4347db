// How an upload stands, as it comes: pushed by the server over a channel, and asked for where there is none, where it has
// ended, or where it has been quiet for suspiciously long.

import type { Clock, LiveChannel, Status } from "./interfaces.ts";
import { type Server, statusOf } from "./server.ts";
import { linked } from "./signals.ts";

/** Without a channel: soon, then less often while nothing changes. */
const FIRST_LOOK_MS = 250;
const LONGEST_MOVING_LOOK_MS = 5_000;
const LONGEST_LOOK_MS = 30_000;
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
    const pushed: Status[] = [];
    let isOpen = true;
    let before = "";
    let wake = () => {};
    const close = await this.#open(
      uploadId,
      (text) => {
        const status = statusOf(text);
        if (status !== undefined) {
          pushed.push(status);
          wake();
        }
      },
      () => {
        isOpen = false;
        wake();
      },
      signal,
    );
    try {
      for (let lookMs = FIRST_LOOK_MS, isQuiet = false; ; ) {
        signal.throwIfAborted();
        const told = pushed.shift();
        if (told !== undefined) {
          isQuiet = false;
          yield told;
          continue;
        }
        if (!isOpen || isQuiet) {
          const status = await ask();
          const now = `${status.state} ${status.uploadedBytes} ${status.delivery}`;
          lookMs = now === before ? lookMs : Math.min(lookMs, LONGEST_MOVING_LOOK_MS);
          before = now;
          yield status;
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

  async #open(
    uploadId: string,
    onMessage: (text: string) => void,
    onEnd: () => void,
    signal: AbortSignal,
  ): Promise<() => void> {
    // A page that cannot say its headers just now is asked again with the first question.
    const socket = await this.#server.socket(uploadId, signal).catch(() => undefined);
    signal.throwIfAborted();
    if (socket === undefined) {
      onEnd();
      return () => {};
    }
    return this.#channel.open(socket.url, socket.protocols, onMessage, onEnd);
  }

  /** Whether the time passed before anything happened. */
  async #passes(delayMs: number, woken: Promise<void>, signal: AbortSignal): Promise<boolean> {
    const { controller, unlink } = linked(signal);
    try {
      const slept = this.#clock.sleep(delayMs, controller.signal).then(() => true);
      return await Promise.race([slept, woken.then(() => false)]);
    } finally {
      unlink();
      controller.abort();
    }
  }
}
