// Partial uploads of a concatenation are nobody's free storage: they count while they are there, once, are served to nobody, and a final upload
// that is refused keeps none of them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fileBytes, MIB } from "./support/bytes.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";
import { leftovers } from "./torture/leftovers.ts";

describe("where bytes and uploads are bounded", async () => {
  const { origin, stack } = await sceneWithOrigin({
    QUOTA_OPEN_UPLOADS: 3,
    QUOTA_OPEN_BYTES: 20 * MIB,
    QUOTA_BYTES_PER_DAY: 50 * MIB,
  });
  const tus = new Tus(stack.client);
  const partial = (seed: string, bytes: number) => tus.partial(fileBytes(seed, bytes));
  const promised = (bytes: number) => tus.post({ "Upload-Concat": "partial", "Upload-Length": bytes });

  test("partial uploads count when they are complete too, and as one with the upload that names them", async () => {
    const partials = [await partial("one", 8 * MIB), await partial("two", 8 * MIB)];
    assertRefused(await promised(5 * MIB), 429, "quota-exceeded");
    assertRefused(await stack.client.init({ fileName: "a", fileSize: 5 * MIB }), 429, "quota-exceeded");
    assert.deepEqual(await stack.client.openUploads(), [], "and they are no uploads that anybody goes on with");

    // The sixteen are those of the partial uploads, whom nobody counts any more.
    const url = await tus.composed(partials);
    await tus.whole(url);
    await origin.waitForStored(idOf(url));
    await waitFor("the ledger to be empty", () => leftovers(stack.persistDir).ledgerEntries.length === 0);
    assert.equal((await promised(20 * MIB)).status, 201, "16 of 50 today: they were counted once");

    // Named again, they are bytes of their own.
    const again = await tus.final([...partials].reverse());
    assertRefused(again, 429, "quota-exceeded");
  });
});

describe("where nothing is bounded", async () => {
  const { stack } = await sceneWithOrigin();
  const tus = new Tus(stack.client);

  test("a partial upload is served to nobody, and can be put together all the same", async () => {
    const url = await tus.partial(Buffer.from("for free?"));
    await stack.client.waitUntilState(idOf(url), "completed");
    const draft = { "Upload-Draft-Interop-Version": "8" };
    for (const reply of [
      await tus.send("GET", url),
      await tus.send("GET", url, { Range: "bytes=0-3" }),
      await stack.client.request("GET", url),
      await stack.client.request("GET", url, { headers: draft }),
    ]) {
      assertRefused(reply, 403, "partial-upload-not-served");
      assert.ok(!reply.body.includes("free"));
    }
    const head = await tus.head(url);
    assert.deepEqual([head.status, head.header("Upload-Offset")], [200, "9"], "its client goes on as ever");
    const whole = await tus.composed([url]);
    await tus.whole(whole);
    assert.equal((await tus.send("GET", whole)).body.toString(), "for free?");
  });
});

describe("where partial uploads are short-lived", async () => {
  const ttlSeconds = 6;
  const { stack } = await sceneWithOrigin({
    UPLOAD_TTL_SECONDS: ttlSeconds,
    OUTBOX_RESEND_SECONDS: 1,
    QUOTA_OPEN_BYTES: 1000,
  });
  const tus = new Tus(stack.client);

  test("a final upload that is refused keeps nothing, and one that is admitted keeps its partial uploads", async () => {
    const create = (bytes: number) => tus.create({ "Upload-Concat": "partial", "Upload-Length": bytes });
    const [refused, kept, missing] = [
      await tus.partial(Buffer.from("refused")),
      await tus.partial(Buffer.from("kept")),
      await create(900),
    ];
    const expires = Date.parse((await stack.client.state(idOf(missing))).expiresAt);
    await waitFor("half of their time to pass", () => Date.now() > expires - (ttlSeconds * 1000) / 2);
    // Whatever was kept at this moment lives as long as what is created at this moment.
    const witness = await create(1);
    const unknown = await tus.create({ "Upload-Concat": "partial", "Upload-Length": 50 });
    assertRefused(await tus.final([refused, missing, missing]), 429, "quota-exceeded");
    const composed = await tus.composed([kept, unknown]);
    await waitFor("the partial upload to go", async () => (await tus.head(refused)).status === 404);
    assert.equal((await tus.head(witness)).status, 200, "long before it would have gone had it been kept");
    assert.equal((await tus.head(kept)).status, 200);
    assert.equal((await tus.patch(unknown, 0, fileBytes("the rest", 50))).status, 204);
    await tus.whole(composed);
  });
});
