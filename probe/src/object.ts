// Questions to a Durable Object's storage, asked inside one that exists for nothing else.

import type { State, Storage } from "./platform.ts";
import { type Answer, answered, found, type Question } from "./question.ts";

/** The largest row that the service writes: some bytes behind the last part. */
const ROW_BYTES = 128 * 1024;

/** How long an alarm is waited for. */
const ALARM_WITHIN_MS = 10_000;

export class Probe {
  readonly #storage: Storage;
  #alarmed: (() => void) | undefined;

  constructor({ storage }: State) {
    this.#storage = storage;
  }

  async fetch(): Promise<Response> {
    const answers: Answer[] = [];
    for (const question of this.#questions()) {
      answers.push(await answered(question));
    }
    await this.#storage.deleteAll();
    return Response.json(answers);
  }

  alarm(): void {
    this.#alarmed?.();
  }

  #questions(): Question[] {
    const { sql } = this.#storage;
    const count = (query: string) => Number(sql.exec(query).toArray()[0]?.n);
    return [
      {
        id: "rollback",
        question: "Does a transaction that fails leave nothing behind?",
        leansOn: "yes",
        fallback: "none: every decision is stored in one transaction (durable-objects/src/platform/transaction.rs)",
        ask: async () => {
          sql.exec("CREATE TABLE t (a INTEGER)");
          try {
            this.#storage.transactionSync(() => {
              sql.exec("INSERT INTO t VALUES (1)");
              throw new Error("on purpose");
            });
          } catch {
            // As it should.
          }
          const left = count("SELECT count(*) AS n FROM t");
          return found(left === 0, `${left} rows are left`);
        },
      },
      {
        id: "migration",
        question: "Can a live object be given a column, and say whether it has it?",
        leansOn: "yes",
        fallback: "none: an object of an older build could not be read (durable-objects/src/upload/facts.rs)",
        ask: async () => {
          sql.exec("CREATE TABLE old (a INTEGER)");
          const has = "SELECT count(*) AS n FROM sqlite_master WHERE name = 'old' AND sql LIKE '%trail TEXT%'";
          const before = count(has);
          this.#storage.transactionSync(() => sql.exec("ALTER TABLE old ADD COLUMN trail TEXT"));
          return found(before === 0 && count(has) === 1, "asked sqlite_master before and after ALTER TABLE");
        },
      },
      {
        id: "row-size",
        question: `Does a row take ${ROW_BYTES} bytes?`,
        leansOn: "yes",
        fallback: "lower MAX_ROW_SEGMENT_BYTES in core/session/src/session/records.rs: more goes into R2 objects",
        ask: async () => {
          sql.exec("CREATE TABLE rows (content BLOB)");
          sql.exec("INSERT INTO rows VALUES (?)", new Uint8Array(ROW_BYTES).fill(1).buffer);
          const stored = count("SELECT length(content) AS n FROM rows");
          return found(stored === ROW_BYTES, `${stored} bytes were stored`);
        },
      },
      {
        id: "alarm",
        question: "Does an alarm that is set to now come soon?",
        leansOn: "yes",
        fallback: "completion and delivery are as late as the alarm is; nothing is lost",
        ask: async () => {
          const from = Date.now();
          const rang = new Promise<boolean>((resolve) => {
            this.#alarmed = () => resolve(true);
          });
          await this.#storage.setAlarm(Date.now());
          const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), ALARM_WITHIN_MS));
          return found(await Promise.race([rang, late]), `after ${Date.now() - from} ms`);
        },
      },
    ];
  }
}
