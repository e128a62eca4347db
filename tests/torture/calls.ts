// Requests as the clients of a run make them: written into the upload's history, counted, given up after a while, and cut
// where the client is to be clumsy. What comes back is an answer or nothing; nothing is thrown.

import { setTimeout as sleep } from "node:timers/promises";

import { type Headers, PendingRequest, type Reply } from "../support/http.ts";
import type { Job } from "./job.ts";
import type { World } from "./world.ts";

/** Longer than every pause that the Worker makes by itself; only for giving up. */
const ANSWER_WITHIN_MS = 45_000;

export type Send = {
  who: string;
  headers?: Headers;
  body?: Uint8Array;
  /** What the body is, for the history. */
  what?: string;
  /** The connection dies behind so many bytes of the body, before any answer. */
  cutAt?: number;
  /** The body comes in so many pieces. */
  pieces?: number;
  /** The client does not get to see the answer. */
  losesAnswer?: boolean;
  isGarbage?: boolean;
};

export async function call(
  world: World,
  job: Job,
  method: string,
  path: string,
  send: Send,
): Promise<Reply | undefined> {
  const { figures, stack } = world;
  const body = send.body ?? new Uint8Array();
  figures.requests += 1;
  job.requests += 1;
  const request = `${send.who}: ${method} ${path.replace("/upload/", "")} ${send.what ?? ""}`;
  const length: Headers = ["PUT", "POST", "PATCH"].includes(method) ? { "Content-Length": body.length } : {};
  const pending = new PendingRequest(stack.baseUrl, method, path, { ...length, ...send.headers });
  const sent = Math.min(body.length, send.cutAt ?? body.length);
  const [of, count]: ["garbageBytes" | "bytesSent", number] = [send.isGarbage ? "garbageBytes" : "bytesSent", sent];
  figures[of] += method === "PUT" || method === "PATCH" ? count : 0;
  const patience = setTimeout(() => pending.cut(), ANSWER_WITHIN_MS);
  try {
    const reply = await exchange(pending, body.subarray(0, sent), send);
    if (reply === undefined) {
      figures.disconnects += 1;
      job.note(`${request} – cut behind ${sent} of ${body.length} bytes`);
      return undefined;
    }
    const said = `${reply.status} ${reply.header("Upload-Offset") ?? reply.body.subarray(0, 400).toString()}`;
    if (reply.status === 409) {
      figures.count(figures.refusals, problemOf(reply));
    }
    if (send.losesAnswer) {
      figures.lostAnswers += 1;
      job.note(`${request} → ${said}, and the answer is lost`);
      return undefined;
    }
    job.note(`${request} → ${said}`);
    return reply;
  } catch (error) {
    figures.unanswered += 1;
    job.note(`${request} – ${(error as Error).message}`);
    return undefined;
  } finally {
    clearTimeout(patience);
  }
}

async function exchange(pending: PendingRequest, body: Uint8Array, send: Send): Promise<Reply | undefined> {
  const pieces = Math.min(send.pieces ?? 1, Math.max(1, body.length));
  for (let piece = 0; piece < pieces; piece++) {
    const [from, to] = [piece, piece + 1].map((at) => Math.floor((body.length * at) / pieces));
    // A refusal may come before the body is through, and then the rest need not go.
    await Promise.race([pending.writeThrough(body.subarray(from, to)), pending.reply]);
  }
  if (send.cutAt !== undefined) {
    pending.cut();
    return undefined;
  }
  return await pending.finish();
}

/** The code at the end of a problem's type. */
export function problemOf(reply: Reply): string {
  try {
    return reply.json<{ type: string }>().type.split("/").at(-1) ?? "";
  } catch {
    return "";
  }
}

/** A short pause before asking again; longer where the Worker asked for it, or is not there at all. */
export async function breathe(reply: Reply | undefined): Promise<void> {
  const asked = Number(reply?.header("Retry-After") ?? 0);
  await sleep(asked > 0 ? Math.min(asked * 1000, 6000) : reply === undefined ? 200 : 50);
}
