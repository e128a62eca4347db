// Somebody has the same bytes once more and declares their SHA-256: either the answer names the object that holds them, or
// they are a new upload like any other, which is then taken back.

import type { Created, Duplicate } from "../support/api.ts";
import { breathe, call } from "./calls.ts";
import { Incarnation, type Job } from "./job.ts";
import { NobodyAnswers } from "./truth.ts";
import type { World } from "./world.ts";

const MOST_TRIES = 100;

/** Declares the bytes of a completed upload again. What was created instead is given to `abort`. */
export async function claimAgain(
  world: World,
  job: Job,
  completed: Incarnation,
  abort: (upload: Incarnation) => Promise<void>,
): Promise<void> {
  const { plan, sha256, random } = job;
  const body = Buffer.from(JSON.stringify({ fileName: plan.fileName, fileSize: plan.sizeBytes, sha256 }));
  const headers = { "Content-Type": "application/json", "Idempotency-Key": `again-${completed.uploadId}` };
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const losesAnswer = random.chance(plan.clumsiness / 2);
    const reply = await call(world, job, "POST", "/upload/init", { who: "claimant", headers, body, losesAnswer });
    if (reply?.status === 200) {
      const { object } = reply.json<Duplicate>();
      world.figures.duplicates += 1;
      if (object.uploadId !== completed.uploadId || object.sha256 !== sha256 || object.fileSize !== plan.sizeBytes) {
        world.differ(`${job.name}: its bytes are said to be those of ${JSON.stringify(object)}`, job);
      }
      return;
    }
    if (reply?.status === 201) {
      const upload = new Incarnation(reply.json<Created>());
      // In front: the last one is the one that counts.
      job.incarnations.unshift(upload);
      return await abort(upload);
    }
    await breathe(reply);
  }
  throw new NobodyAnswers(`${job.name} could not be declared again`);
}
