// Who may put what together, where tokens are needed: only one's own partial uploads, within one's own terms; and what is put together
// must be what it says it is, though no partial upload of it need be.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import { fileBytes } from "./support/bytes.ts";
import type { Headers } from "./support/http.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { encoded, idOf, Tus } from "./support/tus.ts";

const stack = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "" } });
after(() => stack.stop());
const tus = new Tus(stack.client);

const alice = bearer(mint(stack, claimsOf("alice")));
const mallory = bearer(mint(stack, claimsOf("mallory")));
const partial = (bytes: Uint8Array, headers: Headers) => tus.partial(bytes, headers);

test("somebody else's partial upload is no partial upload, word for word as if it were not there", async () => {
  const hers = await partial(Buffer.from("secret"), alice);
  const own = await partial(Buffer.from("own"), mallory);
  const unknown = `/files/${randomUUID()}`;
  for (const listed of [[hers], [own, hers], [new URL(hers).pathname]]) {
    const refused = await tus.final(listed, mallory);
    const ofNothing = await tus.final([unknown], mallory);
    assert.equal(refused.status, 400, refused.body.toString());
    assert.equal(
      refused.body.toString().replaceAll(idOf(hers), "ID"),
      ofNothing.body.toString().replaceAll(idOf(unknown), "ID"),
    );
  }
  for (const headers of [
    {},
    bearer("made.up.token"),
    bearer(mint(stack, claimsOf("alice", { quayside: { upload: idOf(hers) } }))),
  ]) {
    const refused = await tus.final([hers], headers as Headers);
    assert.ok([401, 403, 404].includes(refused.status), `${refused.status}`);
    assert.equal(refused.header("Location"), undefined);
  }
  const url = await tus.composed([hers, hers], alice);
  assert.equal((await tus.send("GET", url, alice)).body.toString(), "secretsecret");
  assert.equal((await tus.send("GET", url, mallory)).status, 404, "and what is put together is hers alone");
});

test("the token's terms hold for the whole, not for its partial uploads", async () => {
  const terms = bearer(mint(stack, claimsOf("alice", { quayside: { maxBytes: 150, types: ["image/png"] } })));
  const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1"), fileBytes("png", 84)]);
  const urls = [await partial(png.subarray(0, 3), terms), await partial(png.subarray(3), terms)];
  const type = (name: string) => ({ "Upload-Metadata": `filetype ${encoded(name)}`, ...terms });
  const refused = await tus.final(urls, type("text/html"));
  assert.ok(refused.status >= 400 && refused.status < 500, `${refused.status}`);
  const turned = await tus.final([...urls].reverse(), type("image/png"));
  assert.equal(turned.status, 410, "whose first bytes are others");
  const tooLong = await tus.final([...urls, ...urls], type("image/png"));
  assert.equal(tooLong.status, 413);
  const url = await tus.composed(urls, type("image/png"));
  assert.deepEqual((await tus.send("GET", url, terms)).body, png);
});
