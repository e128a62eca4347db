// The calls of the JSON protocol, one function each, and the few steps that many tests take. Calls return the raw reply;
// steps (`create`, `putRest`, `state`, `waitUntil…`) insist that it was a good one.

import assert from "node:assert/strict";

import type { ByteRange, ChunkTaken, Created, InitFields, OpenUpload, OpenUploads, Status } from "./api.ts";
import { type Headers, PendingRequest, type Reply, send } from "./http.ts";
import { waitFor } from "./wait.ts";

export class Client {
  readonly baseUrl: string;

  constructor(baseUrl: string) {
    this.baseUrl = baseUrl;
  }

  request(method: string, path: string, options: { headers?: Headers; body?: Uint8Array | string } = {}) {
    return send(this.baseUrl, method, path, options);
  }

  init(fields: InitFields, headers: Headers = {}): Promise<Reply> {
    return this.initRaw(JSON.stringify(fields), headers);
  }

  initRaw(body: string, headers: Headers = {}): Promise<Reply> {
    return this.request("POST", "/upload/init", { headers: { "Content-Type": "application/json", ...headers }, body });
  }

  put(id: string, offset: number, chunk: Uint8Array, headers: Headers = {}): Promise<Reply> {
    return this.putRaw(id, chunk, { "X-Upload-Offset": offset, ...headers });
  }

  /** A chunk with only the headers given. */
  putRaw(id: string, chunk: Uint8Array, headers: Headers = {}): Promise<Reply> {
    return this.request("PUT", `/upload/${id}`, { headers, body: chunk });
  }

  /** A chunk whose bytes come by hand: the head announces `lengthBytes` and goes out at once. */
  putSlowly(id: string, offset: number, lengthBytes: number, headers: Headers = {}): PendingRequest {
    const head = { "Content-Length": lengthBytes, "X-Upload-Offset": offset, ...headers };
    return new PendingRequest(this.baseUrl, "PUT", `/upload/${id}`, head);
  }

  head(id: string): Promise<Reply> {
    return this.request("HEAD", `/upload/${id}`);
  }

  status(id: string): Promise<Reply> {
    return this.request("GET", `/upload/${id}/status`);
  }

  /** A page of the list: the first, or the one behind `cursor`. */
  list(cursor?: string): Promise<Reply> {
    return this.request("GET", cursor === undefined ? "/uploads" : `/uploads?cursor=${cursor}`);
  }

  complete(id: string): Promise<Reply> {
    return this.request("POST", `/upload/${id}/complete`);
  }

  manifest(id: string): Promise<Reply> {
    return this.request("GET", `/upload/${id}/manifest`);
  }

  repair(id: string, ranges: ByteRange[]): Promise<Reply> {
    return this.repairRaw(id, JSON.stringify({ ranges }));
  }

  repairRaw(id: string, body: string): Promise<Reply> {
    return this.request("POST", `/upload/${id}/repair`, { headers: { "Content-Type": "application/json" }, body });
  }

  redeliver(id: string): Promise<Reply> {
    return this.request("POST", `/upload/${id}/redeliver`);
  }

  abort(id: string): Promise<Reply> {
    return this.request("DELETE", `/upload/${id}`);
  }

  async create(file: Uint8Array, fields: InitFields = {}): Promise<Created> {
    const reply = await this.init({ fileName: "file.bin", fileSize: file.length, ...fields });
    assert.equal(reply.status, 201, reply.body.toString());
    return reply.json<Created>();
  }

  /** Puts the bytes from `from` to `to`, which must count afterwards, and all before them. */
  async putPiece(id: string, file: Uint8Array, from: number, to: number, headers: Headers = {}): Promise<ChunkTaken> {
    const reply = await this.put(id, from, file.subarray(from, to), headers);
    assert.equal(reply.status, 200, reply.body.toString());
    const taken = reply.json<ChunkTaken>();
    assert.equal(taken.uploadedBytes, Math.min(to, file.length));
    return taken;
  }

  /** Puts everything from `from` to the end, chunk by chunk. */
  async putRest(upload: Created, file: Uint8Array, from = 0): Promise<ChunkTaken> {
    for (let offset = from; ; offset += upload.chunkSize) {
      const taken = await this.putPiece(upload.uploadId, file, offset, offset + upload.chunkSize);
      if (taken.uploadedBytes === file.length) {
        return taken;
      }
    }
  }

  /** Puts one part and the beginning of the next, waits until the part is counted, and cuts the connection. */
  async putCut(upload: Created, file: Uint8Array, offset: number): Promise<void> {
    const { partBytes } = upload.limits;
    const lengthBytes = Math.min(Math.max(upload.chunkSize, 2 * partBytes), file.length - offset);
    const pending = this.putSlowly(upload.uploadId, offset, lengthBytes);
    pending.write(file.subarray(offset, offset + partBytes + Math.floor(partBytes / 2)));
    await this.waitUntilCounted(upload.uploadId, offset + partBytes);
    pending.cut();
  }

  /** The offset to resume at, as a protocol HEAD tells it. */
  async offset(id: string): Promise<number> {
    const reply = await this.head(id);
    assert.equal(reply.status, 200);
    return Number(reply.header("Upload-Offset"));
  }

  /** The owner's open uploads, all pages. */
  async openUploads(): Promise<OpenUpload[]> {
    const all: OpenUpload[] = [];
    let cursor: string | undefined;
    do {
      const reply = await this.list(cursor);
      assert.equal(reply.status, 200, reply.body.toString());
      const { uploads, next } = reply.json<OpenUploads>();
      all.push(...uploads);
      cursor = next;
    } while (cursor !== undefined);
    return all;
  }

  async state(id: string): Promise<Status> {
    const reply = await this.status(id);
    assert.equal(reply.status, 200, reply.body.toString());
    return reply.json<Status>();
  }

  /** A whole upload in one step: created, put, completed. */
  async upload(file: Uint8Array, fields: InitFields = {}): Promise<Created> {
    const upload = await this.create(file, fields);
    await this.putRest(upload, file);
    await this.waitUntilState(upload.uploadId, "completed");
    return upload;
  }

  waitUntilState(id: string, wanted: Status["state"]): Promise<Status> {
    return this.#waitUntil(id, `state ${wanted}`, (status) => status.state === wanted);
  }

  waitUntilDelivery(id: string, wanted: Status["delivery"]): Promise<Status> {
    return this.#waitUntil(id, `delivery ${wanted}`, (status) => status.delivery === wanted);
  }

  waitUntilCounted(id: string, bytes: number): Promise<Status> {
    return this.#waitUntil(id, `${bytes} bytes counted`, (status) => status.uploadedBytes >= bytes);
  }

  #waitUntil(id: string, what: string, holds: (status: Status) => boolean): Promise<Status> {
    let seen: unknown;
    const probe = async () => {
      const status = (await this.status(id)).json<Status>();
      seen = status;
      return holds(status) && status;
    };
    return waitFor(`${what} of upload ${id}`, probe, { lastSeen: () => seen });
  }
}
