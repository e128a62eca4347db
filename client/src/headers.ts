// The headers of a page's requests, asked for anew each time. A page that throws, or that does not answer, is a failure like
// any other, to be tried again: the server that gives out its tokens may be away as well.

import { headersError, timeout } from "./errors.ts";
import type { Clock, RequestHeaders, UploadOptions } from "./interfaces.ts";
import { orAborted, orLate } from "./signals.ts";

const ANSWER_MS = 60_000;

type Ask = Exclude<UploadOptions["headers"], undefined | RequestHeaders>;

export class HeaderSource {
  readonly #ask: Ask | undefined;
  readonly #fixed: RequestHeaders = {};
  readonly #clock: Clock;
  #fresh: Promise<RequestHeaders> | undefined;

  /** Throws a `TypeError` where fixed headers are none that can be sent. */
  constructor(given: UploadOptions["headers"], clock: Clock) {
    if (typeof given === "function") {
      this.#ask = given;
    } else {
      this.#fixed = checked(given ?? {});
    }
    this.#clock = clock;
  }

  /** Rejects with an `UploadError`, or as the signal says. */
  async get(signal: AbortSignal): Promise<RequestHeaders> {
    return this.#ask === undefined ? this.#fixed : orAborted(this.#asked(this.#ask, false), signal);
  }

  /** After a 401: others than before, or undefined where there can be none. Refused together, requests ask together. */
  async afterRefusal(signal: AbortSignal): Promise<RequestHeaders | undefined> {
    if (this.#ask === undefined) {
      return undefined;
    }
    this.#fresh ??= this.#asked(this.#ask, true).finally(() => {
      this.#fresh = undefined;
    });
    return orAborted(this.#fresh, signal);
  }

  async #asked(ask: Ask, isRefused: boolean): Promise<RequestHeaders> {
    const asked = (async () => checked(await ask({ isRefused })))();
    const silence = () => Promise.reject(timeout(`it has not answered for ${ANSWER_MS / 1000} s.`));
    try {
      return await orLate(asked, this.#clock, ANSWER_MS, silence);
    } catch (error) {
      throw headersError(error);
    }
  }
}

/** A header that cannot be sent would look like a network that does not work. */
function checked(headers: RequestHeaders): RequestHeaders {
  new Headers(headers);
  return headers;
}
