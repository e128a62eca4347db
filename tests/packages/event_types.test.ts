// The types of events that the packages bring, and the schema that events are compared with: the same fields, and the same of them always there.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { repositoryRoot } from "../support/wrangler_config.ts";

const read = (path: string) => readFileSync(join(repositoryRoot, path), "utf8");

type Fields = { properties: Record<string, unknown>; required: string[] };
const schema = JSON.parse(read("docs/reference/webhook-event.schema.json")) as { properties: { data: Fields } };
const { properties, required } = schema.properties.data;

for (const path of ["packages/quayside/index.d.ts", "packages/server/src/events.ts"]) {
  test(`UploadData in ${path} has the fields of the schema`, () => {
    const [, body = ""] = /UploadData (?:= )?\{\n(.*?)\n\}/s.exec(read(path)) ?? [];
    const fields = [...body.matchAll(/^ {2}(\w+)(\??):/gm)];
    const always = fields.filter(([, , optional]) => optional === "").map(([, name]) => String(name));
    assert.deepEqual(fields.map(([, name]) => name).sort(), Object.keys(properties).sort());
    assert.deepEqual(always.sort(), [...required].sort());
  });
}
