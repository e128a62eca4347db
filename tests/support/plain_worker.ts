// A Worker with a wrangler.toml of its own under `wrangler dev`: on a free port, with its state in a folder that goes with it.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

import { freePort } from "./ports.ts";
import { ProcessGroup } from "./process_group.ts";
import { waitFor } from "./wait.ts";
import { repositoryRoot } from "./wrangler_config.ts";

/** Only for giving up. */
const START_WITHIN_MS = 120_000;

/** Starts it, and returns when it answers; how it then answers is for whoever asks. */
export async function startPlainWorker(
  config: string,
  vars: Record<string, string> = {},
): Promise<{ baseUrl: string; stop: () => Promise<void> }> {
  const state = mkdtempSync(join(tmpdir(), "quayside-plain-"));
  const registry = join(state, "registry");
  mkdirSync(registry);
  const port = await freePort();
  let output = "";
  const group = new ProcessGroup({
    command: process.execPath,
    args: [
      join(repositoryRoot, "node_modules/wrangler/bin/wrangler.js"),
      ...["dev", "--config", join(repositoryRoot, config), "--ip", "127.0.0.1", "--port", String(port)],
      ...["--inspector-port", "0", "--persist-to", join(state, "state"), "--show-interactive-dev-session=false"],
      ...Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
    ],
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
  const baseUrl = `http://127.0.0.1:${port}`;
  const stop = async () => {
    await group.terminate();
    rmSync(state, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  const answers = async () => {
    if (group.hasEnded) {
      throw new Error("it has ended");
    }
    return (await fetch(`${baseUrl}/nothing`)).status < 500;
  };
  try {
    await waitFor(`port ${port} to answer`, answers, { giveUpMs: START_WITHIN_MS, lastSeen: () => output });
  } catch (error) {
    await stop();
    throw error;
  }
  return { baseUrl, stop };
}
