// The action for GitHub's CI: the script of action.yml, run as it stands there, with GitHub's identity service and an application's exchange
// made up, and the real program and Worker.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";

import { noCurl } from "../support/curl.ts";
import { KeyServer } from "../support/key_server.ts";
import { Quay, quayProgram } from "../support/quay.ts";
import { Stack } from "../support/stack.ts";
import { claimsOf, mint, Signer, secondsFromNow } from "../support/tokens.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";

const github = new Signer("RS256", "github");
const keys = await KeyServer.start({ keys: [github.jwk] });
const GITHUB = "https://token.actions.githubusercontent.com";
const stack = await Stack.start({
  vars: {
    ORIGIN_WEBHOOK_URL: "",
    AUTH: "token",
    TOKEN_ISSUERS: JSON.stringify([
      {
        name: "github",
        issuer: GITHUB,
        audience: "https://upload.example.com",
        jwksUrl: keys.url,
        ownerClaim: "repository",
        rules: { sub: "repo:octo-org/octo-repo:ref:refs/heads/main" },
      },
    ]),
  },
});
after(async () => {
  keys.stop();
  await stack.stop();
});

/** The last step's script: what is indented below its `run: |`. */
function script(): string {
  const [, text = ""] = readFileSync(join(repositoryRoot, "action.yml"), "utf8").split("      run: |\n");
  return text.replaceAll(/^ {8}/gm, "");
}

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  after(() => server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function runAction(user: Quay, env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  const temp = join(user.home, "temp");
  mkdirSync(join(temp, "quay/bin"), { recursive: true });
  symlinkSync(quayProgram, join(temp, "quay/bin/quay"));
  writeFileSync(join(user.home, "output"), "");
  const inputs = { EXCHANGE: "", AUDIENCE: "", GIVEN_TOKEN: "", ARGUMENTS: "" };
  const runner = { RUNNER_TEMP: temp, GITHUB_OUTPUT: join(user.home, "output"), QUAY_STATE_DIR: user.stateDir };
  const child = spawn("bash", ["-c", script()], {
    cwd: user.home,
    env: { PATH: process.env.PATH, HOME: user.home, QUAY_ENDPOINT: stack.baseUrl, ...runner, ...inputs, ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  return { code, output };
}

test("a job without a secret shows its identity, gets an upload token for it, and uploads", {
  skip: noCurl,
}, async () => {
  const user = new Quay(stack.baseUrl);
  after(() => user.remove());
  const identity = await serve((request, response) => {
    assert.equal(request.headers.authorization, "Bearer of-the-runner");
    const audience = new URL(request.url ?? "", "http://x").searchParams.get("audience");
    response.end(JSON.stringify({ value: `identity for ${audience}` }));
  });
  const exchange = await serve((request, response) => {
    assert.equal(request.headers.authorization, `Bearer identity for ${stack.baseUrl}`);
    response.end(JSON.stringify({ token: mint(stack, claimsOf("repository")) }));
  });
  mkdirSync(join(user.home, "dist"));
  user.file("dist/a b.txt", "built");
  user.file("notes.md", "notes");
  const { code, output } = await runAction(user, {
    FILES: "dist\nnotes.md\n",
    ARGUMENTS: "--metadata\nbuild=1 of 2\n",
    EXCHANGE: exchange,
    ACTIONS_ID_TOKEN_REQUEST_URL: `${identity}/?api-version=2.0`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: "of-the-runner",
  });
  assert.equal(code, 0, output);
  const [, manifest = ""] = readFileSync(join(user.home, "output"), "utf8").trim().split("=");
  const { files } = JSON.parse(readFileSync(manifest, "utf8"));
  assert.deepEqual(
    files.map(({ path }: { path: string }) => path),
    ["dist/a b.txt", "notes.md"],
  );
});

/** GitHub's identity service, for a job of this branch. */
function identityOf(branch: string): Promise<string> {
  return serve((request, response) => {
    assert.equal(request.headers.authorization, "Bearer of-the-runner");
    const claims = {
      iss: GITHUB,
      aud: new URL(request.url ?? "", "http://x").searchParams.get("audience"),
      sub: `repo:octo-org/octo-repo:ref:refs/heads/${branch}`,
      repository: "octo-org/octo-repo",
      exp: secondsFromNow(300),
    };
    response.end(JSON.stringify({ value: github.mint(claims) }));
  });
}

test("a job of the branch that the rule names uploads with its identity alone, and no other branch's does", {
  skip: noCurl,
}, async () => {
  for (const [branch, expected] of [
    ["main", 0],
    ["evil", 3],
  ] as const) {
    const user = new Quay(stack.baseUrl);
    after(() => user.remove());
    user.file("built.txt", "built");
    const { code, output } = await runAction(user, {
      FILES: "built.txt\n",
      AUDIENCE: "https://upload.example.com",
      ACTIONS_ID_TOKEN_REQUEST_URL: `${await identityOf(branch)}/?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "of-the-runner",
    });
    assert.equal(code, expected, output);
    if (expected !== 0) {
      assert.match(output, /claim sub is not what the rules ask for/);
    }
  }
});

test("a job that may not show its identity is told what it needs", async () => {
  const user = new Quay(stack.baseUrl);
  after(() => user.remove());
  const { code, output } = await runAction(user, { FILES: "nothing" });
  assert.equal(code, 2);
  assert.match(output, /id-token: write/);
});
