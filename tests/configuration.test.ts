// A Worker that was not set up: it says so, instead of taking bytes that nobody could ever be told about.

import { test } from "node:test";

import { assertRefused } from "./support/refusals.ts";
import { Stack, type StackOptions } from "./support/stack.ts";

const DOWNLOAD_SECRET = "0123456789abcdef0123456789abcdef";

const incomplete: [string, StackOptions][] = [
  ["both secrets missing", { secrets: {} }],
  ["the webhook secret malformed", { secrets: { WEBHOOK_SECRET: "whsec_not base64", DOWNLOAD_SECRET } }],
  ["a limit that is no number", { vars: { MAX_CHUNK_BYTES: "plenty" } }],
];

for (const [what, options] of incomplete) {
  test(`with ${what}, an upload is refused before it begins`, async (t) => {
    const stack = await Stack.start(options);
    t.after(() => stack.stop());
    assertRefused(await stack.client.init({ fileName: "a", fileSize: 1 }), 503, "not-configured");
  });
}

test("with an AUTH that does not exist, nobody may upload", async (t) => {
  const stack = await Stack.start({ vars: { AUTH: "nobody-knows" } });
  t.after(() => stack.stop());
  assertRefused(await stack.client.init({ fileName: "a", fileSize: 1 }), 401, "unauthorized");
});
