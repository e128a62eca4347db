// The servers that are measured, each on a port and a state folder of its own, all on the loopback.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { startPlainWorker } from "../tests/support/plain_worker.ts";
import { Stack } from "../tests/support/stack.ts";
import { Http } from "./http.ts";
import { descendants, ProcessMeter } from "./process_meter.ts";

/** One of them, running. */
export type Server = { http: Http; meter: ProcessMeter; stop: () => Promise<void> };

/** Quayside, as it would be deployed, with an origin that takes every event at once. */
export async function startOurs(buildDir = "build"): Promise<Server> {
  const origin = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  const webhook = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/`;
  const before = descendants("workerd");
  const stack = await Stack.start({ buildDir, vars: { ORIGIN_WEBHOOK_URL: webhook, QUOTA_OPEN_UPLOADS: 0 } });
  const http = new Http(stack.baseUrl);
  const meter = new ProcessMeter(since(before));
  const stop = async () => {
    http.close();
    origin.close();
    await stack.stop();
  };
  return { http, meter, stop };
}

/** The baseline Worker. */
export async function startBaseline(): Promise<Server> {
  const before = descendants("workerd");
  const baseline = await startPlainWorker("bench/baseline/wrangler.toml");
  const http = new Http(baseline.baseUrl);
  const stop = async () => {
    http.close();
    await baseline.stop();
  };
  return { http, meter: new ProcessMeter(since(before)), stop };
}

/** The workerd processes that have come since. */
function since(before: Set<number>): number[] {
  return [...descendants("workerd")].filter((pid) => !before.has(pid));
}
