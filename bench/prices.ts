// What the platform charges, at list prices in US dollars, and what an upload's own counts come to with them.
//
// As these pages of developers.cloudflare.com say it, beyond the included amounts and without a contract, compared in November 2026:
// /workers/platform/pricing: "+$0.30 per additional million" requests; /durable-objects/platform/pricing: requests "+ $0.15/million",
// rows read "$0.001 / million", rows written "$1.00 / million" (these two from others who quote the page), of which an alarm that is set
// is one; /r2/pricing: class A "$4.50 /
// million requests", class B "$0.36 / million requests"; /queues/platform/pricing: "$0.40/million operations", three for a message.
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
