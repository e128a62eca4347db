// What tus gives back with every HEAD is no longer than what clients take in an answer.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";
import { Tus } from "./support/tus.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const tus = new Tus(stack.client);
after(() => stack.stop());

function assertHeaders(reply: Reply, expected: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(reply.header(name), value, name);
  }
}

test("what is accepted can be read back by every client, and what is longer is refused with the limit", async () => {
  const note = (bytes: number) => `note ${"A".repeat(bytes - 5)}`;
  const longest = note(8_000 - 3);
  const url = await tus.create({ "Upload-Length": 1, "Upload-Metadata": longest });
  const head = await tus.send("HEAD", url, { Origin: "https://app.example" });
  assertHeaders(head, { "Upload-Metadata": longest });

  const refused = await tus.post({ "Upload-Length": 1, "Upload-Metadata": note(8_004) });
  assertRefused(refused, 431, "field-too-large", { field: "Upload-Metadata", limitBytes: 8_000 });
  assertHeaders(refused, { Location: undefined, "Tus-Resumable": "1.0.0" });

  // With a long list beside it there is less room: Node takes 16 KiB for all headers together.
  const partial = await tus.partial(Buffer.from("a"));
  const final = `final;${Array(100).fill(partial).join(" ")}`;
  const most = Math.floor((12_000 - final.length) / 4) * 4 + 1;
  const full = await tus.create({ "Upload-Concat": final, "Upload-Metadata": note(most) });
  const whole = await tus.send("HEAD", full, { Origin: "https://app.example" });
  assertHeaders(whole, { "Upload-Concat": final, "Upload-Metadata": note(most) });
  const bytes = Object.entries(whole.headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  assert.ok(bytes < 16_384 - 1_500, `${bytes} bytes, and the network's own`);
  const more = await tus.final([...Array(100).fill(partial)], { "Upload-Metadata": note(most + 4) });
  assertRefused(more, 431, "field-too-large", { field: "Upload-Metadata", limitBytes: 12_000 - final.length });
});
