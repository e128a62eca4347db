// R2 does not put the object together: whatever it says, it is asked again, and what was only said is forgotten once it does.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { fileBytes, MIB } from "./support/bytes.ts";
import { changeStored } from "./support/object_state.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const HOUR_MS = 3_600_000;

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" }, buildDir: "build-faults" });
after(() => stack.stop());
const { client } = stack;
const file = fileBytes("assembled", 9 * MIB);

function plan(...rules: { point: string; nth: number; kind: "before"; code: number }[]) {
  return client.request("POST", "/faults", { body: JSON.stringify(rules) });
}

const refuses = (code: number, nth = 1) => ({ point: "r2.complete", nth, kind: "before" as const, code });

/** An upload whose completion R2 has refused with this code. */
async function refused(code: number): Promise<string> {
  const upload = await client.create(file);
  await plan(refuses(code));
  await client.putRest(upload, file);
  await waitFor("R2 to have refused", () => stack.log.of(upload.uploadId, "assembly_postponed").length === 1);
  return upload.uploadId;
}

for (const [code, what] of [
  [10_001, "an internal error"],
  [10_024, "that there is no such multipart upload"],
  [10_025, "that a part is missing"],
  [10_042, "that the account is not entitled to R2"],
  [10_048, "that the parts are unequal"],
] as const) {
  test(`it says ${what} (${code}) once: the upload completes`, async () => {
    const uploadId = await refused(code);
    await client.waitUntilState(uploadId, "completed");
  });
}

test("a tus client that waits is told to come again, and then that all is there", async () => {
  const tus = new Tus(client);
  const url = await tus.create({ "Upload-Length": file.length });
  await plan(refuses(10_025), refuses(10_025, 2));
  const last = await tus.patch(url, 0, file);
  assert.ok([204, 423].includes(last.status), `${last.status}`);
  const head = await waitFor("its object", async () => {
    const reply = await tus.head(url);
    assert.ok([200, 423].includes(reply.status), `${reply.status}`);
    return reply.status === 200 && reply;
  });
  assert.equal(head.header("Upload-Offset"), String(file.length));
});

/** What R2 says to the next try is the last that is heard, since so much time has passed. */
async function refusedAtTheEnd(code: number, progress: Record<string, number>): Promise<string> {
  const uploadId = await refused(code);
  await stack.kill();
  changeStored(stack.persistDir, uploadId, (stored) => {
    const due = { job_not_before: Date.now() + 6 * HOUR_MS, tried_at: Date.now() - HOUR_MS };
    stored.progress = { ...stored.progress, ...due, ...progress };
  });
  await stack.restart();
  await plan(refuses(code));
  await client.status(uploadId);
  return uploadId;
}

test("what looks lost for ten minutes is lost, and the upload fails and says why", async () => {
  const uploadId = await refusedAtTheEnd(10_025, { refused_since: Date.now() - 600_000 });
  const { reason } = await client.waitUntilState(uploadId, "failed");
  assert.match(reason ?? "", /Storage has lost a part of the upload: .*10025/);
  assertRefused(await client.request("GET", `/files/${uploadId}`), 410, "upload-gone", { state: "failed" });
  await waitUntilNothingLeft(stack.persistDir, uploadId);
});

test("but what nobody has repaired after ten minutes may be after an hour", async () => {
  const uploadId = await refusedAtTheEnd(10_042, { refused_since: Date.now() - 600_000 });
  await waitFor("it to be tried again", () => stack.log.of(uploadId, "assembly_postponed").length === 2);
  await client.waitUntilState(uploadId, "completed");
});
