// The runbook's replay of dead letters: `deploy/replay.sh` sends again what the origin never took, and says so of each.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

import type { Created, Status } from "./support/api.ts";
import { fileBytes } from "./support/bytes.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin({
  DELIVERY_FIRST_DELAY_SECONDS: 1,
  DELIVERY_MAX_ATTEMPTS: 1,
});

const forgotten = (id: string) => `${id} is forgotten, or its token is for another upload\n`;

type Ended = { code: number | null; output: string };

function replay(ids: string[], baseUrl = stack.baseUrl, env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn("sh", [join(repositoryRoot, "deploy/replay.sh"), baseUrl], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { PATH: String(process.env.PATH), ...env },
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stdin.end(ids.map((id) => `${id}\n`).join(""));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}

test("what the origin never took is a dead letter, and is told when it is replayed", async () => {
  const file = fileBytes("dead letter", 1000);
  const { uploadId } = await client.create(file);
  origin.script(uploadId, { status: 500 });
  await client.putPiece(uploadId, file, 0, file.length);
  await client.waitUntilDelivery(uploadId, "failed");
  const letter = await waitFor("the dead letter to be logged", () => stack.log.of(uploadId, "dead_letter")[0]);
  assert.equal(letter.detail, `evt_${uploadId.replaceAll("-", "")}_completed to origin`);

  const nobody = "00000000-0000-4000-8000-000000000000";
  const first = await replay([uploadId, nobody]);
  assert.deepEqual(first, { code: 0, output: `${uploadId} on its way again\n${forgotten(nobody)}` });
  await client.waitUntilDelivery(uploadId, "delivered");
  const ids = origin.of(uploadId).map(({ webhookId }) => webhookId);
  assert.equal(ids.length, 2);
  assert.equal(new Set(ids).size, 1, "the event's id is what it was");
});

test("a Worker that cannot be asked fails the replay", async () => {
  const id = "00000000-0000-4000-8000-000000000001";
  const { code, output } = await replay([id], "http://127.0.0.1:1");
  assert.deepEqual([code, output], [1, `${id} could not be asked: 000\n`]);
});

test("where tokens are asked for, the upload's own token is made for each, whosever it is", async () => {
  const locked = await Stack.start({
    vars: {
      AUTH: "token",
      ORIGIN_WEBHOOK_URL: origin.webhookUrl,
      DELIVERY_FIRST_DELAY_SECONDS: 1,
      DELIVERY_MAX_ATTEMPTS: 1,
    },
  });
  try {
    const file = fileBytes("dead letter of somebody", 10);
    const [alice, bob] = ["alice", "bob"].map((owner) => bearer(mint(locked, claimsOf(owner))));
    const ids: string[] = [];
    for (const headers of [alice, bob]) {
      const created = await locked.client.init({ fileName: "a", fileSize: file.length }, headers);
      const { uploadId } = created.json<Created>();
      origin.script(uploadId, { status: 500 });
      const put = { headers: { ...headers, "X-Upload-Offset": "0" }, body: file };
      assert.equal((await locked.client.request("PUT", `/upload/${uploadId}`, put)).status, 200);
      await waitFor("the delivery to fail", async () => {
        const reply = await locked.client.request("GET", `/upload/${uploadId}/status`, headers ? { headers } : {});
        return reply.json<Status>().delivery === "failed";
      });
      ids.push(uploadId);
    }
    const [first = "", second = ""] = ids;
    const without = await replay(ids, locked.baseUrl);
    assert.deepEqual(without, {
      code: 1,
      output: ids.map((id) => `${id} needs a token: set DOWNLOAD_SECRET\n`).join(""),
    });
    const DOWNLOAD_SECRET = String(locked.secrets.DOWNLOAD_SECRET);
    const all = await replay(ids, locked.baseUrl, { DOWNLOAD_SECRET });
    assert.deepEqual(all, { code: 0, output: ids.map((id) => `${id} on its way again\n`).join("") });
    const token = mint(locked, claimsOf("alice"));
    const named = await replay([`${first} ${token}`, `${second} ${token}`], locked.baseUrl);
    assert.equal(named.code, 0);
    assert.ok(named.output.endsWith(forgotten(second)), named.output);
  } finally {
    await locked.stop();
  }
});
