// Forms as programs send them, published and unmodified, with the lines that docs/guides/frontends.md shows: curl, HTTPie, fetch, axios in Node,
// requests and httpx in Python. Libraries in pages are in `browser/forms_*.test.ts`.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { noCurl } from "./support/curl.ts";
import { codeBlock } from "./support/guides.ts";
import { folderWith } from "./support/npm.ts";
import { environmentWith, hasPython, httpie } from "./support/python.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const run = promisify(execFile);
const PAGE = "docs/guides/frontends.md";
const noPython = (await hasPython()) ? false : "there is no python3 with venv";

const { origin, stack, client } = await sceneWithOrigin();
const target = join(repositoryRoot, "target");
mkdirSync(target, { recursive: true });
const folder = mkdtempSync(join(target, "forms-"));
after(() => rmSync(folder, { recursive: true }));

const file = fileBytes("forms of clients", 20 * MIB + 3);
writeFileSync(join(folder, "cat.png"), file);

const here = (code: string) => code.replaceAll("https://upload.example.com", stack.baseUrl);

async function assertArrived(uploadId: string, type = "image/png"): Promise<void> {
  const record = await origin.waitForStored(uploadId);
  assert.deepEqual([record.sha256, record.fileName, record.contentType], [sha256(file), "cat.png", type]);
  const status = (await client.request("GET", `/upload/${uploadId}`)).json<{ state: string }>();
  assert.equal(status.state, "completed");
}

test("curl -F", { skip: noCurl }, async () => {
  const { stdout } = await run("sh", ["-ec", here(codeBlock(PAGE, "curl -F", "sh"))], { cwd: folder });
  await assertArrived(JSON.parse(stdout).uploadId);
});

test("curl -F with several files, one of them from a pipe", { skip: noCurl }, async () => {
  const command = `cat cat.png | curl -F 'f=@-;filename=cat.png;type=image/png' -F a=1 -F f=@cat.png ${stack.baseUrl}/upload`;
  const { stdout } = await run("sh", ["-ec", command], { cwd: folder });
  const { files } = JSON.parse(stdout) as { files: { uploadId: string }[] };
  assert.equal(files.length, 2);
  for (const { uploadId } of files) {
    await assertArrived(uploadId);
  }
});

test("HTTPie", { skip: noPython }, async () => {
  const command = (await httpie()) + here(codeBlock(PAGE, "HTTPie as a form", "sh"));
  const { stdout } = await run("sh", ["-ec", command], { cwd: folder });
  await assertArrived(JSON.parse(stdout).uploadId);
});

test("fetch with FormData", async () => {
  const form = new FormData();
  form.append("album", "7");
  form.append("photo", new File([new Uint8Array(file)], "cat.png", { type: "image/png" }));
  const response = await fetch(`${stack.baseUrl}/upload`, { method: "POST", body: form });
  assert.equal(response.status, 201);
  await assertArrived(((await response.json()) as { uploadId: string }).uploadId);
});

test("axios", async () => {
  const packages = await folderWith("axios@1.21.1");
  const path = join(packages, `upload-${process.pid}.mjs`);
  writeFileSync(path, here(codeBlock(PAGE, "axios", "js")));
  after(() => rmSync(path));
  const { upload } = (await import(pathToFileURL(path).href)) as { upload(file: File): Promise<string> };
  await assertArrived(await upload(new File([new Uint8Array(file)], "cat.png", { type: "image/png" })));
});

for (const [name, requirement, type] of [
  // It says nothing of the type.
  ["requests", "requests==2.34.2", null],
  ["httpx", "httpx==0.28.1", "image/png"],
] as const) {
  test(`${name} in Python`, { skip: noPython }, async () => {
    const python = join(await environmentWith(requirement), "python");
    const script = join(folder, `${name}.form.py`);
    writeFileSync(script, `${here(codeBlock(PAGE, name, "python"))}\nprint(upload_id)\n`);
    const { stdout } = await run(python, [script], { cwd: folder });
    await assertArrived(stdout.trim(), type as string);
  });
}
