// What a run is going to do, drawn before it begins: the uploads with all their trouble, and when processes die.

import { MIB } from "../support/bytes.ts";
import { type FaultRule, faultsFor } from "./faults.ts";
import { chunksFor } from "./interruptions.ts";
import type { Random } from "./random.ts";

/** How an upload is meant to end. */
export type Ending = "completed" | "failed" | "aborted" | "expired";

export type UploadPlan = {
  index: number;
  fileName: string;
  sizeBytes: number;
  parallel: boolean;
  /** The chunk size asked for; none leaves it to the Worker. */
  chunkSize: number | undefined;
  /** Chunks of the size that the Worker named, of any size, or tiny ones. */
  chunking: "planned" | "odd" | "tiny";
  /** How many of the chunks carry a checksum, from 0 to 1. */
  checksummed: number;
  declared: "nothing" | "crc64nvme" | "sha256";
  ending: Ending;
  /** Bytes from here on are never sent; the file's end where it is to be completed. */
  stopAt: number;
  idempotencyKey: string | undefined;
  /** How likely a request is to go wrong on the client's side, from 0 to 1. */
  clumsiness: number;
  /** Other clients on the same upload, by the request number at which they come. */
  visitors: { at: number; kind: Visitor }[];
  /** What is made to fail inside the Worker, by the request number before which it is planned. */
  faults: { at: number; rules: FaultRule[] }[];
  /** The origin's answer asks to delete the staged object. */
  discard: boolean;
  /** Nobody knows its length, and it is read while it grows. */
  live: boolean;
  /** In so many partial uploads it goes up, to be put together; 0 where it is one upload. */
  partials: number;
  /** One of its chunks is interrupted so often before it gets through. */
  interrupted?: { kind: Interrupted; times: number };
};

/** A chunk of a parallel upload or the first of a sequential one, begun and cut; or one that is signed and never sent. */
export type Interrupted = "parallel" | "sequential" | "presigned";

/** A second client that sends the same bytes; or one that sends garbage which must never count. */
export type Visitor = "rival" | "zombie" | "liar" | "quitter";

export type Upheaval = { afterUploads: number; delayMs: number; kind: "kill" | "origin" | "alarms" };

export type Plan = { uploads: UploadPlan[]; interrupted: UploadPlan[]; upheavals: Upheaval[] };

const PART_BYTES = 8 * MIB;

/** `interruptions` of one chunk of each kind, beside the `uploads` that have all other trouble. */
export function planRun(uploads: number, interruptions: number, random: Random): Plan {
  const plans = Array.from({ length: uploads }, (_, index) => planUpload(index, random.fork(index)));
  // The abandoned ones go first, so that their time runs out while the others work.
  const rank = (plan: UploadPlan) => (plan.ending === "expired" ? 0 : 1);
  const kinds: Interrupted[] = ["parallel", "sequential", "presigned"];
  return {
    uploads: plans.sort((a, b) => rank(a) - rank(b)),
    interrupted: kinds.map((kind, index) => planInterrupted(uploads + index, kind, interruptions)),
    upheavals: planUpheavals(uploads, random.fork("upheavals")),
  };
}

