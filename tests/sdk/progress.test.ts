// What is told of an upload's bytes: sent and confirmed are told apart, and neither goes back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sizeOf } from "../../client/src/file_reader.ts";

import type { HttpClient, Progress } from "../../client/src/index.ts";
import { created, Dialogue, fileOf, offset, Scene, status, taken } from "./dialogue.ts";

/** A network that swallows each chunk in two halves, a second apart, before its answer comes. */
function slow(talk: Dialogue, wait: (ms: number) => Promise<void>): HttpClient {
  return {
    reportsSending: true,
    async send(request) {
      if (sizeOf(request.body) > 0) {
        request.onSent?.(sizeOf(request.body) / 2);
        await wait(1000);
        request.onSent?.(sizeOf(request.body));
        await wait(1000);
      }
      return talk.send(request);
    },
  };
}

async function told(talk: Dialogue, options: object): Promise<Progress[]> {
  const http = slow(talk, (ms) => scene.clock.sleep(ms, new AbortController().signal));
  const scene: Scene = new Scene(fileOf(20), http, { parallel: false, ...options });
  const seen: Progress[] = [];
  scene.upload.on("progress", (progress) => seen.push(progress));
  await scene.upload.start();
  talk.end();
  return seen;
}

const bytes = (seen: Progress[]) => seen.map(({ sentBytes, uploadedBytes }) => [sentBytes, uploadedBytes]);

test("bytes that have left are told before they are confirmed", async () => {
  const seen = await told(
    new Dialogue(
      ["POST /upload/init", created()],
      ["PUT /upload/{id} 0-10", taken(10, 20)],
      ["PUT /upload/{id} 10-20", taken(20, 20)],
      ["GET /upload/{id}/status", status("completed", 20, 20)],
    ),
    {},
  );
  assert.deepEqual(bytes(seen), [
    [0, 0],
    [10, 0],
    [10, 10],
    [20, 10],
    [20, 20],
  ]);
  assert.equal(seen.at(1)?.bytesPerSecond, 10);
});

test("a chunk that was lost and is sent again takes nothing back", async () => {
  const seen = await told(
    new Dialogue(
      ["POST /upload/init", created()],
      ["PUT /upload/{id} 0-10", "no answer"],
      ["HEAD /upload/{id}", offset(0)],
      ["PUT /upload/{id} 0-10", taken(10, 20)],
      ["PUT /upload/{id} 10-20", taken(20, 20)],
      ["GET /upload/{id}/status", status("completed", 20, 20)],
    ),
    {},
  );
  for (const [index, progress] of seen.entries()) {
    assert.ok(progress.sentBytes >= (seen[index - 1]?.sentBytes ?? 0), JSON.stringify(bytes(seen)));
    assert.ok(progress.sentBytes >= progress.uploadedBytes);
  }
  assert.deepEqual(bytes(seen).at(-1), [20, 20]);
});
