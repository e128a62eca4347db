// The tables of docs/operations/monitoring.md: which events there are, with which fields, and which columns the metrics have.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { repositoryRoot } from "./wrangler_config.ts";

export type Tables = {
  /** Fields by event. */
  events: Map<string, string[]>;
  /** Fields by column. */
  columns: Map<string, string>;
};

export function readTables(): Tables {
  const document = readFileSync(join(repositoryRoot, "docs/operations/monitoring.md"), "utf8");
  const events = rows(document, "## Events").map(
    ([event = "", , fields = ""]) => [event, fields.split(", ")] satisfies [string, string[]],
  );
  const columns = rows(document, "## Metrics").map(
    ([column = "", field = ""]) => [column, field] satisfies [string, string],
  );
  return { events: new Map(events), columns: new Map(columns) };
}

function rows(document: string, heading: string): string[][] {
  const section = document.split(heading)[1]?.split("\n## ")[0] ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("| `"));
  return lines.map((line) =>
    line
      .replaceAll("`", "")
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}
