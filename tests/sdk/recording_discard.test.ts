// What comes of discarding at the server: it may refuse, or not answer, or have ended an earlier upload of the same recording as a file. What is here
// goes all the same, and whoever discards is told what stays.

import assert from "node:assert/strict";
import { test } from "node:test";

import { UploadError } from "../../client/src/recording/index.ts";
import { RecordingWorld, Tap, until } from "./recording_scene.ts";

const NOT_YOURS = {
  code: "forbidden",
  title: "Forbidden",
  detail: "Deleting a finished file needs `quayside.delete`.",
};

function folders(world: RecordingWorld): string[] {
  return [...world.place.folders.keys()].filter((id) => id !== "probe");
}

async function begun() {
  const [world, tap] = [new RecordingWorld(), new Tap()];
  const page = world.page();
  const recording = page.record(tap, { live: true });
  const done = recording.start();
  done.catch(() => {});
  tap.give(1000);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1000);
  const [upload] = [...world.server.uploads.values()];
  assert.ok(upload !== undefined);
  return { world, tap, page, recording, done, upload };
}

test("the server refuses to delete it: that is said, and nothing of it is here", async () => {
  const { world, page, recording, upload } = await begun();
  world.server.endSilent(upload.id);
  world.server.refuse = ({ method }) => (method === "DELETE" ? { status: 403, body: NOT_YOURS } : undefined);
  const { staying } = await recording.discard();
  assert.deepEqual(
    staying.map(({ uploadId, error }) => [uploadId, error?.code, error?.status, error?.problem?.code]),
    [[upload.id, "unauthorized", 403, "forbidden"]],
  );
  assert.deepEqual([folders(world), await page.left()], [[], []]);
  assert.ok(world.server.uploads.has(upload.id));
});

test("the same of one that an earlier page has left", async () => {
  const { world, page, upload } = await begun();
  page.kill();
  world.server.endSilent(upload.id);
  world.server.refuse = ({ method }) => (method === "DELETE" ? { status: 403, body: NOT_YOURS } : undefined);
  const next = world.page();
  const [left] = await next.left();
  const discarded = await left?.discard();
  assert.deepEqual([discarded?.staying.length, discarded?.staying[0]?.error?.code], [1, "unauthorized"]);
  assert.deepEqual([folders(world), await next.left()], [[], []]);
});

for (const [how, fate, code] of [
  ["cannot be reached", "lost", "network"],
  ["is in difficulties", 503, "server"],
] as const) {
  test(`the server ${how}: after a while that is said, and what is here is gone`, async () => {
    const { world, recording, upload } = await begun();
    world.server.fate = ({ method }) => (method === "DELETE" ? fate : "arrives");
    const { staying } = await recording.discard();
    assert.deepEqual(
      staying.map(({ uploadId, error }) => [uploadId, error instanceof UploadError, error?.code]),
      [[upload.id, true, code]],
    );
    assert.deepEqual(folders(world), []);
  });
}

test("the upload that silence has ended goes with the one that was begun after it, also on the next page", async () => {
  for (const isNextPage of [false, true]) {
    const { world, tap, page, recording, upload } = await begun();
    world.server.endSilent(upload.id);
    tap.give(500);
    await until(recording, ({ safeThereBytes }) => safeThereBytes === 1500);
    assert.equal(world.server.uploads.size, 2);
    let who: { discard: typeof recording.discard } | undefined = recording;
    if (isNextPage) {
      page.kill();
      [who] = await world.page().left();
    }
    assert.deepEqual(await who?.discard(), { staying: [] });
    assert.deepEqual([world.server.uploads.size, folders(world)], [0, []]);
  }
});

test("of two uploads the server keeps the one that is a file: that one is said", async () => {
  const { world, tap, recording, upload } = await begun();
  world.server.endSilent(upload.id);
  tap.give(500);
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 1500);
  world.server.refuse = ({ method, url }) =>
    method === "DELETE" && url.endsWith(upload.id) ? { status: 403, body: NOT_YOURS } : undefined;
  const { staying } = await recording.discard();
  assert.deepEqual(
    staying.map(({ uploadId }) => uploadId),
    [upload.id],
  );
  assert.deepEqual([...world.server.uploads.keys()], [upload.id]);
});

test("complete before it was discarded, it stays, nobody asks, and that is said", async () => {
  const { world, tap, recording, done } = await begun();
  tap.end();
  const { uploadId } = await done;
  assert.deepEqual(await recording.discard(), { staying: [{ uploadId, error: undefined }] });
  assert.ok(!world.server.asked.some((line) => line.startsWith("DELETE")));
});

test("gone already, or never begun, nothing stays", async () => {
  const { world, recording, upload } = await begun();
  world.server.end(upload.id, "aborted");
  assert.deepEqual(await recording.discard(), { staying: [] });
  assert.deepEqual(await world.page().record(new Tap()).discard(), { staying: [] });
});
