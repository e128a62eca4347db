// One upload of the plan from its creation to its ending, with its visitors and faults: what is told at the end must be
// what was planned, or have a reason that was planned too.

import { claimAgain } from "./again.ts";
import { breathe, call } from "./calls.ts";
import type { Chaos } from "./chaos.ts";
import { create } from "./creation.ts";
import { follow, readGrowing } from "./growing.ts";
import { interrupt } from "./interruptions.ts";
import type { Incarnation, Job } from "./job.ts";
import { type Assembled, assemble } from "./partials.ts";
import type { Ending } from "./plan.ts";
import { ask, NobodyAnswers, type Truth } from "./truth.ts";
import { awaitEnd, sendAll } from "./uploader.ts";
import { visit } from "./visitors.ts";
import type { World } from "./world.ts";

/** An upload that expired since the machine was slow, or failed by a fault that says "gone", is begun anew so often. */
const MOST_INCARNATIONS = 4;

export async function travel(world: World, chaos: Chaos, job: Job): Promise<void> {
  try {
    for (let nth = 1; ; nth++) {
      const { upload, truth } =
        job.plan.partials > 0 ? await assemble(world, chaos, job) : await whole(world, chaos, job);
      if (upload !== undefined) {
        upload.ending = endingOf(truth);
      }
      if (upload?.ending === job.plan.ending || nth === MOST_INCARNATIONS || !isExcused(world, upload, truth)) {
        break;
      }
      job.note(`client: begins anew, since the upload ${truth.state}: ${truth.reason}`);
    }
    const last = job.incarnations.at(-1);
    if (last?.ending !== job.plan.ending) {
      world.differ(`${job.name} should have ${job.plan.ending} and has ${last?.ending}`, job);
    } else if (last.ending === "completed" && job.plan.declared === "sha256") {
      await claimAgain(world, job, last, async (upload) => {
        // An empty file is complete as soon as it is created, and has expired where nobody came back in time.
        upload.ending = endingOf(await takeBack(world, job, upload));
      });
    }
  } catch (error) {
    world.differ(`${job.name}: ${error instanceof NobodyAnswers ? error.message : (error as Error).stack}`, job);
  } finally {
    job.letGo();
  }
}

/** As one upload. */
async function whole(world: World, chaos: Chaos, job: Job): Promise<Assembled> {
  const upload = await create(world, job);
  const { interrupted } = job.plan;
  const truth = interrupted ? await interrupt(world, job, upload) : await send(world, chaos, job, upload);
  return { upload, truth };
}

/** From the first byte to the ending. */
async function send(world: World, chaos: Chaos, job: Job, upload: Incarnation): Promise<Truth> {
  const { plan } = job;
  const visits: Promise<void>[] = [];
  let round = 0;
  const before = async () => {
    if (plan.live && job.random.chance(0.4)) {
      await readGrowing(world, job, upload);
    }
    for (const { rules } of plan.faults.filter(({ at }) => at === round)) {
      await chaos.plan(job, rules);
    }
    for (const { kind } of plan.visitors.filter(({ at }) => at === round + 1)) {
      visits.push(visit(world, job, upload, kind, `${upload.uploadId.length}/${plan.index}/${round}/${kind}`));
    }
    round += 1;
  };
  let isOver = false;
  const followed = plan.live ? follow(world, job, upload, () => isOver) : undefined;
  const truth = await sendAndEnd(world, job, upload, before).finally(() => {
    isOver = true;
  });
  upload.ending = endingOf(truth);
  const bytes = await followed;
  if (bytes !== undefined && upload.ending === "completed" && !plan.discard && bytes !== plan.sizeBytes) {
    world.differ(`${job.name}: of ${plan.sizeBytes} bytes a follower got ${bytes}`, job);
  }
  await Promise.all(visits);
  return truth;
}

/** Sends what is to be sent, and ends the upload as it is to end. */
async function sendAndEnd(world: World, job: Job, upload: Incarnation, before: () => Promise<void>): Promise<Truth> {
  const { plan } = job;
  const sending = { who: "client", random: job.random, stopAt: plan.stopAt, before };
  let truth = await sendAll(world, job, upload, sending);
  if (plan.ending === "expired" && truth.state === "open") {
    // Whoever abandons an upload does not come back to look.
    truth = { ...truth, state: "expired" };
  } else if (plan.ending === "aborted" && truth.state === "open") {
    const straggler = job.random.chance(0.5) ? straggle(world, job, upload, truth) : undefined;
    truth = await abort(world, job, upload);
    await straggler;
  } else if (truth.state === "open" || truth.state === "completing" || truth.state === "verifying") {
    truth = await awaitEnd(world, job, upload);
  }
  return truth;
}

/** Puts more bytes while the upload is being taken back; never the last ones, which would complete it. */
async function straggle(world: World, job: Job, upload: Incarnation, { missing }: Truth): Promise<void> {
  const { sizeBytes, parallel } = job.plan;
  const from = missing[0]?.[0] ?? sizeBytes;
  const length = Math.min(parallel ? upload.partBytes : 9_000_000, sizeBytes - from - 1);
  if (length < 1 || (parallel && length < upload.partBytes)) {
    return;
  }
  const body = job.file.subarray(from, from + length);
  const headers = { "X-Upload-Offset": from };
  const what = `${from}+${length}, while it is deleted`;
  await call(world, job, "PUT", `/upload/${upload.uploadId}`, { who: "straggler", headers, body, what, pieces: 7 });
}

/** Takes it back; where it has come to its end by itself, that end. */
async function takeBack(world: World, job: Job, upload: Incarnation): Promise<Truth> {
  const truth = await ask(world, job, upload, "claimant", { byStatus: true });
  return truth.state === "open" ? await abort(world, job, upload) : await awaitEnd(world, job, upload);
}

/** Takes it back, and asks whether that was heard. */
async function abort(world: World, job: Job, upload: Incarnation): Promise<Truth> {
  for (let tries = 0; tries < 100; tries++) {
    const losesAnswer = job.random.chance(job.plan.clumsiness);
    const reply = await call(world, job, "DELETE", `/upload/${upload.uploadId}`, { who: "client", losesAnswer });
    const truth = await ask(world, job, upload, "client", { byStatus: true });
    if (truth.state !== "open") {
      return truth;
    }
    if (reply?.status === 204) {
      world.differ(`${job.name}: DELETE was answered 204 and the upload is open`, job);
    }
    await breathe(reply);
  }
  throw new NobodyAnswers(`${job.name} cannot be deleted`);
}

/** Whether an ending that was not planned has a planned reason. */
function isExcused(world: World, upload: Incarnation | undefined, { state, reason = "" }: Truth): boolean {
  if (state === "expired") {
    return upload !== undefined && Date.now() >= upload.expiresAtMs;
  }
  // Of a partial upload that has failed, the whole says so with the partial upload's reason in it.
  if (state === "failed" && /(^|: )Storage /.test(reason) && world.fatalFaults > 0) {
    world.fatalFaults -= 1;
    return true;
  }
  return false;
}

function endingOf({ state }: Truth): Ending | undefined {
  return state === "completed" || state === "failed" || state === "aborted" || state === "expired" ? state : undefined;
}
