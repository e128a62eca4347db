// A thousand interruptions of one chunk: a chunk of a parallel upload, and the first of a sequential one, are begun and cut again and
// again; a presigned one is signed again and again. Nobody else is at them, nothing else fails on purpose; processes die as for all.
// However often it was, the upload is whole in the end, and it is the same one.
//
// In between a little of the file gets through, as it does for a client on a bad line: an upload of which nothing comes has a time of its
// own.

import { setTimeout as sleep } from "node:timers/promises";

import { PendingRequest } from "../support/http.ts";
import { breathe, call, problemOf } from "./calls.ts";
import type { Incarnation, Job } from "./job.ts";
import { ask, NobodyAnswers, type Truth } from "./truth.ts";
import { awaitEnd, sendAll } from "./uploader.ts";
import type { World } from "./world.ts";

/** So many interruptions, then a little gets through. */
const INTERRUPTIONS_BETWEEN = 100;

/** Of a sequential upload: few enough to lie in a row, so that the next part stays the same. */
const LITTLE_BYTES = 1000;

/** Enough for a part to be under way, and too little for one to be there. */
const CUT_BEHIND_BYTES = [100_000, 600_000] as const;

/** An interrupted request is waited for so long, until the Worker says that it was one. */
const NOTICED_WITHIN_MS = 2_000;

/** Only for giving up. */
const GIVE_UP_MS = 900_000;

/** Interrupts as the plan says, and then gets the rest through. */
export async function interrupt(world: World, job: Job, upload: Incarnation): Promise<Truth> {
  const { kind, times } = job.plan.interrupted ?? { kind: "sequential", times: 0 };
  const deadlineMs = Date.now() + GIVE_UP_MS;
  let done = 0;
  while (done < times && Date.now() < deadlineMs) {
    if (kind === "presigned" ? await signed(world, job, upload) : await begunAndCut(world, job, upload)) {
      done += 1;
      if (done % INTERRUPTIONS_BETWEEN === 0) {
        await getALittleThrough(world, job, upload, done / INTERRUPTIONS_BETWEEN);
      }
      continue;
    }
    const truth = await ask(world, job, upload, "client", { byStatus: true });
    if (truth.state !== "open") {
      return truth;
    }
  }
  world.figures.interruptions += done;
  if (done < times) {
    world.differ(`${job.name}: of ${times} interruptions only ${done} came to be`, job);
  }
  if (kind === "presigned") {
    const { chunkSize } = upload;
    for (let chunk = 0; chunk * chunkSize < job.plan.sizeBytes; chunk++) {
      await storeSigned(world, job, upload, chunk);
    }
  } else {
    await sendAll(world, job, upload, { who: "client", random: job.random, stopAt: job.plan.sizeBytes });
  }
  return await awaitEnd(world, job, upload);
}

/** How large a file must be, in chunks, for one of them to be interrupted so often and another to get through now and then. */
export function chunksFor(times: number): number {
  return 2 + Math.floor(times / INTERRUPTIONS_BETWEEN);
}

/** Where the next byte of the interrupted chunk is. */
async function place(world: World, job: Job, upload: Incarnation): Promise<{ offset: number; length: number }> {
  if (job.plan.parallel) {
    return { offset: 0, length: upload.partBytes };
  }
  const { offset } = await ask(world, job, upload, "client", { byStatus: true });
  return { offset, length: 2 * upload.partBytes - offset };
}

/** A request that has begun to store, and is cut; whether it had. */
async function begunAndCut(world: World, job: Job, upload: Incarnation): Promise<boolean> {
  const { stack, figures } = world;
  const broken = () => stack.log.of(upload.uploadId, "chunk_broken").length;
  const before = broken();
  const { offset, length } = await place(world, job, upload);
  const headers = { "Content-Length": length, "X-Upload-Offset": offset };
  const pending = new PendingRequest(stack.baseUrl, "PUT", `/upload/${upload.uploadId}`, headers);
  const sent = job.random.int(...CUT_BEHIND_BYTES);
  let isAnswered = false;
  const answered = pending.reply.then(
    (reply) => {
      isAnswered = true;
      job.note(`client: PUT ${offset}+${length}, to be cut, → ${reply.status} ${problemOf(reply)}`);
    },
    () => {
      isAnswered = true;
    },
  );
  await Promise.race([pending.writeThrough(job.file.subarray(offset, offset + sent)), answered]).catch(() => {});
  figures.bytesSent += sent;
  figures.disconnects += 1;
  pending.cut();
  if (isAnswered) {
    await sleep(50);
    return false;
  }
  const deadlineMs = Date.now() + NOTICED_WITHIN_MS;
  while (broken() === before && Date.now() < deadlineMs) {
    await sleep(5);
  }
  return broken() > before;
}

/** A signed URL for the first chunk, which nobody uses; whether there was one. */
async function signed(world: World, job: Job, upload: Incarnation): Promise<boolean> {
  const reply = await call(world, job, "POST", `/upload/${upload.uploadId}/parts/sign`, {
    who: "client",
    body: Buffer.from(JSON.stringify({ chunks: [0] })),
  });
  if (reply?.status !== 200) {
    await breathe(reply);
  }
  return reply?.status === 200;
}

/** A chunk that is not the interrupted one, or a few bytes of it that count. */
async function getALittleThrough(world: World, job: Job, upload: Incarnation, nth: number): Promise<void> {
  const { chunkSize, partBytes, uploadId } = upload;
  const { parallel, interrupted, sizeBytes } = job.plan;
  if (interrupted?.kind === "presigned") {
    await storeSigned(world, job, upload, nth);
    return;
  }
  const { offset } = parallel ? { offset: nth * chunkSize } : await place(world, job, upload);
  const length = Math.min(parallel ? partBytes : LITTLE_BYTES, sizeBytes - offset);
  if (length > 0) {
    const body = job.file.subarray(offset, offset + length);
    await call(world, job, "PUT", `/upload/${uploadId}`, {
      who: "client",
      headers: { "X-Upload-Offset": offset },
      body,
    });
  }
}

/** Signs a chunk, stores it past the Worker, and has it recorded. */
async function storeSigned(world: World, job: Job, upload: Incarnation, chunk: number): Promise<void> {
  const from = chunk * upload.chunkSize;
  if (from >= job.plan.sizeBytes) {
    return;
  }
  for (let tries = 0; tries < 200; tries++) {
    const post = (path: string, body: object) =>
      call(world, job, "POST", `/upload/${upload.uploadId}/${path}`, {
        who: "client",
        body: Buffer.from(JSON.stringify(body)),
      });
    const answer = await post("parts/sign", { chunks: [chunk] });
    const part =
      answer?.status === 200 ? answer.json<{ parts: { url: string; partNumber: number }[] }>().parts[0] : undefined;
    if (part !== undefined) {
      const bytes = new Uint8Array(job.file.subarray(from, from + upload.chunkSize));
      const stored = await fetch(part.url, { method: "PUT", body: bytes }).catch(() => undefined);
      const etag = stored?.headers.get("etag") ?? undefined;
      const recorded = stored?.ok && (await post("parts", { parts: [{ partNumber: part.partNumber, etag }] }));
      if (recorded && recorded.status === 200) {
        return;
      }
    } else if (answer?.status === 409) {
      // It is there already: the answer to its recording was lost.
      return;
    }
    await breathe(answer);
  }
  throw new NobodyAnswers(`${job.name}: chunk ${chunk} cannot be stored past the Worker`);
}
