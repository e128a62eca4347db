// Every request has an end: no byte has left for half a minute, or no answer has come for a minute. What is given up so is as if
// the connection had broken: whoever asked finds out what counts, and goes on.

import { timeout } from "./errors.ts";
import { sizeOf } from "./file_reader.ts";
import type { Clock, HttpClient, HttpRequest, HttpResponse } from "./interfaces.ts";
import { linked, orAborted } from "./signals.ts";

const STALL_MS = 30_000;
const ANSWER_MS = 60_000;
/** Of a request that is on its way when the browser reports that the network has gone. */
const OFFLINE_MS = 5_000;
/** Where nobody tells how much has left, a body may take as long as on the slowest line on which uploading makes sense. */
const SLOWEST_BYTES_PER_SECOND = 16 * 1024;
/** A line may be slower than all this allows for, so each request that is given up gives the next ones twice the time. */
const MOST_LENIENT = 8;

/** Another client, with deadlines. */
export class Deadlines implements HttpClient {
  readonly #http: HttpClient;
  readonly #clock: Clock;
  readonly #watches = new Set<Watch>();
  #leniency = 1;

  constructor(http: HttpClient, clock: Clock) {
    this.#http = http;
    this.#clock = clock;
  }

  async send(request: HttpRequest & { readonly signal: AbortSignal }): Promise<HttpResponse> {
    const { controller, unlink } = linked(request.signal);
    const watch = new Watch(request, this.#http.reportsSending === true, this.#leniency, this.#clock, (message) => {
      this.#leniency = Math.min(MOST_LENIENT, this.#leniency * 2);
      controller.abort(timeout(message));
    });
    this.#watches.add(watch);
    try {
      const onSent = (bytes: number) => {
        watch.sent(bytes);
        request.onSent?.(bytes);
      };
      const sending = this.#http.send({ ...request, signal: controller.signal, onSent });
      const answer = await orAborted(sending, controller.signal);
      this.#leniency = 1;
      return answer;
    } finally {
      this.#watches.delete(watch);
      watch.end();
      unlink();
    }
  }

  /** The network may be gone: what is on its way has to show soon that it still moves. */
  hurry(): void {
    for (const watch of this.#watches) {
      watch.hurry();
    }
  }
}

/** One request: when something has moved last, and how long it may stand still from there. */
class Watch {
  readonly #clock: Clock;
  readonly #giveUp: (message: string) => void;
  readonly #bodyBytes: number;
  readonly #leniency: number;
  readonly #startMs: number;
  #movedMs: number;
  #limitMs: number;
  #isHurried = false;
  #isSending: boolean;
  #stop: () => void = () => {};

  constructor(
    { body }: HttpRequest,
    reportsSending: boolean,
    leniency: number,
    clock: Clock,
    giveUp: (message: string) => void,
  ) {
    this.#clock = clock;
    this.#giveUp = giveUp;
    this.#bodyBytes = sizeOf(body);
    this.#leniency = leniency;
    this.#startMs = clock.nowMs();
    this.#movedMs = this.#startMs;
    this.#isSending = reportsSending && this.#bodyBytes > 0;
    const bodyMs = (this.#bodyBytes / SLOWEST_BYTES_PER_SECOND) * 1000;
    this.#limitMs = leniency * (this.#isSending ? STALL_MS : ANSWER_MS + bodyMs);
    this.#arm();
  }

  sent(bytes: number): void {
    this.#movedMs = this.#clock.nowMs();
    this.#isHurried = false;
    if (this.#isSending && bytes >= this.#bodyBytes) {
      this.#isSending = false;
      // What has left may still lie in buffers on this side: as much time again as the body has taken is no stall.
      this.#limitMs = Math.max(this.#leniency * ANSWER_MS, this.#movedMs - this.#startMs);
      this.#arm();
    }
  }

  hurry(): void {
    this.#isHurried = true;
    this.#movedMs = this.#clock.nowMs();
    this.#arm();
  }

  end(): void {
    this.#stop();
  }

  #arm(): void {
    this.#stop();
    const limitMs = this.#isHurried ? OFFLINE_MS * this.#leniency : this.#limitMs;
    const leftMs = this.#movedMs + limitMs - this.#clock.nowMs();
    if (leftMs > 0) {
      this.#stop = this.#clock.timer(leftMs, () => this.#arm());
    } else {
      const seconds = Math.round(limitMs / 1000);
      this.#giveUp(this.#isSending ? `Nothing could be sent for ${seconds} s.` : `No answer came for ${seconds} s.`);
    }
  }
}
