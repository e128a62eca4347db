// Questions to R2, each on a key of its own, cleaned up afterwards.

import type { Bucket, Multipart, Part } from "./platform.ts";
import { found, type Question, rejection } from "./question.ts";

/** The smallest part that R2 takes. */
const PART_BYTES = 5 * 1024 * 1024;

/** So many parts at once: twice what an invocation may have in flight. */
const PARALLEL_PARTS = 12;

function bytes(value: number, lengthBytes = PART_BYTES): Uint8Array {
  return new Uint8Array(lengthBytes).fill(value);
}

async function md5(data: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("MD5", data as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A stream that promises a part and ends half-way, as a client's does that goes away. */
function cutStream(): ReadableStream {
  const { readable, writable } = new FixedLengthStream(PART_BYTES);
  const writer = writable.getWriter();
  const half = writer.write(bytes(9, PART_BYTES / 2)).then(() => writer.abort(new Error("cut on purpose")));
  half.catch(() => {});
  return readable;
}

export function r2Questions(bucket: Bucket, run: string): Question[] {
  const on = (id: string, ask: (upload: Multipart, key: string) => Promise<ReturnType<typeof found>>) => async () => {
    const key = `probe/${run}/${id}`;
    const upload = await bucket.createMultipartUpload(key);
    try {
      return await ask(upload, key);
    } finally {
      await rejection(upload.abort());
      await bucket.delete(key);
    }
  };
  return [
    {
      id: "gaps",
      question: "Do part numbers with gaps, stored in any order, assemble in the order of their numbers?",
      leansOn: "yes",
      fallback:
        "hand out dense numbers in core/types/src/plan.rs, and a number again only once its last writer has surely ended",
      ask: on("gaps", async (upload, key) => {
        const parts: Part[] = [];
        for (const number of [9000, 2, 17]) {
          parts.push(await upload.uploadPart(number, bytes(number % 251)));
        }
        await upload.complete(parts.toSorted((a, b) => a.partNumber - b.partNumber));
        const object = await bucket.get(key);
        const data = new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0));
        const order = [data[0], data[PART_BYTES], data[2 * PART_BYTES]];
        return found(`${order}` === `${[2, 17, 9000 % 251]}`, `bytes at the beginnings of the parts: ${order}`);
      }),
    },
    {
      id: "complete-twice",
      question: "After a completion whose answer was lost, does the object show as it was completed?",
      leansOn: "yes",
      fallback:
        "none is needed while head() shows it: durable-objects/src/upload/storage.rs looks before it believes an error",
      ask: on("complete-twice", async (upload, key) => {
        const part = await upload.uploadPart(1, bytes(1));
        const { etag } = await upload.complete([part]);
        const second = await rejection(bucket.resumeMultipartUpload(key, upload.uploadId).complete([part]));
        const object = await bucket.head(key);
        const detail = second === undefined ? "the second completion succeeded" : `the second completion: ${second}`;
        return found(object?.etag === etag && object.size === PART_BYTES, detail);
      }),
    },
    {
      id: "part-etag",
      question: "Is the ETag of a part its MD5?",
      leansOn: "either",
      fallback: "ETags are stored and given back as they are; the CRC-64/NVME of the parts is what is verified",
      ask: on("part-etag", async (upload) => {
        const { etag } = await upload.uploadPart(1, bytes(1));
        return found(etag === (await md5(bytes(1))), `etag ${etag.slice(0, 40)}`);
      }),
    },
    {
      id: "equal-parts",
      question: "Are parts of unequal size refused, and only at completion?",
      leansOn: "either",
      fallback: "the service never stores unequal parts: the part size is fixed when an upload is created",
      ask: on("equal-parts", async (upload) => {
        const parts = [
          await upload.uploadPart(1, bytes(1)),
          await upload.uploadPart(2, bytes(2, PART_BYTES + 1)),
          await upload.uploadPart(3, bytes(3, 1)),
        ];
        const refused = await rejection(upload.complete(parts));
        return found(refused !== undefined, refused ?? "completed");
      }),
    },
    {
      id: "cut-part",
      question: "Does a part whose stream is cut leave the other parts as they were?",
      leansOn: "yes",
      fallback: "store each attempt under an R2 multipart upload of its own",
      ask: on("cut-part", async (upload, key) => {
        const part = await upload.uploadPart(1, bytes(1));
        const cut = await rejection(upload.uploadPart(2, cutStream()));
        const completed = await rejection(upload.complete([part]));
        const size = (await bucket.head(key))?.size;
        return found(
          cut !== undefined && completed === undefined && size === PART_BYTES,
          `the cut part: ${cut ?? "was stored"}; completion: ${completed ?? "done"}`,
        );
      }),
    },
    {
      id: "failed-reupload",
      question: "Is a stored part lost when a later upload to the same number fails?",
      leansOn: "either",
      fallback: "no number is ever used twice, so nothing can be lost so",
      ask: on("failed-reupload", async (upload) => {
        const part = await upload.uploadPart(1, bytes(1));
        await rejection(upload.uploadPart(1, cutStream()));
        const completed = await rejection(upload.complete([part]));
        return found(completed !== undefined, completed ?? "the first part was still there");
      }),
    },
    {
      id: "reupload-wins",
      question: "Does a later part under the same number take the place of the first?",
      leansOn: "either",
      fallback: "no number is ever used twice",
      ask: on("reupload-wins", async (upload) => {
        const first = await upload.uploadPart(1, bytes(1));
        await upload.uploadPart(1, bytes(2));
        const refused = await rejection(upload.complete([first]));
        return found(refused !== undefined, refused ?? "the first part could still be completed");
      }),
    },
    {
      id: "parallel-parts",
      question: `Are ${PARALLEL_PARTS} parts of one key taken at the same time?`,
      leansOn: "yes",
      fallback: "10058 is answered 503 with Retry-After and the client comes again; send fewer chunks at once",
      ask: on("parallel-parts", async (upload) => {
        const numbers = Array.from({ length: PARALLEL_PARTS }, (_, index) => index + 1);
        const results = await Promise.all(numbers.map((number) => rejection(upload.uploadPart(number, bytes(number)))));
        const refused = results.filter((result) => result !== undefined);
        return found(refused.length === 0, refused[0] ?? "all were");
      }),
    },
    {
      id: "gone-code",
      question: "Does a part of an aborted upload fail with 10024, by which it is known to be gone?",
      leansOn: "yes",
      fallback:
        "add the code to core/session/src/storage_fault.rs: until then such an upload ends by its time instead of at once",
      ask: on("gone-code", async (upload) => {
        await upload.abort();
        const refused = await rejection(upload.uploadPart(1, bytes(1)));
        return found(refused?.includes("(10024)") ?? false, refused ?? "it was stored");
      }),
    },
    {
      id: "abort-twice",
      question: "Is aborting what is gone no error, or one that is known for it (10024)?",
      leansOn: "yes",
      fallback:
        "add the code to core/session/src/storage_fault.rs: until then the object tries again, once an hour in the end",
      ask: on("abort-twice", async (upload) => {
        await upload.abort();
        const refused = await rejection(upload.abort());
        return found(refused === undefined || refused.includes("(10024)"), refused ?? "no error");
      }),
    },
    {
      id: "write-rate",
      question: "Are two writes to one key within a second both taken?",
      leansOn: "either",
      fallback: "every upload has a key of its own, and every piece behind the last part too",
      ask: async () => {
        const key = `probe/${run}/write-rate`;
        const results = await Promise.all([1, 2, 3].map((value) => rejection(bucket.put(key, bytes(value, 1)))));
        await bucket.delete(key);
        const refused = results.filter((result) => result !== undefined);
        return found(refused.length === 0, refused[0] ?? "three were");
      },
    },
    {
      id: "consistency",
      question: "Does a list show what was just written, and not what was just deleted?",
      leansOn: "yes",
      fallback: "an ended upload looks once more for pieces before it is forgotten, a week later",
      ask: async () => {
        const prefix = `probe/${run}/consistency/`;
        const keys = [`${prefix}a`, `${prefix}b`];
        await Promise.all(keys.map((key) => bucket.put(key, key)));
        const before = (await bucket.list({ prefix })).objects.length;
        await bucket.delete(keys);
        const after = (await bucket.list({ prefix })).objects.length;
        return found(before === 2 && after === 0, `${before} listed, and ${after} after their deletion`);
      },
    },
  ];
}
