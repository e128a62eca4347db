// What is left on the Worker's disk when everything has settled: objects, segments and unfinished multiparts in R2, and open
// entries in the owners' ledgers, read from the tables themselves.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const IN_PROGRESS = 0;

export type Leftovers = {
  objects: string[];
  /** Keys of unfinished multipart uploads that hold parts. */
  unfinished: string[];
  /** How many unfinished multipart uploads hold none: R2 drops them by itself, and they cost nothing. */
  empty: number;
  /** Ids of uploads that a ledger holds to be open. */
  ledgerEntries: string[];
};

export function leftovers(persistDir: string): Leftovers {
  const found: Leftovers = { objects: [], unfinished: [], empty: 0, ledgerEntries: [] };
  eachDatabase(join(persistDir, "v3/r2/miniflare-R2BucketObject"), (database) => {
    found.objects.push(...column(database, "SELECT key AS value FROM _mf_objects"));
    const open = `FROM _mf_multipart_uploads AS open WHERE state = ${IN_PROGRESS} AND`;
    const parts = "EXISTS (SELECT 1 FROM _mf_multipart_parts AS part WHERE part.upload_id = open.upload_id)";
    found.unfinished.push(...column(database, `SELECT key AS value ${open} ${parts}`));
    found.empty += column(database, `SELECT key AS value ${open} NOT ${parts}`).length;
  });
  eachDatabase(join(persistDir, "v3/do/quayside-OwnerLedger"), (database) => {
    // The register is a ledger's object, too, and has no uploads of its own.
    const tables = column(database, "SELECT name AS value FROM sqlite_master WHERE type = 'table'");
    if (tables.includes("open_upload")) {
      found.ledgerEntries.push(...column(database, "SELECT upload_id AS value FROM open_upload"));
    }
  });
  return found;
}

function eachDatabase(dir: string, look: (database: DatabaseSync) => void): void {
  const names = existsSync(dir) ? readdirSync(dir) : [];
  for (const name of names.filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite")) {
    const database = new DatabaseSync(join(dir, name), { readOnly: true });
    try {
      look(database);
    } finally {
      database.close();
    }
  }
}

function column(database: DatabaseSync, sql: string): string[] {
  return database
    .prepare(sql)
    .all()
    .map(({ value }) => String(value));
}
