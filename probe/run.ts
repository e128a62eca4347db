// `cargo xtask probe [--remote]`: runs the probe, under `wrangler dev` or on the account that wrangler is logged in to, asks it
// everything, and prints which of the answers that the service leans on are given. Takes away what it has put there.
//
// On the simulator it shows only that the probe works: what the simulator answers is not what Cloudflare does.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { askEverything } from "./ask.ts";
import type { Answer } from "./src/question.ts";

const root = resolve(import.meta.dirname, "..");
const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
const config = join(import.meta.dirname, "wrangler.toml");
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
  const state = mkdtempSync(join(tmpdir(), "quayside-probe-"));
  const port = await freePort();
  const args = ["dev", "--config", config, "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"];
  const child = spawn(
    process.execPath,
    [wrangler, ...args, "--persist-to", state, "--var", `PROBE_TOKEN:${token}`, "--show-interactive-dev-session=false"],
    {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: state,
      env: { ...environment(), WRANGLER_REGISTRY_PATH: join(state, "registry") },
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  try {
    const baseUrl = `http://127.0.0.1:${port}`;
    await untilItAnswers(baseUrl, child, () => output);
    return await askEverything({ baseUrl, token, pauseMs: 1000 });
  } finally {
    await ended(child);
    rmSync(state, { recursive: true, force: true });
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
    await untilItAnswers(baseUrl, undefined, () => said);
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
    env: environment(),
  });
  if (status !== 0) {
    console.error(`wrangler ${args[0]} ${args[1]}: ${stderr || stdout}`);
  }
  return stdout;
}

async function untilItAnswers(baseUrl: string, child: ChildProcess | undefined, said: () => string): Promise<void> {
  const deadlineMs = Date.now() + START_WITHIN_MS;
  while (Date.now() < deadlineMs && (child === undefined || child.exitCode === null)) {
    // Without the token, the probe itself says 403.
    const status = await fetch(baseUrl).then(
      (response) => response.text().then((text) => text === "not for you" && response.status),
      () => 0,
    );
    if (status === 403) {
      return;
    }
    await sleep(200);
  }
  throw new Error(`the probe does not answer:\n${said()}`);
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise((done) => child.once("exit", done));
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    await exit;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, NO_COLOR: "1", WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" };
}
