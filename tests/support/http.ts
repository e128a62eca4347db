// HTTP with nothing in between: one connection per request, paths and headers sent exactly as given, and bodies that can
// stop half-way. A path goes below the path of the server's URL, where that has one. A whole URL, as `Location` has it, is one of this
// server, and its own path is sent. `fetch` tidies paths, refuses to set Content-Length and keeps connections over a server's death.

import { type ClientRequest, request } from "node:http";

/** A connection on which nothing has moved for so long will bring no answer any more. */
const GIVE_UP_MS = 90_000;

export type Headers = Record<string, string | number>;

export class Reply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Record<string, string>;
  readonly body: Buffer;

  constructor(status: number, headers: Record<string, string>, body: Buffer) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  json<T>(): T {
    try {
      return JSON.parse(this.body.toString()) as T;
    } catch (error) {
      throw new Error(`not JSON, status ${this.status}: ${this.body.toString().slice(0, 500)}`, { cause: error });
    }
  }

  header(name: string): string | undefined {
    return this.headers[name.toLowerCase()];
  }
}

/** A whole request, answered. */
export async function send(
  baseUrl: string,
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Headers; body?: Uint8Array | string } = {},
): Promise<Reply> {
  const length: Headers = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
  const pending = new PendingRequest(baseUrl, method, path, { ...length, ...headers });
  if (body !== undefined) {
    pending.write(body);
  }
  return await pending.finish();
}

/** A request whose body is written by hand. */
export class PendingRequest {
  readonly reply: Promise<Reply>;
  readonly #request: ClientRequest;

  constructor(baseUrl: string, method: string, path: string, headers: Headers) {
    const { hostname, port, origin, pathname } = new URL(baseUrl);
    const target = path.startsWith(`${origin}/`) ? path.slice(origin.length) : pathname.replace(/\/$/, "") + path;
    this.#request = request({
      hostname,
      port,
      method,
      path: target,
      headers,
      agent: false,
      setHost: !hasHost(headers),
    });
    this.#request.setTimeout(GIVE_UP_MS, () => {
      this.#request.destroy(new Error(`${method} ${path}: nothing moved for ${GIVE_UP_MS / 1000} s`));
    });
    this.reply = new Promise((resolve, reject) => {
      this.#request.on("error", reject);
      this.#request.on("response", (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", reject);
        response.on("end", () => {
          const all = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
          resolve(new Reply(response.statusCode ?? 0, Object.fromEntries(all), Buffer.concat(pieces)));
        });
      });
    });
    // Whoever cuts a connection does not ask for its reply.
    this.reply.catch(() => {});
    this.#request.flushHeaders();
  }

  write(bytes: Uint8Array | string): void {
    this.#request.write(bytes);
  }

  /** Writes, and waits until the bytes have left this process: a connection that is cut now still carries them. */
  writeThrough(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => this.#request.write(bytes, (error) => (error ? reject(error) : resolve())));
  }

  async finish(): Promise<Reply> {
    this.#request.end();
    return await this.reply;
  }

  /** The connection dies, with whatever it has carried so far. */
  cut(): void {
    this.#request.destroy();
  }
}

function hasHost(headers: Headers): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === "host");
}
