// A file that its client has, and sends wrong at first: what it declares, what it sends, and how it finds and repairs what is wrong.

import assert from "node:assert/strict";

import type { ByteRange, Created, InitFields, Manifest, Status } from "./api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./bytes.ts";
import type { Client } from "./client.ts";
import type { Reply } from "./http.ts";

export const PART_BYTES = 8 * MIB;
const PARTS = 4;

export class DamagedFile {
  /** As it should be: four parts, the last of them short. */
  readonly good: Buffer;
  readonly #client: Client;

  constructor(client: Client, name: string) {
    this.#client = client;
    this.good = fileBytes(name, (PARTS - 1) * PART_BYTES + 12_345);
  }

  /** The file, wrong at these bytes. */
  wrongAt(...offsets: number[]): Buffer {
    const bad = Buffer.from(this.good);
    for (const offset of offsets) {
      bad[offset] = (bad[offset] ?? 0) ^ 0xff;
    }
    return bad;
  }

  create(fields: InitFields = {}): Promise<Created> {
    return this.#client.create(this.good, { chunkSize: PART_BYTES, sha256: sha256(this.good), ...fields });
  }

  /** Sends all chunks of these bytes. What the last one is answered. */
  async sendAll(id: string, file: Uint8Array): Promise<Reply> {
    for (let chunk = 0; chunk < PARTS - 1; chunk += 1) {
      await this.#send(id, file, chunk);
    }
    return this.#client.put(id, (PARTS - 1) * PART_BYTES, chunkOf(file, PARTS - 1));
  }

  /** Creates an upload of it and sends these bytes; its id, once it is damaged. */
  async damaged(file: Uint8Array, fields: InitFields = {}): Promise<string> {
    const { uploadId } = await this.create(fields);
    await this.sendAll(uploadId, file);
    await this.#client.waitUntilState(uploadId, "damaged");
    return uploadId;
  }

  /** The parts of the manifest that differ. */
  async differing(id: string): Promise<ByteRange[]> {
    const reply = await this.#client.manifest(id);
    assert.equal(reply.status, 200, reply.body.toString());
    const { uploadId, fileSize, parts } = reply.json<Manifest>();
    assert.deepEqual([uploadId, fileSize], [id, this.good.length]);
    const end = parts.reduce((at, { offset, length }) => (offset === at ? at + length : Number.NaN), 0);
    assert.equal(end, this.good.length, "the parts are the file, in order");
    const crcOf = ({ offset, length }: ByteRange) => crc64nvme(this.good.subarray(offset, offset + length));
    return parts.filter((part) => part.crc64nvme !== crcOf(part)).map(({ offset, length }) => ({ offset, length }));
  }

  async repair(id: string, ranges: ByteRange[]): Promise<Status> {
    const reply = await this.#client.repair(id, ranges);
    assert.equal(reply.status, 200, reply.body.toString());
    return reply.json<Status>();
  }

  /** Sends these chunks as they should be, side by side. */
  async sendGood(id: string, ...chunks: number[]): Promise<void> {
    await Promise.all(chunks.map((chunk) => this.#send(id, this.good, chunk)));
  }

  async #send(id: string, file: Uint8Array, chunk: number): Promise<void> {
    const reply = await this.#client.put(id, chunk * PART_BYTES, chunkOf(file, chunk));
    assert.equal(reply.status, 200, reply.body.toString());
  }
}

export function chunkOf(file: Uint8Array, chunk: number): Uint8Array {
  return file.subarray(chunk * PART_BYTES, (chunk + 1) * PART_BYTES);
}
