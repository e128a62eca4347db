// Which faults a run plans inside the Worker, and which of them an upload need not survive.

import type { Random } from "./random.ts";

/** As `POST /faults` takes it. */
export type FaultRule = { point: string; nth: number; kind: "before" | "after" | "hang"; code?: number };

/** R2's codes for what passes. */
const PASSING = [10_001, 10_043, 10_058] as const;

const R2_POINTS = [
  [8, "r2.upload_part"],
  [4, "r2.put"],
  [3, "r2.get"],
  [6, "r2.complete"],
  [2, "r2.head"],
  [2, "r2.create"],
  [2, "r2.abort"],
  [2, "r2.delete"],
  [2, "r2.list"],
] as const;

/** Commands are sent several times, so that one fault alone is rarely seen outside. */
const TRIES_OF_A_COMMAND = 3;

const COMMANDS = [
  ...["begin", "commit", "release", "read-tail", "probe", "status", "cancel", "create", "admit"],
  ...["as-partial", "begin-batch"],
] as const;

/** Commands that nobody waits for: of these a single fault is enough. */
const QUIET_COMMANDS = ["begin-delivery", "end-delivery", "settle"] as const;

export function faultsFor(random: Random): { at: number; rules: FaultRule[] }[] {
  const count = random.weighted([
    [35, 0],
    [40, 1],
    [25, 2],
  ]);
  return Array.from({ length: count }, () => ({ at: random.int(0, 4), rules: draw(random) }));
}

function draw(random: Random): FaultRule[] {
  const kind = random.weighted<FaultRule["kind"]>([
    [50, "before"],
    [40, "after"],
    [10, "hang"],
  ]);
  const where = random.next();
  if (where < 0.6) {
    return [r2Fault(random, random.weighted<string>(R2_POINTS), kind)];
  }
  if (where < 0.68) {
    return [{ point: "queue.send", nth: 1, kind }];
  }
  if (where < 0.76) {
    return [{ point: `object.${random.pick(QUIET_COMMANDS)}`, nth: 1, kind: kind === "hang" ? "before" : kind }];
  }
  const point = `object.${random.pick(COMMANDS)}`;
  const breaksThrough = random.chance(0.4);
  const first = random.int(1, 3);
  const times = breaksThrough ? TRIES_OF_A_COMMAND : 1;
  // Only the first of several may hang: the point is the failure, not the wait.
  return Array.from({ length: times }, (_, index) => ({
    point,
    nth: first + index,
    kind: kind === "hang" && index > 0 ? "before" : kind,
  }));
}

function r2Fault(random: Random, point: string, kind: FaultRule["kind"]): FaultRule {
  const nth = random.int(1, 3);
  if (point === "r2.upload_part" && random.chance(0.05)) {
    return { point, nth, kind, code: 10_024 };
  }
  if (point === "r2.upload_part" && random.chance(0.1)) {
    return { point, nth, kind, code: 10_025 };
  }
  if (point === "r2.complete" && random.chance(0.1)) {
    return { point, nth, kind, code: random.pick([10_003, 10_024, 10_025, 10_042, 10_048]) };
  }
  return { point, nth, kind, code: random.pick(PASSING) };
}

/** Whether the upload that meets this fault may fail for good: R2 has said that what takes its parts is gone. */
export function isFatal({ point, code }: FaultRule): boolean {
  return point === "r2.upload_part" && code === 10_024;
}
