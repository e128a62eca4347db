// What a server's processes use, from /proc: processor time, and the most memory that was resident. On a system without
// /proc nothing is known, and nothing is said.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Linux counts processor time in these. */
const TICKS_PER_SECOND = 100;
const KIB = 1024;

export const hasProc = existsSync("/proc/self/stat");

/** The processes of this name that descend from this one. */
export function descendants(name: string): Set<number> {
  const parents = new Map<number, number>();
  const named = new Set<number>();
  for (const entry of hasProc ? readdirSync("/proc") : []) {
    const stat = /^\d+$/.test(entry) ? statOf(Number(entry)) : undefined;
    if (stat !== undefined) {
      parents.set(Number(entry), stat.parent);
      if (stat.name === name) {
        named.add(Number(entry));
      }
    }
  }
  const descends = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === process.pid || descends(parents.get(pid)));
  return new Set([...named].filter((pid) => descends(pid)));
}

/** Some processes, taken together. */
export class ProcessMeter {
  readonly #pids: number[];

  constructor(pids: Iterable<number>) {
    this.#pids = [...pids];
  }

  /** The processor time that they have used so far, in seconds. */
  cpuSeconds(): number | undefined {
    return this.#pids.length === 0 ? undefined : sum(this.#pids.map((pid) => statOf(pid)?.cpuSeconds ?? 0));
  }

  /** Forgets the peaks so far. */
  resetPeak(): void {
    for (const pid of this.#pids) {
      writeFileSync(`/proc/${pid}/clear_refs`, "5");
    }
  }

  /** The sum of their peaks of resident memory, in bytes. */
  peakBytes(): number | undefined {
    return this.#pids.length === 0 ? undefined : sum(this.#pids.map(peakOf));
  }
}

function peakOf(pid: number): number {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(peak?.[1] ?? 0) * KIB;
}

function statOf(pid: number): { name: string; parent: number; cpuSeconds: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // It has just ended.
  }
  // The name stands in parentheses and may hold anything.
  const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3] ?? 0);
  return { name, parent: field(4), cpuSeconds: (field(14) + field(15)) / TICKS_PER_SECOND };
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
