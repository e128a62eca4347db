// A client that gets its file through, whatever happens: it puts chunk after chunk, asks for the truth whenever it does not
// know, goes on from there, and waits until the upload has ended.

import { setTimeout as sleep } from "node:timers/promises";

import type { Reply } from "../support/http.ts";
import { breathe, call, problemOf } from "./calls.ts";
import type { Incarnation, Job } from "./job.ts";
import { taken } from "./protocols.ts";
import { type Chunk, put } from "./put.ts";
import type { Random } from "./random.ts";
import { ask, NobodyAnswers, type Truth } from "./truth.ts";
import type { World } from "./world.ts";

/** Rounds without a byte of progress, after which a client reports instead of trying on. */
const MOST_FRUITLESS_ROUNDS = 60;

export type Sending = {
  who: string;
  random: Random;
  /** Bytes from here on are not sent. */
  stopAt: number;
  /** So many rounds and no more. */
  rounds?: number;
  /** Called before each round. */
  before?: () => Promise<void>;
};

/** Sends until everything counts, the upload has ended, or the rounds are over. What was true then. */
export async function sendAll(world: World, job: Job, upload: Incarnation, sending: Sending): Promise<Truth> {
  const { who, random, stopAt, rounds = Number.POSITIVE_INFINITY } = sending;
  let truth = await ask(world, job, upload, who, { random });
  let fruitless = 0;
  for (let round = 0; round < rounds; round++) {
    if (truth.state !== "open" || remaining(job, upload, truth, stopAt) === 0) {
      return truth;
    }
    await sending.before?.();
    const before = remaining(job, upload, truth, stopAt);
    truth = job.plan.parallel
      ? await parallelRound(world, job, upload, truth, sending)
      : await sequentialRound(world, job, upload, truth, sending);
    fruitless = remaining(job, upload, truth, stopAt) < before ? 0 : fruitless + 1;
    if (fruitless > MOST_FRUITLESS_ROUNDS) {
      throw new NobodyAnswers(`${job.name}: ${who} got no byte through in ${fruitless} rounds`);
    }
  }
  return truth;
}

/** Waits until an upload that has all its bytes has ended, asking for completion now and then. */
export async function awaitEnd(world: World, job: Job, upload: Incarnation): Promise<Truth> {
  const deadlineMs = Date.now() + 150_000;
  while (Date.now() < deadlineMs) {
    const truth = await ask(world, job, upload, "client", { byStatus: true });
    if (!["open", "completing", "verifying"].includes(truth.state)) {
      return truth;
    }
    if (job.random.chance(0.1)) {
      await call(world, job, "POST", `/upload/${upload.uploadId}/complete`, { who: "client" });
    }
    await sleep(150);
  }
  throw new NobodyAnswers(`${job.name} has all its bytes and does not end`);
}

async function sequentialRound(world: World, job: Job, upload: Incarnation, truth: Truth, sending: Sending) {
  const { who, random, stopAt } = sending;
  const offset = truth.offset;
  const length = Math.min(chunkLength(job, upload, random), stopAt - offset);
  const reply = await put(world, job, upload, who, { offset, length }, random);
  const counted = taken(reply, job.plan.sizeBytes);
  if (counted) {
    const { uploadedBytes, state } = counted;
    return { state, offset: uploadedBytes, missing: [[uploadedBytes, job.plan.sizeBytes]] } satisfies Truth;
  }
  await pauseAfter(reply);
  return await ask(world, job, upload, who, { random });
}

async function parallelRound(world: World, job: Job, upload: Incarnation, truth: Truth, sending: Sending) {
  const { who, random, stopAt } = sending;
  const waiting = random.shuffled(chunksOf(truth.missing, upload.partBytes, stopAt, job.plan.sizeBytes));
  const lane = async (laneRandom: Random) => {
    for (let chunk = waiting.pop(); chunk !== undefined; chunk = waiting.pop()) {
      const reply = await put(world, job, upload, who, chunk, laneRandom);
      if (reply?.status !== 200) {
        await pauseAfter(reply);
      }
    }
  };
  const lanes = Array.from({ length: random.int(1, 3) }, (_, index) => lane(random.fork(`${job.requests}/${index}`)));
  await Promise.all(lanes);
  return await ask(world, job, upload, who, { random, byStatus: true });
}

/** What may still be sent, in bytes. */
function remaining(job: Job, upload: Incarnation, truth: Truth, stopAt: number): number {
  if (job.plan.parallel) {
    const chunks = chunksOf(truth.missing, upload.partBytes, stopAt, job.plan.sizeBytes);
    return chunks.reduce((sum, { length }) => sum + length, 0);
  }
  return Math.max(0, stopAt - truth.offset);
}

/** The missing chunks that end before `stopAt`. */
function chunksOf(missing: [number, number][], partBytes: number, stopAt: number, sizeBytes: number): Chunk[] {
  const chunks: Chunk[] = [];
  for (const [from, to] of missing) {
    for (let offset = from; offset < to; offset += partBytes) {
      const length = Math.min(partBytes, sizeBytes - offset);
      if (offset + length <= stopAt) {
        chunks.push({ offset, length });
      }
    }
  }
  return chunks;
}

function chunkLength(job: Job, upload: Incarnation, random: Random): number {
  const { chunking, sizeBytes } = job.plan;
  switch (chunking) {
    case "planned":
      // A client that is asked for chunks of a few bytes would never end.
      return Math.max(upload.chunkSize, Math.ceil(sizeBytes / 30));
    case "odd":
      return random.int(Math.ceil(sizeBytes / 40), Math.ceil(sizeBytes / 2)) + random.int(0, 3);
    case "tiny":
      return random.int(1, Math.max(2, Math.ceil(sizeBytes / 15)));
  }
}

async function pauseAfter(reply: Reply | undefined): Promise<void> {
  // Being taken over, or told the true offset, is no reason to wait.
  if (reply === undefined || reply.status >= 500 || problemOf(reply) === "busy") {
    await breathe(reply);
  }
}
