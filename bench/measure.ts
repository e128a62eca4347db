// Measuring a workload: ours and the baseline's in turn, after a warm-up of both, and which is first changes every round.

import type { Cost } from "../tests/support/api.ts";
import * as baseline from "./baseline.ts";
import * as ours from "./ours.ts";
import { total } from "./prices.ts";
import type { Server } from "./servers.ts";
import { ratios, type Spread, spread } from "./statistics.ts";
import type { Workload } from "./workloads.ts";

export type Measured = {
  name: string;
  bytes: number;
  target: number | null;
  rounds: number;
  /** MiB per second. */
  ours: Spread;
  baseline: Spread;
  /** Throughput of ours through the baseline's, pair by pair. */
  ratio: Spread;
  /** Seconds of workerd's processor time per GiB, both with the simulated R2. */
  cpuOurs: Spread | null;
  cpuBaseline: Spread | null;
  cpuRatio: Spread | null;
  /** How much more memory was resident at the peak than the baseline's, in MiB. */
  memoryAboveBaseline: Spread | null;
  /** What the uploads of one round said they had cost. */
  cost: Cost | null;
  uploads: number;
};

type Run = { seconds: number; cpuSeconds: number | undefined; peakBytes: number | undefined };

const MIB = 2 ** 20;
const GIB = 2 ** 30;

export async function measure(workload: Workload, mine: Server, bare: Server, rounds: number): Promise<Measured> {
  const runs: { ours: Run; baseline: Run }[] = [];
  let cost: Cost | null = null;
  let uploads = 0;
  for (let round = 0; round <= rounds; round++) {
    const runOurs = async () => {
      const [run, ids] = await timed(mine, () => workload.ours(mine.http));
      const costs = await Promise.all(ids.map(async (id) => (await ours.status(mine.http, id)).cost));
      [cost, uploads] = [total(costs), ids.length];
      await ours.clear(mine.http, ids);
      return run;
    };
    const runBaseline = async () => {
      const [run, keys] = await timed(bare, () => workload.baseline(bare.http));
      await (workload.isBesideItself ? ours : baseline).clear(bare.http, keys);
      return run;
    };
    const oursFirst = round % 2 === 0;
    const first = oursFirst ? await runOurs() : await runBaseline();
    const second = oursFirst ? await runBaseline() : await runOurs();
    // The first round only warms up.
    if (round > 0) {
      runs.push(oursFirst ? { ours: first, baseline: second } : { ours: second, baseline: first });
    }
  }
  const pairsOf = (figure: (run: Run) => number | undefined): [number, number][] =>
    runs.flatMap((pair) => {
      const [a, b] = [figure(pair.ours), figure(pair.baseline)];
      return a === undefined || b === undefined ? [] : [[a, b] as [number, number]];
    });
  const seconds = pairsOf((run) => run.seconds);
  const cpu = pairsOf((run) => run.cpuSeconds);
  const peaks = pairsOf((run) => run.peakBytes);
  const speed = (run: number) => workload.bytes / MIB / run;
  const perGib = (run: number) => run / (workload.bytes / GIB);
  return {
    name: workload.name,
    bytes: workload.bytes,
    target: workload.target ?? null,
    rounds,
    ours: spread(seconds.map(([a]) => speed(a))),
    baseline: spread(seconds.map(([, b]) => speed(b))),
    ratio: ratios(seconds.map(([a, b]) => [b, a])),
    cpuOurs: cpu.length === 0 ? null : spread(cpu.map(([a]) => perGib(a))),
    cpuBaseline: cpu.length === 0 ? null : spread(cpu.map(([, b]) => perGib(b))),
    cpuRatio: cpu.length === 0 ? null : ratios(cpu),
    memoryAboveBaseline: peaks.length === 0 ? null : spread(peaks.map(([a, b]) => (a - b) / MIB)),
    cost,
    uploads,
  };
}

async function timed<T>(server: Server, work: () => Promise<T>): Promise<[Run, T]> {
  server.meter.resetPeak();
  const cpuBefore = server.meter.cpuSeconds();
  const startMs = performance.now();
  const result = await work();
  const seconds = (performance.now() - startMs) / 1000;
  const cpuAfter = server.meter.cpuSeconds();
  const cpuSeconds = cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore;
  return [{ seconds, cpuSeconds, peakBytes: server.meter.peakBytes() }, result];
}
