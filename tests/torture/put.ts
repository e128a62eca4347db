// One chunk, put well or clumsily: cut at any byte, the answer lost, sent twice at once, with a checksum that is wrong, to
// an offset that is, or so slowly that it stalls. Bytes that could count are always the file's own.

import { createHash } from "node:crypto";

import { fileBytes, sha256 } from "../support/bytes.ts";
import type { Headers, Reply } from "../support/http.ts";
import { PendingRequest } from "../support/http.ts";
import { call, problemOf } from "./calls.ts";
import type { Incarnation, Job } from "./job.ts";
import { anyProtocol, speak, taken } from "./protocols.ts";
import type { Random } from "./random.ts";
import { hear } from "./truth.ts";
import type { World } from "./world.ts";

type Mishap = "none" | "cut" | "cut at the end" | "lost answer" | "twice" | "wrong checksum" | "wrong offset" | "stall";

const MISHAPS = [
  [10, "cut"],
  [4, "cut at the end"],
  [6, "lost answer"],
  [4, "twice"],
  [4, "wrong checksum"],
  [2, "wrong offset"],
  [1, "stall"],
] as const;

export type Chunk = { offset: number; length: number };

/** Puts a chunk; the answer, where there was one that the client saw. */
export async function put(
  world: World,
  job: Job,
  upload: Incarnation,
  who: string,
  chunk: Chunk,
  random: Random,
): Promise<Reply | undefined> {
  const { plan } = job;
  const mishap: Mishap = random.chance(plan.clumsiness) ? random.weighted<Mishap>(MISHAPS) : "none";
  const body = job.file.subarray(chunk.offset, chunk.offset + chunk.length);
  const checksummed = random.chance(plan.checksummed);
  const protocol = plan.parallel ? "json" : anyProtocol(random);
  world.figures.count(world.figures.protocols, protocol);
  const path = `/upload/${upload.uploadId}`;
  const json = {
    ...place(chunk, plan.live ? "*" : plan.sizeBytes, random),
    ...(checksummed ? checksum(body, random) : {}),
  };
  const whole = { ...chunk, sizeBytes: plan.sizeBytes };
  const spoken =
    protocol === "json"
      ? { method: "PUT", path, headers: json }
      : speak(protocol, upload.uploadId, whole, checksummed ? body : undefined);
  const headers: Headers = spoken.headers;
  const what = `${chunk.offset}+${chunk.length} in ${protocol}${checksummed ? " checksummed" : ""}`;
  const plain = { who, headers, body, what, pieces: random.pick([1, 1, 2, 7]) };
  const told = upload.told;
  const send = (more: object = {}) => call(world, job, spoken.method, spoken.path, { ...plain, ...more });
  let reply: Reply | undefined;
  switch (mishap) {
    case "none":
      reply = await send();
      break;
    case "cut":
      return await send({ cutAt: random.int(0, body.length) });
    case "cut at the end":
      return await send({ cutAt: body.length });
    case "lost answer":
      return await send({ losesAnswer: true });
    case "twice":
      reply = (await Promise.all([send(), send()]))[random.int(0, 1)];
      break;
    case "wrong checksum":
      return await lie(world, job, upload, who, chunk, random);
    case "wrong offset":
      return await misplaced(world, job, path, who, chunk, random);
    case "stall":
      return await stall(world, job, path, chunk, random);
  }
  const counted = taken(reply, plan.sizeBytes);
  if (counted) {
    const { uploadedBytes } = counted;
    upload.stored.add(chunk.offset);
    hear(world, job, upload, told, uploadedBytes, `a chunk at ${chunk.offset}`);
    const end = chunk.offset + chunk.length;
    if (!plan.parallel && uploadedBytes < end) {
      world.differ(`${job.name}: the chunk up to ${end} was taken, and ${uploadedBytes} bytes count`, job);
    }
  }
  return reply;
}

/** Garbage, or a part of the file, with a checksum of something else: nothing of it may count, whole or cut short. */
export async function lie(
  world: World,
  job: Job,
  upload: Incarnation,
  who: string,
  chunk: Chunk,
  random: Random,
  cutAt?: number,
): Promise<Reply | undefined> {
  const body = fileBytes(`garbage ${random.next()}`, chunk.length);
  const headers = { "X-Upload-Offset": chunk.offset, "X-Chunk-Checksum": `sha256=${sha256(Buffer.from("a lie"))}` };
  const what = `${chunk.offset}+${chunk.length} of garbage with a wrong checksum`;
  const more = cutAt === undefined ? {} : { cutAt };
  const reply = await call(world, job, "PUT", `/upload/${upload.uploadId}`, {
    ...{ who, headers, body, what, isGarbage: true },
    ...more,
  });
  // Neither as something new nor as what is there already.
  if (reply?.status === 200) {
    world.differ(`${job.name}: a chunk with a wrong checksum was taken`, job);
  }
  return reply;
}

/** The right bytes for an offset that is not the next. */
async function misplaced(world: World, job: Job, path: string, who: string, chunk: Chunk, random: Random) {
  const offset = Math.max(0, Math.min(job.plan.sizeBytes - 1, chunk.offset + random.pick([-1000, -1, 1, 4096])));
  const body = job.file.subarray(offset, Math.min(offset + chunk.length, job.plan.stopAt));
  const headers = { "X-Upload-Offset": offset };
  return await call(world, job, "PUT", path, { who, headers, body, what: `${offset}+${body.length}, misplaced` });
}

/** Begins and then brings nothing: after a while the Worker ends it, and what counted stays. */
async function stall(world: World, job: Job, path: string, chunk: Chunk, random: Random): Promise<Reply | undefined> {
  const head = { "Content-Length": chunk.length, "X-Upload-Offset": chunk.offset };
  const pending = new PendingRequest(world.stack.baseUrl, "PUT", path, head);
  const sent = random.int(0, chunk.length - 1);
  pending.write(job.file.subarray(chunk.offset, chunk.offset + sent));
  world.figures.bytesSent += sent;
  const reply = await pending.reply.catch(() => undefined);
  pending.cut();
  job.note(
    `client: PUT ${chunk.offset}+${chunk.length} stalled behind ${sent} → ${reply?.status} ${reply && problemOf(reply)}`,
  );
  return reply;
}

function place({ offset, length }: Chunk, sizeBytes: number | "*", random: Random): Headers {
  return random.chance(0.7)
    ? { "X-Upload-Offset": offset }
    : { "Content-Range": `bytes ${offset}-${offset + length - 1}/${sizeBytes}` };
}

function checksum(body: Uint8Array, random: Random): Headers {
  return random.chance(0.5)
    ? { "X-Chunk-Checksum": `sha256=${sha256(body)}` }
    : { "Content-Digest": `sha-256=:${createHash("sha256").update(body).digest("base64")}:` };
}
