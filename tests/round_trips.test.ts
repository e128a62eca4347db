// Round trips in a row: what a client waits for where objects and R2 are far away. Not measured but counted: each call waits until all others
// that could be made wait, too, and then all are let go together. What is written here is a budget: fewer is better, and more is a fault.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Stack } from "./support/stack.ts";
import { Tus } from "./support/tus.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" }, entry: "round_trips.js" });
after(() => stack.stop());
const { client } = stack;
const tus = new Tus(client);

type Trips = { waiting: string[]; underWay: number };
const ask = async (method: string, path: string) => (await client.request(method, path)).json<Trips>();

/** So often the same must be seen before all is taken to wait that will. */
const SAME_TIMES = 10;
const LOOK_EVERY_MS = 15;

/** What is called, step by step, until this has ended. */
async function stepsOf(run: () => Promise<unknown>): Promise<string[][]> {
  const steps: string[][] = [];
  await ask("POST", "/trips/hold");
  let isOver = false;
  const over = run().finally(() => {
    isOver = true;
  });
  let seen = "";
  let times = 0;
  while (!isOver) {
    const { waiting, underWay } = await ask("GET", "/trips");
    const found = underWay === 0 ? waiting.join() : "";
    times = found === seen ? times + 1 : 0;
    seen = found;
    if (found !== "" && times >= SAME_TIMES) {
      const { waiting: released } = await ask("POST", "/trips/step");
      steps.push(released.sort());
      seen = "";
    }
    await sleep(LOOK_EVERY_MS);
  }
  await ask("POST", "/trips/release");
  await over;
  return steps;
}

const PART_BYTES = 8 * MIB;
const small = fileBytes("small", 100 * 1024);
const part = fileBytes("a part", PART_BYTES);
const three = fileBytes("three parts", 3 * PART_BYTES);
const BYTES = { "Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream" };

/** An upload of five parts, and so many of them are there. */
async function begun(parts: number): Promise<string> {
  const { uploadId } = await client.create(new Uint8Array(5 * PART_BYTES), { chunkSize: PART_BYTES });
  for (let number = 0; number < parts; number += 1) {
    assert.equal((await client.put(uploadId, number * PART_BYTES, part)).status, 200);
  }
  return uploadId;
}

/** What is done, what there is before it, and the steps that it takes. */
const budget: [string, () => Promise<() => Promise<unknown>>, string[]][] = [
  [
    "a creation",
    async () => () => client.create(new Uint8Array(5 * PART_BYTES), { chunkSize: PART_BYTES }),
    ["owner_ledgers admit", "upload_sessions create"],
  ],
  [
    "the first chunk of several, which is one part",
    async () => {
      const id = await begun(0);
      return () => client.put(id, 0, part, { "X-Chunk-Checksum": `sha256=${sha256(part)}` });
    },
    ["upload_sessions begin", "r2 createMultipartUpload", "r2 uploadPart", "upload_sessions commit"],
  ],
  [
    "a further one",
    async () => {
      const id = await begun(1);
      return () => client.put(id, PART_BYTES, part, { "X-Chunk-Checksum": `sha256=${sha256(part)}` });
    },
    ["upload_sessions begin", "r2 uploadPart", "upload_sessions commit"],
  ],
  [
    "the last one",
    async () => {
      const id = await begun(4);
      return () => client.put(id, 4 * PART_BYTES, part);
    },
    ["upload_sessions begin", "r2 uploadPart", "upload_sessions commit"],
  ],
  [
    "a PATCH of tus that brings the last bytes, whose answer waits for the object",
    async () => {
      const url = await tus.create({ "Upload-Length": 2 * PART_BYTES });
      const patch = (offset: number) =>
        client.request("PATCH", new URL(url).pathname, { headers: { ...BYTES, "Upload-Offset": offset }, body: part });
      assert.equal((await patch(0)).status, 204);
      return () => patch(PART_BYTES);
    },
    ["upload_sessions begin", "r2 uploadPart", "upload_sessions commit", "upload_sessions await-object"],
  ],
  [
    "a body of three parts without a checksum",
    async () => {
      const { uploadId } = await client.create(new Uint8Array(5 * PART_BYTES));
      return () => client.put(uploadId, 0, three);
    },
    [
      "upload_sessions begin",
      "r2 createMultipartUpload",
      "r2 uploadPart",
      ...[1, 2].map(() => "r2 uploadPart + upload_sessions commit"),
      "upload_sessions commit",
    ],
  ],
  [
    "a small file in one request",
    async () => () =>
      client.request("POST", "/files", { headers: { ...BYTES, "Upload-Length": small.length }, body: small }),
    ["owner_ledgers admit", "upload_sessions create", "r2 put", "upload_sessions commit"],
  ],
  [
    "a bare body",
    async () => () => client.request("PUT", "/upload/new?name=a.bin", { body: small }),
    ["owner_ledgers admit", "upload_sessions create", "r2 put", "upload_sessions commit"],
  ],
  [
    "the status",
    async () => {
      const id = await begun(1);
      return () => client.status(id);
    },
    ["upload_sessions status"],
  ],
];

/** What an object does by itself meanwhile, and nobody's answer is behind. */
const OF_THE_ALARM = ["r2 complete"];

/** What is read and told behind the requests. Beside what a request waits for it costs nobody a step; alone it would. */
const BEHIND = ["owner_ledgers read-switch", "owner_ledgers note-owner"];

// Where nothing is known yet, the first creation waits for the switch, and its owner is told of: once for all.
await client.create(small);

for (const [what, prepared, expected] of budget) {
  test(what, async () => {
    const run = await prepared();
    const steps = await stepsOf(run);
    const own = steps.map((together) => {
      const waited = together.filter((name) => !OF_THE_ALARM.includes(name));
      const ahead = waited.filter((name) => !BEHIND.includes(name));
      return (ahead.length > 0 ? ahead : waited).join(" + ");
    });
    assert.deepEqual(
      own.filter((together) => together !== ""),
      expected,
    );
  });
}
