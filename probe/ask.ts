// Asks a running probe everything: its own report, and the questions that are asked by how a request is sent.

import { request as insecure } from "node:http";
import { request as secure } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

import type { Answer } from "./src/question.ts";

/** What the service takes in one request: MAX_CHUNK_BYTES. */
const LARGEST_BODY_BYTES = 99_614_720;

/** How long a note of a Worker whose client has gone is waited for. */
const NOTE_WITHIN_MS = 30_000;

export type Asked = {
  baseUrl: string;
  token: string;
  /** How long a body pauses in its middle. */
  pauseMs: number;
};

type Sent = { status: number; text: string };

export async function askEverything(asked: Asked): Promise<Answer[]> {
  const answers = JSON.parse((await send(asked, "GET", "/report")).text) as Answer[];
  return [
    ...answers,
    await seen(asked, "streaming", await streaming(asked)),
    await seen(asked, "pause", await pause(asked)),
    await seen(asked, "largest-body", await largestBody(asked)),
    await seen(asked, "early-answer", await earlyAnswer(asked)),
    await seen(asked, "after-disconnect", await afterDisconnect(asked)),
  ];
}

type Seen = { holds: boolean; detail: string };

async function seen(asked: Asked, id: string, { holds, detail }: Seen): Promise<Answer> {
  const query = new URLSearchParams({ id, answer: holds ? "yes" : "no", detail });
  return JSON.parse((await send(asked, "GET", `/seen?${query}`)).text) as Answer;
}

type Read = { bytes: number; spreadMs: number };

async function streaming(asked: Asked): Promise<Seen> {
  const gapMs = 1500;
  const { status, text } = await send(asked, "PUT", "/body/read", [
    new Uint8Array(200_000),
    gapMs,
    new Uint8Array(200_000),
  ]);
  const { bytes, spreadMs } = status === 200 ? (JSON.parse(text) as Read) : { bytes: 0, spreadMs: 0 };
  return {
    holds: bytes === 400_000 && spreadMs > gapMs / 2,
    detail: `${gapMs} ms between the halves were ${spreadMs} ms there`,
  };
}

async function pause(asked: Asked): Promise<Seen> {
  const halves = [new Uint8Array(200_000), asked.pauseMs, new Uint8Array(200_000)];
  const { status, text } = await send(asked, "PUT", "/body/read", halves);
  const bytes = status === 200 ? (JSON.parse(text) as Read).bytes : 0;
  return { holds: bytes === 400_000, detail: `a pause of ${asked.pauseMs / 1000} s: status ${status}, ${bytes} bytes` };
}

async function largestBody(asked: Asked): Promise<Seen> {
  const { status, text } = await send(asked, "PUT", "/body/read", [new Uint8Array(LARGEST_BODY_BYTES)]);
  const bytes = status === 200 ? (JSON.parse(text) as Read).bytes : 0;
  return { holds: bytes === LARGEST_BODY_BYTES, detail: `status ${status}, ${bytes} bytes` };
}

async function earlyAnswer(asked: Asked): Promise<Seen> {
  const halves = [new Uint8Array(1_000_000), 1000, new Uint8Array(19_000_000)];
  const { status, text } = await send(asked, "PUT", "/body/early", halves);
  return { holds: status === 409, detail: status === 0 ? text : `status ${status}` };
}

async function afterDisconnect(asked: Asked): Promise<Seen> {
  await send(asked, "PUT", "/body/cut", [new Uint8Array(200_000), 500, "cut"], 400_000);
  const deadlineMs = Date.now() + NOTE_WITHIN_MS;
  while (Date.now() < deadlineMs) {
    const note = JSON.parse((await send(asked, "GET", "/body/cut/note")).text) as string | null;
    if (note !== null) {
      return { holds: true, detail: `reading the body said: ${note}` };
    }
    await sleep(500);
  }
  return { holds: false, detail: `no word within ${NOTE_WITHIN_MS / 1000} s` };
}

/** Sends bytes, waits milliseconds, or cuts the connection, in this order. Status 0 and the error, where no answer came. */
async function send(
  { baseUrl, token }: Asked,
  method: string,
  path: string,
  steps: (Uint8Array | number | "cut")[] = [],
  announcedBytes = steps.reduce((sum: number, step) => sum + (step instanceof Uint8Array ? step.length : 0), 0),
): Promise<Sent> {
  const url = new URL(path, baseUrl);
  const headers = { Authorization: `Bearer ${token}`, "Content-Length": announcedBytes };
  const request = (url.protocol === "https:" ? secure : insecure)(url, { method, headers, agent: false });
  const answer = new Promise<Sent>((resolve) => {
    request.on("error", (error) => resolve({ status: 0, text: String(error) }));
    request.on("response", async (response) => {
      let text = "";
      try {
        for await (const piece of response.setEncoding("utf8")) {
          text += piece;
        }
      } catch (error) {
        text += error;
      }
      resolve({ status: response.statusCode ?? 0, text });
    });
  });
  for (const step of steps) {
    if (step === "cut") {
      request.destroy(new Error("cut on purpose"));
    } else if (typeof step === "number") {
      await sleep(step);
    } else if (!request.destroyed) {
      request.write(step);
    }
  }
  request.end();
  return await answer;
}
