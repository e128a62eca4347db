// A line that carries only so much, as a slow uplink does: `shaped_line.py`, and what has passed it when.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { repositoryRoot } from "./wrangler_config.ts";

/** So many bytes had passed by then. */
export type Passed = { atMs: number; bytes: number };

export class ShapedLine {
  readonly url: string;
  /** Since the beginning, heads of requests included. */
  readonly passed: Passed[] = [];
  readonly #process: ChildProcessWithoutNullStreams;

  static async start(targetUrl: string, bitsPerSecond: number): Promise<ShapedLine> {
    const script = join(repositoryRoot, "tests/support/shaped_line.py");
    const child = spawn("python3", [script, new URL(targetUrl).port, String(bitsPerSecond)]);
    const lines = createInterface(child.stdout);
    const [port] = await once(lines, "line");
    const line = new ShapedLine(Number(port), child);
    lines.on("line", (text) => {
      const [atMs = 0, bytes = 0] = text.split(" ").map(Number);
      line.passed.push({ atMs, bytes });
    });
    return line;
  }

  private constructor(port: number, process: ChildProcessWithoutNullStreams) {
    this.url = `http://127.0.0.1:${port}`;
    this.#process = process;
  }

  async stop(): Promise<void> {
    this.#process.stdin.end();
    await once(this.#process, "exit");
  }
}
