// Medians and spreads. A pair is one run of ours and one of the baseline's, one right after the other, so that what slows the
// machine down slows both: ratios are taken pair by pair, and then their median.

export type Spread = { min: number; median: number; max: number };

export function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return { min: at(0), median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, max: at(sorted.length - 1) };
}

/** a/b of each pair. */
export function ratios(pairs: [number, number][]): Spread {
  return spread(pairs.map(([a, b]) => a / b));
}
