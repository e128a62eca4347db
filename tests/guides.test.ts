// What the README and the guides have somebody type or paste, run as it stands there: the first commands with curl, the ways in, the
// draft with a break in the middle, presigned parts, and the receivers of webhooks in each language. Minting is in `guides_tokens.test.ts`, tuspy in `tus_clients.test.ts`.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { Webhook } from "standardwebhooks";

import type { Created, SignedPart, Status } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { codeBlock, codeBlocks } from "./support/guides.ts";
import { send } from "./support/http.ts";
import { freePort } from "./support/ports.ts";
import { environmentWith, hasPython } from "./support/python.ts";
import { sceneWithOrigin, sceneWithS3 } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const run = promisify(execFile);
const STARTED = "docs/getting-started.md";
const DRAFT = "docs/guides/http-resumable-uploads.md";
const WEBHOOKS = "docs/guides/webhooks.md";
const noPython = (await hasPython()) ? false : "there is no python3 with venv";
const noPhp = spawnSync("php", ["--version"]).error === undefined ? false : "there is no php";

/** Inside the repository, so that packages are found from there. */
const target = join(repositoryRoot, "target");
mkdirSync(target, { recursive: true });
const folder = mkdtempSync(join(target, "guides-"));
after(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function shell(commands: string): Promise<string> {
  return (await run("sh", ["-ec", commands], { cwd: folder })).stdout;
}

test("getting started: one request, and the origin has the file", async () => {
  const { origin, stack } = await sceneWithOrigin();
  const here = (commands: string) =>
    commands.replaceAll("http://127.0.0.1:8787", stack.baseUrl).replaceAll("http://127.0.0.1:8788", origin.baseUrl);
  const file = fileBytes("cat.png", MIB);
  write("cat.png", file);
  const [put = "", ask = ""] = codeBlocks(STARTED, "One request", "sh");
  const readme = codeBlock("README.md", "Try it", "sh");
  assert.ok(readme.startsWith(put), "the README begins with the same command");
  const { uploadId } = JSON.parse(await shell(here(put))) as Created;
  const record = await origin.waitForStored(uploadId);
  assert.equal(record.sha256, sha256(file));
  assert.match(await shell(here(ask)), new RegExp(uploadId));
});

test("the draft: a creation, a part of the file, and the rest after a break", async () => {
  const { origin, stack } = await sceneWithOrigin();
  const file = fileBytes("holiday.mp4", 20 * MIB);
  write("holiday.mp4", file);
  const [create = "", goOn = ""] = codeBlocks(DRAFT, "One that can be resumed", "sh");
  const [created = "", sent = ""] = create.replaceAll("http://127.0.0.1:8787", stack.baseUrl).split(/\n(?=curl)/);
  // The break: the connection is gone when the half of it has been sent.
  const script = `${created}\necho "$LOCATION"\n${sent.replace("curl ", "curl --limit-rate 8M --max-time 1 ").trim()} || true\n${goOn}`;
  const output = await shell(script);
  const location = output.split("\n")[0] ?? "";
  const record = await origin.waitForStored(location.slice(location.lastIndexOf("/") + 1));
  assert.equal(record.sha256, sha256(file));
});

test("the README's ways in", async () => {
  const { origin, stack } = await sceneWithOrigin({ AUTH: "token" });
  const token = mint(stack, claimsOf("alice"));
  const here = (code: string) => code.replaceAll("https://upload.example.com", stack.baseUrl);
  const [sdk = "", tus = ""] = codeBlocks("README.md", "Four ways in", "ts").map(here);
  const source = JSON.stringify(pathToFileURL(join(repositoryRoot, "client/src/index.ts")).href);
  // What is said elsewhere: the file, how progress is shown, and the token.
  const program = `
    import * as tus from "tus-js-client";
    ${sdk.match(/^import .*$/m)?.[0].replace('"quayside-client"', source)}
    const token = ${JSON.stringify(token)};
    const shown = [];
    const show = (part) => shown.push(part);
    async function bySdk(file) {
      ${sdk.replace(/^import .*$/m, "")}
      return shown.at(-1);
    }
    function byTus(file) {
      ${tus}
    }
    console.log(await bySdk(new File([new Uint8Array(9_000_000).fill(1)], "sdk.bin")));
    byTus(Buffer.alloc(20_000_000, 2));`;
  const { stdout } = await run(process.execPath, [write("ways.ts", program)], { cwd: folder });
  assert.equal(stdout.trim(), "1", "progress ends at the whole");
  write("a.mp4", Buffer.alloc(40_000_000, 3));
  const [init = "", put = ""] = here(codeBlock("README.md", "Four ways in", "sh"))
    .trim()
    .split("\n");
  const env = { ...process.env, TOKEN: token };
  const created = JSON.parse((await run("sh", ["-ec", init], { cwd: folder, env })).stdout) as Created;
  await run("sh", ["-ec", put], { cwd: folder, env: { ...env, UPLOAD_URL: created.uploadUrl } });
  const sizes = [9_000_000, 20_000_000, 40_000_000];
  const stored = await waitFor("all three at the origin", async () => {
    const records = (await send(origin.baseUrl, "GET", "/uploads")).json<{ fileSize: number; state: string }[]>();
    const found = records.filter(({ state }) => state === "stored").map(({ fileSize }) => fileSize);
    return found.length === sizes.length && found;
  });
  assert.deepEqual(
    stored.toSorted((left, right) => left - right),
    sizes,
  );
});

test("presigned: signed, stored past the Worker, recorded, complete", async () => {
  const { stack } = await sceneWithS3({ AUTH: "token" });
  const file = fileBytes("presigned", 40_000_000);
  const commands = codeBlock("docs/guides/presigned.md", "Past the Worker: presigned uploads", "sh").trim().split("\n");
  assert.equal(commands.length, 4);
  const [init = "", sign = "", put = "", record = ""] = commands;
  const env: NodeJS.ProcessEnv = { ...process.env, ENDPOINT: stack.baseUrl, TOKEN: mint(stack, claimsOf("alice")) };
  const said = async (command: string) => (await run("sh", ["-ec", command], { cwd: folder, env })).stdout;
  const created = JSON.parse(await said(init)) as Created;
  env.UPLOAD_URL = created.uploadUrl;
  const { parts } = JSON.parse(await said(sign)) as { parts: SignedPart[] };
  assert.equal(parts.length, 2);
  for (const { url, offset, bytes, partNumber } of parts) {
    write("chunk0", file.subarray(offset, offset + bytes));
    env.SIGNED_URL = url;
    assert.match(await said(put), /etag/i);
    await said(record.replace('"partNumber":1', `"partNumber":${partNumber}`));
  }
  const done = await waitFor("it to be complete", async () => {
    const reply = await stack.client.request("GET", `/upload/${created.uploadId}`, {
      headers: bearer(String(env.TOKEN)),
    });
    const status = reply.json<Status>();
    return status.state === "completed" && status;
  });
  assert.equal(done.object?.crc64nvme, crc64nvme(file));
});

/** A Worker that tells a receiver which starts only afterwards: its secret is the Worker's. */
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: url, DELIVERY_FIRST_DELAY_SECONDS: 1 } });
after(() => stack.stop());
const secret = String(stack.secrets.WEBHOOK_SECRET);

