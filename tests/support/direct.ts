// The calls of the direct door, and the steps that its tests take: sign, put, record.

import assert from "node:assert/strict";

import type { ChunkTaken, Created, SignedPart } from "./api.ts";
import type { Client } from "./client.ts";
import type { Reply } from "./http.ts";
import { putPart } from "./s3.ts";

export type Recorded = { partNumber: number; etag?: string };

export class DirectClient {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  create(file: Uint8Array, fields = {}): Promise<Created> {
    return this.#client.create(file, { direct: true, ...fields });
  }

  askForUrls(id: string, chunks: unknown): Promise<Reply> {
    return this.#client.request("POST", `/upload/${id}/parts/sign`, { body: JSON.stringify({ chunks }) });
  }

  askToRecord(id: string, parts: unknown): Promise<Reply> {
    return this.#client.request("POST", `/upload/${id}/parts`, { body: JSON.stringify({ parts }) });
  }

  async sign(id: string, ...chunks: number[]): Promise<SignedPart[]> {
    const reply = await this.askForUrls(id, chunks);
    assert.equal(reply.status, 200, reply.body.toString());
    return reply.json<{ parts: SignedPart[] }>().parts;
  }

  async signOne(id: string, chunk: number): Promise<SignedPart> {
    const [part] = await this.sign(id, chunk);
    assert.ok(part);
    return part;
  }

  async record(id: string, ...parts: Recorded[]): Promise<ChunkTaken> {
    const reply = await this.askToRecord(id, parts);
    assert.equal(reply.status, 200, reply.body.toString());
    return reply.json<ChunkTaken>();
  }

  /** Stores the chunk of `file` that the URL is for, and says so nowhere. */
  async store(part: SignedPart, file: Uint8Array): Promise<Recorded> {
    const reply = await putPart(part.url, file.subarray(part.offset, part.offset + part.bytes));
    assert.equal(reply.status, 200, reply.body.toString());
    return { partNumber: part.partNumber, etag: reply.header("ETag") ?? "" };
  }

  /** Chunks in the order given, each signed, stored and recorded. */
  async putChunks(id: string, file: Uint8Array, ...chunks: number[]): Promise<void> {
    for (const part of await this.sign(id, ...chunks)) {
      await this.record(id, await this.store(part, file));
    }
  }
}
