// On what, when, and beside what it was measured.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";

import { repositoryRoot } from "../tests/support/wrangler_config.ts";

export type Machine = {
  date: string;
  system: string;
  processor: string;
  processors: number;
  memoryGib: number;
  node: string;
  workerd: string;
  commit: string;
  /** The load averages of one and five minutes: before, and filled in again at the end. */
  load: { before: number[]; after: number[] };
};

export function machine(): Machine {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    system: `${type()} ${release()}`,
    processor: processors[0]?.model ?? "unknown",
    processors: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    workerd: versionOf("workerd"),
    commit: commit(),
    load: { before: load(), after: [] },
  };
}

export function load(): number[] {
  return loadavg().slice(0, 2);
}

function versionOf(name: string): string {
  const manifest = readFileSync(join(repositoryRoot, "node_modules", name, "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

function commit(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], { cwd: repositoryRoot, encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}