/** Whatever can be sent to a receiver: an event that is signed with this secret. */
async function deliver(event: unknown, signedWith: string): Promise<number> {
  const [id, time, body] = [`evt_${Math.random()}`, new Date(), JSON.stringify(event)];
  const headers = {
    "Content-Type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(time.getTime() / 1000)),
    "webhook-signature": new Webhook(signedWith).sign(id, time, body),
  };
  return (await send(url, "POST", "/", { headers, body })).status;
}

/** An upload from its first byte to the file in the receiver's folder; and an event that somebody else has signed. */
async function assertReceives(receiver: ChildProcess): Promise<void> {
  try {
    await waitFor("the receiver to listen", async () => (await send(url, "POST", "/", { body: "" })).status === 401);
    const file = fileBytes(`for ${receiver.spawnfile}`, 9 * MIB);
    const upload = await stack.client.create(file, { fileName: "../../etc/passwd" });
    await stack.client.putRest(upload, file);
    await waitFor("the delivery", async () => {
      const status = await stack.client.status(upload.uploadId);
      return status.json<{ delivery: string }>().delivery === "delivered";
    });
    assert.equal(sha256(readFileSync(join(folder, upload.uploadId))), sha256(file));
    const forged = { type: "upload.completed", data: { uploadId: "forged", fileName: "a", downloadUrl: url } };
    assert.equal(await deliver(forged, `whsec_${Buffer.alloc(24).toString("base64")}`), 401);
    assert.ok(!existsSync(join(folder, "forged")));
    assert.equal(await deliver({ type: "upload.expired", data: { uploadId: "none", fileName: "a" } }, secret), 200);
  } finally {
    receiver.kill();
  }
}

function start(program: string, args: string[]): ChildProcess {
  const env = { ...process.env, WEBHOOK_SECRET: secret, PORT: String(port) };
  return spawn(program, args, { cwd: folder, env, stdio: "inherit" });
}

test("webhooks: the receiver in TypeScript", async () => {
  const path = write("receiver.ts", codeBlock(WEBHOOKS, "TypeScript, on Node", "ts"));
  await assertReceives(start(process.execPath, [path]));
});

test("webhooks: the receiver in Python", { skip: noPython }, async () => {
  const python = join(await environmentWith("standardwebhooks==1.1.0"), "python");
  await assertReceives(start(python, [write("receiver.py", codeBlock(WEBHOOKS, "Python", "python"))]));
});

test("webhooks: the receiver in PHP", { skip: noPhp }, async () => {
  const path = write("receiver.php", codeBlock(WEBHOOKS, "PHP", "php"));
  await assertReceives(start("php", ["-S", `127.0.0.1:${port}`, path]));
});
