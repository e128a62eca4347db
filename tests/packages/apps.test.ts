// The pages of docs/guides/apps whose application is no Worker, each run as it stands there: Express, Next.js and FastAPI, told by a webhook
// of a Worker beside them. Needs the registries of npm and PyPI. Hono is in `installed.test.ts`.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { codeBlock, codeBlocks } from "../support/guides.ts";
import { freePort } from "../support/ports.ts";
import { ProcessGroup } from "../support/process_group.ts";
import { environmentWith, hasPython } from "../support/python.ts";
import { LOCAL_KEYS } from "../support/s3.ts";
import { Stack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";
import { assertRefusesForgeries, assertServes, filesOf, PAGE, SIGN_IN, writeFiles } from "./guide_app.ts";
import { assertSendsInBrowser } from "./guide_page.ts";
import { outside, packAll } from "./installed.ts";

const run = promisify(execFile);
const NPM_PACKAGES = ["express@5", "aws4fetch@1", "next@16", "react@19", "react-dom@19"];
const PYTHON_PACKAGES = ["fastapi", "uvicorn", "boto3", "pyjwt[crypto]>=2.10,<3", "standardwebhooks>=1.0,<2"];
const noPython = (await hasPython()) ? false : "there is no python3 with venv";

const root = mkdtempSync(join(tmpdir(), "quayside apps "));
const port = await freePort();
const baseUrl = `http://127.0.0.1:${port}`;
let stack: Stack;
let env: NodeJS.ProcessEnv;

before(async () => {
  const packed = await packAll(root);
  const packages = [...NPM_PACKAGES, packed["quayside-client"], packed["quayside-server"]];
  writeFiles(root, { "package.json": '{ "type": "module" }' });
  await run("npm", ["install", "--no-audit", "--no-fund", ...packages], { cwd: root, env: outside(root) });
  stack = await Stack.start({
    vars: { AUTH: "token", ORIGIN_WEBHOOK_URL: `${baseUrl}/webhooks/quayside`, DELIVERY_FIRST_DELAY_SECONDS: 1 },
  });
  const r2 = { R2_ENDPOINT: `${stack.baseUrl}/cdn-cgi/local/r2/s3`, R2_BUCKET: "quayside-uploads", ...LOCAL_KEYS };
  env = { ...outside(root), ...(stack.secrets as NodeJS.ProcessEnv), ...r2, PORT: String(port) };
});
after(async () => {
  await stack?.stop();
  rmSync(root, { recursive: true, force: true });
});

type Run = {
  name: string;
  files: Record<string, string>;
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  /** What else is looked at while it runs. */
  look?: typeof assertSendsInBrowser;
};

async function serve({ name, files, command, args, env: own = {}, look }: Run, ready: string): Promise<void> {
  const folder = join(root, name);
  mkdirSync(join(folder, "public"), { recursive: true });
  writeFiles(folder, files);
  let output = "";
  const onOutput = (text: string) => {
    output += text;
  };
  const lastSeen = () => output;
  const group = new ProcessGroup({ command, args, cwd: folder, env: { ...env, ...own }, onOutput });
  try {
    await waitFor("the application", async () => group.hasEnded || (await fetch(baseUrl + ready)).status < 500, {
      lastSeen,
    });
    await assertServes({ folder, baseUrl, endpoint: stack.baseUrl, lastSeen });
    await assertRefusesForgeries(baseUrl);
    await look?.({ baseUrl, lastSeen });
  } finally {
    await group.terminate();
  }
}

/** Not more than is read at one sitting. */
function assertShort(blocks: string[], page: string, most = 60): void {
  for (const block of blocks) {
    const lines = block.trim().split("\n").length;
    assert.ok(lines <= most, `${page}: ${lines} lines`);
  }
}

test("Express", async () => {
  const code = codeBlock("docs/guides/apps/express.md", "On Node: Express", "js");
  assertShort([code], "express.md");
  const files = { ...filesOf([code]), "sign_in.js": SIGN_IN, "package.json": '{ "type": "module" }' };
  await serve({ name: "express", files, command: process.execPath, args: ["server.js"] }, "/library/nothing");
});

test("Next.js", async () => {
  const blocks = codeBlocks("docs/guides/apps/nextjs.md", "In Next.js", "js");
  assertShort([blocks.join("")], "nextjs.md", 90);
  const files = {
    ...filesOf(blocks),
    "lib/sign_in.js": SIGN_IN,
    // Each route may have modules of its own while developing.
    "lib/library.js": "export const library = (globalThis.library ??= new Map());",
    "lib/headers.js":
      PAGE.split("\n\nexport async function send")[0]?.replace("async function headers", "export $&") ?? "",
    "app/layout.js": "export default ({ children }) => <html lang='en'><body>{children}</body></html>;",
    "package.json": "{}",
  };
  const next = join(root, "node_modules/next/dist/bin/next");
  const args = [next, "dev", "-H", "127.0.0.1", "-p", String(port)];
  const own = { NEXT_TELEMETRY_DISABLED: "1", NEXT_PUBLIC_UPLOAD_ENDPOINT: stack.baseUrl };
  const look = assertSendsInBrowser;
  await serve({ name: "next", files, command: process.execPath, args, env: own, look }, "/");
});

test("FastAPI", { skip: noPython }, async () => {
  const code = codeBlock("docs/guides/apps/fastapi.md", "In Python: FastAPI", "python");
  assertShort([code], "fastapi.md");
  const bin = await environmentWith(...PYTHON_PACKAGES);
  const signIn = 'def user_of(request):\n    return request.headers.get("x-user")\n';
  const args = ["-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", String(port)];
  const own = { PYTHONPATH: join(repositoryRoot, "packages/python/src"), PYTHONDONTWRITEBYTECODE: "1" };
  const files = { ...filesOf([code]), "sign_in.py": signIn, "package.json": '{ "type": "module" }' };
  await serve({ name: "fastapi", files, command: join(bin, "python"), args, env: own }, "/library/nothing");
});
