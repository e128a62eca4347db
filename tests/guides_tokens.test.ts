// The examples of minting in docs/guides/tokens.md, run as they stand there, each to the end of an upload; and what their tokens do not allow.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";

import type { Created } from "./support/api.ts";
import { codeBlock } from "./support/guides.ts";
import { hasPython } from "./support/python.ts";
import { assertRefused } from "./support/refusals.ts";
import { ScriptedOrigin } from "./support/scripted_origin.ts";
import { Stack } from "./support/stack.ts";
import { bearer } from "./support/tokens.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const run = promisify(execFile);
const isPythonHere = await hasPython();
const origin = await ScriptedOrigin.start();
const stack = await Stack.start({ vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: origin.webhookUrl } });
origin.trust(stack.secrets.WEBHOOK_SECRET);
const { client } = stack;
const target = join(repositoryRoot, "target");
mkdirSync(target, { recursive: true });
const folder = mkdtempSync(join(target, "minting-"));
after(async () => {
  rmSync(folder, { recursive: true });
  await origin.stop();
  await stack.stop();
});

const PAGE = "docs/guides/tokens.md";
const example = (language: string) => codeBlock(PAGE, "Minting one", language);

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function output(program: string, args: string[]): Promise<string> {
  const env = { ...process.env, TOKEN_SECRETS: stack.secrets.TOKEN_SECRETS };
  return (await run(program, args, { env, cwd: folder })).stdout.trim();
}

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** A whole upload with the token, and what it does not allow. */
async function assertGood(token: string): Promise<void> {
  const headers = bearer(token);
  const cat = { fileName: "cat.png", fileSize: png.length, contentType: "image/png" };
  const reply = await client.init(cat, headers);
  assert.equal(reply.status, 201, reply.body.toString());
  const { uploadId } = reply.json<Created>();
  assert.equal((await client.put(uploadId, 0, png, headers)).status, 200);
  const event = await origin.waitForEvent(uploadId, "upload.completed");
  assert.deepEqual([event.data.owner, event.data.attached], ["alice", { album: "2026" }]);
  assertRefused(await client.init({ ...cat, contentType: "text/html" }, headers), 415, "type-not-allowed");
  assertRefused(await client.init({ ...cat, fileSize: 50_000_001 }, headers), 413, "upload-too-large");
  const altered = token.replace(/\.(.)/, (_, first) => `.${first === "e" ? "f" : "e"}`);
  assertRefused(await client.init(cat, bearer(altered)), 401, "invalid-token");
}

test("minting in Node", async () => {
  await assertGood(await output(process.execPath, [write("mint.mjs", example("js"))]));
});

test("minting in Python", { skip: !isPythonHere && "there is no Python" }, async () => {
  await assertGood(await output("python3", [write("mint.py", example("python"))]));
});

test("minting in Rust", async () => {
  const crates = [
    ...readFileSync(join(repositoryRoot, PAGE), "utf8").matchAll(/`(hmac|sha2|base64|serde_json)` ([\d.]+)/g),
  ];
  assert.equal(crates.length, 4);
  const dependencies = crates.map(([, name, version]) => `${name} = "${version}"\n`).join("");
  const manifest = `[package]\nname = "mint"\nedition = "2024"\n[workspace]\n[dependencies]\n${dependencies}`;
  mkdirSync(join(folder, "src"));
  write("src/main.rs", example("rust"));
  // The versions that are here already.
  copyFileSync(join(repositoryRoot, "Cargo.lock"), join(folder, "Cargo.lock"));
  const args = ["run", "--quiet", "--offline", "--manifest-path", write("Cargo.toml", manifest)];
  await assertGood(await output("cargo", [...args, "--target-dir", join(target, "minting")]));
});

test("minting one for whoever runs it: that token, and no other", async () => {
  write("mint.mjs", example("js"));
  const page = readFileSync(join(repositoryRoot, PAGE), "utf8");
  const [, command = ""] = /^node -e '(import.+)'$/m.exec(page) ?? [];
  const env = { ...process.env, TOKEN_SECRETS: stack.secrets.TOKEN_SECRETS };
  const { stdout } = await run(process.execPath, ["-e", command], { cwd: folder, env });
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const reply = await client.request("GET", "/admin/owners", { headers: bearer(stdout.trim()) });
  assert.equal(reply.status, 200, reply.body.toString());
});

test("the commands of the example work as they stand there", async () => {
  write(".dev.vars", `AUTH="open"\nTOKEN_SECRETS="${stack.secrets.TOKEN_SECRETS}"\n`);
  write("mint.mjs", example("js"));
  const commands = example("sh").replaceAll("http://127.0.0.1:8787", stack.baseUrl);
  const node = join(process.execPath, "..");
  const env = { ...process.env, PATH: `${node}:${process.env.PATH}` };
  const { stdout } = await run("sh", ["-ec", commands], { cwd: folder, env });
  const { uploadId, uploadToken } = JSON.parse(stdout) as Created & { uploadToken: string };
  const reply = await client.put(uploadId, 0, png.subarray(0, 67), bearer(uploadToken));
  assert.equal(reply.status, 200, reply.body.toString());
});
