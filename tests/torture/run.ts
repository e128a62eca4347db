// A torture run from beginning to end: a stack whose Worker can be made to fail, a real origin behind a flaky proxy, many
// uploads at once, and the reckoning.

import { Origin } from "../support/origin.ts";
import { LOCAL_KEYS, S3 } from "../support/s3.ts";
import { Chaos } from "./chaos.ts";
import type { Figures } from "./figures.ts";
import { FlakyProxy } from "./flaky_proxy.ts";
import { Job } from "./job.ts";
import { travel } from "./journey.ts";
import { planRun, type UploadPlan } from "./plan.ts";
import { Random } from "./random.ts";
import { askAfterwards } from "./taken.ts";
import { verify } from "./verify.ts";
import { World } from "./world.ts";

const AT_ONCE = 6;

/** As the platform has it: so many calls of one invocation may wait for their answers. */
const CONNECTIONS = 6;

/** What an ending may take beyond an upload's time. Only for giving up: an event that kills and a flaky origin have cost nine
 * attempts waits more than four minutes for the tenth, since every pause is twice the one before. */
const SETTLE_MS = 600_000;

export type Options = {
  uploads: number;
  seed: string;
  /** How often one chunk is interrupted, in each way there is. */
  interruptions: number;
  /** How long an upload may stay open; the abandoned ones are waited for. */
  ttlSeconds: number;
  /** Told about progress. */
  say?: (text: string) => void;
};

export type Outcome = { figures: Figures; differences: string[] };

export async function torture({ uploads, seed, interruptions, ttlSeconds, say = () => {} }: Options): Promise<Outcome> {
  const random = new Random(`quayside ${seed}`);
  const plan = planRun(uploads, interruptions, random.fork("plan"));
  const discarded = new Set(plan.uploads.filter(({ discard }) => discard).map(({ fileName }) => fileName));
  const origin = await Origin.prepare();
  const proxy = await FlakyProxy.start(origin.webhookUrl, random.fork("origin"), discarded);
  const vars = {
    ORIGIN_WEBHOOK_URL: proxy.webhookUrl,
    UPLOAD_TTL_SECONDS: ttlSeconds,
    // Uploads that are to fail declare the digest of another file: there is nothing to repair.
    REPAIR_TTL_SECONDS: 0,
    TOMBSTONE_TTL_SECONDS: 86_400,
    DELIVERY_FIRST_DELAY_SECONDS: 1,
    DELIVERY_MAX_ATTEMPTS: 30,
    OUTBOX_RESEND_SECONDS: 2,
    STALLED_BODY_SECONDS: 3,
    WEBHOOK_TIMEOUT_SECONDS: 5,
  };
  const options = { buildDir: "build-faults", connections: CONNECTIONS };
  const { s3, stack } = await S3.withStack(vars, LOCAL_KEYS, options);
  const world = new World(stack, origin, proxy);
  proxy.countInto(world.figures);
  try {
    await origin.start(stack.secrets.WEBHOOK_SECRET);
    const chaos = new Chaos(world, plan.upheavals, random.fork("alarms"));
    const waiting = [...plan.uploads];
    let done = 0;
    const through = async (plan: UploadPlan) => {
      const job = new Job(plan, seed, world.figures.startedMs);
      world.jobs.push(job);
      world.figures.bytesOfFiles += plan.stopAt;
      await travel(world, chaos, job);
    };
    const one = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await through(next);
        done += 1;
        chaos.uploadsDone(done);
        if (done % 10 === 0) {
          say(
            `${world.figures.seconds.toFixed(0).padStart(4)} s: ${done} of ${uploads} uploads through, ${world.figures.kills} kills`,
          );
        }
      }
    };
    await Promise.all([...Array.from({ length: AT_ONCE }, one), ...plan.interrupted.map(through)]);
    await chaos.calm();
    say(`${world.figures.seconds.toFixed(0).padStart(4)} s: waiting until everything has settled`);
    await verify(world, ttlSeconds * 1000 + SETTLE_MS);
    for (const job of world.jobs.filter(({ plan }) => plan.discard)) {
      for (const upload of job.incarnations.filter(({ ending }) => ending === "completed")) {
        await askAfterwards(world, job, upload, seed);
      }
    }
    for (const { code } of stack.log.lines.filter(({ event }) => event === "fault_injected")) {
      world.figures.count(world.figures.faults, String(code));
    }
    return { figures: world.figures, differences: world.differences };
  } finally {
    await origin.remove();
    await proxy.stop();
    s3.stop();
    // Faults have been looked at, and are differences by now.
    await stack.stop().catch(() => {});
  }
}
