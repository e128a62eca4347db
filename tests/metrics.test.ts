// The queries and the dashboard that operators are given: every column and every event that they name exists in the tables of
// docs/operations/monitoring.md, which the telemetry of `durable-objects` tests against its own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

import { readTables, type Tables } from "./support/log_tables.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const read = (path: string) => readFileSync(join(repositoryRoot, path), "utf8");
const tables = readTables();

type Query = { name: string; sql: string };

const queries: Query[] = read("deploy/metrics.sql")
  .split("-- name: ")
  .slice(1)
  .map((block) => {
    const [name = "", ...lines] = block.trim().split("\n");
    return { name, sql: lines.join("\n").replace(/;$/, "") };
  });

/** What a query says that the tables do not. */
function mistakes(sql: string, { columns, events }: Tables): string[] {
  const named = sql.match(/\b(?:index|blob|double)\d+\b/g) ?? [];
  const unknownColumns = named.filter((column) => !columns.has(column));
  const compared = [...sql.matchAll(/\bblob1 (?:= |IN )(\([^)]*\)|'[^']*')/g)].map(([, values = ""]) => values);
  const names = compared.flatMap((values) => [...values.matchAll(/'([^']*)'/g)].map(([, name = ""]) => name));
  return [...unknownColumns, ...names.filter((name) => !events.has(name))];
}

/** SQLite has no such functions; the shape of a query does not depend on what they compute. */
function database(): DatabaseSync {
  const opened = new DatabaseSync(":memory:");
  const columns = [...tables.columns.keys()].map(
    (column) => `${column} ${column.startsWith("double") ? "REAL" : "TEXT"}`,
  );
  opened.exec(`CREATE TABLE quayside_metrics (timestamp INTEGER, _sample_interval REAL, ${columns.join(", ")})`);
  opened.function("intDiv", (a, b) => Math.trunc(Number(a) / Number(b)));
  opened.function("toUInt32", (value) => value);
  opened.function("IF", (condition, yes, no) => (condition ? yes : no));
  opened.aggregate("quantile", { start: 0, step: (sum: number, value) => sum + Number(value) });
  return opened;
}

test("there are queries, each with a name of its own", () => {
  assert.ok(queries.length >= 10);
  assert.equal(new Set(queries.map(({ name }) => name)).size, queries.length);
});

test("a query that names what does not exist is found", () => {
  assert.deepEqual(mistakes("SELECT double20 FROM t WHERE blob1 IN ('created', 'born') AND blob1 = 'gone'", tables), [
    ...["double20", "born", "gone"],
  ]);
});

for (const { name, sql } of queries) {
  test(`query: ${name}`, () => {
    assert.deepEqual(mistakes(sql, tables), []);
    const opened = database();
    opened.exec(
      "INSERT INTO quayside_metrics (timestamp, _sample_interval, blob1, double1, double2) VALUES (60, 2, 'x', 1, 1)",
    );
    const plain = sql
      .replaceAll("$interval", "60")
      .replaceAll("$timeFilter", "timestamp > 0")
      .replace(/quantileExactWeighted\([\d.]+\)\(([^,]+), _sample_interval\)/g, "quantile($1)");
    // The plugin of Grafana takes numbers for milliseconds: seconds would all lie in January 1970.
    for (const row of opened.prepare(plain).all()) {
      assert.ok(!("t" in row) || row.t === 60_000, `${name}: ${row.t}`);
    }
    opened.close();
  });
}

test("the dashboard draws exactly these queries", () => {
  type Panel = { title: string; targets: { query: string }[] };
  const { panels } = JSON.parse(read("deploy/grafana-dashboard.json")) as { panels: Panel[] };
  const drawn = panels.map(({ title, targets }) => ({ name: title, sql: targets[0]?.query }));
  assert.deepEqual(drawn, queries);
});

const alerts = (read("docs/operations/runbook.md").split("\n## Alerts\n")[1]?.split("\n## ")[0] ?? "")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| alert |"))
  .map((line) => line.slice(2).split(" | "));

test("every alert of the runbook is seen somewhere: on the dashboard, in an event, at a route", () => {
  assert.ok(alerts.length >= 12);
  for (const [name = "", when = ""] of alerts) {
    const panels = [...when.matchAll(/"([^"]+)"/g)].map(([, panel = ""]) => panel);
    for (const panel of panels) {
      assert.ok(
        queries.some((query) => query.name.startsWith(panel)),
        `${name}: no panel ${panel}`,
      );
    }
    assert.ok(panels.length > 0 || when.includes("`readyz`"), `${name}: nobody would notice`);
    const sql = queries.filter((query) => panels.some((panel) => query.name.startsWith(panel)));
    for (const [, event = ""] of when.matchAll(/`(\w+_\w+)`/g)) {
      assert.ok(tables.events.has(event), `${name}: no event ${event}`);
      assert.ok(
        sql.some((query) => query.sql.includes(`'${event}'`)),
        `${name}: its panel does not show ${event}`,
      );
    }
  }
});

test("the dataset that is queried is the one that every environment writes to", () => {
  const toml = read("wrangler.toml");
  const bound = [...toml.matchAll(/binding = "METRICS"\ndataset = "(\w+)"/g)].map(([, dataset]) => dataset);
  assert.deepEqual(
    new Set(bound.map((dataset) => dataset?.replace(/_(?:staging)$/, ""))),
    new Set(["quayside_metrics"]),
  );
});
