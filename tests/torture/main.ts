// `node tests/torture/main.ts --uploads 200 --seed 1`, as `cargo xtask torture` calls it: prints the figures, and as its
// last line how many differences there are. None is success.

import { parseArgs } from "node:util";

import { torture } from "./run.ts";

const { values } = parseArgs({
  options: {
    uploads: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    interruptions: { type: "string", default: "1000" },
  },
});
const [uploads, interruptions] = [Number(values.uploads), Number(values.interruptions)];
if (!Number.isInteger(uploads) || uploads < 1) {
  throw new Error(`--uploads is not a number of uploads: ${values.uploads}`);
}
if (!Number.isInteger(interruptions) || interruptions < 0) {
  throw new Error(`--interruptions is not a number of interruptions: ${values.interruptions}`);
}
const { figures, differences } = await torture({
  uploads,
  seed: values.seed,
  interruptions,
  ttlSeconds: 90,
  say: (text) => console.log(text),
});
console.log(figures.lines().join("\n"));
console.log(differences.length === 0 ? "zero differences" : `${differences.length} differences`);
process.exitCode = differences.length === 0 ? 0 : 1;
