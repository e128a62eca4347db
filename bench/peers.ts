// @tus/server from npm, for orientation only: it stores on the local disk, or in a local S3, and not in the same R2.

import { MIB } from "./bytes.ts";
import * as ours from "./ours.ts";
import type { Peer } from "./report.ts";
import { startPeer } from "./servers.ts";
import { spread } from "./statistics.ts";
import { size } from "./workloads.ts";

export async function peers(quick: boolean): Promise<Peer[]> {
  const fileBytes = quick ? 64 * MIB : 256 * MIB;
  const found: Peer[] = [];
  for (const store of ["file", "s3"] as const) {
    const server = await startPeer(store);
    try {
      for (const chunkBytes of [8 * MIB, 32 * MIB]) {
        const speeds: number[] = [];
        for (let round = 0; round <= 3; round++) {
          const startMs = performance.now();
          await ours.tus(server.http, fileBytes, chunkBytes);
          const seconds = (performance.now() - startMs) / 1000;
          if (round > 0) {
            speeds.push(fileBytes / MIB / seconds);
          }
        }
        const name = store === "file" ? "@tus/server, file store" : "@tus/server, S3 store on s3rver";
        found.push({ name, workload: `tus PATCH, ${size(chunkBytes)}, ${size(fileBytes)}`, speed: spread(speeds) });
      }
    } finally {
      await server.stop();
    }
  }
  return found;
}
