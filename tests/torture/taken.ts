// What an origin has taken with `disposition: delete` stays a success: whoever asks afterwards, since the last answer was lost, is told
// that everything is there, in every protocol, and only the bytes themselves are gone. A client that is told anything else sends the whole
// file again.

import { fileBytes } from "../support/bytes.ts";
import type { Headers, Reply } from "../support/http.ts";
import type { Incarnation, Job } from "./job.ts";
import type { World } from "./world.ts";

/** The most of the file's end that is sent again. */
const REPEATED_BYTES = 1_000_000;

/** Asks as every kind of client does. */
export async function askAfterwards(world: World, job: Job, upload: Incarnation, seed: string): Promise<void> {
  const { uploadId } = upload;
  const { sizeBytes } = job.plan;
  const ask = (method: string, path: string, headers: Headers = {}, body?: Uint8Array) =>
    world.stack.client.request(method, path, body === undefined ? { headers } : { headers, body });
  const expect = (what: string, reply: Reply, holds: boolean) => {
    world.figures.askedAfterwards += 1;
    if (!holds) {
      const said = `${reply.status} ${JSON.stringify(reply.headers)} ${reply.body.toString().slice(0, 300)}`;
      world.differ(`${job.name} (${uploadId}) was taken by the origin, and ${what} is told ${said}`, job);
    }
  };
  const status = await ask("GET", `/upload/${uploadId}/status`);
  const { state, uploadedBytes } = status.json<{ state?: string; uploadedBytes?: number }>();
  const isComplete = status.status === 200 && state === "completed" && uploadedBytes === sizeBytes;
  expect("whoever asks for the status", status, isComplete);

  const tus = await ask("HEAD", `/files/${uploadId}`, { "Tus-Resumable": "1.0.0" });
  expect("a tus client", tus, tus.status === 200 && tus.header("Upload-Offset") === String(sizeBytes));

  const draft = await ask("HEAD", `/files/${uploadId}`, { "Upload-Draft-Interop-Version": "8" });
  const draftIsRight = draft.header("Upload-Complete") === "?1" && draft.header("Upload-Offset") === String(sizeBytes);
  expect("a client of the draft", draft, draft.status < 300 && draftIsRight);

  if (sizeBytes > 0 && job.plan.partials === 0 && !job.plan.parallel) {
    const from = Math.max(0, sizeBytes - REPEATED_BYTES);
    const body = fileBytes(`${seed}/file/${job.plan.index}`, sizeBytes).subarray(from);
    const range = { "Content-Range": `bytes ${from}-${sizeBytes - 1}/${sizeBytes}` };
    const repeated = await ask("PUT", `/upload/${uploadId}`, range, body);
    expect("a repeated last chunk", repeated, repeated.status === 200);
  }

  const bytes = await ask("GET", `/files/${uploadId}`, { "Tus-Resumable": "1.0.0" });
  expect("whoever wants the bytes", bytes, bytes.status === 410);
}
