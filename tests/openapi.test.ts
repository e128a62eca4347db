// docs/reference/openapi.json against the running Worker: schemathesis makes up requests from it, right ones and wrong ones, alone and in
// sequences, and compares every answer with what the document says. And that the Worker serves this very document.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { environmentWith, hasPython } from "./support/python.ts";
import { sceneWithS3 } from "./support/scene.ts";
import { claimsOf, mint } from "./support/tokens.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const skip = (await hasPython()) ? false : "there is no python3 with venv";
const DOCUMENT = join(repositoryRoot, "docs/reference/openapi.json");
const SUPPORT = join(repositoryRoot, "tests/support");

// Presigned uploads are set up, since what is not set up is refused with 503.
const { stack } = await sceneWithS3({ AUTH: "token" });
const token = mint(stack, claimsOf("alice"));

/** An answer that does not end is waited for for ever: `events_all.test.ts` reads it. */
const ENDLESS = "watchAll";

/** What a path of the document has besides says something of all its operations. */
const METHODS = ["get", "head", "post", "put", "patch", "delete"];

type Run = { code: number; output: string };

/** Runs it; `more` bounds what it does. The same requests each time: a failure comes again. */
async function schemathesis(document: string, ...more: string[]): Promise<Run> {
  return schemathesisAs(token, document, ...more);
}

async function schemathesisAs(token: string, document: string, ...more: string[]): Promise<Run> {
  const python = join(await environmentWith("schemathesis==4.32.5"), "python");
  const options = ["--url", stack.baseUrl, "-H", `Authorization: Bearer ${token}`, "--seed", "1", "--no-color"];
  const args = ["-m", "schemathesis.cli", "--config-file", join(SUPPORT, "schemathesis.toml"), "run", document];
  const env = { ...process.env, PYTHONPATH: SUPPORT, SCHEMATHESIS_HOOKS: "schemathesis_hooks" };
  const child = spawn(python, [...args, ...options, ...more], {
    cwd: stack.stateDir,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = await once(child, "close");
  return { code, output };
}

test("no answer is another than the document says", { skip }, async () => {
  const { code, output } = await schemathesis(
    DOCUMENT,
    "--max-examples",
    "10",
    "--continue-on-failure",
    "--exclude-operation-id",
    ENDLESS,
  );
  assert.equal(code, 0, output);
  const operations = Object.values(JSON.parse(readFileSync(DOCUMENT, "utf8")).paths as Record<string, object>);
  const count = operations.flatMap((path) => Object.keys(path)).filter((key) => METHODS.includes(key)).length;
  assert.match(output, new RegExp(`Operations: +${count - 1} selected / ${count} total`));
});

test("nor to whoever runs the service, who asks for more", { skip }, async () => {
  const admin = mint(stack, claimsOf("ops", { quayside: { scope: "admin" } }));
  const { code, output } = await schemathesisAs(
    admin,
    DOCUMENT,
    "--include-path-regex",
    "^/admin/",
    "--max-examples",
    "10",
    "--continue-on-failure",
  );
  const headers = { Authorization: `Bearer ${admin}` };
  const open = await stack.client.request("PUT", "/admin/switch", { headers, body: '{"mode":"open"}' });
  assert.equal(open.status, 200, open.body.toString());
  assert.equal(code, 0, output);
  assert.match(output, /Operations: +14 selected/);
});

test("a document that says something else is found out", { skip }, async () => {
  const wrong = readFileSync(DOCUMENT, "utf8").replace('"const": "alive"', '"const": "asleep"');
  const path = join(stack.stateDir, "wrong.json");
  writeFileSync(path, wrong);
  const { code, output } = await schemathesis(path, "--include-path", "/healthz", "--phases", "fuzzing", "-n", "1");
  assert.equal(code, 1, output);
  assert.match(output, /asleep/);
});

test("the Worker serves it to any page, and only to be read", async () => {
  const reply = await stack.client.request("GET", "/openapi.json");
  assert.deepEqual(reply.json(), JSON.parse(readFileSync(DOCUMENT, "utf8")));
  assert.equal(reply.header("access-control-allow-origin"), "*");
  for (const path of ["/openapi.json", "/healthz", "/readyz", "/problems/fault"]) {
    const refused = await stack.client.request("POST", path, { body: "" });
    assert.deepEqual([refused.status, refused.header("allow")], [405, "GET, HEAD, OPTIONS"], path);
  }
});
