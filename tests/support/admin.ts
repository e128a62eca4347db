// Whoever runs the service, as conversations have them: a token with `scope: admin`, and the routes below `/admin/`.

import assert from "node:assert/strict";

import type { ListedUpload, OpenUploads, Status } from "./api.ts";
import type { Client } from "./client.ts";
import type { Headers, Reply } from "./http.ts";
import type { Stack } from "./stack.ts";
import { bearer, claimsOf, mint } from "./tokens.ts";

export type Switch = {
  mode: "open" | "no-creations" | "read-only" | "closed";
  reason: string | null;
  expiresAt: string | null;
  changedAt: string | null;
  changedBy: string | null;
};

export type FailedDeliveries = {
  uploads: { uploadId: string; owner: string; failedAt: string; state: string; fileName: string; fileSize: number }[];
  next?: string;
};

export type HeldUploads = { uploads: (ListedUpload & { owner: string; reason: string | null })[]; next?: string };

export type Redelivered = {
  redelivered: string[];
  refused: { uploadId: string; code: string; status: number; detail: string }[];
  left: number;
  next?: string;
};

export type AdminView = {
  owner: string;
  key: string;
  status: Status;
  log: { entries: { event: string; detail: string | null }[] };
};

export class Admin {
  readonly headers: Headers;
  readonly #client: Client;

  constructor(stack: Stack, name = "ops@example.com") {
    this.#client = stack.client;
    this.headers = bearer(mint(stack, claimsOf(name, { quayside: { scope: "admin" } })));
  }

  get(route: string): Promise<Reply> {
    return this.#client.request("GET", `/admin/${route}`, { headers: this.headers });
  }

  send(method: string, route: string, body?: unknown): Promise<Reply> {
    const text = body === undefined ? "" : JSON.stringify(body);
    return this.#client.request(method, `/admin/${route}`, { headers: this.headers, body: text });
  }

  /** All owners, page by page. */
  async owners(): Promise<string[]> {
    const all: string[] = [];
    let cursor: string | undefined;
    do {
      const page = good(
        await this.get(cursor === undefined ? "owners" : `owners?cursor=${encodeURIComponent(cursor)}`),
      );
      const { owners, next } = page.json<{ owners: string[]; next?: string }>();
      all.push(...owners);
      cursor = next;
    } while (cursor !== undefined);
    return all;
  }

  async uploadsOf(owner: string, state = "all"): Promise<string[]> {
    const page = good(await this.get(`uploads?${new URLSearchParams({ owner, state })}`)).json<OpenUploads>();
    return page.uploads.map(({ uploadId }) => uploadId);
  }

  async show(id: string): Promise<AdminView> {
    return good(await this.get(`uploads/${id}`)).json<AdminView>();
  }

  async held(cursor?: string): Promise<HeldUploads> {
    return good(await this.get(`held-uploads${cursor ? `?cursor=${cursor}` : ""}`)).json<HeldUploads>();
  }

  /** The address that a link to its file has, also while it is held. */
  async link(id: string, wanted?: object): Promise<string> {
    const reply = await this.send("POST", `uploads/${id}/links`, wanted);
    assert.equal(reply.status, 201, reply.body.toString());
    const { pathname, search } = new URL(reply.json<{ url: string }>().url);
    return pathname + search;
  }

  async failedDeliveries(cursor?: string): Promise<FailedDeliveries> {
    return good(await this.get(`failed-deliveries${cursor ? `?cursor=${cursor}` : ""}`)).json<FailedDeliveries>();
  }

  async redeliver(which: object): Promise<Redelivered> {
    return good(await this.send("POST", "failed-deliveries/redeliver", which)).json<Redelivered>();
  }

  async switch(): Promise<Switch> {
    return good(await this.get("switch")).json<Switch>();
  }

  async set(wanted: object): Promise<Switch> {
    return good(await this.send("PUT", "switch", wanted)).json<Switch>();
  }
}

function good(reply: Reply): Reply {
  assert.equal(reply.status, 200, reply.body.toString());
  return reply;
}
