// The SDK's recordings against a running Worker, where silence has ended a live one: what the made-up server of tests/sdk says is what the Worker
// says, what was recorded after that is not lost, and what stays at the server after a discard is said.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import {
  createRecording,
  type Recording,
  type RecordingResult,
  type RecordingStatus,
} from "../client/src/recording/index.ts";
import type { Status } from "./support/api.ts";
import type { Reply } from "./support/http.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const stack = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: "" } });
after(() => stack.stop());
const { client } = stack;
const token = mint(stack, claimsOf("alice"));

function ask(method: string, path: string): Promise<Reply> {
  return client.request(method, path, { headers: bearer(token) });
}

async function stateOf(id: string): Promise<Status> {
  return (await ask("GET", `/upload/${id}/status`)).json<Status>();
}

interface Ended {
  readonly recording: Recording;
  readonly done: Promise<RecordingResult>;
  readonly give: (text: string) => void;
  readonly end: () => void;
  readonly firstId: string;
}

function until(recording: Recording, is: (status: RecordingStatus) => boolean): Promise<RecordingStatus> {
  return waitFor("the recording", async () => (is(recording.status) ? recording.status : undefined), {
    lastSeen: () => recording.status,
  });
}

/** A live recording in memory alone, whose server has taken `first` for the whole. */
async function endedBySilence(): Promise<Ended> {
  let controller!: ReadableStreamDefaultController<string>;
  const source = new ReadableStream<string>({
    start: (given) => {
      controller = given;
    },
  }) as unknown as ReadableStream<Uint8Array>;
  const recording = createRecording(source, {
    endpoint: stack.baseUrl,
    headers: { Authorization: `Bearer ${token}` },
    storage: null,
    live: { endAfterSeconds: 2 },
    metadata: { room: "7" },
  });
  const done = recording.start();
  done.catch(() => {});
  controller.enqueue("first");
  const { uploadId = "" } = await until(recording, ({ safeThereBytes }) => safeThereBytes === 5);
  await waitFor("its end", async () => (await stateOf(uploadId)).state === "completed");
  return {
    recording,
    done,
    give: (text) => controller.enqueue(text),
    end: () => controller.close(),
    firstId: uploadId,
  };
}

async function contentOf(id: string): Promise<string> {
  return (await ask("GET", `/upload/${id}/content`)).body.toString();
}

test("asked where to go on, the Worker says of a complete upload how long it is; what is sent to it is too much", async () => {
  const { recording, firstId } = await endedBySilence();
  const head = await ask("HEAD", `/upload/${firstId}`);
  assert.deepEqual([head.status, head.header("Upload-Offset"), head.header("Upload-Length")], [200, "5", "5"]);
  const late = await client.put(firstId, 5, Buffer.from("late"), bearer(token));
  assert.deepEqual([late.status, late.json<{ code: string }>().code], [413, "beyond-declared-length"]);
  await recording.discard();
});

test("what was recorded after it is an upload of its own, which says where it begins", async () => {
  const { recording, done, give, end, firstId } = await endedBySilence();
  give("second");
  await until(recording, ({ safeThereBytes }) => safeThereBytes === 11);
  give("third");
  end();
  const { uploadId, bytes, fromBytes, earlierUploadIds } = await done;
  assert.deepEqual([bytes, fromBytes, earlierUploadIds], [16, 5, [firstId]]);
  assert.deepEqual([await contentOf(firstId), await contentOf(uploadId)], ["first", "secondthird"]);
  const { truncated, fileSize, metadata } = await stateOf(uploadId);
  assert.deepEqual([truncated, fileSize, metadata], [false, 11, { room: "7", fromBytes: "5" }]);
});

test("discarded, the file that it has become stays, since its token may not delete it; the other upload goes", async () => {
  const { recording, give, firstId } = await endedBySilence();
  give("second");
  const { uploadId = "" } = await until(recording, ({ safeThereBytes }) => safeThereBytes === 11);
  const { staying } = await recording.discard();
  assert.deepEqual(
    staying.map(({ uploadId, error }) => [uploadId, error?.status]),
    [[firstId, 403]],
  );
  assert.match(String(staying[0]?.error?.message), /quayside\.delete/);
  assert.equal(await contentOf(firstId), "first");
  assert.equal((await ask("GET", `/upload/${uploadId}/status`)).status, 410);
});
