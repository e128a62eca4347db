// The servers that are measured, each on a port and a state folder of its own, all on the loopback.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { startPlainWorker } from "../tests/support/plain_worker.ts";
import { Stack } from "../tests/support/stack.ts";
import type { Distances } from "./distances.ts";
import { Http } from "./http.ts";
import { line } from "./line.ts";
import { descendants, ProcessMeter } from "./process_meter.ts";

/** One of them, running. */
export type Server = { http: Http; meter: ProcessMeter; stop: () => Promise<void> };

/** Quayside, as it would be deployed, with an origin that takes every event at once. */
export async function startOurs(distances: Distances): Promise<Server> {
  const origin = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  const webhook = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/`;
  const before = descendants("workerd");
  const isFar = distances.r2Ms > 0 || distances.objectMs > 0;
  const away = { R2_DISTANCE_MS: distances.r2Ms, OBJECT_DISTANCE_MS: distances.objectMs };
  const stack = await Stack.start({
    vars: { ORIGIN_WEBHOOK_URL: webhook, QUOTA_OPEN_UPLOADS: 0, ...(isFar ? away : {}) },
    ...(isFar ? { entry: "far_away.js" } : {}),
  });
  const { http, hangUp } = await client(stack.baseUrl, distances);
  const meter = new ProcessMeter(since(before));
  const stop = async () => {
    hangUp();
    origin.close();
    await stack.stop();
  };
  return { http, meter, stop };
}

/** The baseline Worker. */
export async function startBaseline(distances: Distances): Promise<Server> {
  const before = descendants("workerd");
  const away: Record<string, string> = distances.r2Ms > 0 ? { R2_DISTANCE_MS: String(distances.r2Ms) } : {};
  const baseline = await startPlainWorker("bench/baseline/wrangler.toml", away);
  const { http, hangUp } = await client(baseline.baseUrl, distances);
  const stop = async () => {
    hangUp();
    await baseline.stop();
  };
  return { http, meter: new ProcessMeter(since(before)), stop };
}

/** A client so far from it. */
async function client(url: string, distances: Distances): Promise<{ http: Http; hangUp: () => void }> {
  if (distances.clientMs === 0) {
    const http = new Http(url);
    return { http, hangUp: () => http.close() };
  }
  const between = await line(url, distances);
  const http = new Http(between.url);
  const hangUp = () => {
    http.close();
    between.stop();
  };
  return { http, hangUp };
}

/** The workerd processes that have come since. */
function since(before: Set<number>): number[] {
  return [...descendants("workerd")].filter((pid) => !before.has(pid));
}
