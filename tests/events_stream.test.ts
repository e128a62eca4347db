// Live state as Server-Sent Events: the same as over the WebSocket, for pages and networks that have none. Whoever comes back with the id
// of what it heard last is not told it again.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { createUpload } from "../client/src/index.ts";
import { fetchHttp } from "../client/src/platform.ts";
import { fileBytes } from "./support/bytes.ts";
import { EVENTS, events } from "./support/event_stream.ts";
import { Origin } from "./support/origin.ts";
import { Stack } from "./support/stack.ts";

const origin = await Origin.prepare();
const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1 } });
await origin.start(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
after(async () => {
  await origin.remove();
  await stack.stop();
});

const eventsOf = (uploadId: string, headers?: Record<string, string>) =>
  events(`${stack.baseUrl}/upload/${uploadId}/events`, headers);

test("the truth at once, every change after it, and an end once the origin has it", async () => {
  const file = fileBytes("streamed", 2000);
  const upload = await client.create(file, { chunkSize: 1000 });
  const heard: string[] = [];
  for await (const { status } of eventsOf(upload.uploadId)) {
    heard.push(`${status.state} ${status.uploadedBytes} ${status.delivery}`);
    if (heard.length === 1) {
      await client.putPiece(upload.uploadId, file, 0, 1000);
    } else if (status.uploadedBytes === 1000) {
      await client.putPiece(upload.uploadId, file, 1000, 2000);
    }
  }
  assert.deepEqual(heard.slice(0, 2), ["open 0 none", "open 1000 none"]);
  assert.deepEqual(heard.slice(-2), ["completed 2000 queued", "completed 2000 delivered"]);
});

test("whoever comes back is told only what is new", async () => {
  const file = fileBytes("again", 2000);
  const { uploadId } = await client.create(file, { chunkSize: 1000 });
  let last: string | undefined;
  for await (const { id } of eventsOf(uploadId)) {
    last = id;
    break;
  }
  const again = eventsOf(uploadId, { ...EVENTS, "Last-Event-ID": String(last) });
  const next = again.next();
  await client.putPiece(uploadId, file, 0, 1000);
  assert.equal((await next).value?.status.uploadedBytes, 1000, "not 0 once more");
  await again.return(undefined);
});

test("what is asked for otherwise, and what is not there, is refused as ever", async () => {
  const { uploadId } = await client.create(fileBytes("plain", 10));
  const plain = await client.request("GET", `/upload/${uploadId}/events`, { headers: { Accept: "*/*" } });
  assert.equal(plain.status, 426);
  const nobody = "00000000-0000-4000-8000-000000000000";
  const unknown = await client.request("GET", `/upload/${nobody}/events`, { headers: EVENTS });
  assert.equal(unknown.status, 404);
});

test("the SDK hears of completion that way where a WebSocket may not be opened", async () => {
  const asked: string[] = [];
  const live = {
    open: (_url: string, _protocols: readonly string[], _onMessage: unknown, onEnd: () => void) => {
      onEnd();
      return () => {};
    },
  };
  const http = {
    send: (request: Parameters<typeof fetchHttp.send>[0]) => {
      asked.push(`${request.method} ${new URL(request.url).pathname.split("/").at(-1)}`);
      return fetchHttp.send(request);
    },
  };
  const file = new File([new Uint8Array(fileBytes("no socket", 1000))], "no socket.bin");
  const options = { endpoint: stack.baseUrl, store: null, oneRequest: false, runtime: { live, http } };
  const { uploadId } = await createUpload(file, options).start();
  assert.equal((await client.state(uploadId)).state, "completed");
  assert.ok(asked.length <= 4, `hardly asked: ${asked}`);
});
