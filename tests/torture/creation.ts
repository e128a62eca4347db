// Creating an upload as a client does that may not see the answer: with a key it asks again and must get the same upload;
// without one it creates another, and the first is left to expire.

import type { Created, InitFields } from "../support/api.ts";
import type { Reply } from "../support/http.ts";
import { breathe, call } from "./calls.ts";
import { Incarnation, type Job } from "./job.ts";
import { NobodyAnswers } from "./truth.ts";
import type { World } from "./world.ts";

const GIVE_UP_MS = 120_000;

export async function create(world: World, job: Job): Promise<Incarnation> {
  const { plan, random } = job;
  // A second incarnation is another creation, and needs another key.
  const key = plan.idempotencyKey && `${plan.idempotencyKey}-${job.incarnations.length}`;
  const deadlineMs = Date.now() + GIVE_UP_MS;
  while (Date.now() < deadlineMs) {
    const losesAnswer = random.chance(plan.clumsiness / 2);
    const reply = await init(world, job, key, losesAnswer);
    if (reply?.status === 201) {
      const upload = new Incarnation(reply.json<Created>());
      job.incarnations.push(upload);
      await repeat(world, job, upload, key);
      return upload;
    }
    if (reply !== undefined && reply.status < 500) {
      world.differ(`${job.name} could not be created: ${reply.status}`, job);
      throw new NobodyAnswers(`${job.name} was not created`);
    }
    world.lostCreations += key === undefined ? 1 : 0;
    await breathe(reply);
  }
  throw new NobodyAnswers(`${job.name} could not be created within ${GIVE_UP_MS / 1000} s`);
}

function init(world: World, job: Job, key: string | undefined, losesAnswer: boolean): Promise<Reply | undefined> {
  const headers = { "Content-Type": "application/json", ...(key ? { "Idempotency-Key": key } : {}) };
  const body = Buffer.from(JSON.stringify(fields(job)));
  return call(world, job, "POST", "/upload/init", { who: "client", headers, body, losesAnswer });
}

/** A creation asked again under the same key is the same upload. */
async function repeat(world: World, job: Job, upload: Incarnation, key: string | undefined): Promise<void> {
  if (key === undefined || !job.random.chance(0.3)) {
    return;
  }
  const reply = await init(world, job, key, false);
  if (reply?.status === 201 && reply.json<Created>().uploadId !== upload.uploadId) {
    world.differ(`${job.name}: created again under the same key, it got another id`, job);
  }
}

function fields({ plan, sha256, crc64nvme }: Job): InitFields {
  const wrong = plan.ending === "failed";
  if (plan.live) {
    return { fileName: plan.fileName, fileSize: null, live: true };
  }
  return {
    fileName: plan.fileName,
    fileSize: plan.sizeBytes,
    ...(plan.chunkSize === undefined ? {} : { chunkSize: plan.chunkSize }),
    ...(plan.interrupted?.kind === "presigned" ? { direct: true } : plan.parallel ? { parallel: true } : {}),
    ...(plan.declared === "sha256" ? { sha256: wrong ? spoilt(sha256) : sha256 } : {}),
    ...(plan.declared === "crc64nvme" ? { crc64nvme: wrong ? spoilt(crc64nvme) : crc64nvme } : {}),
  };
}

function spoilt(hex: string): string {
  return (hex.startsWith("0") ? "1" : "0") + hex.slice(1);
}
