// A file that goes up in partial uploads, several at a time, which are then put together: as tus-js-client does it with
// `parallelUploads`, but by clients that are cut off, lose answers, and ask for the whole before the partial uploads are there.

import { setTimeout as sleep } from "node:timers/promises";

import type { Status } from "../support/api.ts";
import type { Headers, Reply } from "../support/http.ts";
import { idOf } from "../support/tus.ts";
import { breathe, call } from "./calls.ts";
import type { Chaos } from "./chaos.ts";
import { Incarnation, type Job } from "./job.ts";
import type { Random } from "./random.ts";
import { NobodyAnswers, type Truth } from "./truth.ts";
import { awaitEnd } from "./uploader.ts";
import type { World } from "./world.ts";

const MOST_TRIES = 400;

/** What came of it; without an upload where a partial upload ended before the whole was ever asked for. */
export type Assembled = { upload?: Incarnation; truth: Truth };

type Partial = { url: string; file: Buffer; deferred: boolean };

/** A partial upload or the whole cannot be had any more: the Worker says why. */
class Ended extends Error {}

export async function assemble(world: World, chaos: Chaos, job: Job): Promise<Assembled> {
  const { plan, random } = job;
  let upload: Incarnation | undefined;
  try {
    const partials: Partial[] = [];
    for (const file of cut(job.file, plan.partials, random)) {
      partials.push(await createPartial(world, job, file));
    }
    const isEarly = random.chance(0.4);
    if (isEarly) {
      upload = await compose(world, job, partials);
    }
    const send = async (partial: Partial, index: number) => {
      for (const { rules } of plan.faults.filter(({ at }) => at % partials.length === index)) {
        await chaos.plan(job, rules);
      }
      await sendPartial(world, job, partial, random.fork(`partial ${index} of ${job.incarnations.length}`));
    };
    await Promise.all(partials.map(send));
    const whole = await compose(world, job, partials);
    if (upload !== undefined && upload.uploadId !== whole.uploadId) {
      world.differ(`${job.name}: put together again from the same partials, it got another id`, job);
    }
    upload = whole;
  } catch (error) {
    if (!(error instanceof Ended)) {
      throw error;
    }
    job.note(`client: ${error.message}`);
    if (upload === undefined) {
      return { truth: { state: "failed", offset: 0, missing: [], reason: error.message } };
    }
  }
  return { upload, truth: await awaitEnd(world, job, upload) };
}

/** Partial uploads of any sizes, of no bytes, too. */
function cut(file: Buffer, count: number, random: Random): Buffer[] {
  const cuts = Array.from({ length: count - 1 }, () => random.int(0, file.length)).sort((a, b) => a - b);
  return [...cuts, file.length].map((to, index) => file.subarray(index === 0 ? 0 : cuts[index - 1], to));
}

async function createPartial(world: World, job: Job, file: Buffer): Promise<Partial> {
  const deferred = job.random.chance(0.25);
  const length: Headers = deferred ? { "Upload-Defer-Length": 1 } : { "Upload-Length": file.length };
  const reply = await insist(world, job, "POST", "/files", { "Upload-Concat": "partial", ...length }, [201]);
  const url = reply.header("Location") ?? "";
  world.partials.add(idOf(url));
  return { url, file, deferred };
}

/** Asks for the whole until the answer is seen. Asked again, it is the same upload. */
async function compose(world: World, job: Job, partials: Partial[]): Promise<Incarnation> {
  const metadata = `filename ${Buffer.from(job.plan.fileName).toString("base64")}`;
  const list = `final;${partials.map(({ url }) => url).join(" ")}`;
  const headers = { "Upload-Concat": list, "Upload-Metadata": metadata };
  const reply = await insist(world, job, "POST", "/files", headers, [201], () => {
    // It may have been created, and have failed since, by a planned fault: then the next one is another.
    world.lostCompositions += 1;
  });
  const uploadId = idOf(reply.header("Location") ?? "");
  const known = job.incarnations.find((incarnation) => incarnation.uploadId === uploadId);
  if (known) {
    return known;
  }
  const status = await statusOf(world, job, uploadId);
  const upload = new Incarnation({ ...status, limits: status });
  job.incarnations.push(upload);
  world.figures.composed += 1;
  return upload;
}

