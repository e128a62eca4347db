// `node bench/main.ts [--quick] [--profile NAME[,NAME…] | --latency r2=80ms,…] [--only TEXT[|TEXT…]] [--rounds N]`, as `cargo xtask bench` calls it: measures, prints the tables,
// and writes target/bench/report.json, report.md and a ratios-*.svg for each profile.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { repositoryRoot } from "../tests/support/wrangler_config.ts";
import { type Distances, described, latencyOf, profilesOf } from "./distances.ts";
import { load, machine } from "./machine.ts";
import { type Measured, measure } from "./measure.ts";
import { plot } from "./plot.ts";
import { bill, type Report, startUpText, table } from "./report.ts";
import { startBaseline, startOurs } from "./servers.ts";
import { startUp } from "./start_up.ts";
import { workloads } from "./workloads.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    profile: { type: "string", default: "far,near,mobile,zero" },
    latency: { type: "string" },
    only: { type: "string", default: "" },
    rounds: { type: "string" },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 3 : 5));
const wanted = (name: string) => values.only.split("|").some((text) => name.includes(text));

// First, while nothing else runs.
const ready = await startUp(join(repositoryRoot, "build/index_bg.wasm"));
const report: Report = { machine: machine(), distances: [], startUp: ready };
const profiles = values.latency === undefined ? profilesOf(values.profile) : [latencyOf(values.latency)];
for (const distances of profiles) {
  report.distances.push({ ...distances, workloads: await measureAll(distances) });
}
report.machine.load.after = load();

async function measureAll(distances: Distances): Promise<Measured[]> {
  const all: Measured[] = [];
  for (const workload of workloads(values.quick, distances).filter(({ name }) => wanted(name))) {
    // Servers of its own, since what one workload leaves in memory would be measured with the next.
    const other = workload.isBesideItself ? startOurs : startBaseline;
    const [mine, bare] = [await startOurs(distances), await other(distances)];
    console.log(`${distances.name}: ${workload.name} …`);
    const measured = await measure(workload, mine, bare, rounds);
    all.push(measured);
    console.log(table([measured]).split("\n").at(-1));
    await Promise.all([mine.stop(), bare.stop()]);
  }
  return all;
}

const text = [
  `${report.machine.date}, ${report.machine.processors} × ${report.machine.processor}, ${report.machine.memoryGib} GiB,`,
  `${report.machine.system}, workerd ${report.machine.workerd}, commit ${report.machine.commit},`,
  `load before ${report.machine.load.before.map(brief)}, after ${report.machine.load.after.map(brief)}`,
  "",
  startUpText(report.startUp),
  "",
  ...report.distances.flatMap((measured) => [
    `**${measured.name}**: ${described(measured)}`,
    "",
    table(measured.workloads),
    "",
  ]),
  bill(report.distances.at(-1)?.workloads ?? []),
  "",
].join("\n");
const folder = join(repositoryRoot, "target/bench");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
writeFileSync(join(folder, "report.md"), text);
for (const { name, workloads: measured } of report.distances) {
  const title = `Throughput, as a ratio to the bare platform's: ${name}`;
  writeFileSync(join(folder, `ratios-${name.replaceAll(/[^a-z0-9]+/g, "-")}.svg`), plot(measured, title));
}
console.log(`\n${text}`);

function brief(number: number): string {
  return number.toFixed(1);
}
