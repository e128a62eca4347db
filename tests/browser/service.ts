// What every test in a browser stands on, whichever the browser: the Worker with the demo page, the origin, the wire between them
// and the browser, and files on disk to choose.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileBytes, sha256 } from "../support/bytes.ts";
import { Origin, type Recorded } from "../support/origin.ts";
import { freePort } from "../support/ports.ts";
import { Stack } from "../support/stack.ts";
import { Wire } from "./wire.ts";

export type ServiceOptions = {
  vars?: Record<string, string | number>;
  allowedFileTypes?: string[];
  /** Whether the Worker's memory may be looked at. */
  inspected?: boolean;
};

/** A file on disk, as somebody would choose it. */
export type TestFile = { name: string; path: string; sizeBytes: number; sha256: string };

export type ServiceParts = { stack: Stack; origin: Origin; wire: Wire };

export class Service {
  readonly stack: Stack;
  readonly origin: Origin;
  readonly wire: Wire;
  readonly #folder = mkdtempSync(join(tmpdir(), "quayside-files-"));

  static async parts({ vars = {}, allowedFileTypes, inspected = false }: ServiceOptions = {}): Promise<ServiceParts> {
    const [origin, port] = [await Origin.prepare(), await freePort()];
    const wire = await Wire.start(`http://127.0.0.1:${port}`);
    // Whoever uploads is told addresses of the wire.
    const told = { PUBLIC_URL: wire.url, ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1 };
    const stack = await Stack.start({
      port,
      inspected,
      vars: { ...told, ...vars },
      page: { originUrl: origin.baseUrl, ...(allowedFileTypes === undefined ? {} : { allowedFileTypes }) },
    });
    await origin.start(stack.secrets.WEBHOOK_SECRET, wire.url);
    return { stack, origin, wire };
  }

  constructor({ stack, origin, wire }: ServiceParts) {
    this.stack = stack;
    this.origin = origin;
    this.wire = wire;
  }

  file(name: string, sizeBytes: number, seed = name): TestFile {
    const path = join(this.#folder, name);
    const bytes = fileBytes(seed, sizeBytes);
    writeFileSync(path, bytes);
    return { name, path, sizeBytes, sha256: sha256(bytes) };
  }

  /** The origin has exactly these bytes under this name. */
  async assertArrived(uploadId: string, file: TestFile): Promise<Recorded> {
    const record = await this.origin.waitForStored(uploadId);
    assert.deepEqual([record.fileName, record.fileSize, record.sha256], [file.name, file.sizeBytes, file.sha256]);
    return record;
  }

  /** The ids of the uploads of this file that the server has open. */
  async openUploads({ name }: Pick<TestFile, "name">): Promise<string[]> {
    const uploads = await this.stack.client.openUploads();
    return uploads.filter(({ fileName }) => fileName === name).map(({ uploadId }) => uploadId);
  }

  async close(): Promise<void> {
    await this.wire.stop();
    await this.origin.remove();
    await this.stack.stop();
    rmSync(this.#folder, { recursive: true });
  }
}
