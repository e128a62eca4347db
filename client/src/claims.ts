// Who may send a file, among all uploads of all pages of a browser: one. A Web Lock says so where there are such; the browser ends
// it with the page. Elsewhere (pages without TLS, old browsers) an entry in the browser's storage says so, which is renewed while
// the page lives and taken for nothing when it was not. Without either, each page knows only of itself.

import type { Claim, Claims } from "./interfaces.ts";
import { uniqueName } from "./platform.ts";
import type { TextStorage } from "./stores.ts";

/** A page in the background may be let to run only once a minute. */
const RENEW_MS = 10_000;
const STALE_MS = 90_000;
/** Two pages that write at the same moment both see by then who was last. */
const SETTLE_MS = 100;

/** Gives a lock back; settles when others can have it. */
type Unlock = () => unknown;

/** Locks between pages. Undefined where another page holds the lock; `steal` takes it all the same. */
export interface PageLocks {
  take(name: string, onLost: () => void, steal: boolean): Promise<Unlock | undefined>;
}

/** The claims of this page, which `locks` extends to others. */
export class PageClaims implements Claims {
  readonly #locks: PageLocks;
  /** Who is first in this page. */
  readonly #first = new Map<string, object>();
  /** What is on its way back. */
  readonly #returning = new Map<string, unknown>();

  constructor(locks: PageLocks) {
    this.#locks = locks;
  }

  claim(name: string, holder: object): Promise<Claim | "here" | "elsewhere"> {
    return this.#take(name, holder, false);
  }

  takeOver(name: string, holder: object): Promise<Claim | "here" | "elsewhere"> {
    return this.#take(name, holder, true);
  }

  leave(name: string, holder: object): void {
    if (this.#first.get(name) === holder) {
      this.#first.delete(name);
    }
  }

  async #take(name: string, holder: object, steal: boolean): Promise<Claim | "here" | "elsewhere"> {
    if ((this.#first.get(name) ?? holder) !== holder) {
      return "here";
    }
    this.#first.set(name, holder);
    await this.#returning.get(name);
    const lost = new AbortController();
    // Where locks do not work, this page's own order is all there is.
    const unlock: Unlock | undefined = await this.#locks.take(name, () => lost.abort(), steal).catch(() => () => {});
    if (unlock === undefined) {
      return "elsewhere";
    }
    let isReleased = false;
    const release = () => {
      if (!isReleased) {
        isReleased = true;
        this.leave(name, holder);
        this.#returning.set(name, lost.signal.aborted ? undefined : unlock());
      }
    };
    return { lost: lost.signal, release };
  }
}

/** Web Locks. */
export function webLocks(locks: LockManager): PageLocks {
  return {
    take: (name, onLost, steal) =>
      new Promise((resolve, reject) => {
        let isHeld = false;
        const request = locks.request(name, steal ? { steal } : { ifAvailable: true }, async (lock) => {
          isHeld = lock !== null;
          if (!isHeld) {
            resolve(undefined);
            return;
          }
          // The lock is held until this promise settles, and given back some time after.
          await new Promise<void>((end) =>
            resolve(() => {
              end();
              return request.catch(() => {});
            }),
          );
        });
        // Rejected while it is held: another page has stolen it. Before: there are no locks for this page.
        request.catch((error) => (isHeld ? onLost() : reject(error)));
      }),
  };
}

/** Entries in a storage that the browser's pages share, as long as they are renewed. */
export function storageLocks(
  storage: () => TextStorage,
  { renewMs = RENEW_MS, staleMs = STALE_MS, settleMs = SETTLE_MS, nowMs = () => Date.now() } = {},
): PageLocks {
  const owner = uniqueName();
  const read = (key: string): { owner: string; atMs: number } | undefined => {
    try {
      return JSON.parse(storage().getItem(key) ?? "null") ?? undefined;
    } catch {
      return undefined;
    }
  };
  const write = (key: string) => storage().setItem(key, JSON.stringify({ owner, atMs: nowMs() }));
  const isStale = (atMs: number) => {
    // A time that lies far ahead is as wrong as one that is long past: somebody has set the clock.
    return !(Math.abs(nowMs() - atMs) < staleMs);
  };
  const hold = (key: string, onLost: () => void) => {
    const release = () => {
      clearInterval(renewing);
      globalThis.removeEventListener?.("pagehide", lose);
      if (read(key)?.owner === owner) {
        forgivingly(() => storage().removeItem(key));
      }
    };
    const lose = () => {
      release();
      onLost();
    };
    let renewedMs = nowMs();
    const renewing = setInterval(() => {
      // An entry that somebody has cleared away is written again; a page that slept was taken for gone, and what it had was another's.
      const holder = read(key)?.owner ?? (isStale(renewedMs) ? undefined : owner);
      if (holder === owner) {
        renewedMs = nowMs();
        forgivingly(() => write(key));
      } else {
        lose();
      }
    }, renewMs);
    globalThis.addEventListener?.("pagehide", lose);
    return release;
  };
  return {
    async take(name, onLost, steal) {
      const key = `${name}:claim`;
      const holder = read(key);
      if (holder !== undefined && holder.owner !== owner && !isStale(holder.atMs) && !steal) {
        return undefined;
      }
      write(key);
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      return read(key)?.owner === owner ? hold(key, onLost) : undefined;
    },
  };
}

/** A storage that has stopped working is as if it had been cleared. */
function forgivingly(act: () => void): void {
  try {
    act();
  } catch {
    // Others see the entry grow stale.
  }
}

/** One for the whole page: every upload in it has to know of the others. */
export const browserClaims: Claims = new PageClaims(
  globalThis.navigator?.locks === undefined ? storageLocks(() => localStorage) : webLocks(navigator.locks),
);
