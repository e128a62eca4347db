// Other clients on the same upload. A rival sends the same bytes and takes over. A zombie is taken over and goes on, with
// garbage. A liar sends garbage with a wrong checksum; a quitter the same, cut short. None of the garbage may ever count.

import { setTimeout as sleep } from "node:timers/promises";

import { fileBytes } from "../support/bytes.ts";
import { PendingRequest } from "../support/http.ts";
import type { Incarnation, Job } from "./job.ts";
import type { Visitor } from "./plan.ts";
import { type Chunk, lie } from "./put.ts";
import { Random } from "./random.ts";
import { ask, type Truth } from "./truth.ts";
import { sendAll } from "./uploader.ts";
import type { World } from "./world.ts";

/** Less than the time after which the Worker ends a stalled body. */
const TAKEN_OVER_WITHIN_MS = 2_500;

export async function visit(world: World, job: Job, upload: Incarnation, kind: Visitor, seed: string): Promise<void> {
  const random = new Random(seed);
  world.figures.count(world.figures.visitors, kind);
  try {
    if (kind === "rival") {
      // Stops where the client stops: an upload that is to be abandoned must not be completed by somebody else.
      const sending = { who: "rival", random, stopAt: job.plan.stopAt, rounds: random.int(1, 3) };
      await sendAll(world, job, upload, sending);
      return;
    }
    const truth = await ask(world, job, upload, kind, { random, byStatus: true });
    const chunk = truth.state === "open" && someChunk(job, upload, truth, random);
    if (!chunk) {
      return;
    }
    if (kind === "zombie") {
      await haunt(world, job, upload, chunk, random);
    } else {
      await lie(
        world,
        job,
        upload,
        kind,
        chunk,
        random,
        kind === "quitter" ? random.int(0, chunk.length - 1) : undefined,
      );
    }
  } catch (error) {
    // What ends the upload ends its visitors; the client reports what is wrong.
    job.note(`${kind}: leaves, ${(error as Error).message}`);
  }
}

/** A chunk that could come now. */
function someChunk(job: Job, upload: Incarnation, { missing }: Truth, random: Random): Chunk | undefined {
  const from = missing[0]?.[0];
  if (from === undefined) {
    return undefined;
  }
  const left = job.plan.sizeBytes - from;
  const length = job.plan.parallel ? Math.min(left, upload.partBytes) : random.int(1, left);
  return { offset: from, length };
}

/** Begins with a few bytes of the file; sends garbage only once somebody else's bytes count in that place. */
async function haunt(world: World, job: Job, upload: Incarnation, chunk: Chunk, random: Random): Promise<void> {
  // Fewer than would fill a part, so that nothing of this request counts while it lasts.
  const room = upload.partBytes - (chunk.offset % upload.partBytes);
  const good = random.int(0, Math.min(chunk.length, room, 2_000_000) - 1);
  const head = { "Content-Length": chunk.length, "X-Upload-Offset": chunk.offset };
  const pending = new PendingRequest(world.stack.baseUrl, "PUT", `/upload/${upload.uploadId}`, head);
  const what = `zombie: PUT ${chunk.offset}+${chunk.length}`;
  job.note(`${what} begins with ${good} bytes`);
  let answered = false;
  pending.reply.then(
    () => {
      answered = true;
    },
    () => {
      answered = true;
    },
  );
  pending.write(job.file.subarray(chunk.offset, chunk.offset + good));
  world.figures.bytesSent += good;
  const deadlineMs = Date.now() + TAKEN_OVER_WITHIN_MS;
  const isTakenOver = () =>
    job.plan.parallel ? upload.stored.has(chunk.offset) : upload.told > chunk.offset || upload.ending !== undefined;
  while (!isTakenOver() && !answered && Date.now() < deadlineMs) {
    await sleep(10);
  }
  if (!isTakenOver() || answered) {
    pending.cut();
    job.note(`${what} ${answered ? "was answered early" : "was not taken over, and goes"}`);
    return;
  }
  const garbage = fileBytes(`zombie ${random.next()}`, chunk.length - good);
  world.figures.garbageBytes += garbage.length;
  pending.write(garbage);
  const patience = setTimeout(() => pending.cut(), 20_000);
  const reply = await pending.finish().catch((error: Error) => error);
  clearTimeout(patience);
  const said = reply instanceof Error ? reply.message : `${reply.status} ${reply.body.toString().slice(0, 300)}`;
  job.note(`${what} went on with ${garbage.length} bytes of garbage → ${said}`);
  if (!(reply instanceof Error) && reply.status === 200) {
    world.differ(`${job.name}: garbage on a connection that was taken over was answered 200`, job);
  }
}
