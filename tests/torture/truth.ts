// Asking for the truth about an upload, by HEAD or by status, until it is told; and never believing that counted bytes have
// become fewer.

import type { Status } from "../support/api.ts";
import type { Reply } from "../support/http.ts";
import { breathe, call, problemOf } from "./calls.ts";
import type { Incarnation, Job } from "./job.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export type Truth = { state: Status["state"]; offset: number; missing: [number, number][]; reason?: string };

/** So long a client asks before it reports that nobody answers. */
const GIVE_UP_MS = 120_000;

export class NobodyAnswers extends Error {}

export async function ask(
  world: World,
  job: Job,
  upload: Incarnation,
  who: string,
  { random = job.random, byStatus = false }: { random?: Random; byStatus?: boolean } = {},
): Promise<Truth> {
  const deadlineMs = Date.now() + GIVE_UP_MS;
  while (Date.now() < deadlineMs) {
    const told = upload.told;
    const byHead = !byStatus && !job.plan.parallel && random.chance(0.5);
    const path = byHead || random.chance(0.5) ? `/upload/${upload.uploadId}` : `/upload/${upload.uploadId}/status`;
    const byTus = byHead && random.chance(0.4);
    const reply = byTus
      ? await call(world, job, "HEAD", `/files/${upload.uploadId}`, { who, headers: { "Tus-Resumable": "1.0.0" } })
      : await call(world, job, byHead ? "HEAD" : "GET", path, { who });
    const truth = reply && (byHead ? headTruth(job, reply) : statusTruth(world, job, reply));
    if (truth) {
      if (truth.state === "open" || truth.state === "completing") {
        hear(world, job, upload, told, truth.offset, "asking");
      }
      return truth;
    }
    if (reply?.status === 404 && !byTus) {
      world.differ(`${job.name}: ${upload.uploadId} was created and is not known any more`, job);
      throw new NobodyAnswers(`${job.name} is unknown`);
    }
    await breathe(reply);
  }
  throw new NobodyAnswers(`${job.name}: nobody told the truth for ${GIVE_UP_MS / 1000} s`);
}

/** Takes a number of counted bytes to heart. `told` is what had been told before the request went out. */
export function hear(world: World, job: Job, upload: Incarnation, told: number, offset: number, how: string): void {
  if (offset < told) {
    world.differ(`${job.name}: ${told} bytes counted, and then only ${offset} (${how})`, job);
  }
  upload.told = Math.max(upload.told, offset);
}

/** An offset below the end says that the upload is open; anything else, only the status tells. */
function headTruth(job: Job, reply: Reply): Truth | undefined {
  const offset = Number(reply.header("Upload-Offset"));
  if (reply.status !== 200 || offset >= job.plan.sizeBytes) {
    return undefined;
  }
  return { state: "open", offset, missing: [[offset, job.plan.sizeBytes]] };
}

function statusTruth(world: World, job: Job, reply: Reply): Truth | undefined {
  if (reply.status === 410 && problemOf(reply) === "upload-gone") {
    const { state = "expired", detail } = reply.json<{ state?: Status["state"]; detail: string }>();
    return { state, offset: 0, missing: [], reason: detail };
  }
  if (reply.status !== 200) {
    return undefined;
  }
  const status = reply.json<Status>();
  if (status.state === "completed" && status.object && status.object.crc64nvme !== job.crc64nvme) {
    world.differ(`${job.name} is completed with CRC ${status.object.crc64nvme} instead of ${job.crc64nvme}`, job);
  }
  const { state, uploadedBytes, missing, reason } = status;
  return { state, offset: uploadedBytes, missing, ...(reason ? { reason } : {}) };
}
