// The figures as people read them: a table in Markdown, as the README has it.

import type { Cost } from "../tests/support/api.ts";
import type { Distances } from "./distances.ts";
import type { Machine } from "./machine.ts";
import type { Measured } from "./measure.ts";
import { dollars, KINDS } from "./prices.ts";
import type { Spread } from "./statistics.ts";

const TIB = 2 ** 40;

export type Report = {
  machine: Machine;
  distances: (Distances & { workloads: Measured[] })[];
  startUp: StartUp;
};

/** How large the Worker is, and how long V8 takes to have it ready, in milliseconds. */
export type StartUp = { wasmBytes: number; gzippedBytes: number; compileMs: Spread; instantiateMs: Spread };

export function table(workloads: Measured[]): string {
  const lines = workloads.map((row) => {
    const target = row.target === null ? "" : `≥ ${row.target}${row.ratio.median >= row.target ? "" : " **missed**"}`;
    const cells = [
      row.name,
      figure(row.ours.median, 0),
      figure(row.baseline.median, 0),
      `${figure(row.ratio.median, 2)} (${figure(row.ratio.min, 2)}–${figure(row.ratio.max, 2)})`,
      target,
      figure(row.cpuRatio?.median, 2),
      figure(row.memoryAboveBaseline?.median, 0),
      row.cost === null ? "" : `$${perTib(row).toFixed(2)}`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const head = "| workload | MiB/s | baseline | ratio (min–max) | target | CPU ratio | memory, MiB above | $ per TiB |";
  return [head, "|---|---|---|---|---|---|---|---|", ...lines].join("\n");
}

export function bill(workloads: Measured[]): string {
  const rows = workloads.flatMap((row) => (row.cost === null ? [] : [billed(row.name, row.uploads, row.cost)]));
  return [`| per upload | ${KINDS.join(" | ")} |`, `|---|${KINDS.map(() => "---|").join("")}`, ...rows].join("\n");
}

export function startUpText({ wasmBytes, gzippedBytes, compileMs, instantiateMs }: StartUp): string {
  const ms = ({ median, min, max }: Spread) => `${median.toFixed(1)} ms (${min.toFixed(1)}–${max.toFixed(1)})`;
  return `Start-up: ${wasmBytes} bytes of wasm, ${gzippedBytes} gzipped; compiled in ${ms(compileMs)}, instantiated in ${ms(instantiateMs)}.`;
}

/** What a TiB in uploads like these costs. */
export function perTib({ cost, bytes }: Pick<Measured, "cost" | "bytes">): number {
  return cost === null ? Number.NaN : (dollars(cost) * TIB) / bytes;
}

function billed(name: string, uploads: number, cost: Cost): string {
  return `| ${name} | ${KINDS.map((kind) => figure(cost[kind] / uploads, 1)).join(" | ")} |`;
}

function figure(value: number | undefined, digits: number): string {
  return value === undefined ? "" : value.toFixed(digits);
}
