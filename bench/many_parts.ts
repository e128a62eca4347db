// A file of very many parts, stored and completed for real: whether a chunk costs the same at the end as at the beginning.
//
// With parts of 5 MiB that would be 50 GB. So this alone runs a Worker built with the cargo feature `small-parts`, on an R2
// simulator that was told to take small parts as well (small_parts_r2.mjs). The real R2 would not.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Cost } from "../tests/support/api.ts";
import { repositoryRoot } from "../tests/support/wrangler_config.ts";
import { chunkOf, KIB } from "./bytes.ts";
import { status } from "./ours.ts";
import type { ManyParts } from "./report.ts";
import { startOurs } from "./servers.ts";
import { spread } from "./statistics.ts";

const PART_BYTES = 64 * KIB;

export async function manyParts(parts: number): Promise<ManyParts> {
  const preload = pathToFileURL(join(repositoryRoot, "bench/small_parts_r2.mjs")).href;
  process.env.NODE_OPTIONS = `--import=${preload}`;
  const server = await startOurs("build-small-parts");
  delete process.env.NODE_OPTIONS;
  const { http } = server;
  try {
    const init = { fileName: "many", fileSize: parts * PART_BYTES, chunkSize: PART_BYTES };
    const headers = { "Content-Type": "application/json" };
    const created = await http.send("POST", "/upload/init", 201, { headers, body: JSON.stringify(init) });
    const { uploadId } = JSON.parse(created.text) as { uploadId: string };
    const path = `/upload/${uploadId}`;
    const costOf = async () => (await status(http, uploadId)).cost;
    const tenth = parts / 10;
    const tenths: { ms: number[]; cost: Cost }[] = [];
    let before = await costOf();
    for (let index = 0; index < 10; index++) {
      const ms: number[] = [];
      for (let part = index * tenth; part < (index + 1) * tenth; part++) {
        const startMs = performance.now();
        await http.send("PUT", path, 200, {
          headers: { "X-Upload-Offset": part * PART_BYTES },
          body: chunkOf(PART_BYTES),
        });
        ms.push(performance.now() - startMs);
      }
      const after = await costOf();
      tenths.push({ ms, cost: difference(after, before) });
      before = after;
    }
    const startMs = performance.now();
    while ((await status(http, uploadId)).state !== "completed") {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const perChunk = (kind: keyof Cost) => tenths.map(({ cost }) => cost[kind] / tenth);
    return {
      parts,
      partBytes: PART_BYTES,
      firstTenthMs: spread(tenths[0]?.ms ?? []).median,
      lastTenthMs: spread(tenths[9]?.ms ?? []).median,
      completionMs: performance.now() - startMs,
      objectRequestsPerChunk: perChunk("objectRequests"),
      rowsWrittenPerChunk: perChunk("rowsWritten"),
      rowsReadPerChunk: perChunk("rowsRead"),
    };
  } finally {
    await server.stop();
  }
}

function difference(after: Cost, before: Cost): Cost {
  const kinds = Object.keys(after) as (keyof Cost)[];
  return Object.fromEntries(kinds.map((kind) => [kind, after[kind] - before[kind]])) as Cost;
}
