// The real `quay`, spawned, with a home of its own: what it keeps, what it says, and a SIGKILL where a test wants one.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { waitFor } from "./wait.ts";
import { repositoryRoot } from "./wrangler_config.ts";

export const quayProgram = resolve(repositoryRoot, process.env.QUAYSIDE_QUAY_BIN ?? "target/debug/quay");

/** A document of `--json`. */
export type QuayEvent = {
  event: string;
  file?: string;
  uploadId?: string;
  uploadedBytes?: number;
  resumedFromBytes?: number;
  sentBytes?: number;
  sha256?: string;
  duplicate?: boolean;
  message?: string;
  text?: string;
  sentFiles?: number;
  earlierFiles?: number;
  failedFiles?: number;
};

export type RunOptions = { stdin?: Uint8Array | "open"; env?: NodeJS.ProcessEnv; uid?: number; program?: string };

/** How it has ended, and all that it has said. */
export type Ended = { code: number | null; stdout: string; stderr: string };

/** One user of one server. */
export class Quay {
  readonly home = mkdtempSync(join(tmpdir(), "quayside-quay-"));
  readonly #endpoint: string | undefined;
  readonly #started: ChildProcess[] = [];

  constructor(endpoint?: string) {
    this.#endpoint = endpoint;
  }

  get stateDir(): string {
    return join(this.home, "state");
  }

  /** A file in its home. */
  file(name: string, bytes: Uint8Array | string): string {
    const path = join(this.home, name);
    writeFileSync(path, bytes);
    return path;
  }

  start(args: string[], { stdin, env = {}, uid, program = quayProgram }: RunOptions = {}): Running {
    const child = spawn(program, args, {
      cwd: this.home,
      env: {
        PATH: process.env.PATH,
        HOME: this.home,
        QUAY_STATE_DIR: this.stateDir,
        ...(this.#endpoint === undefined ? {} : { QUAY_ENDPOINT: this.#endpoint }),
        ...env,
      },
      stdio: ["pipe", "pipe", "pipe"],
      ...(uid === undefined ? {} : { uid }),
    });
    this.#started.push(child);
    // Where it has ended before it has read all, its own words say why.
    child.stdin.on("error", () => {});
    if (stdin !== "open") {
      child.stdin.end(stdin);
    }
    return new Running(child);
  }

  run(args: string[], options: RunOptions = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }

  /** Insists that all went well. The events. */
  async events(args: string[], options: RunOptions = {}): Promise<QuayEvent[]> {
    const running = this.start([...args, "--json"], options);
    const { code, stderr } = await running.ended;
    assert.equal(code, 0, `quay ${args.join(" ")}: ${stderr} ${JSON.stringify(running.events.at(-1))}`);
    return running.events;
  }

  /** What a test that has failed has left running is ended, too. */
  remove(): void {
    for (const child of this.#started) {
      child.kill("SIGKILL");
    }
    rmSync(this.home, { recursive: true, force: true });
  }
}

export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    this.ended = once(child, "close").then(([code]) => ({ code, stdout: this.#stdout, stderr: this.#stderr }));
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** What it has said with `--json` so far. */
  get events(): QuayEvent[] {
    const lines = this.#stdout.split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as QuayEvent);
  }

  /** Waits for such an event; that the process ends before is an error. */
  async event(name: string): Promise<QuayEvent> {
    const lastSeen = () => `${this.#stdout.slice(-1000)} ${this.#stderr}`;
    const found = await waitFor(
      `quay to say ${name}`,
      () => this.events.find(({ event }) => event === name) ?? (this.child.exitCode !== null && "ended"),
      { lastSeen },
    );
    assert.ok(found !== "ended", `quay ended before it said ${name}: ${lastSeen()}`);
    return found;
  }

  /** The crash. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

export function eventOf(events: QuayEvent[], name: string): QuayEvent {
  const found = events.find(({ event }) => event === name);
  assert.ok(found, `no ${name} in ${JSON.stringify(events)}`);
  return found;
}
