// What stands between the Worker and the real origin: it lets most webhooks through, and answers some 500, forgets to pass
// on what the origin answered, hangs up, or hangs. For chosen files it has the staged object deleted.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import type { UploadEvent } from "../support/api.ts";
import { freePort } from "../support/ports.ts";
import type { Figures } from "./figures.ts";
import type { Random } from "./random.ts";

/** An event is spoilt so often at most: every further time doubles the wait. */
const MOST_FAILURES_PER_EVENT = 3;

export class FlakyProxy {
  readonly webhookUrl: string;
  readonly #server: Server;
  readonly #originUrl: string;
  readonly #random: Random;
  readonly #failures = new Map<string, number>();
  readonly #discarded: Set<string>;
  #figures: Figures | undefined;
  #isCalm = false;

  /** `discarded` are the names of files whose staged objects the origin does not want kept. */
  static async start(originUrl: string, random: Random, discarded: Set<string>): Promise<FlakyProxy> {
    const proxy = new FlakyProxy(originUrl, random, discarded, await freePort());
    await new Promise<void>((resolve) =>
      proxy.#server.listen(Number(new URL(proxy.webhookUrl).port), "127.0.0.1", resolve),
    );
    return proxy;
  }

  private constructor(originUrl: string, random: Random, discarded: Set<string>, port: number) {
    this.#originUrl = originUrl;
    this.#random = random;
    this.#discarded = discarded;
    this.webhookUrl = `http://127.0.0.1:${port}/webhooks/quayside`;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  countInto(figures: Figures): void {
    this.#figures = figures;
  }

  /** From here on it lets everything through. */
  calm(): void {
    this.#isCalm = true;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) {
      pieces.push(piece);
    }
    const body = Buffer.concat(pieces);
    switch (this.#fate(String(request.headers["webhook-id"]))) {
      case "answers 500":
        response.writeHead(500).end();
        return;
      case "hangs up":
        response.destroy();
        return;
      case "times out":
        return;
      case "forgets":
        await this.#forward(request, body);
        response.writeHead(502).end();
        return;
      case "works":
        await this.#passOn(request, body, response);
    }
  }

  #fate(eventId: string): "works" | "answers 500" | "hangs up" | "times out" | "forgets" {
    const fate = this.#random.weighted([
      [80, "works"],
      [7, "answers 500"],
      [4, "hangs up"],
      [2, "times out"],
      [7, "forgets"],
    ] as const);
    const failures = this.#failures.get(eventId) ?? 0;
    if (this.#isCalm || fate === "works" || failures >= MOST_FAILURES_PER_EVENT) {
      return "works";
    }
    this.#failures.set(eventId, failures + 1);
    this.#count(fate);
    return fate;
  }

  async #passOn(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    const answer = await this.#forward(request, body).catch(() => undefined);
    if (answer === undefined) {
      this.#count("is down");
      response.writeHead(503).end();
      return;
    }
    const { type, data } = JSON.parse(body.toString()) as UploadEvent;
    const discard = answer.ok && type === "upload.completed" && this.#discarded.has(data.fileName);
    const text = await answer.text();
    response.writeHead(answer.status, { "Content-Type": "application/json" });
    response.end(discard ? JSON.stringify({ disposition: "delete" }) : text);
  }

  #forward(request: IncomingMessage, body: Buffer): Promise<Response> {
    const passed = ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type"];
    const headers = Object.fromEntries(passed.map((name) => [name, String(request.headers[name])]));
    return fetch(this.#originUrl, { method: "POST", headers, body: new Uint8Array(body) });
  }

  #count(failure: string): void {
    this.#figures?.count(this.#figures.originFailures, failure);
  }
}
