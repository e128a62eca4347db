// What upload objects have stored, changed in Miniflare's own files while nothing runs: for what the platform does now and then and
// never here, such as losing an alarm, and for what takes hours.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const OBJECTS = "v3/do/quayside-UploadSession";
const LEDGERS = "v3/do/quayside-OwnerLedger";

/** A row of `upload`: its JSON texts, read. */
export type Stored = {
  facts: Record<string, unknown>;
  progress: Record<string, unknown>;
  outbox: Record<string, unknown>[] | null;
};

/** The alarms of all uploads are lost. For a Worker that has been ended: `kill` it before. */
export function loseAlarms(persistDir: string): void {
  const database = new DatabaseSync(join(persistDir, OBJECTS, "metadata.sqlite"));
  const { changes } = database.prepare("DELETE FROM _cf_ALARM").run();
  database.close();
  assert.ok(changes > 0, "there was an alarm to lose");
}

/** Changes what the object of an upload has stored. For a Worker that has been ended. */
export function changeStored(persistDir: string, uploadId: string, change: (stored: Stored) => void): void {
  const dir = join(persistDir, OBJECTS);
  const files = readdirSync(dir).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  const changed = files.filter((file) => {
    const database = new DatabaseSync(join(dir, file));
    try {
      return changeRow(database, uploadId, change);
    } finally {
      database.close();
    }
  });
  assert.equal(changed.length, 1, `one object has stored ${uploadId}`);
}

function changeRow(database: DatabaseSync, uploadId: string, change: (stored: Stored) => void): boolean {
  if (database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'upload'").get() === undefined) {
    return false;
  }
  const row = database.prepare("SELECT facts, progress, outbox FROM upload").get() as Record<string, string | null>;
  const stored: Stored = {
    facts: JSON.parse(row.facts ?? ""),
    progress: JSON.parse(row.progress ?? ""),
    outbox: JSON.parse(row.outbox ?? "null"),
  };
  if (stored.facts.id !== uploadId) {
    return false;
  }
  change(stored);
  const texts = [stored.facts, stored.progress, stored.outbox].map((value) => value && JSON.stringify(value));
  database.prepare("UPDATE upload SET facts = ?, progress = ?, outbox = ?").run(...texts);
  return true;
}

/** The rows of a table that no ledger but the register has, as they are just now; none where it is not there yet. */
export function rowsOfRegister(persistDir: string, table: string): Record<string, unknown>[] {
  const dir = join(persistDir, LEDGERS);
  const files = readdirSync(dir).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  return files.flatMap((file) => {
    const database = new DatabaseSync(join(dir, file), { readOnly: true });
    try {
      const isThere = database.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").get(table) !== undefined;
      return isThere ? database.prepare(`SELECT * FROM ${table}`).all() : [];
    } finally {
      database.close();
    }
  });
}
