// The servers that are measured, each on a port and a state folder of its own, all on the loopback.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

import { freePort } from "../tests/support/ports.ts";
import { ProcessGroup } from "../tests/support/process_group.ts";
import { Stack } from "../tests/support/stack.ts";
import { waitFor } from "../tests/support/wait.ts";
import { repositoryRoot } from "../tests/support/wrangler_config.ts";
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

/** The floor Worker. */
export async function startFloor(): Promise<Server> {
  const state = mkdtempSync(join(tmpdir(), "quayside-floor-"));
  const port = await freePort();
  const before = descendants("workerd");
  const args = [
    join(repositoryRoot, "node_modules/wrangler/bin/wrangler.js"),
    ...["dev", "--config", join(repositoryRoot, "bench/floor/wrangler.toml")],
    ...["--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0", "--persist-to", join(state, "state")],
    "--show-interactive-dev-session=false",
  ];
  const group = await started(state, args, port);
  const http = new Http(`http://127.0.0.1:${port}`);
  const meter = new ProcessMeter(since(before));
  const stop = async () => {
    http.close();
    await group.terminate();
    rmSync(state, { recursive: true, force: true });
  };
  return { http, meter, stop };
}

/** The workerd processes that have come since. */
function since(before: Set<number>): number[] {
  return [...descendants("workerd")].filter((pid) => !before.has(pid));
}

async function started(state: string, args: string[], port: number): Promise<ProcessGroup> {
  const registry = join(state, "registry");
  mkdirSync(registry);
  let output = "";
  const group = new ProcessGroup({
    command: process.execPath,
    args,
    cwd: state,
    env: {
      ...process.env,
      PATH: dirname(process.execPath) + delimiter + process.env.PATH,
      NO_COLOR: "1",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_LOG_PATH: join(state, "wrangler-logs"),
      WRANGLER_REGISTRY_PATH: registry,
    },
    onOutput: (text) => {
      output += text;
    },
  });
  await waitFor(
    `port ${port} to answer`,
    async () => {
      if (group.hasEnded) {
        throw new Error("it has ended");
      }
      return (await fetch(`http://127.0.0.1:${port}/nothing`)).status < 500;
    },
    { lastSeen: () => output },
  );
  return group;
}
