// HTTP for measuring: connections stay open between requests, bodies are written from memory as they are, and an answer
// that is not the expected one ends the run. A connection that the server had closed while it was idle is no answer: the request
// goes out again on a new one (https://nodejs.org/api/http.html#requestreusedsocket).

import { Agent, request } from "node:http";

export type Body = Buffer | string;
export type Answer = { headers: Record<string, string | string[] | undefined>; text: string };

export class Http {
  readonly #url: URL;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(baseUrl: string) {
    this.#url = new URL(baseUrl);
  }

  /** Sends, and insists on this status. */
  send(
    method: string,
    path: string,
    expected: number,
    { headers = {}, body }: { headers?: Record<string, string | number>; body?: Body } = {},
  ): Promise<Answer> {
    const { hostname, port } = this.#url;
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const options = { hostname, port, method, path, headers: { ...length, ...headers }, agent: this.#agent };
      const sent = request(options, (response) => {
        response.setEncoding("utf8");
        let text = "";
        response.on("data", (piece: string) => {
          text += piece;
        });
        response.on("error", reject);
        response.on("end", () => {
          if (response.statusCode === expected) {
            resolve({ headers: response.headers, text });
          } else {
            reject(new Error(`${method} ${path}: ${response.statusCode} instead of ${expected}: ${text}`));
          }
        });
      });
      sent.on("error", (error: NodeJS.ErrnoException) => {
        const again = sent.reusedSocket && error.code === "ECONNRESET";
        again
          ? resolve(this.send(method, path, expected, { headers, ...(body === undefined ? {} : { body }) }))
          : reject(error);
      });
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Takes up `items` in order, so many at the same time, until all are done. */
export async function inParallel<T>(lanes: number, items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) {
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
