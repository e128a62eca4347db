// The same in a database, where pages have no file system to write to: a transaction for each piece, which is there as a whole or not at
// all, and where the browser knows of that, on the disk before it counts.

import type { SpoolFolder, SpoolStorage } from "./interfaces.ts";
import { estimateOf, type OriginStorage, persistIn } from "./opfs.ts";
import { nameOf, type Piece, pieceNamed } from "./pieces.ts";

const PIECES = "pieces";
const NOTES = "notes";
const NAME = "quayside-recordings";

type Key = [id: string, name: string];

/** A database that all pages of the site share. */
export function indexedDbStorage(
  factory: () => IDBFactory = () => indexedDB,
  manager: () => Partial<OriginStorage> = () => globalThis.navigator?.storage ?? {},
): SpoolStorage {
  const database = new Database(factory);
  return {
    kind: "indexeddb",
    async list() {
      const keys = await database.read<IDBValidKey[]>(NOTES, (notes) => notes.getAllKeys());
      return [...new Set(keys.map((key) => String((key as Key)[0])))];
    },
    open: async (id) => new DatabaseFolder(database, id),
    remove: (id) =>
      database.change((transaction) => {
        for (const name of [PIECES, NOTES]) {
          transaction.objectStore(name).delete(all(id));
        }
      }),
    estimate: () => estimateOf(manager()),
    persist: () => persistIn(manager()),
  };
}

class DatabaseFolder implements SpoolFolder {
  readonly #database: Database;
  readonly #id: string;

  constructor(database: Database, id: string) {
    this.#database = database;
    this.#id = id;
  }

  async pieces(): Promise<Piece[]> {
    const keys = await this.#database.read<IDBValidKey[]>(PIECES, (pieces) => pieces.getAllKeys(all(this.#id)));
    return keys.map((key) => pieceNamed(String((key as Key)[1]))).filter((piece) => piece !== undefined);
  }

  write(piece: Piece, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#put(PIECES, nameOf(piece), bytes);
  }

  async read(piece: Piece): Promise<Blob> {
    const key: Key = [this.#id, nameOf(piece)];
    const bytes = await this.#database.read<Uint8Array<ArrayBuffer> | undefined>(PIECES, (pieces) => pieces.get(key));
    if (bytes === undefined) {
      throw new DOMException(`there is no piece ${nameOf(piece)}`, "NotFoundError");
    }
    return new Blob([bytes]);
  }

  remove(piece: Piece): Promise<void> {
    const key: Key = [this.#id, nameOf(piece)];
    return this.#database.change((transaction) => void transaction.objectStore(PIECES).delete(key));
  }

  readNote(slot: 0 | 1): Promise<string | undefined> {
    return this.#database.read(NOTES, (notes) => notes.get([this.#id, String(slot)]));
  }

  writeNote(slot: 0 | 1, text: string): Promise<void> {
    return this.#put(NOTES, String(slot), text);
  }

  #put(store: string, name: string, value: unknown): Promise<void> {
    const key: Key = [this.#id, name];
    return this.#database.change((transaction) => void transaction.objectStore(store).put(value, key));
  }
}

/** One connection, opened when it is first needed, and again after the browser has closed it. */
class Database {
  readonly #factory: () => IDBFactory;
  #opened: Promise<IDBDatabase> | undefined;

  constructor(factory: () => IDBFactory) {
    this.#factory = factory;
  }

  async read<T>(store: string, act: (records: IDBObjectStore) => IDBRequest): Promise<T> {
    const request = act((await this.#begun(store, "readonly")).objectStore(store));
    return new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result as T);
      request.onerror = () => reject(request.error);
    });
  }

  /** Settles when all of it is stored, not when it is asked for. */
  async change(act: (transaction: IDBTransaction) => void): Promise<void> {
    const transaction = await this.#begun([PIECES, NOTES], "readwrite", { durability: "strict" });
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new DOMException("given up", "AbortError"));
      act(transaction);
    });
  }

  async #begun(...how: Parameters<IDBDatabase["transaction"]>): Promise<IDBTransaction> {
    const database = await this.#open();
    try {
      return database.transaction(...how);
    } catch (error) {
      // Not every browser tells of a connection that it has lost: the next one is another.
      this.#opened = undefined;
      throw error;
    }
  }

  #open(): Promise<IDBDatabase> {
    const forget = () => {
      this.#opened = undefined;
    };
    this.#opened ??= new Promise<IDBDatabase>((resolve, reject) => {
      const opening = this.#factory().open(NAME, 1);
      opening.onupgradeneeded = () => {
        opening.result.createObjectStore(PIECES);
        opening.result.createObjectStore(NOTES);
      };
      opening.onsuccess = () => {
        const database = opening.result;
        database.onclose = forget;
        database.onversionchange = () => {
          forget();
          database.close();
        };
        resolve(database);
      };
      opening.onerror = () => reject(opening.error);
    });
    this.#opened.catch(forget);
    return this.#opened;
  }
}

/** Every key of this recording. */
function all(id: string): IDBKeyRange {
  return IDBKeyRange.bound([id, ""], [id, "\uffff"]);
}
