// What the platform charges, at list prices in US dollars, and what an upload's own counts come to with them.
//
// To be compared with developers.cloudflare.com before they are relied on: /workers/platform/pricing (requests),
// /durable-objects/platform/pricing (requests, rows), /r2/pricing (operations), /queues/platform/pricing. Written down from memory
// of those pages in November 2026; beyond the included amounts, without a contract.
// Not in here, since nothing local measures it: processor time of Workers, duration of Durable Objects, storage by the month.

import type { Cost } from "../tests/support/api.ts";

/** Dollars for a million of each. */
export const DOLLARS_PER_MILLION: Record<keyof Cost, number> = {
  workerRequests: 0.3,
  objectRequests: 0.15,
  rowsRead: 0.001,
  rowsWritten: 1.0,
  r2ClassA: 4.5,
  r2ClassB: 0.36,
  queueOperations: 0.4,
};

export const KINDS = Object.keys(DOLLARS_PER_MILLION) as (keyof Cost)[];

export function dollars(cost: Cost): number {
  return KINDS.reduce((sum, kind) => sum + (cost[kind] * DOLLARS_PER_MILLION[kind]) / 1e6, 0);
}

export function total(costs: Cost[]): Cost {
  const zero = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Cost;
  return costs.reduce(
    (sum, cost) => Object.fromEntries(KINDS.map((kind) => [kind, sum[kind] + cost[kind]])) as Cost,
    zero,
  );
}
