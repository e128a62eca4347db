// Our own mistakes: the client is told an id under which the log says more, nothing of what was stored is lost, and the next
// request is served. Even where the code breaks off in the middle.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" }, buildDir: "build-faults" });
after(() => stack.stop());
const { client } = stack;

function plan(...rules: object[]) {
  return client.request("POST", "/faults", { body: JSON.stringify(rules) });
}

test("a fault is answered 500 with an id that is in the log", async () => {
  const { uploadId } = (await client.init({ fileName: "a", fileSize: 5 })).json<Created>();
  for (const [path, point] of [
    [`/upload/${uploadId}`, "object.status"],
    [`/files/${uploadId}`, "object.find-object"],
  ] as const) {
    // An object is asked three times before its silence counts.
    await plan(...[1, 2, 3].map((nth) => ({ point, nth, kind: "before" })));
    const reply = await client.request("GET", path);
    await plan();
    assert.equal(reply.status, 500, reply.body.toString());
    const { faultId } = reply.json<{ faultId: string }>();
    assert.match(faultId, /^[0-9a-f]{16}$/);
    await waitFor("the line of the fault", () => stack.log.lines.some(({ code }) => code === faultId));
  }
  assert.equal((await client.put(uploadId, 0, fileBytes("after", 5))).status, 200);
});

test("code that breaks off is answered too, with all that it carried, and the next request is served", async () => {
  const file = fileBytes("broken off", 20 * MIB);
  const upload = await client.create(file);
  const { uploadId, limits } = upload;
  const slow = client.putSlowly(uploadId, 0, file.length);
  slow.write(file.subarray(0, limits.partBytes + MIB));
  await client.waitUntilCounted(uploadId, limits.partBytes);

  await plan({ point: "object.status", nth: 1, kind: "panic" });
  const [broken, beside] = await Promise.all([client.status(uploadId), slow.reply]);
  for (const reply of [broken, beside]) {
    assert.equal(reply.status, 500, reply.body.toString());
    assert.equal(reply.header("Content-Type"), "application/problem+json");
    const { faultId } = reply.json<{ faultId: string }>();
    await waitFor("the line of the fault", () => stack.log.lines.some(({ code }) => code === faultId));
  }
  slow.cut();

  const offset = await client.offset(uploadId);
  assert.ok(offset >= limits.partBytes, "what was counted is there");
  assert.equal((await client.put(uploadId, offset, file.subarray(offset))).status, 200);
  await client.waitUntilState(uploadId, "completed");
  stack.log.forget();
});
