// A Worker whose tokens may ask for `hold`, a scanner that answers as the test has written, and uploads that are held.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after } from "node:test";

import { AcceptHook } from "./accept_hook.ts";
import { Admin } from "./admin.ts";
import type { Created, InitFields, Status, UploadEvent } from "./api.ts";
import type { Client } from "./client.ts";
import type { Headers, Reply } from "./http.ts";
import { ScriptedOrigin } from "./scripted_origin.ts";
import { freshSecrets, Stack, type StackOptions } from "./stack.ts";
import { bearer, claimsOf, mint } from "./tokens.ts";
import { waitFor } from "./wait.ts";

export const MAX_ATTEMPTS = 3;

export class Held {
  readonly stack: Stack;
  readonly client: Client;
  readonly admin: Admin;
  readonly origin: ScriptedOrigin;
  readonly audit: ScriptedOrigin;
  readonly scanner: ScriptedOrigin;
  readonly hook: AcceptHook;
  /** Alice's tokens: what she uploads with the one is held. */
  readonly holding: Headers;
  readonly plain: Headers;

  static async start(vars: StackOptions["vars"] = {}): Promise<Held> {
    const [origin, audit, scanner] = [
      await ScriptedOrigin.start(),
      await ScriptedOrigin.start(),
      await ScriptedOrigin.start(),
    ];
    const hook = await AcceptHook.start();
    const kinds = ["upload.held", "upload.released", "upload.completed", "upload.rejected", "upload.deleted"];
    const secrets = { ...freshSecrets(), SCANNER_SECRET: `whsec_${randomBytes(32).toString("base64")}` };
    const stack = await Stack.start({
      secrets,
      vars: {
        AUTH: "token",
        DELETE_COMPLETED: "claim",
        ORIGIN_WEBHOOK_URL: origin.webhookUrl,
        ACCEPT_HOOK: hook.url,
        EVENT_RECEIVERS: JSON.stringify([{ name: "audit", url: audit.webhookUrl, secret: "WEBHOOK_SECRET", kinds }]),
        SCANNER: JSON.stringify({ url: scanner.webhookUrl, secret: "SCANNER_SECRET" }),
        DELIVERY_FIRST_DELAY_SECONDS: 1,
        DELIVERY_MAX_ATTEMPTS: MAX_ATTEMPTS,
        OUTBOX_RESEND_SECONDS: 2,
        WEBHOOK_TIMEOUT_SECONDS: 20,
        ...vars,
      },
    });
    origin.trust(secrets.WEBHOOK_SECRET);
    audit.trust(secrets.WEBHOOK_SECRET);
    hook.trust(secrets.WEBHOOK_SECRET);
    scanner.trust(secrets.SCANNER_SECRET);
    after(async () => {
      await Promise.all([origin, audit, scanner, hook].map((one) => one.stop()));
      await stack.stop();
    });
    return new Held(stack, { origin, audit, scanner, hook });
  }

  private constructor(stack: Stack, heard: Pick<Held, "origin" | "audit" | "scanner" | "hook">) {
    const { origin, audit, scanner, hook } = heard;
    this.stack = stack;
    this.client = stack.client;
    this.admin = new Admin(stack);
    [this.origin, this.audit, this.scanner, this.hook] = [origin, audit, scanner, hook];
    const of = (quayside: object) => bearer(mint(stack, claimsOf("alice", { quayside })));
    this.holding = of({ hold: true });
    this.plain = of({});
  }

  async create(file: Uint8Array, fields: InitFields & { fileName: string }, headers = this.holding): Promise<Created> {
    const reply = await this.client.init({ fileSize: file.length, ...fields }, headers);
    assert.equal(reply.status, 201, reply.body.toString());
    return reply.json<Created>();
  }

  /** An upload with all its bytes, and complete. */
  async upload(
    file: Uint8Array,
    fileName: string,
    { headers = this.holding, sha256 }: { headers?: Headers; sha256?: string } = {},
  ): Promise<string> {
    const { uploadId } = await this.create(file, { fileName, ...(sha256 === undefined ? {} : { sha256 }) }, headers);
    const put = await this.client.put(uploadId, 0, file, headers);
    assert.equal(put.status, 200, put.body.toString());
    await this.waitUntil(uploadId, ({ state }) => state === "completed" || state === "failed");
    return uploadId;
  }

  async status(id: string): Promise<Status> {
    const reply = await this.client.request("GET", `/upload/${id}/status`, { headers: this.plain });
    assert.equal(reply.status, 200, reply.body.toString());
    return reply.json<Status>();
  }

  waitUntil(id: string, holds: (status: Status) => boolean): Promise<Status> {
    let seen: unknown;
    const look = async () => {
      const status = await this.status(id);
      seen = status;
      return holds(status) && status;
    };
    return waitFor(`upload ${id}`, look, { lastSeen: () => seen });
  }

  content(id: string): Promise<Reply> {
    return this.client.request("GET", `/upload/${id}/content`, { headers: this.plain });
  }

  /** What the scanner is asked, once it is. */
  async asked(id: string): Promise<UploadEvent["data"]> {
    const [delivery] = await this.scanner.waitForDeliveries(id, 1);
    assert.ok(delivery?.genuine);
    assert.equal(delivery.event.type, "upload.held");
    return delivery.event.data;
  }

  /** The file by the scanner's link. */
  async byLink(id: string): Promise<Reply> {
    const { pathname, search } = new URL((await this.asked(id)).downloadUrl ?? "");
    return await this.client.request("GET", pathname + search);
  }

  /** What each of them has heard, in order, once the last of it is there. */
  async heard(
    who: "origin" | "audit" | "scanner",
    id: string,
    last: UploadEvent["type"],
  ): Promise<UploadEvent["type"][]> {
    const kinds = () => this[who].of(id).map(({ event }) => event.type);
    await waitFor(`${who} to hear ${last} of ${id}`, () => kinds().includes(last), { lastSeen: kinds });
    return kinds();
  }
}

/** An answer that the test gives when it wants. */
export function later<T>(): { given: Promise<T>; give: (answer: T) => void } {
  let give = (_: T) => {};
  const given = new Promise<T>((resolve) => (give = resolve));
  return { given, give: (answer) => give(answer) };
}
