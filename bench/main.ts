// `node bench/main.ts [--quick] [--only TEXT[|TEXT…]] [--rounds N]`, as `cargo xtask bench` calls it: measures, prints the tables,
// and writes target/bench/report.json, report.md and ratios.svg.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { repositoryRoot } from "../tests/support/wrangler_config.ts";
import { load, machine } from "./machine.ts";
import { measure } from "./measure.ts";
import { plot } from "./plot.ts";
import { bill, type Report, startUpText, table } from "./report.ts";
import { startBaseline, startOurs } from "./servers.ts";
import { startUp } from "./start_up.ts";
import { workloads } from "./workloads.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    rounds: { type: "string" },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 3 : 5));
const wanted = (name: string) => values.only.split("|").some((text) => name.includes(text));

// First, while nothing else runs.
const ready = await startUp(join(repositoryRoot, "build/index_bg.wasm"));
const report: Report = { machine: machine(), workloads: [], startUp: ready };
const chosen = workloads(values.quick).filter(({ name }) => wanted(name));
for (const workload of chosen) {
  // Servers of its own, since what one workload leaves in memory would be measured with the next.
  const [mine, bare] = [await startOurs(), await (workload.isBesideItself ? startOurs() : startBaseline())];
  console.log(`${workload.name} …`);
  const measured = await measure(workload, mine, bare, rounds);
  report.workloads.push(measured);
  console.log(table([measured]).split("\n").at(-1));
  await Promise.all([mine.stop(), bare.stop()]);
}
report.machine.load.after = load();

const text = [
  `${report.machine.date}, ${report.machine.processors} × ${report.machine.processor}, ${report.machine.memoryGib} GiB,`,
  `${report.machine.system}, workerd ${report.machine.workerd}, commit ${report.machine.commit},`,
  `load before ${report.machine.load.before.map(brief)}, after ${report.machine.load.after.map(brief)}`,
  "",
  startUpText(report.startUp),
  "",
  table(report.workloads),
  "",
  bill(report.workloads),
  "",
].join("\n");
const folder = join(repositoryRoot, "target/bench");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
writeFileSync(join(folder, "report.md"), text);
writeFileSync(join(folder, "ratios.svg"), plot(report.workloads, "Throughput, as a ratio to the bare platform's"));
console.log(`\n${text}`);

function brief(number: number): string {
  return number.toFixed(1);
}
