// The application's answer to "may this be uploaded?", inside the test: it verifies every question with the reference library, remembers it,
// and answers as the test has written for a file of that name. Without a script it accepts.

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { Webhook } from "standardwebhooks";

/** A status with headers and a body; bytes that are written as they are, whatever comes of it; or none at all. */
export type HookAnswer =
  | { status?: number; headers?: Record<string, string>; body?: unknown; text?: string }
  | { raw: string }
  | "hang";

export type Question = {
  id: string;
  /** Whether the reference library took signature and timestamp for genuine. */
  genuine: boolean;
  path: string | undefined;
  type: string;
  timestamp: string;
  data: {
    uploadId: string;
    owner: string;
    fileName: string;
    contentType: string | null;
    fileSize: number | null;
    live?: true;
    metadata: Record<string, string>;
    attached: Record<string, string>;
    address: string | null;
    idempotencyKey: string | null;
  };
};

export class AcceptHook {
  readonly questions: Question[] = [];
  readonly #answers = new Map<string, HookAnswer>();
  readonly #server: Server;
  #secret: string | undefined;

  static async start(): Promise<AcceptHook> {
    const hook = new AcceptHook();
    await new Promise<void>((resolve) => hook.#server.listen(0, "127.0.0.1", resolve));
    return hook;
  }

  private constructor() {
    this.#server = createServer((request, response) => void this.#receive(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/may-i`;
  }

  /** The secret with which genuine questions are signed. Known only once the stack runs. */
  trust(secret: string | undefined): void {
    this.#secret = secret;
  }

  /** From now on this is the answer about files of this name. */
  says(fileName: string, answer: HookAnswer): void {
    this.#answers.set(fileName, answer);
  }

  of(fileName: string): Question[] {
    return this.questions.filter(({ data }) => data.fileName === fileName);
  }

  /** The one question about this file. */
  single(fileName: string): Question {
    const [question, ...more] = this.of(fileName);
    assert.ok(question, `nobody has asked about ${fileName}`);
    assert.deepEqual(more, []);
    return question;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray()).toString();
    const id = String(request.headers["webhook-id"]);
    const said = JSON.parse(body) as Pick<Question, "type" | "timestamp" | "data">;
    this.questions.push({ id, genuine: this.#isGenuine(body, request), path: request.url, ...said });
    const answer = this.#answers.get(said.data.fileName) ?? {};
    if (answer === "hang") {
      return;
    }
    if ("raw" in answer) {
      request.socket.end(answer.raw);
      return;
    }
    const { status = 200, headers = {}, body: document = {}, text = JSON.stringify(document) } = answer;
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(text);
  }

  #isGenuine(body: string, request: IncomingMessage): boolean {
    try {
      new Webhook(this.#secret ?? "").verify(body, request.headers as Record<string, string>);
      return true;
    } catch {
      return false;
    }
  }
}