function planUpload(index: number, random: Random): UploadPlan {
  const sizeBytes = size(random);
  const ending = sizeBytes < 2 ? "completed" : random.weighted<Ending>(ENDINGS);
  const parallel = sizeBytes > 0 && random.chance(0.35);
  // Two files of so few bytes may be the same: the second one's SHA-256 would be answered with the first one's object.
  const digests = sizeBytes < 16 ? (["crc64nvme"] as const) : (["crc64nvme", "sha256"] as const);
  const declared = ending === "failed" || random.chance(0.5) ? random.pick(digests) : "nothing";
  const mayBeLive = sizeBytes > 0 && !parallel && declared === "nothing";
  const tiny = !parallel && sizeBytes <= 2 * MIB && random.chance(0.5);
  const plan: Omit<UploadPlan, "live"> = {
    index,
    fileName: `torture-${index}.bin`,
    sizeBytes,
    parallel,
    chunkSize: random.weighted([
      [4, undefined],
      [2, 5 * MIB],
      [1, 1 * MIB],
      [1, random.int(1, 100_000)],
      [1, random.int(5 * MIB, 12 * MIB)],
    ]),
    chunking: tiny ? "tiny" : random.pick(["planned", "odd"]),
    checksummed: random.pick([0, 0, 0.5, 1]),
    declared,
    ending,
    stopAt: ending === "aborted" || ending === "expired" ? random.int(0, sizeBytes - 1) : sizeBytes,
    idempotencyKey: random.chance(0.5) ? `torture-key-${index}-${random.int(0, 2 ** 31)}` : undefined,
    clumsiness: random.pick([0, 0.1, 0.25, 0.45]),
    visitors: visitors(random),
    faults: faultsFor(random),
    discard: ending === "completed" && random.chance(0.2),
    partials:
      !parallel && declared === "nothing" && ending === "completed" && random.chance(0.4) ? random.int(2, 5) : 0,
  };
  // Drawn last, so that the same seed has the same trouble as before. A live upload does not expire: what is there is the file.
  const live = mayBeLive && plan.partials === 0 && ending !== "expired" && random.chance(0.5);
  return live ? { ...plan, live, chunkSize: undefined } : { ...plan, live };
}

/** Nothing else is wrong with it. */
function planInterrupted(index: number, kind: Interrupted, times: number): UploadPlan {
  const chunkSize = 5 * MIB;
  const sizeBytes = (kind === "sequential" ? 2 : chunksFor(times)) * chunkSize + 1;
  return {
    ...{ index, fileName: `interrupted-${kind}.bin`, sizeBytes, chunkSize, stopAt: sizeBytes },
    ...{ parallel: kind !== "sequential", chunking: "planned", checksummed: 0, declared: "crc64nvme" },
    ...{ ending: "completed", idempotencyKey: undefined, clumsiness: 0, visitors: [], faults: [] },
    ...{ discard: false, live: false, partials: 0, interrupted: { kind, times } },
  };
}

const ENDINGS = [
  [78, "completed"],
  [6, "failed"],
  [8, "aborted"],
  [8, "expired"],
] as const;

function size(random: Random): number {
  return random.weighted<() => number>([
    [3, () => 0],
    [6, () => random.int(1, 100)],
    [18, () => random.int(100, 300_000)],
    [18, () => random.int(300_000, 4 * MIB)],
    [12, () => PART_BYTES + random.int(-2, 2)],
    [6, () => 2 * PART_BYTES + random.int(-200_000, 200_000)],
    [28, () => random.int(4 * MIB, 12 * MIB)],
    [7, () => random.int(12 * MIB, 25 * MIB)],
    [2, () => random.int(25 * MIB, 40 * MIB)],
  ])();
}

function visitors(random: Random): UploadPlan["visitors"] {
  const count = random.weighted([
    [55, 0],
    [30, 1],
    [15, 2],
  ]);
  const kinds: Visitor[] = ["rival", "rival", "zombie", "zombie", "liar", "quitter"];
  return Array.from({ length: count }, () => ({ at: random.int(1, 4), kind: random.pick(kinds) }));
}

/** A kill about every 15 uploads, a restart of the origin and lost alarms about every 30; at least one of each. */
function planUpheavals(uploads: number, random: Random): Upheaval[] {
  const series = (kind: Upheaval["kind"], every: number): Upheaval[] => {
    const gap = Math.min(every, Math.max(2, Math.floor(uploads / 2)));
    const found: Upheaval[] = [];
    for (let at = gap; at < uploads; at += random.int(Math.ceil(gap * 0.7), Math.ceil(gap * 1.3))) {
      found.push({ afterUploads: at - random.int(0, Math.floor(gap / 3)), delayMs: random.int(0, 1200), kind });
    }
    return found;
  };
  return [...series("kill", 15), ...series("origin", 30), ...series("alarms", 30)].sort(
    (a, b) => a.afterUploads - b.afterUploads,
  );
}
