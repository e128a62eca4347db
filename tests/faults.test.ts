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
    await plan({ point, nth: 1, kind: "overloaded" });
    const reply = await client.request("GET", path);
    await plan();
    assert.equal(reply.status, 500, reply.body.toString());
    const { faultId } = reply.json<{ faultId: string }>();
    assert.match(faultId, /^[0-9a-f]{16}$/);
    await waitFor("the line of the fault", () => stack.log.lines.some(({ code }) => code === faultId));
  }
  assert.equal((await client.put(uploadId, 0, fileBytes("after", 5))).status, 200);
});

test("an object that is away for more than a second is waited for", async () => {
  const { uploadId } = (await client.init({ fileName: "a", fileSize: 5 })).json<Created>();
  await plan(...[1, 2, 3, 4, 5].map((nth) => ({ point: "object.status", nth, kind: "before" })));
  const began = Date.now();
  assert.equal((await client.status(uploadId)).status, 200);
  assert.ok(Date.now() - began >= 1_500, "with growing pauses");
});

/** Speaks of an upload, each in its protocol; from a page. */
const page = { Origin: "https://app.example" };
const speakers: [string, Record<string, string>, string][] = [
  ["tus", { "Tus-Resumable": "1.0.0" }, "Tus-Resumable"],
  ["interop 5", { "Upload-Draft-Interop-Version": "5" }, "Upload-Draft-Interop-Version"],
  ["interop 6", { "Upload-Draft-Interop-Version": "6" }, "Upload-Draft-Interop-Version"],
];

for (const [who, spoken, named] of speakers) {
  test(`${who}: who asks for the offset is asked for patience, whatever of ours went wrong`, async () => {
    const { uploadId } = (await client.init({ fileName: "a", fileSize: 5 })).json<Created>();
    const headers = { ...page, ...spoken };
    for (const kind of ["overloaded", "panic"]) {
      await plan({ point: "object.probe", nth: 1, kind });
      const head = await client.request("HEAD", `/files/${uploadId}`, { headers });
      assert.equal(head.status, 423, kind);
      assert.ok(Number(head.header("Retry-After")) > 0, kind);
      assert.equal(head.header(named), spoken[named], `${kind}: in its own protocol`);
      assert.equal(head.header("Access-Control-Allow-Origin"), "*", `${kind}: a page may read it`);
      assert.equal(head.header("Upload-Offset"), undefined);
      const again = await client.request("HEAD", `/files/${uploadId}`, { headers });
      assert.equal(again.header("Upload-Offset"), "0");
    }
    await plan({ point: "object.cancel", nth: 1, kind: "panic" });
    const refused = await client.request("DELETE", `/files/${uploadId}`, { headers });
    assert.equal(refused.status, 500, refused.body.toString());
    assert.equal(refused.header(named), spoken[named]);
    assert.equal(refused.header("Access-Control-Allow-Origin"), "*");
    assert.match(refused.json<{ faultId: string }>().faultId, /^[0-9a-f]{16}$/);
    stack.log.forget();
  });
}

test("what a client says of an instance that broke off is not listened to", async () => {
  const headers = { "BROKEN-OFF": "f", BROKEN_OFF: "f" };
  assert.equal((await client.request("GET", "/upload/nobody", { headers })).status, 404);
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
    assert.ok(reply.header("Vary")?.includes("Origin"), "as every answer");
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
