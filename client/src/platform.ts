// The outside world as browsers have it: fetch, WebSocket, timers, randomness, and whether there is a network.

import type { Clock, Connectivity, HttpClient, LiveChannel } from "./interfaces.ts";

export const fetchHttp: HttpClient = {
  async send({ method, url, headers, body, signal }) {
    const response = await fetch(url, {
      method,
      headers: { ...headers },
      cache: "no-store",
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    return { status: response.status, header: (name) => response.headers.get(name), body: await response.text() };
  },
};

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const stop = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", stop);
        resolve();
      }, delayMs);
      signal.addEventListener("abort", stop, { once: true });
    }),
};

/** 32 good bits, which also serve to make names that nobody guesses. */
export function systemRandom(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32;
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
      return () => {
        socket.onmessage = null;
        socket.onclose = null;
        socket.close();
      };
    } catch {
      onEnd();
      return () => {};
    }
  },
};
