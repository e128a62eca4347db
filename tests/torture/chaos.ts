// What happens to the whole stack while uploads go on: the Worker is killed and comes back on what was on disk, with or without
// all its alarms, the origin is restarted, and faults are planned inside the Worker.

import { setTimeout as sleep } from "node:timers/promises";

import { loseAlarms } from "./alarms.ts";
import { type FaultRule, isFatal } from "./faults.ts";
import type { Job } from "./job.ts";
import type { Upheaval } from "./plan.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export class Chaos {
  readonly #world: World;
  readonly #random: Random;
  readonly #upheavals: Upheaval[];
  /** One at a time. */
  #running: Promise<void> = Promise.resolve();

  constructor(world: World, upheavals: Upheaval[], random: Random) {
    this.#world = world;
    this.#random = random;
    this.#upheavals = [...upheavals];
  }

  /** So many uploads are done: lets everything happen that is due. */
  uploadsDone(count: number): void {
    for (let next = this.#upheavals[0]; next && next.afterUploads <= count; next = this.#upheavals[0]) {
      this.#upheavals.shift();
      const upheaval = next;
      this.#running = this.#running.then(() => this.#carryOut(upheaval));
    }
  }

  /** Resolves when nothing is being killed or started any more. */
  async calm(): Promise<void> {
    await this.#running;
  }

  /** Has coming calls inside the Worker fail. Where the Worker is down at this moment, nothing is planned. */
  async plan(job: Job, rules: FaultRule[]): Promise<void> {
    const { stack, figures } = this.#world;
    const fatal = rules.filter(isFatal).length;
    // Before it is planned: it may strike before the answer is here.
    this.#world.fatalFaults += fatal;
    const reply = await stack.client.request("POST", "/faults", { body: JSON.stringify(rules) }).catch(() => undefined);
    if (reply?.status === 200 || reply?.status === 204) {
      figures.faultsPlanned += rules.length;
    }
    job.note(`faults: ${JSON.stringify(rules)} → ${reply?.status}`);
  }

  async #carryOut({ kind, delayMs }: Upheaval): Promise<void> {
    const { stack, origin, figures, jobs } = this.#world;
    const tell = (text: string) => {
      for (const job of jobs) {
        job.note(text);
      }
    };
    await sleep(delayMs);
    if (kind === "kill" || kind === "alarms") {
      tell("== SIGKILL to the Worker");
      await stack.kill();
      figures.kills += 1;
      if (kind === "alarms") {
        const lost = loseAlarms(stack.persistDir, this.#random);
        figures.alarmsLost += lost;
        tell(`== ${lost} alarms are lost`);
      }
      await stack.restart();
      tell("== the Worker is back");
      return;
    }
    tell("== the origin goes down");
    await origin.stop();
    figures.originRestarts += 1;
    await sleep(delayMs);
    await origin.start(stack.secrets.WEBHOOK_SECRET);
    tell("== the origin is back");
  }
}
