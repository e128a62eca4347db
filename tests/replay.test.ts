// The runbook's replay of dead letters: `deploy/replay.sh` sends again what the origin never took, and says so of each.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

import { fileBytes } from "./support/bytes.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin({
  DELIVERY_FIRST_DELAY_SECONDS: 1,
  DELIVERY_MAX_ATTEMPTS: 1,
});

type Ended = { code: number | null; output: string };

function replay(ids: string[], baseUrl = stack.baseUrl): Promise<Ended> {
  const child = spawn("sh", [join(repositoryRoot, "deploy/replay.sh"), baseUrl], {
    stdio: ["pipe", "pipe", "inherit"],
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
  await waitFor("the dead letter to be logged", () => stack.log.of(uploadId, "dead_letter")[0]);

  const nobody = "00000000-0000-4000-8000-000000000000";
  const first = await replay([uploadId, nobody]);
  assert.deepEqual(first, { code: 0, output: `${uploadId} on its way again\n${nobody} is forgotten\n` });
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
