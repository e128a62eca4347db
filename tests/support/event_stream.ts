// Server-Sent Events as a client that is no browser reads them.

import assert from "node:assert/strict";

import type { Status } from "../../client/src/index.ts";

export const EVENTS = { Accept: "text/event-stream" };

export type StatusEvent = { id: string | undefined; status: Status & { fileName: string } };

/** Each event as it comes, until the server ends them; or until whoever listens has heard enough. */
export async function* events(url: string, headers: Record<string, string> = EVENTS): AsyncGenerator<StatusEvent> {
  const stop = new AbortController();
  const response = await fetch(url, { headers, signal: stop.signal });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("Content-Type"), "text/event-stream");
  assert.equal(response.headers.get("Cache-Control"), "no-store");
  const reader = response.body?.getReader();
  let text = "";
  try {
    for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
      text += Buffer.from(read.value).toString();
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const [, id, data] = /^(?:id: (.*)\n)?data: (.*)$/.exec(text.slice(0, end)) ?? [];
        text = text.slice(end + 2);
        if (data !== undefined) {
          yield { id, status: JSON.parse(data) };
        }
      }
    }
  } finally {
    stop.abort();
  }
}
