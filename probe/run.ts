// `cargo xtask probe [--remote]`: runs the probe, under `wrangler dev` or on the account that wrangler is logged in to, asks it
// everything, and prints which of the answers that the service leans on are given. Takes away what it has put there.
//
// On the simulator it shows only that the probe works: what the simulator answers is not what Cloudflare does.

import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";

import { startPlainWorker } from "../tests/support/plain_worker.ts";
import { waitFor } from "../tests/support/wait.ts";
import { repositoryRoot } from "../tests/support/wrangler_config.ts";
import { askEverything } from "./ask.ts";
import type { Answer } from "./src/question.ts";

const wrangler = join(repositoryRoot, "node_modules/wrangler/bin/wrangler.js");
const config = join(import.meta.dirname, "wrangler.toml");
/** Only for giving up: a new address below workers.dev takes a while. */
const START_WITHIN_MS = 120_000;

const remote = process.argv.includes("--remote");
const token = randomUUID();
const answers = remote ? await onCloudflare() : await onSimulator();
if (process.argv.includes("--json")) {
  console.log(JSON.stringify(answers));
} else {
  print(answers);
}
process.exitCode = answers.some(fails) && remote ? 1 : 0;

/** Whether the service leans on another answer than was given. */
function fails({ leansOn, answer }: Answer): boolean {
  return answer === "unknown" || (leansOn !== "either" && leansOn !== answer);
}

function print(all: Answer[]): void {
  for (const answer of all) {
    const verdict = fails(answer) ? "DOES NOT HOLD" : answer.leansOn === "either" ? "either is fine" : "holds";
    console.log(`${verdict.padEnd(14)} ${answer.question} ${answer.answer}`);
    console.log(`${"".padEnd(14)}   seen: ${answer.detail}`);
    if (fails(answer)) {
      console.log(`${"".padEnd(14)}   then: ${answer.fallback}`);
    }
  }
  const failed = all.filter(fails).length;
  console.log(`${all.length} questions, ${failed} answered otherwise than the service leans on`);
  if (!remote) {
    console.log("this was the simulator: `cargo xtask probe --remote` asks Cloudflare");
  }
}

async function onSimulator(): Promise<Answer[]> {
  const { baseUrl, stop } = await startPlainWorker("probe/wrangler.toml", { PROBE_TOKEN: token });
  try {
    return await askEverything({ baseUrl, token, pauseMs: 1000 });
  } finally {
    await stop();
  }
}

async function onCloudflare(): Promise<Answer[]> {
  run("r2", "bucket", "create", "quayside-probe");
  try {
    const said = run("deploy", "--config", config, "--var", `PROBE_TOKEN:${token}`);
    const baseUrl = /https:\/\/\S+\.workers\.dev/.exec(said)?.[0];
    if (baseUrl === undefined) {
      throw new Error(`wrangler named no address below workers.dev:\n${said}`);
    }
    await untilItAnswers(baseUrl, said);
    return await askEverything({ baseUrl, token, pauseMs: 20_000 });
  } finally {
    run("delete", "--config", config, "--force");
    run("r2", "bucket", "delete", "quayside-probe");
  }
}

/** Runs wrangler to its end. A bucket that is there already, or cannot be deleted, is for its owner to see and no reason to stop. */
function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [wrangler, ...args], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
  });
  if (status !== 0) {
    console.error(`wrangler ${args[0]} ${args[1]}: ${stderr || stdout}`);
  }
  return stdout;
}

async function untilItAnswers(baseUrl: string, said: string): Promise<void> {
  // Without the token, the probe itself says 403.
  const answers = async () => {
    const response = await fetch(baseUrl);
    return response.status === 403 && (await response.text()) === "not for you";
  };
  await waitFor(`the probe to answer at ${baseUrl}`, answers, { giveUpMs: START_WITHIN_MS, lastSeen: () => said });
}
