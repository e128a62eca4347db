// A file whose object takes longer than any answer may wait: clients as published ask on, take no offset for success before the object is
// there, and send nothing twice. R2 does not put the object together for a while, and no answer waits for it.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { Upload, type UploadOptions } from "tus-js-client";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { send } from "./support/http.ts";
import { Origin, type Recorded } from "./support/origin.ts";
import { Stack } from "./support/stack.ts";

const origin = await Origin.prepare();
const stack = await Stack.start({
  buildDir: "build-faults",
  vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1 },
});
await origin.start(stack.secrets.WEBHOOK_SECRET);
after(async () => {
  await origin.remove();
  await stack.stop();
});
const { client } = stack;

function plan(...rules: object[]) {
  return client.request("POST", "/faults", { body: JSON.stringify(rules) });
}

/** R2 fails twice, and the object is tried again after a second and after two; meanwhile nobody is kept waiting. */
async function slowly(): Promise<void> {
  await plan();
  const complete = [1, 2].map((nth) => ({ point: "r2.complete", nth, kind: "before" }));
  const awaited = Array.from({ length: 200 }, (_, at) => ({
    point: "object.await-object",
    nth: at + 1,
    kind: "overloaded",
  }));
  await plan(...complete, ...awaited);
}

type Options = Partial<UploadOptions> & { protocol: "tus-v1" | "ietf-draft-03" | "ietf-draft-05" };
type Run = { url: string; answers: string[] };

function upload(file: Buffer, options: Options): Promise<Run> {
  const answers: string[] = [];
  return new Promise((resolve, reject) => {
    const upload: Upload = new Upload(file, {
      endpoint: `${stack.baseUrl}/files`,
      retryDelays: Array(100).fill(200),
      onAfterResponse: (request, response) => {
        answers.push(`${request.getMethod()} ${response.getStatus()}`);
      },
      onError: reject,
      onSuccess: () => resolve({ url: upload.url ?? "", answers }),
      ...options,
    });
    upload.start();
  });
}

for (const protocol of ["tus-v1", "ietf-draft-03", "ietf-draft-05"] as const) {
  for (const uploadDataDuringCreation of [false, true]) {
    const how = uploadDataDuringCreation ? "with its creation" : "after its creation";
    test(`${protocol}, bytes ${how}: stored once, and success only when it is there`, async () => {
      const file = fileBytes(`slow ${protocol} ${how}`, 20 * MIB);
      await slowly();
      const { url, answers } = await upload(file, { protocol, uploadDataDuringCreation });
      const id = url.slice(url.lastIndexOf("/") + 1);
      assert.equal((await client.state(id)).state, "completed", "success is said when the object is there");
      const sent = answers.filter((answer) => !answer.startsWith("HEAD"));
      assert.deepEqual(
        sent.map((answer) => answer.split(" ")[0]),
        uploadDataDuringCreation ? ["POST"] : ["POST", "PATCH"],
        answers.join(", "),
      );
      const asked = answers.filter((answer) => answer.startsWith("HEAD"));
      assert.ok(asked.length > 1 && asked.slice(0, -1).every((answer) => answer === "HEAD 423"), answers.join(", "));
      await plan();
      const { sha256: stored } = await origin.waitForStored(id);
      assert.equal(stored, sha256(file));
      const all = (await send(origin.baseUrl, "GET", "/uploads")).json<Recorded[]>();
      assert.deepEqual(
        all.filter((record) => record.sha256 === stored).map(({ uploadId }) => uploadId),
        [id],
        "one file, once",
      );
      assert.deepEqual(await client.openUploads(), []);
      stack.log.forget();
    });
  }
}
