// An origin inside the test: it verifies every webhook with the reference library, remembers it, and answers what the
// test has written for that upload. Without a script it answers 200.

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { Webhook } from "standardwebhooks";

import type { UploadEvent } from "./api.ts";
import { waitFor } from "./wait.ts";

/** One answer: a status with an optional body and headers; one that is written as it is, whatever comes of it; or none at all. */
export type Answer = { status: number; headers?: Record<string, string>; body?: unknown } | { raw: string } | "hang";

/** An answer, now or when the test wants it given. */
type Scripted = Answer | Promise<Answer>;

export type Delivery = {
  webhookId: string;
  signature: string;
  /** Whether the reference library took signature and timestamp for genuine. */
  genuine: boolean;
  contentType: string | undefined;
  event: UploadEvent;
  receivedAtMs: number;
};

export class ScriptedOrigin {
  readonly deliveries: Delivery[] = [];
  readonly #scripts = new Map<string, Scripted[]>();
  readonly #server: Server;
  #webhookSecret: string | undefined;

  static async start(): Promise<ScriptedOrigin> {
    const origin = new ScriptedOrigin();
    await new Promise<void>((resolve) => origin.#server.listen(0, "127.0.0.1", resolve));
    return origin;
  }

  private constructor() {
    this.#server = createServer((request, response) => void this.#receive(request, response));
  }

  get webhookUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/webhooks/quayside`;
  }

  /** The secret with which genuine webhooks are signed. Known only once the stack runs. */
  trust(webhookSecret: string | undefined): void {
    this.#webhookSecret = webhookSecret;
  }

  /**
   * The answers to the coming deliveries about this upload, or about its duplicates, or about a file of this name, in order; after the last
   * one, 200.
   */
  script(uploadOrName: string, ...answers: Scripted[]): void {
    this.#scripts.set(uploadOrName, answers);
  }

  of(uploadId: string): Delivery[] {
    return this.deliveries.filter((delivery) => delivery.event.data.uploadId === uploadId);
  }

  /** What was told of duplicates of this upload under this name. */
  duplicatesOf(uploadId: string, fileName: string): Delivery[] {
    return this.deliveries.filter(
      ({ event: { type, data } }) =>
        type === "upload.duplicate" && data.duplicateOf === uploadId && data.fileName === fileName,
    );
  }

  async waitForDeliveries(uploadId: string, count: number): Promise<Delivery[]> {
    await waitFor(`${count} webhooks about ${uploadId}`, () => this.of(uploadId).length >= count, {
      lastSeen: () => this.of(uploadId),
    });
    return this.of(uploadId);
  }

  /** The first event about this upload, which must be of `type` and genuine. */
  async waitForEvent(uploadId: string, type: UploadEvent["type"]): Promise<UploadEvent> {
    const [delivery] = await this.waitForDeliveries(uploadId, 1);
    assert.ok(delivery?.genuine);
    assert.equal(delivery.event.type, type);
    return delivery.event;
  }

  /** The link to the object in this upload's newest event, as path and query on the Worker. */
  async waitForDownloadPath(uploadId: string): Promise<string> {
    const url = new URL((await this.waitForEvent(uploadId, "upload.completed")).data.downloadUrl ?? "");
    return url.pathname + url.search;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) {
      pieces.push(piece);
    }
    const body = Buffer.concat(pieces).toString();
    const event = JSON.parse(body) as UploadEvent;
    this.deliveries.push({
      webhookId: String(request.headers["webhook-id"]),
      signature: String(request.headers["webhook-signature"]),
      genuine: this.#isGenuine(body, request),
      contentType: request.headers["content-type"],
      event,
      receivedAtMs: Date.now(),
    });
    const { uploadId, duplicateOf = uploadId, fileName } = event.data;
    const script = [uploadId, duplicateOf, fileName].map((key) => this.#scripts.get(key)).find(Boolean);
    const answer = await (script?.shift() ?? { status: 200 });
    if (answer === "hang") {
      return;
    }
    if ("raw" in answer) {
      request.socket.end(answer.raw);
      return;
    }
    response.writeHead(answer.status, { "Content-Type": "application/json", ...answer.headers });
    response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
  }

  #isGenuine(body: string, request: IncomingMessage): boolean {
    try {
      const secret = this.#webhookSecret ?? assert.fail("the origin was told no secret");
      new Webhook(secret).verify(body, request.headers as Record<string, string>);
      return true;
    } catch {
      return false;
    }
  }
}
