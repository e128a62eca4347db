// The list of an owner's uploads, and what the owner uses, as conversations ask for them.

import assert from "node:assert/strict";

import type { ListedUpload, OpenUploads, Usage } from "./api.ts";
import type { Client } from "./client.ts";
import type { Headers } from "./http.ts";
import { waitFor } from "./wait.ts";

/** Which uploads, as the query says it. */
export type Query = { state?: string; prefix?: string; cursor?: string };

/** An owner's view of what is there. */
export class Listing {
  readonly #client: Client;
  readonly #headers: Headers;

  constructor(client: Client, headers: Headers = {}) {
    this.#client = client;
    this.#headers = headers;
  }

  ask(query: Query) {
    return this.#client.request("GET", `/uploads?${new URLSearchParams(query)}`, { headers: this.#headers });
  }

  async page(query: Query): Promise<OpenUploads> {
    const reply = await this.ask(query);
    assert.equal(reply.status, 200, reply.body.toString());
    return reply.json<OpenUploads>();
  }

  /** All pages. */
  async all(query: Query): Promise<ListedUpload[]> {
    const all: ListedUpload[] = [];
    let cursor: string | undefined;
    do {
      const { uploads, next } = await this.page(cursor === undefined ? query : { ...query, cursor });
      all.push(...uploads);
      cursor = next;
    } while (cursor !== undefined);
    return all;
  }

  async ids(query: Query): Promise<string[]> {
    return (await this.all(query)).map(({ uploadId }) => uploadId);
  }

  /** The ledger hears of an ending a moment after its client. */
  async waitFor(query: Query, wanted: string[]): Promise<void> {
    let seen: string[] = [];
    const probe = async () => {
      seen = await this.ids(query);
      return seen.join() === wanted.join();
    };
    await waitFor(`the list of ${JSON.stringify(query)} to be [${wanted}]`, probe, { lastSeen: () => seen });
  }

  async usage(): Promise<Usage> {
    const reply = await this.#client.request("GET", "/usage", { headers: this.#headers });
    assert.equal(reply.status, 200, reply.body.toString());
    return reply.json<Usage>();
  }

  async waitForStored(bytes: number, objects: number): Promise<void> {
    let seen: Usage | undefined;
    const probe = async () => {
      seen = await this.usage();
      return seen.storedBytes.used === bytes && seen.storedObjects === objects;
    };
    await waitFor(`${bytes} bytes in ${objects} files to be stored`, probe, { lastSeen: () => seen });
  }
}
