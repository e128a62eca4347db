// How an upload stands, as it comes: pushed by the server over whichever channel works, and asked for while none has said anything yet,
// where all have ended, or where it has been quiet for suspiciously long.

import type { Clock, LiveChannel, LiveStream, Status } from "./interfaces.ts";
import { type Server, statusOf } from "./server.ts";
import { linked } from "./signals.ts";

/** Without a channel: soon, then less often while nothing changes. */
const FIRST_LOOK_MS = 250;
const LONGEST_MOVING_LOOK_MS = 5_000;
const LONGEST_LOOK_MS = 30_000;
/** A connection can be dead without anybody having noticed. */
const QUIET_MS = 15_000;
/** A channel tells the truth as soon as it is open. One that does not is blocked, or held back by a proxy. */
const FIRST_WORD_MS = 3_000;

/** Of a page, whatever is sent and watched in it: a browser has six connections for a server, and sending needs them too. */
const MOST_CHANNELS = 3;
let listening = 0;

/** Opens a channel; gives what closes it, or undefined where this way is none. */
type Way = (onMessage: (text: string) => void, onEnd: () => void) => Promise<(() => void) | undefined>;

export class Live {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #channel: LiveChannel;
  readonly #stream: LiveStream;

  constructor(server: Server, { clock, live, stream }: { clock: Clock; live: LiveChannel; stream: LiveStream }) {
    this.#server = server;
    this.#clock = clock;
    this.#channel = live;
    this.#stream = stream;
  }

  /** Each status as it comes; never ends by itself. `ask` is for when nothing is pushed, or enough channels are open. */
  async *statuses(uploadId: string, ask: () => Promise<Status>, signal: AbortSignal): AsyncGenerator<Status> {
    let before = "";
    const places = listening < MOST_CHANNELS ? 1 : 0;
    const ear = new Ear(places > 0 ? this.#ways(uploadId, signal) : [], this.#clock);
    listening += places;
    try {
      await ear.begin();
      for (let lookMs = FIRST_LOOK_MS, isQuiet = false, isFirst = true; ; isFirst = false) {
        signal.throwIfAborted();
        const told = ear.pushed.shift();
        if (told !== undefined) {
          isQuiet = false;
          yield told;
          continue;
        }
        // One that has just been opened has a moment to tell before the server is asked.
        if (isQuiet || (!ear.isTelling && !(isFirst && ear.isOpen))) {
          const status = await ask();
          const now = `${status.state} ${status.uploadedBytes} ${status.delivery}`;
          lookMs = now === before ? lookMs : Math.min(lookMs, LONGEST_MOVING_LOOK_MS);
          before = now;
          yield status;
        }
        const woken = ear.woken();
        const wasTelling = ear.isTelling;
        if (ear.pushed.length === 0) {
          isQuiet = await this.#passes(wasTelling ? QUIET_MS : lookMs, woken, signal);
        }
        lookMs = wasTelling || isFirst ? FIRST_LOOK_MS : Math.min(LONGEST_LOOK_MS, lookMs * 2);
      }
    } finally {
      listening -= places;
      ear.end();
    }
  }

  /** A WebSocket, where the token can be sent that way; else events over HTTP, which need nothing but what every request needs. */
  #ways(uploadId: string, signal: AbortSignal): Way[] {
    return [
      async (onMessage, onEnd) => {
        const socket = await this.#server.socket(uploadId, signal);
        return socket && this.#channel.open(socket.url, socket.protocols, onMessage, onEnd);
      },
      async (onMessage, onEnd) => {
        const { url, headers } = await this.#server.events(uploadId, signal);
        return this.#stream.open(url, headers, onMessage, onEnd);
      },
    ];
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

/** Listens to the first way that says anything, and after that to no other. */
class Ear {
  readonly pushed: Status[] = [];
  /** Something was told, and more may come. */
  isTelling = false;
  isOpen = false;
  readonly #ways: Way[];
  readonly #clock: Clock;
  #close: () => void = () => {};
  #wake: () => void = () => {};
  #hasEnded = false;

  constructor(ways: Way[], clock: Clock) {
    this.#ways = ways;
    this.#clock = clock;
  }

  /** Opens the next way there is. Settles once it is on its way, or there is none. */
  async begin(): Promise<void> {
    this.#close();
    this.#close = () => {};
    this.isOpen = false;
    const way = this.#ways.shift();
    if (way === undefined || this.#hasEnded) {
      return;
    }
    let isOver = false;
    const stopTimer = this.#clock.timer(FIRST_WORD_MS, () => over());
    const over = () => {
      if (!isOver) {
        isOver = true;
        stopTimer();
        const hasTold = this.isTelling;
        this.isTelling = false;
        this.isOpen = false;
        // Whoever has told something and ended can do no better the next time: it is asked from now on.
        void (hasTold ? undefined : this.begin());
        this.#wake();
      }
    };
    const onMessage = (text: string) => {
      const status = isOver ? undefined : statusOf(text);
      if (status !== undefined) {
        stopTimer();
        this.isTelling = true;
        this.pushed.push(status);
        this.#wake();
      }
    };
    this.isOpen = true;
    // A page that cannot say its headers just now is asked again with the first question.
    const close = await way(onMessage, over).catch(() => undefined);
    const stop = () => {
      isOver = true;
      stopTimer();
      close?.();
    };
    if (this.#hasEnded || isOver) {
      stop();
    } else if (close === undefined) {
      over();
    } else {
      this.#close = stop;
    }
  }

  woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  end(): void {
    this.#hasEnded = true;
    this.#close();
  }
}
