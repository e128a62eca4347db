// Every kind of event as it arrives, compared with docs/reference/webhook-event.schema.json; and the example in webhook-events.md.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, test } from "node:test";

import type { UploadEvent } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { codeBlock } from "./support/guides.ts";
import { environmentWith, hasPython } from "./support/python.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { type Delivery, ScriptedOrigin } from "./support/scripted_origin.ts";
import { bearer, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const skip = (await hasPython()) ? false : "there is no python3 with venv";
const SCHEMA = join(repositoryRoot, "docs/reference/webhook-event.schema.json");

/** Says of each document on its input why it does not fit the schema, or an empty line. */
const VALIDATE = `
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for line in sys.stdin:
    print("; ".join(error.message for error in validator.iter_errors(json.loads(line))))
`;

async function complaints(events: unknown[]): Promise<string[]> {
  const python = join(await environmentWith("jsonschema==4.26.0"), "python");
  const child = spawn(python, ["-c", VALIDATE, SCHEMA], { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stdin.end(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  const [code] = await once(child, "close");
  assert.equal(code, 0);
  return output.split("\n").slice(0, -1);
}

test("every kind of event fits its schema, and the example of the reference does", { skip }, async () => {
  const [audit, scanner] = [await ScriptedOrigin.start(), await ScriptedOrigin.start()];
  after(() => Promise.all([audit.stop(), scanner.stop()]));
  const kindsOfAudit = ["upload.created", "upload.released"];
  const receivers = [{ name: "audit", url: audit.webhookUrl, secret: "WEBHOOK_SECRET", kinds: kindsOfAudit }];
  const { stack, origin, client } = await sceneWithScriptedOrigin({
    AUTH: "token",
    EVENT_RECEIVERS: JSON.stringify(receivers),
    SCANNER: JSON.stringify({ url: scanner.webhookUrl, secret: "WEBHOOK_SECRET" }),
    DELETE_COMPLETED: "owner",
    UPLOAD_TTL_SECONDS: 5,
    REPAIR_TTL_SECONDS: 0,
  });
  const attached = { album: "2026" };
  const claims = {
    sub: "alice",
    aud: "quayside",
    exp: Math.floor(Date.now() / 1000) + 600,
    quayside: { metadata: attached },
  };
  const headers = bearer(mint(stack, claims));
  const holding = bearer(mint(stack, { ...claims, quayside: { metadata: attached, hold: true } }));
  const create = async (fields: object, by = headers) => {
    const reply = await client.init(
      { fileName: "holiday.mp4", contentType: "video/mp4", metadata: { camera: "x100" }, ...fields },
      by,
    );
    return reply.json<{ uploadId: string }>().uploadId;
  };
  const file = fileBytes("an event", 6 * MIB);
  const put = (id: string) => client.put(id, 0, file, headers);
  // Of its id only the origin hears.
  const duplicate = async () => {
    const fields = { fileName: "again.mp4", fileSize: file.length, sha256: sha256(file) };
    await waitFor("the bytes to be known", async () => (await client.init(fields, headers)).status === 200);
    const isOne = ({ event }: Delivery) => event.type === "upload.duplicate";
    return await waitFor("the origin to be told", () => origin.deliveries.find(isOne)?.event.data.uploadId);
  };
  /** One that is held, about which the scanner says this. */
  const held = async (verdict: string) => {
    const id = await create({ fileSize: file.length }, holding);
    scanner.script(id, { status: 200, body: { verdict, reason: "a test" } });
    await client.put(id, 0, file, holding);
    await origin.waitForDeliveries(id, verdict === "hold" ? 1 : 2);
    return id;
  };
  const kinds: Record<Exclude<UploadEvent["type"], "upload.created" | "upload.released">, () => Promise<string>> = {
    "upload.completed": async () => {
      const id = await create({ fileSize: file.length, sha256: sha256(file) });
      await put(id);
      return id;
    },
    "upload.failed": async () => {
      const id = await create({ fileSize: file.length, sha256: "0".repeat(64) });
      await put(id);
      return id;
    },
    "upload.expired": () => create({ fileSize: file.length }),
    "upload.aborted": async () => {
      const id = await create({ fileSize: file.length });
      await client.request("DELETE", `/upload/${id}`, { headers });
      return id;
    },
    "upload.deleted": async () => {
      const id = await create({ fileSize: file.length });
      await put(id);
      await origin.waitForEvent(id, "upload.completed");
      await client.request("DELETE", `/upload/${id}`, { headers });
      await origin.waitForDeliveries(id, 2);
      return id;
    },
    "upload.duplicate": duplicate,
    "upload.held": () => held("hold"),
    "upload.rejected": () => held("delete"),
    "upload.progressed": async () => {
      const id = await create({ fileSize: null, live: true, tellEveryBytes: 8 * MIB });
      await client.put(id, 0, fileBytes("a recording", 8 * MIB), headers);
      return id;
    },
  };
  const events: UploadEvent[] = [];
  for (const [kind, happens] of Object.entries(kinds)) {
    const id = await happens();
    await origin.waitForDeliveries(id, 1);
    const event = origin.of(id).at(-1)?.event;
    assert.equal(event?.type, kind);
    assert.deepEqual(event.data.attached, attached);
    events.push(event);
  }
  const [created] = audit.deliveries;
  assert.equal(created?.event.type, "upload.created");
  assert.deepEqual(created.event.data.attached, attached);
  events.push(created.event);
  const isReleased = ({ event }: Delivery) => event.type === "upload.released";
  await held("release");
  events.push(await waitFor("a release to be told", () => audit.deliveries.find(isReleased)?.event));
  events.push(...scanner.deliveries.slice(0, 1).map(({ event }) => event));
  const example = JSON.parse(codeBlock("docs/reference/webhook-events.md", "An event", "json")) as UploadEvent;
  assert.deepEqual(
    await complaints([...events, example]),
    Array.from({ length: 13 }, () => ""),
  );
  assert.deepEqual(Object.keys(example.data).toSorted(), Object.keys(events[0]?.data ?? {}).toSorted());

  const [completed] = events;
  const progressed = events.find(({ type }) => type === "upload.progressed");
  const wrong = [
    { ...completed, type: "upload.finished" },
    { ...completed, type: "upload.aborted" },
    { ...completed, type: "upload.created" },
    { ...created.event, type: "upload.aborted" },
    { ...progressed, type: "upload.completed" },
    { ...completed, type: "upload.progressed" },
    { ...progressed, data: { ...progressed?.data, fromBytes: undefined } },
    { ...completed, data: { ...completed?.data, fileSize: "1" } },
    { ...completed, data: { ...completed?.data, surprise: 1 } },
    { ...completed, data: { ...completed?.data, downloadUrl: undefined } },
    { ...completed, type: "upload.released" },
    { ...completed, type: "upload.rejected" },
  ];
  for (const complaint of await complaints(wrong)) {
    assert.notEqual(complaint, "", "the schema refuses what is no event");
  }
});
