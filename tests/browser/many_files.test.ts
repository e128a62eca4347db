// Thousands of files in a real browser: one request for each, no channel, and a page that can still be used. The figures are printed.
// The limits are far above what an idle machine shows: what is read, asked and claimed, and when, tests/sdk/many.test.ts shows.
//
// With `QUAYSIDE_FILES=10000` there are more of them; with `QUAYSIDE_COMPARE=3`, Uppy's plugin for tus does the same beside ours, three
// times in turn, and the medians and their ratios are printed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { inBrowser } from "./harbour.ts";
import { ManyFiles, type Measured, said, WAYS, type Way } from "./many_files.ts";

const FILES = Number(process.env.QUAYSIDE_FILES ?? 500);
const ROUNDS = Number(process.env.QUAYSIDE_COMPARE ?? 0);
/** Files that are on their way at once, with what the page holds of each, stay below this. */
const MOST_MEMORY_BYTES = 100_000_000;
/** Far below a page that reads all files first, which stands for half a minute. */
const LONGEST_TASK_MS = 1_500;
const FIRST_SUCCESS_MS = 5_000;

let many: ManyFiles;
if (!inBrowser.skip) {
  before(async () => {
    many = await ManyFiles.open();
  });
  after(() => many.close());
}

async function measured(way: Way): Promise<Measured> {
  const figures = await many.measure(way, FILES);
  console.log(said(way, figures));
  return figures;
}

for (const way of ["queue", "plugin"] as const) {
  test(`${FILES} small files through the ${way}: the page stays usable, and small`, inBrowser, async () => {
    const { done, firstMs, longestTaskMs, memoryBytes } = await measured(way);
    assert.equal(done, FILES);
    assert.deepEqual([...many.asked], [["POST /files", FILES]]);
    assert.ok(firstMs < FIRST_SUCCESS_MS, `the first success came after ${firstMs} ms`);
    assert.ok(longestTaskMs < LONGEST_TASK_MS, `a task took ${longestTaskMs} ms`);
    assert.ok(memoryBytes < MOST_MEMORY_BYTES, `${memoryBytes} bytes above idle`);
  });
}

if (ROUNDS > 0) {
  test("beside Uppy's own plugin for tus, in turn", inBrowser, async () => {
    const figures = new Map<Way, Measured[]>(WAYS.map((way) => [way, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const way of WAYS) {
        figures.get(way)?.push(await measured(way));
      }
    }
    const medianOf = (way: Way, fact: keyof Measured) => {
      const sorted = (figures.get(way) ?? []).map((one) => one[fact]).sort((a, b) => a - b);
      return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
    };
    for (const fact of ["firstMs", "longestTaskMs", "tookMs", "memoryBytes", "requests"] as const) {
      const medians = WAYS.map((way) => {
        const ratio = (medianOf(way, fact) / medianOf("tus", fact)).toFixed(2);
        return `${way} ${Math.round(medianOf(way, fact))} (${ratio})`;
      });
      console.log(`median ${fact}: ${medians.join(", ")}`);
    }
    assert.ok([...figures.values()].flat().every(({ done }) => done === FILES));
  });
}
