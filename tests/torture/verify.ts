// The end of a run: waits until everything has settled, and compares what there is with what there must be. What has not
// settled in a generous time is a difference like any other.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { send } from "../support/http.ts";
import type { Recorded, RecordedEvent } from "../support/origin.ts";
import { uploadOf } from "../support/r2_state.ts";
import { wake } from "./alarms.ts";
import type { Incarnation, Job } from "./job.ts";
import { leftovers } from "./leftovers.ts";
import type { World } from "./world.ts";

const LOOK_EVERY_MS = 500;

/** So often, counted in looks, all are asked for that are not as they must be: their alarms may have been lost. */
const WAKE_EVERY_LOOKS = 10;

/** In every key of an upload. */
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

type Found = { what: string; job?: Job; uploadId?: string };

export async function verify(world: World, giveUpMs: number): Promise<void> {
  // From here on nothing fails any more.
  world.proxy.calm();
  await world.stack.client.request("POST", "/faults", { body: "[]" });
  const deadlineMs = Date.now() + giveUpMs;
  const lookAgain = () => look(world).catch((error: Error): Found[] => [{ what: `cannot look: ${error.message}` }]);
  let found = await lookAgain();
  for (let looks = 0; found.length > 0 && Date.now() < deadlineMs; looks++) {
    if (looks % WAKE_EVERY_LOOKS === 0) {
      await wake(
        world,
        found.flatMap(({ uploadId }) => uploadId ?? []),
      );
    }
    await sleep(LOOK_EVERY_MS);
    found = await lookAgain();
  }
  for (const { what, job } of found) {
    world.differ(what, job);
  }
  await compareFiles(world);
  for (const fault of world.stack.log.faults()) {
    world.differ(`the Worker logged a fault that nobody planned: ${fault}`);
  }
}

/** Everything that is not as it must be, just now. */
async function look(world: World): Promise<Found[]> {
  const [uploads, events] = [await list<Recorded>(world, "/uploads"), await list<RecordedEvent>(world, "/events")];
  const found: Found[] = [];
  const known = new Set<string>();
  for (const job of world.jobs) {
    for (const upload of job.incarnations) {
      known.add(upload.uploadId);
      const told = events.filter(({ uploadId }) => uploadId === upload.uploadId);
      const records = uploads.filter(({ uploadId }) => uploadId === upload.uploadId);
      found.push(...(await wrongWith(world, job, upload, told, records)));
    }
  }
  // Created, and nobody ever heard of it: it must have expired, and the origin must have been told. An empty file has all
  // its bytes when it is created, and is complete.
  const strangers = events.filter(({ uploadId }) => !known.has(uploadId));
  const empty = uploads.filter(({ uploadId, fileSize }) => !known.has(uploadId) && fileSize === 0);
  const isEmpty = (id: string) => empty.some(({ uploadId, state }) => uploadId === id && state === "stored");
  for (const { eventId, type, uploadId } of strangers) {
    const mayHaveFailed = type === "upload.failed" && world.lostCompositions > 0;
    if (type !== (isEmpty(uploadId) ? "upload.completed" : "upload.expired") && !mayHaveFailed) {
      found.push({ what: `an upload that nobody knows ended with ${type} (${eventId})` });
    }
  }
  const lost = world.lostCreations + world.lostCompositions;
  if (strangers.length > lost) {
    found.push({ what: `${strangers.length} unknown uploads ended, of ${lost} whose creation was lost` });
  }
  for (const { eventId } of events.filter(({ uploadId }) => world.partials.has(uploadId))) {
    found.push({ what: `the origin has heard of a partial (${eventId})` });
  }
  found.push(...(await wrongInStorage(world, known, empty)));
  return found;
}

