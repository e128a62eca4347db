// Our own mistakes: the client is told an id under which the log says more, nothing of what was stored is lost, and the next
// request is served. Even where the code breaks off in the middle.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
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
  for (const [method, path] of [
    ["GET", `/upload/${uploadId}`],
    ["GET", `/files/${uploadId}`],
  ] as const) {
    await plan(
      ...["object.status", "object.find-object"].flatMap((point) => times(3, { point, nth: 1, kind: "before" })),
    );
    const reply = await client.request(method, path);
    await plan();
    assert.equal(reply.status, 500, `${method} ${path}: ${reply.body}`);
    const { faultId } = reply.json<{ faultId: string }>();
    assert.match(faultId, /^[0-9a-f]{16}$/);
    await waitFor("the line of the fault", () => stack.log.lines.some(({ code }) => code === faultId));
  }
  assert.equal((await client.put(uploadId, 0, fileBytes("after", 5))).status, 200);
});

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}
