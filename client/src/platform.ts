// The outside world as browsers have it: requests, WebSocket, timers, randomness, and whether there is a network.

import { sizeOf } from "./file_reader.ts";
import type {
  Clock,
  Connectivity,
  HttpClient,
  HttpRequest,
  HttpResponse,
  LiveChannel,
  LiveStream,
} from "./interfaces.ts";
import { orAborted } from "./signals.ts";

export const fetchHttp: HttpClient = {
  async send({ method, url, headers, body, signal }) {
    const response = await fetch(url, {
      method,
      headers: { ...headers },
      cache: "no-store",
      body: body ?? null,
      signal: signal ?? null,
    });
    return { status: response.status, header: (name) => response.headers.get(name), body: await response.text() };
  },
};

const hasXhr = typeof XMLHttpRequest !== "undefined";

/** Chunks by XMLHttpRequest, which alone tells how much of a body has left; everything else by `fetch`. */
export const browserHttp: HttpClient = {
  /** A service worker that stands in between sends the body in the page's stead, and tells nobody how much of it has left. */
  get reportsSending() {
    return hasXhr && !navigator.serviceWorker?.controller;
  },
  send(request) {
    return hasXhr && sizeOf(request.body) > 0 ? sendByXhr(request) : fetchHttp.send(request);
  },
};

function sendByXhr({ method, url, headers, body, signal, onSent }: HttpRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const stop = () => {
      reject(signal?.reason);
      xhr.abort();
    };
    signal?.addEventListener("abort", stop);
    xhr.upload.onprogress = ({ loaded }) => onSent?.(loaded);
    xhr.upload.onload = ({ loaded }) => onSent?.(loaded);
    xhr.onload = () => {
      resolve({ status: xhr.status, header: (name) => xhr.getResponseHeader(name), body: xhr.responseText });
    };
    xhr.onerror = () => reject(new TypeError("no answer"));
    xhr.onloadend = () => signal?.removeEventListener("abort", stop);
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      xhr.setRequestHeader(name, value);
    }
    xhr.send(body);
  });
}

export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  sleep(delayMs, signal) {
    let stop = () => {};
    const slept = new Promise<void>((resolve) => {
      stop = systemClock.timer(delayMs, resolve);
    });
    return orAborted(slept, signal).finally(stop);
  },
  timer(delayMs, act) {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
};

/** 32 good bits, which also serve to make names that nobody guesses. */
export function systemRandom(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32;
}

/** A name that nobody else has. */
export function uniqueName(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

/** Where there are no such events, as in Node, the network is taken to be there. */
export const browserConnectivity: Connectivity = {
  isOnline: () => globalThis.navigator?.onLine !== false,
  onChange(listener) {
    globalThis.addEventListener?.("online", listener);
    globalThis.addEventListener?.("offline", listener);
    return () => {
      globalThis.removeEventListener?.("online", listener);
      globalThis.removeEventListener?.("offline", listener);
    };
  },
};

export const webSockets: LiveChannel = {
  open(url, protocols, onMessage, onEnd) {
    try {
      // An endpoint without a host is the page's own.
      const absolute = new URL(url, globalThis.location?.href).href.replace(/^http/, "ws");
      const socket = new WebSocket(absolute, [...protocols]);
      socket.onmessage = ({ data }) => onMessage(String(data));
      socket.onclose = onEnd;
      // What a content security policy forbids has an error and no end.
      socket.onerror = onEnd;
      return () => socket.close();
    } catch {
      onEnd();
      return () => {};
    }
  },
};

/** Server-Sent Events by `fetch`: an `EventSource` sends no headers. What ends is not opened again here. */
export const serverSentEvents: LiveStream = {
  open(url, headers, onMessage, onEnd) {
    const stop = new AbortController();
    const listen = async () => {
      const { body, headers: answered } = await fetch(url, {
        headers: { ...headers },
        cache: "no-store",
        signal: stop.signal,
      });
      if (body === null || answered.get("Content-Type") !== "text/event-stream") {
        return;
      }
      const reader = body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ; ) {
        const { done, value } = await reader.read();
        if (done) {
          return;
        }
        const lines = (text + value).split("\n");
        text = lines.pop() ?? "";
        // One line of data is one message: they are JSON.
        for (const line of lines) {
          if (line.startsWith("data:")) {
            onMessage(line.slice(5));
          }
        }
      }
    };
    listen().then(onEnd, () => stop.signal.aborted || onEnd());
    return () => stop.abort();
  },
};
