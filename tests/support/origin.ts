// The real example origin as a process: on one port and one data folder for its whole life, up or down as a test likes.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { send } from "./http.ts";
import { freePort } from "./ports.ts";
import { ProcessGroup } from "./process_group.ts";
import { waitFor } from "./wait.ts";
import { repositoryRoot } from "./wrangler_config.ts";

/** What the origin has recorded about one upload. */
export type Recorded = {
  uploadId: string;
  eventId: string;
  owner: string;
  fileName: string;
  fileSize: number;
  contentType: string | null;
  sniffedType: string | null;
  sha256: string | null;
  crc64nvme: string;
  etag: string;
  file: string;
  state: "pending" | "stored" | "rejected" | "deleted";
  reason?: string | null;
  deliveries: number;
};

export type RecordedEvent = { eventId: string; type: string; uploadId: string; deliveries: number };

export class Origin {
  readonly baseUrl: string;
  readonly #listen: string;
  readonly #dataDir = mkdtempSync(join(tmpdir(), "quayside-origin-"));
  #output = "";
  #process: ProcessGroup | undefined;

  /** An origin that is not running yet, so that its address is known before the Worker starts. */
  static async prepare(): Promise<Origin> {
    return new Origin(`127.0.0.1:${await freePort()}`);
  }

  private constructor(listen: string) {
    this.#listen = listen;
    this.baseUrl = `http://${listen}`;
  }

  get webhookUrl(): string {
    return `${this.baseUrl}/webhooks/quayside`;
  }

  /** `showTo` is the web page that may read its records. */
  async start(webhookSecret: string | undefined, showTo = ""): Promise<void> {
    const group = new ProcessGroup({
      command: resolve(repositoryRoot, process.env.QUAYSIDE_ORIGIN_BIN ?? "target/debug/origin"),
      args: [],
      cwd: this.#dataDir,
      env: {
        ...process.env,
        ORIGIN_LISTEN: this.#listen,
        ORIGIN_DATA_DIR: this.#dataDir,
        WEBHOOK_SECRET: webhookSecret,
        ORIGIN_SHOW_TO: showTo,
      },
      onOutput: (text) => {
        this.#output += text;
      },
    });
    this.#process = group;
    const outcome = await waitFor(
      "the origin to answer",
      async () =>
        (group.hasEnded && "ended") || ((await send(this.baseUrl, "GET", "/healthz")).status === 200 && "ready"),
      { lastSeen: () => this.#output },
    );
    if (outcome === "ended") {
      throw new Error(`the origin ended before it answered:\n${this.#output}`);
    }
  }

  /** Where it appends what it is told of a recording that goes on. */
  growingFile(uploadId: string): string {
    return join(this.#dataDir, "objects", `${uploadId}.growing`);
  }

  /** Down; what it has recorded stays. */
  async stop(): Promise<void> {
    await this.#process?.terminate();
  }

  /** Down, and its records gone. */
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  /** Everything recorded about this upload: exactly one record, unless something is wrong. */
  async records(uploadId: string): Promise<Recorded[]> {
    return (await this.#allRecords()).filter((record) => record.uploadId === uploadId);
  }

  async #allRecords(): Promise<Recorded[]> {
    return (await send(this.baseUrl, "GET", "/uploads")).json<Recorded[]>();
  }

  async events(uploadId: string): Promise<RecordedEvent[]> {
    const all = (await send(this.baseUrl, "GET", "/events")).json<RecordedEvent[]>();
    return all.filter((event) => event.uploadId === uploadId);
  }

  async waitForStored(uploadId: string): Promise<Recorded> {
    let seen: Recorded[] = [];
    const probe = async () => {
      seen = await this.records(uploadId);
      return seen.find((record) => record.state !== "pending");
    };
    const what = `the origin to have fetched ${uploadId}`;
    const record = await waitFor(what, probe, { lastSeen: () => ({ seen, output: this.#output.slice(-2000) }) });
    if (record.state !== "stored") {
      throw new Error(`the origin rejected ${uploadId}: ${record.reason}`);
    }
    return record;
  }
  /** The record of the file with these bytes, whichever upload has brought it. */
  async waitForFile(sha256: string): Promise<Recorded> {
    return await waitFor(`the origin to have fetched a file with ${sha256}`, async () =>
      (await this.#allRecords()).find((record) => record.sha256 === sha256 && record.state === "stored"),
    );
  }
}
