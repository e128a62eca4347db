// An application as a guide has somebody write it, used the way its users do: they are signed in, get a token, upload from the page, and
// have the file again. What the guide leaves to the reader is here: who is signed in, which a header says.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { fileBytes, sha256 } from "../support/bytes.ts";
import { codeBlock } from "../support/guides.ts";
import { waitFor } from "../support/wait.ts";

const run = promisify(execFile);

/** With Node's `request`, or the platform's. */
export const SIGN_IN = `
export const userOf = ({ headers }) => (headers.get ? headers.get("x-user") : headers["x-user"]) ?? undefined;
`;

/** In place of a browser: addresses that are relative to the page, and a user who is signed in. */
const BROWSER = `
const [base, endpoint, user] = process.argv.slice(2);
const plain = globalThis.fetch;
globalThis.fetch = (url, init = {}) => {
  const isOwn = String(url).startsWith("/");
  return plain(isOwn ? base + url : url, isOwn ? { ...init, headers: { "x-user": user } } : init);
};
const { send } = await import("./page.js");
let shown = 0;
const content = Buffer.from(process.env.CONTENT, "base64");
const file = new File([content], "cat.png");
const uploadId = await send(file, endpoint, (part) => { shown = part; });
console.log(JSON.stringify({ uploadId, shown }));
`;

export const PAGE = codeBlock("docs/guides/add-to-your-app.md", "The page", "js");

export function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** Every code block of a page, by the name of the file that its first line says. */
export function filesOf(blocks: string[]): Record<string, string> {
  const files = blocks.map((block) => {
    const name = /^(?:\/\/|#) (\S+)\n/.exec(block)?.[1];
    assert.ok(name !== undefined, `no name: ${block}`);
    return [name, block] as const;
  });
  return Object.fromEntries(files);
}

export type GuideApp = {
  /** Where packages are found from. */
  folder: string;
  baseUrl: string;
  endpoint: string;
  lastSeen: () => string;
};

/** The main job, through the application. */
export async function assertServes({ folder, baseUrl, endpoint, lastSeen }: GuideApp): Promise<void> {
  writeFiles(folder, { "page.js": PAGE, "browser.mjs": BROWSER });
  assert.equal((await fetch(`${baseUrl}/api/upload-token`, { method: "POST" })).status, 401, "nobody is signed in");
  const file = fileBytes("guide", 60_000);
  const env = { ...process.env, CONTENT: Buffer.from(file).toString("base64") };
  const { stdout } = await run(process.execPath, ["browser.mjs", baseUrl, endpoint, "alice"], { cwd: folder, env });
  const { uploadId, shown } = JSON.parse(stdout);
  assert.equal(shown, 1, "progress ends at the whole");
  const asked = (user: string) => fetch(`${baseUrl}/library/${uploadId}`, { headers: { "x-user": user } });
  const found = await waitFor("the file in the library", async () => await asked("alice").then((it) => it.ok && it), {
    lastSeen,
  });
  // R2 says in its answer what the link asks for; its simulator does not.
  const asks = new URL(found.url).searchParams.get("response-content-disposition");
  assert.equal(found.headers.get("content-disposition") ?? asks, "attachment");
  assert.equal(sha256(Buffer.from(await found.arrayBuffer())), sha256(file));
  assert.equal((await asked("bob")).status, 404, "somebody else's");
  assert.equal((await fetch(`${baseUrl}/library/${uploadId}`)).status, 404, "nobody's");
}

/** What nobody has signed changes nothing. */
export async function assertRefusesForgeries(baseUrl: string): Promise<void> {
  const data = { uploadId: "forged", owner: "alice", key: "uploads/forged" };
  const body = JSON.stringify({ type: "upload.completed", timestamp: new Date().toISOString(), data });
  const now = String(Math.floor(Date.now() / 1000));
  const signed = { "webhook-id": "evt_1", "webhook-timestamp": now, "webhook-signature": "v1,AAAA" };
  const headers = { "content-type": "application/json", ...signed };
  assert.equal((await fetch(`${baseUrl}/webhooks/quayside`, { method: "POST", body, headers })).status, 400);
  const asked = await fetch(`${baseUrl}/library/forged`, { headers: { "x-user": "alice" }, redirect: "manual" });
  assert.equal(asked.status, 404);
}
