// Who may watch an upload: whoever may ask for its status, by a token that a browser can send. To everybody else there is no
// such upload.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Created } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { Watcher } from "./support/watcher.ts";

const HANDSHAKE = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": 13,
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

const stack = await Stack.start({ vars: { AUTH: "token" } });
const { client } = stack;
after(() => stack.stop());

test("the owner's token goes along as a subprotocol; another's opens nothing, and none is refused", async () => {
  const file = fileBytes("mine", 1000);
  const token = mint(stack, claimsOf("alice"));
  const created = await client.init({ fileName: "mine.bin", fileSize: file.length }, bearer(token));
  assert.equal(created.status, 201, created.body.toString());
  const { uploadId } = created.json<Created>();

  const watcher = new Watcher(stack.baseUrl, uploadId, ["quayside", `bearer.${token}`]);
  assert.equal((await watcher.until("the truth", () => true)).state, "open");
  assert.equal(watcher.socket.protocol, "quayside", "and not the token");
  assert.equal((await client.put(uploadId, 0, file, bearer(token))).status, 200);
  await watcher.until("the object", ({ state }) => state === "completed");

  const opened = async (offer: object) =>
    (await client.request("GET", `/upload/${uploadId}/events`, { headers: { ...HANDSHAKE, ...offer } })).status;
  const others = mint(stack, claimsOf("mallory"));
  assert.equal(await opened({ "Sec-WebSocket-Protocol": `quayside, bearer.${others}` }), 404);
  assert.equal(await opened({ "Sec-WebSocket-Protocol": "quayside, bearer.nonsense" }), 401);
  assert.equal(await opened({ "Sec-WebSocket-Protocol": "quayside" }), 401);
  assert.equal(await opened({}), 401);
});