async function wrongWith(
  world: World,
  job: Job,
  upload: Incarnation,
  events: RecordedEvent[],
  records: Recorded[],
): Promise<Found[]> {
  const { uploadId, ending } = upload;
  const found: Found[] = [];
  const wrong = (what: string) => found.push({ what: `${job.name} (${uploadId}): ${what}`, job, uploadId });
  const types = events.map(({ type }) => type).join(", ");
  if (types !== `upload.${ending}`) {
    wrong(`the origin should have heard of upload.${ending} once, and heard of: ${types || "nothing"}`);
  }
  const states = records.map(({ state }) => state).join(", ");
  const wanted = ending === "completed" ? "stored" : "";
  if (states !== wanted) {
    wrong(`the origin should have recorded "${wanted}", and recorded "${states}" ${records[0]?.reason ?? ""}`);
  }
  if (!upload.isTold && (ending === "completed" || ending === "failed")) {
    const status = await world.stack.client.status(uploadId);
    const said = status.json<{ state: string; delivery: string }>();
    upload.isTold = said.state === ending && said.delivery === "delivered";
    if (!upload.isTold) {
      wrong(`${said.state}, delivery ${said.delivery}`);
    }
  }
  return found;
}

async function wrongInStorage(world: World, known: Set<string>, strangers: Recorded[]): Promise<Found[]> {
  const { objects, unfinished, empty, ledgerEntries } = leftovers(world.stack.persistDir);
  world.figures.emptyMultiparts = empty;
  const found: Found[] = [];
  const owner = (text: string) =>
    world.jobs.find((job) => job.incarnations.some(({ uploadId }) => text.includes(uploadId)));
  const wrong = (what: string, key: string) => {
    const job = owner(key);
    const uploadId = UUID.exec(key)?.[0];
    const about = uploadId === undefined ? {} : { uploadId };
    found.push(job ? { what: `${what}: ${key} of ${job.name}`, job, ...about } : { what: `${what}: ${key}`, ...about });
  };
  const discarded = new Set(world.jobs.filter(({ plan }) => plan.discard).map(({ plan }) => plan.fileName));
  const keptStrangers = strangers.filter(({ fileName }) => !discarded.has(fileName));
  const kept = new Set(keptStrangers.map(({ uploadId }) => uploadId));
  for (const job of world.jobs) {
    for (const { uploadId, ending } of job.incarnations) {
      if (ending === "completed" && !job.plan.discard) {
        kept.add(uploadId);
      }
    }
  }
  // One object each: a second one of the same upload is left over, too.
  const missing = new Set(kept);
  for (const key of objects.filter((key) => !missing.delete(uploadOf(key) ?? ""))) {
    wrong("left over in R2", key);
  }
  for (const uploadId of missing) {
    wrong("missing in R2", uploadId);
  }
  for (const key of unfinished) {
    wrong("unfinished multipart upload in R2", key);
  }
  for (const uploadId of ledgerEntries.filter((uploadId) => known.has(uploadId) || world.partials.has(uploadId))) {
    wrong("still open in the ledger", uploadId);
  }
  for (const { uploadId } of await world.stack.client.openUploads()) {
    const { status } = await world.stack.client.status(uploadId);
    wrong(status === 404 ? "a ghost: listed as open, and there is no such upload" : "listed as open", uploadId);
  }
  return found;
}

/** Every completed upload, as it lies on the origin's disk. */
async function compareFiles(world: World): Promise<void> {
  const records = await list<Recorded>(world, "/uploads");
  for (const job of world.jobs) {
    for (const { uploadId, ending } of job.incarnations) {
      world.figures.count(world.figures.endings, ending ?? "no ending");
      const record = records.find((record) => record.uploadId === uploadId);
      if (ending !== "completed" || record?.state !== "stored") {
        continue;
      }
      const stored = await sha256OfFile(record.file);
      if (stored !== job.sha256 || record.fileSize !== job.plan.sizeBytes) {
        world.differ(`${job.name}: the file at the origin has SHA-256 ${stored}, its source ${job.sha256}`, job);
      }
    }
  }
}

async function list<T>(world: World, path: string): Promise<T[]> {
  return (await send(world.origin.baseUrl, "GET", path)).json<T[]>();
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) {
    hash.update(piece);
  }
  return hash.digest("hex");
}
