// What is measured: each workload as it runs through Quayside and through the baseline, and what ratio is aimed at.

import * as baseline from "./baseline.ts";
import { GIB, KIB, MIB } from "./bytes.ts";
import type { Distances } from "./distances.ts";
import type { Http } from "./http.ts";
import * as ours from "./ours.ts";

export type Workload = {
  name: string;
  /** Of all files together. */
  bytes: number;
  /** The throughput aimed at, as a ratio to the baseline's. */
  target?: number;
  ours: (http: Http) => Promise<ours.Uploads>;
  baseline: (http: Http) => Promise<baseline.Objects>;
  /** What the baseline is, where it is not the bare platform: Quayside itself, with the same bytes sent in another way. */
  isBesideItself?: true;
};

const LARGE_FILES = [256 * MIB, GIB];
const JSON_CHUNKS: [number, number | undefined][] = [
  [8 * MIB, 0.93],
  [16 * MIB, undefined],
  [32 * MIB, 0.97],
  [90 * MIB, 0.97],
];
const TUS_CHUNKS: [number, number | undefined][] = [
  [8 * MIB, undefined],
  [32 * MIB, 0.95],
  [90 * MIB, undefined],
];

/** What is measured at these distances. A quick run leaves the large files out. */
export function workloads(quick: boolean, distances: Distances): Workload[] {
  if (distances.bitsPerSecond !== undefined) {
    return [json(10 * MIB, 5 * MIB, undefined), tus(10 * MIB, 5 * MIB, undefined), smallFiles(20, 4)];
  }
  return distances.r2Ms > 0 ? atDistance(quick) : atHand(quick);
}

/** Where round trips in a row decide: few files, large enough that their chunks are many. */
function atDistance(quick: boolean): Workload[] {
  const [chunks, bodies] = quick ? [32 * MIB, 90 * MIB] : [128 * MIB, 180 * MIB];
  return [
    { ...json(bodies, 90 * MIB, 0.95, false), name: `JSON, no checksum, 90 MiB bodies, ${size(bodies)}` },
    tus(bodies, 90 * MIB, 0.95),
    tus(chunks, 8 * MIB, 0.9),
    json(chunks, 8 * MIB, 0.9),
    parallel(chunks, 0.97),
    json(bodies, 90 * MIB, undefined),
    smallFiles(quick ? 100 : 1000, 16, 0.8),
  ];
}

/** Where processor time decides. */
function atHand(quick: boolean): Workload[] {
  const files = quick ? [64 * MIB] : LARGE_FILES;
  return [
    ...files.flatMap((fileBytes) => [
      ...JSON_CHUNKS.map(([chunkBytes, target]) => json(fileBytes, chunkBytes, target)),
      parallel(fileBytes),
      ...TUS_CHUNKS.map(([chunkBytes, target]) => tus(fileBytes, chunkBytes, target)),
    ]),
    smallPatches(quick ? 4 * MIB : 32 * MIB),
    smallFiles(quick ? 100 : 1000, 16),
    atOnce(20, quick ? 16 * MIB : 64 * MIB),
    ...[1, 20].flatMap((uploads) => [
      wholeFile("a plain body", ours.plain, uploads, quick ? 16 * MIB : 90 * MIB),
      wholeFile("a form", ours.form, uploads, quick ? 16 * MIB : 90 * MIB),
      besidePlain(uploads, quick ? 16 * MIB : 90 * MIB),
    ]),
  ];
}

function json(bytes: number, chunkBytes: number, target: number | undefined, checked = true): Workload {
  return {
    name: `JSON, SHA-256 checked, ${size(chunkBytes)} chunks, ${size(bytes)}`,
    bytes,
    ...(target === undefined ? {} : { target }),
    ours: (http) => ours.json(http, { fileBytes: bytes, chunkBytes, checked }),
    baseline: (http) => baseline.multipart(http, bytes, chunkBytes),
  };
}

function parallel(bytes: number, target = 0.95): Workload {
  const chunkBytes = 8 * MIB;
  return {
    name: `JSON, SHA-256 checked, 4 × 8 MiB at once, ${size(bytes)}`,
    bytes,
    target,
    ours: (http) => ours.json(http, { fileBytes: bytes, chunkBytes, parallel: 4 }),
    baseline: (http) => baseline.multipart(http, bytes, chunkBytes, { parallel: 4 }),
  };
}

function tus(bytes: number, chunkBytes: number, target: number | undefined): Workload {
  return {
    name: `tus PATCH, ${size(chunkBytes)}, ${size(bytes)}`,
    bytes,
    ...(target === undefined ? {} : { target }),
    ours: (http) => ours.tus(http, bytes, chunkBytes),
    baseline: (http) => baseline.multipart(http, bytes, chunkBytes),
  };
}

/** The baseline cannot do this: R2 assembles no parts below 5 MiB. It stores the same requests as parts and drops them. */
function smallPatches(bytes: number): Workload {
  return {
    name: `tus PATCH, 64 KiB, ${size(bytes)}`,
    bytes,
    ours: (http) => ours.tus(http, bytes, 64 * KIB),
    baseline: (http) => baseline.multipart(http, bytes, 64 * KIB, { complete: false }),
  };
}

function smallFiles(files: number, atOnce: number, target?: number): Workload {
  const fileBytes = 100 * KIB;
  return {
    name: `${files} files of 100 KiB, ${atOnce} at a time`,
    bytes: files * fileBytes,
    ...(target === undefined ? {} : { target }),
    ours: (http) => ours.tusWholeFiles(http, files, fileBytes, atOnce),
    baseline: (http) => baseline.wholeFiles(http, files, fileBytes, atOnce),
  };
}

function atOnce(uploads: number, fileBytes: number): Workload {
  const chunkBytes = 8 * MIB;
  return {
    name: `${uploads} uploads of ${size(fileBytes)} at once`,
    bytes: uploads * fileBytes,
    ours: (http) => ours.many(uploads, () => ours.json(http, { fileBytes, chunkBytes })),
    baseline: async (http) => {
      const all = Array.from({ length: uploads }, () => baseline.multipart(http, fileBytes, chunkBytes));
      return (await Promise.all(all)).flat();
    },
  };
}

/** A form beside a plain body: what it costs that nobody knows how long its file is. */
function besidePlain(uploads: number, fileBytes: number): Workload {
  return {
    ...wholeFile("a form beside a plain body", ours.form, uploads, fileBytes),
    ...(uploads === 1 ? { target: 0.9 } : {}),
    baseline: (http) => ours.many(uploads, () => ours.plain(http, fileBytes)),
    isBesideItself: true,
  };
}

/** A whole file in one request. */
function wholeFile(what: string, one: typeof ours.plain, uploads: number, fileBytes: number): Workload {
  return {
    name: `${what} of ${size(fileBytes)}${uploads === 1 ? "" : `, ${uploads} at once`}`,
    bytes: uploads * fileBytes,
    ours: (http) => ours.many(uploads, () => one(http, fileBytes)),
    baseline: (http) => baseline.wholeFiles(http, uploads, fileBytes, uploads),
  };
}

export function size(bytes: number): string {
  const [unit, name] = bytes >= GIB ? [GIB, "GiB"] : bytes >= MIB ? [MIB, "MiB"] : [KIB, "KiB"];
  return `${bytes / unit} ${name}`;
}
