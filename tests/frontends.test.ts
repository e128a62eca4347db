// What docs/guides/frontends.md shows, run as it stands there with programs as they are published: curl, wget, HTTPie, fetch, and Google's clients
// for Python and Node; each with a file of several parts, which arrives at the origin as it was. UpChunk is in `browser/frontends.test.ts`.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { noCurl } from "./support/curl.ts";
import { codeBlock, codeBlocks } from "./support/guides.ts";
import { folderWith } from "./support/npm.ts";
import { environmentWith, hasPython, httpie } from "./support/python.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

const run = promisify(execFile);
const PAGE = "docs/guides/frontends.md";
const noWget = spawnSync("wget", ["--version"]).error === undefined ? false : "wget is not installed";
const noPython = (await hasPython()) ? false : "there is no python3 with venv";

const { origin, stack, client } = await sceneWithOrigin();
const target = join(repositoryRoot, "target");
mkdirSync(target, { recursive: true });
const folder = mkdtempSync(join(target, "frontends-"));
after(() => rmSync(folder, { recursive: true }));

const file = fileBytes("frontends", 20 * MIB + 3);
writeFileSync(join(folder, "cat.png"), file);

const here = (code: string) => code.replaceAll("https://upload.example.com", stack.baseUrl);

async function shell(commands: string): Promise<string> {
  return (await run("sh", ["-ec", commands], { cwd: folder })).stdout;
}

async function assertArrived(uploadId: string, name = "cat.png"): Promise<void> {
  const record = await origin.waitForStored(uploadId);
  assert.equal(record.sha256, sha256(file));
  assert.equal((await client.state(uploadId)).fileName, name);
}

test("curl -T, with the name that it adds", { skip: noCurl }, async () => {
  const [put = ""] = codeBlocks(PAGE, "curl", "sh");
  const { uploadId } = JSON.parse(await shell(here(put)));
  await assertArrived(uploadId);
});

test("curl -T from a pipe, with a name in the address", { skip: noCurl }, async () => {
  const [, pipe = ""] = codeBlocks(PAGE, "curl", "sh");
  const { uploadId } = JSON.parse(await shell(here(pipe).replace("tar -cz photos", "cat cat.png")));
  await assertArrived(uploadId, "photos.tar.gz");
});

test("curl -T from a pipe without a name is told what to do", { skip: noCurl }, async () => {
  const problem = JSON.parse(await shell(`cat cat.png | curl -T - ${stack.baseUrl}/upload/new/`));
  assert.deepEqual([problem.status, problem.field], [400, "name"]);
});

test("curl --data-binary, which says that it sends a form", { skip: noCurl }, async () => {
  const { uploadId } = JSON.parse(await shell(`curl --data-binary @cat.png "${stack.baseUrl}/upload?name=cat.png"`));
  await assertArrived(uploadId);
});

test("wget", { skip: noWget }, async () => {
  const { uploadId } = JSON.parse(await shell(here(codeBlock(PAGE, "wget", "sh"))));
  await assertArrived(uploadId);
  const posted = JSON.parse(await shell(`wget -q -O - --post-file=cat.png "${stack.baseUrl}/upload?name=cat.png"`));
  await assertArrived(posted.uploadId);
});

test("HTTPie", { skip: noPython }, async () => {
  const { uploadId } = JSON.parse(await shell((await httpie()) + here(codeBlock(PAGE, "HTTPie", "sh"))));
  await assertArrived(uploadId);
});

test("fetch", async () => {
  const path = join(folder, "upload.ts");
  writeFileSync(path, here(codeBlock(PAGE, "fetch", "ts")));
  const { upload } = (await import(pathToFileURL(path).href)) as { upload(file: File): Promise<string> };
  await assertArrived(await upload(new File([new Uint8Array(file)], "cat.png", { type: "image/png" })));
});

test("google-resumable-media in Python, which asks where to go on", { skip: noPython }, async () => {
  const python = join(await environmentWith("google-resumable-media[requests]==2.11.0"), "python");
  const code = here(codeBlock(PAGE, "google-resumable-media", "python"));
  // It has forgotten where it was, as after a chunk that was lost, and asks.
  const broken = code.replace(/^ {8}response = .*$/m, (send) =>
    [
      "        if upload.bytes_uploaded == 3 * 1024 * 1024:",
      "            file.seek(0)",
      "            upload._make_invalid()",
      "            upload.recover(session)",
      send,
    ].join("\n"),
  );
  assert.notEqual(broken, code);
  const script = join(folder, "upload.py");
  writeFileSync(script, `${broken}\nprint(response.text)\n`);
  const { stdout } = await run(python, [script], { cwd: folder });
  const { uploadId, bucket, size } = JSON.parse(stdout);
  assert.deepEqual([bucket, size], ["photos", String(file.length)]);
  await assertArrived(uploadId);
});

test("@google-cloud/storage in Node, in one request and in chunks", async () => {
  const packages = await folderWith("@google-cloud/storage@7.22.0");
  const code = here(codeBlock(PAGE, "@google-cloud/storage", "js"));
  const chunked = code.replace("resumable: true,", `resumable: true, chunkSize: ${5 * MIB},`);
  for (const [name, source] of Object.entries({ whole: code, chunked })) {
    const read = `import { readFileSync } from "node:fs";\nconst bytes = readFileSync(${JSON.stringify(join(folder, "cat.png"))});`;
    const script = join(packages, `upload-${process.pid}-${name}.mjs`);
    writeFileSync(script, `${read}\n${source}\nconsole.log(file.metadata.uploadId);\n`);
    try {
      const { stdout } = await run(process.execPath, [script], { cwd: packages });
      await assertArrived(stdout.trim());
    } finally {
      rmSync(script);
    }
  }
});
