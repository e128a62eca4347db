// Questions about what lies in front of the Worker: how a request's body arrives, and what is left when its sender goes. Whoever
// runs the probe sends the requests and says what it saw; what was asked for stands here.

import type { Bucket, Context } from "./platform.ts";
import type { Answer, Found } from "./question.ts";

const QUESTIONS: Omit<Answer, "answer" | "detail">[] = [
  {
    id: "streaming",
    question: "Does the Worker see a body's first bytes before its last ones were sent?",
    leansOn: "yes",
    fallback: "set request body buffering to None for the upload paths (deploy/terraform/zone.tf); uploads work, later",
  },
  {
    id: "pause",
    question: "Does a body survive that pauses, shorter than STALLED_BODY_SECONDS?",
    leansOn: "yes",
    fallback: "clients come again and go on at the accepted byte; send smaller chunks on bad lines",
  },
  {
    id: "largest-body",
    question: "Does a body of MAX_CHUNK_BYTES, 95 MiB, reach the Worker?",
    leansOn: "yes",
    fallback: "lower MAX_CHUNK_BYTES: clients are told it when an upload is created",
  },
  {
    id: "early-answer",
    question: "Does a client get an answer that is given before its body has ended?",
    leansOn: "either",
    fallback: "the service reads away what is left for up to ten seconds; a client that hears nothing asks with HEAD",
  },
  {
    id: "after-disconnect",
    question: "Does work go on, under waitUntil, after its client has gone?",
    leansOn: "yes",
    fallback:
      "a broken chunk then counts only up to its last whole part; the client goes on there. What a form that is cut off has brought stays until it expires",
  },
];

/** What whoever runs the probe has seen. */
export function seen(id: string, { answer, detail }: Found): Answer | undefined {
  const question = QUESTIONS.find((one) => one.id === id);
  return question && { ...question, answer, detail };
}

/** Reads a body, and says how much came and how the time passed. */
export async function read(request: Request): Promise<{ bytes: number; spreadMs: number }> {
  let bytes = 0;
  let firstMs: number | undefined;
  let lastMs = 0;
  for await (const piece of (request.body ?? new ReadableStream()) as ReadableStream<Uint8Array> &
    AsyncIterable<Uint8Array>) {
    lastMs = Date.now();
    firstMs ??= lastMs;
    bytes += piece.length;
  }
  return { bytes, spreadMs: lastMs - (firstMs ?? lastMs) };
}

/** Reads a body that breaks, and leaves a note in the bucket a moment later, when nobody is there any more. */
export async function noteWhenCut(request: Request, bucket: Bucket, key: string, context: Context): Promise<Response> {
  const work = (async () => {
    let broken = "the body ended as if nothing had happened";
    try {
      await read(request);
    } catch (error) {
      broken = String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await bucket.put(key, broken);
  })();
  context.waitUntil(work);
  await work;
  return new Response();
}
