// The requests of tus 1.0.0, one function each, as a client writes them: with the version, and nothing that was not asked for.

import assert from "node:assert/strict";

import type { Client } from "./client.ts";
import { type Headers, PendingRequest, type Reply } from "./http.ts";
import { waitFor } from "./wait.ts";

export const VERSION = "1.0.0";
export const BYTES = "application/offset+octet-stream";

export class Tus {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  send(method: string, path: string, headers: Headers = {}, body?: Uint8Array): Promise<Reply> {
    const options = body === undefined ? {} : { body };
    return this.#client.request(method, path, { headers: { "Tus-Resumable": VERSION, ...headers }, ...options });
  }

  post(headers: Headers, body?: Uint8Array): Promise<Reply> {
    return this.send("POST", "/files", body === undefined ? headers : { "Content-Type": BYTES, ...headers }, body);
  }

  head(url: string): Promise<Reply> {
    return this.send("HEAD", url);
  }

  patch(url: string, offset: number, body: Uint8Array, headers: Headers = {}): Promise<Reply> {
    return this.send("PATCH", url, { "Content-Type": BYTES, "Upload-Offset": offset, ...headers }, body);
  }

  /** Creates, and gives the upload's URL. */
  async create(headers: Headers): Promise<string> {
    const reply = await this.post(headers);
    assert.equal(reply.status, 201, reply.body.toString());
    return reply.header("Location") ?? "";
  }

  /** A partial upload of what is to be put together, with all its bytes. */
  async partial(bytes: Uint8Array, headers: Headers = {}): Promise<string> {
    const reply = await this.post({ "Upload-Concat": "partial", "Upload-Length": bytes.length, ...headers }, bytes);
    assert.equal(reply.status, 201, reply.body.toString());
    return reply.header("Location") ?? "";
  }

  final(urls: string[], headers: Headers = {}): Promise<Reply> {
    return this.post({ "Upload-Concat": `final;${urls.join(" ")}`, ...headers });
  }

  /** Asks for partial uploads to be put together, and gives the upload's URL. */
  async composed(urls: string[], headers: Headers = {}): Promise<string> {
    const reply = await this.final(urls, headers);
    assert.equal(reply.status, 201, reply.body.toString());
    return reply.header("Location") ?? "";
  }

  /** Waits until what is put together has its object, as a client does that asks again and again. */
  whole(url: string): Promise<Reply> {
    return waitFor(`${url} to be put together`, async () => {
      const reply = await this.head(url);
      assert.equal(reply.status, 200);
      return reply.header("Upload-Offset") !== undefined && reply;
    });
  }

  /** The offset that a HEAD tells. */
  async offset(url: string): Promise<number> {
    const reply = await this.head(url);
    assert.equal(reply.status, 200);
    return Number(reply.header("Upload-Offset"));
  }
}

/** A chunk whose bytes come by hand, and that does not say how many there are. */
export function openPatch(baseUrl: string, uploadId: string, offset: number): PendingRequest {
  const headers = { "Tus-Resumable": VERSION, "Content-Type": BYTES, "Upload-Offset": offset };
  return new PendingRequest(baseUrl, "PATCH", `/files/${uploadId}`, { ...headers, "Transfer-Encoding": "chunked" });
}

/** The upload's id: the last segment of its URL. */
export function idOf(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1);
}

export function encoded(text: string | Uint8Array): string {
  return Buffer.from(text).toString("base64");
}