async function statusOf(world: World, job: Job, uploadId: string): Promise<Status> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const reply = await call(world, job, "GET", `/upload/${uploadId}/status`, { who: "client" });
    if (reply?.status === 200) {
      return reply.json<Status>();
    }
    await breathe(reply);
  }
  throw new NobodyAnswers(`${job.name}: nobody tells how ${uploadId} stands`);
}

/** Sends until a HEAD says that everything is there. */
async function sendPartial(world: World, job: Job, partial: Partial, random: Random): Promise<void> {
  const { url, file } = partial;
  let told = 0;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const head = await insist(world, job, "HEAD", url, {}, [200]);
    const offset = Number(head.header("Upload-Offset"));
    if (offset < told || head.header("Upload-Concat") !== "partial") {
      world.differ(`${job.name}: of a partial ${told} bytes counted, and then only ${offset}`, job);
    }
    told = offset;
    if (offset === file.length && head.header("Upload-Length") === String(file.length)) {
      return;
    }
    const length = Math.min(file.length - offset, random.int(1, Math.ceil(file.length / 2) + 1));
    const isLast = offset + length === file.length;
    const headers: Headers = {
      "Tus-Resumable": "1.0.0",
      "Content-Type": "application/offset+octet-stream",
      "Upload-Offset": offset,
      ...(partial.deferred && isLast ? { "Upload-Length": file.length } : {}),
    };
    const body = file.subarray(offset, offset + length);
    const isClumsy = random.chance(job.plan.clumsiness);
    const mishap = isClumsy && random.pick([{ cutAt: random.int(0, length) }, { losesAnswer: true }]);
    const what = `${offset}+${length} of a partial`;
    const reply = await call(world, job, "PATCH", url, { who: "client", headers, body, what, ...(mishap || {}) });
    if (reply?.status !== 204) {
      await breathe(reply);
    }
  }
  throw new NobodyAnswers(`${job.name}: a partial does not get through`);
}

/** Asks until an answer is seen that says yes, or one that says never. */
async function insist(
  world: World,
  job: Job,
  method: string,
  path: string,
  headers: Headers,
  wanted: number[],
  unseen: () => void = () => {},
): Promise<Reply> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const losesAnswer = method === "POST" && job.random.chance(job.plan.clumsiness / 2);
    const all = { "Tus-Resumable": "1.0.0", ...headers };
    const reply = await call(world, job, method, path, { who: "client", headers: all, losesAnswer });
    if (reply && wanted.includes(reply.status)) {
      return reply;
    }
    unseen();
    if (reply && [400, 404, 410].includes(reply.status)) {
      throw new Ended(await reasonOf(world, job, path, reply));
    }
    if (reply && reply.status < 500 && reply.status !== 409 && reply.status !== 423) {
      world.differ(`${job.name}: ${method} ${path} was answered ${reply.status}`, job);
    }
    await breathe(reply);
    await sleep(20);
  }
  throw new NobodyAnswers(`${job.name}: ${method} ${path} is not answered`);
}

/** Why: a HEAD has no body to say so. */
async function reasonOf(world: World, job: Job, path: string, reply: Reply): Promise<string> {
  if (reply.body.length > 0) {
    return reply.json<{ detail: string }>().detail;
  }
  const status = await call(world, job, "GET", `/upload/${idOf(path)}/status`, { who: "client" });
  const { reason, detail } = status?.json<{ reason?: string; detail?: string }>() ?? {};
  return reason ?? detail ?? `${reply.status}`;
}
