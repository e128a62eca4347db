// Where it is remembered how to go on. All of them may be missing or full (private windows, blocked storage); then an
// upload still works, and only begins anew after a reload.

import type { Clock, RecordStore, ResumeRecord } from "./interfaces.ts";
import { uniqueName } from "./platform.ts";
import { orLate } from "./signals.ts";

/** Databases are known to open never. */
const ANSWER_MS = 5_000;

/** As much of `Storage` as is used. */
export type TextStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Survives the end of the browser, and is shared by all tabs of the site: `localStorage`. */
export function localStore(): RecordStore {
  return textStore(() => localStorage);
}

const TAB = "quayside:tab";

/** Survives a reload of this tab: the tab's `sessionStorage`. */
export function sessionStore(storage: () => TextStorage = () => sessionStorage): RecordStore {
  // A tab that is duplicated takes its records along, and its name with them.
  const scope = () => {
    const name = storage().getItem(TAB) ?? uniqueName();
    storage().setItem(TAB, name);
    return name;
  };
  return { ...textStore(storage), scope };
}

function textStore(storage: () => TextStorage): RecordStore {
  return {
    async get(key) {
      const text = storage().getItem(key);
      return text === null ? undefined : (JSON.parse(text) as ResumeRecord);
    },
    async set(key, record) {
      storage().setItem(key, JSON.stringify(record));
    },
    async remove(key) {
      storage().removeItem(key);
    },
  };
}

const RECORDS = "records";

/** Survives a crash of the browser, and is shared by all tabs of the site. */
export function indexedDbStore(databaseName = "quayside", factory: () => IDBFactory = () => indexedDB): RecordStore {
  const request = async <T>(mode: IDBTransactionMode, act: (records: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    const opening = factory().open(databaseName, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(RECORDS);
    const database = await settled(opening);
    try {
      return await settled(act(database.transaction(RECORDS, mode).objectStore(RECORDS)));
    } finally {
      database.close();
    }
  };
  return {
    get: (key) => request<ResumeRecord | undefined>("readonly", (records) => records.get(key)),
    set: async (key, record) => void (await request("readwrite", (records) => records.put(record, key))),
    remove: (key) => request("readwrite", (records) => records.delete(key)),
  };
}

/** Remembers nothing, and shares it with nobody. */
export function noStore(): Required<RecordStore> {
  const name = uniqueName();
  return { scope: () => name, get: async () => undefined, set: async () => {}, remove: async () => {} };
}

/** The same store, but what goes wrong in it, or takes too long, is as if nothing were remembered. */
export function forgiving(store: RecordStore, clock: Clock): Required<RecordStore> {
  const attempt = async <T>(act: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await orLate<T | undefined>(act(), clock, ANSWER_MS, () => undefined);
    } catch {
      return undefined;
    }
  };
  let alone: Required<RecordStore> | undefined;
  return {
    scope: () => {
      try {
        return store.scope?.() ?? "";
      } catch {
        alone ??= noStore();
        return alone.scope();
      }
    },
    get: (key) => attempt(() => store.get(key)),
    set: (key, record) => attempt(() => store.set(key, record)),
    remove: (key) => attempt(() => store.remove(key)),
  };
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
