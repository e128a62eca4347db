// The figures as people read them: a table in Markdown, as the README has it.

import type { Cost } from "../tests/support/api.ts";
import type { Machine } from "./machine.ts";
import type { Measured } from "./measure.ts";
import { dollars, KINDS } from "./prices.ts";
import type { Spread } from "./statistics.ts";

const TIB = 2 ** 40;

export type Report = {
  machine: Machine;
  workloads: Measured[];
  manyParts: ManyParts | null;
  peers: Peer[];
  startUp: StartUp;
};

/** How large the Worker is, and how long V8 takes to have it ready, in milliseconds. */
export type StartUp = { wasmBytes: number; gzippedBytes: number; compileMs: Spread; instantiateMs: Spread };

/** A server beside us, for orientation. */
export type Peer = { name: string; workload: string; speed: Spread };

/** What one chunk of one part costs, early and late in a file of very many. */
export type ManyParts = {
  parts: number;
  partBytes: number;
  /** How long a chunk took in the first and the last tenth, in milliseconds: medians. */
  firstTenthMs: number;
  lastTenthMs: number;
  /** How long it took from the last chunk's answer until the object was there. */
  completionMs: number;
  /** Object requests and rows written per chunk, in each tenth of the file. */
  objectRequestsPerChunk: number[];
  rowsWrittenPerChunk: number[];
  /** The most rows read for one chunk, on average over a tenth. */
  rowsReadPerChunk: number[];
};

export function table(workloads: Measured[]): string {
  const lines = workloads.map((row) => {
    const target = row.target === null ? "" : `≥ ${row.target}${row.ratio.median >= row.target ? "" : " **missed**"}`;
    const cells = [
      row.name,
      figure(row.ours.median, 0),
      figure(row.floor.median, 0),
      `${figure(row.ratio.median, 2)} (${figure(row.ratio.min, 2)}–${figure(row.ratio.max, 2)})`,
      target,
      figure(row.cpuRatio?.median, 2),
      figure(row.memoryAboveFloor?.median, 0),
      row.cost === null ? "" : `$${perTib(row).toFixed(2)}`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const head = "| workload | MiB/s | floor | ratio (min–max) | target | CPU ratio | memory, MiB above | $ per TiB |";
  return [head, "|---|---|---|---|---|---|---|---|", ...lines].join("\n");
}

export function bill(workloads: Measured[]): string {
  const rows = workloads.flatMap((row) => (row.cost === null ? [] : [billed(row.name, row.uploads, row.cost)]));
  return [`| per upload | ${KINDS.join(" | ")} |`, `|---|${KINDS.map(() => "---|").join("")}`, ...rows].join("\n");
}

export function orientation(peers: Peer[]): string {
  const rows = peers.map(({ name, workload, speed }) => `| ${name} | ${workload} | ${figure(speed.median, 0)} |`);
  return ["| server | workload | MiB/s |", "|---|---|---|", ...rows].join("\n");
}

export function startUpText({ wasmBytes, gzippedBytes, compileMs, instantiateMs }: StartUp): string {
  const ms = ({ median, min, max }: Spread) => `${median.toFixed(1)} ms (${min.toFixed(1)}–${max.toFixed(1)})`;
  return `Start-up: ${wasmBytes} bytes of wasm, ${gzippedBytes} gzipped; compiled in ${ms(compileMs)}, instantiated in ${ms(instantiateMs)}.`;
}

export function manyPartsText(many: ManyParts): string {
  const list = (numbers: number[]) => numbers.map((number) => number.toFixed(2)).join(" ");
  return [
    `${many.parts} parts of ${many.partBytes} bytes, one chunk each; medians per chunk:`,
    `${many.firstTenthMs.toFixed(2)} ms in the first tenth, ${many.lastTenthMs.toFixed(2)} ms in the last;`,
    `whole ${many.completionMs.toFixed(0)} ms after the last chunk.`,
    `Object requests per chunk, by tenth: ${list(many.objectRequestsPerChunk)}`,
    `Rows written per chunk, by tenth:    ${list(many.rowsWrittenPerChunk)}`,
    `Rows read per chunk, by tenth:       ${list(many.rowsReadPerChunk)}`,
  ].join("\n");
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
