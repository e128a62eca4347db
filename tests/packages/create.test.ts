// What `create-quayside` makes, whatever its folder is called, and what it leaves alone.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { repositoryRoot } from "../support/wrangler_config.ts";
import { root } from "./project.ts";

const run = promisify(execFile);
const CREATE = join(repositoryRoot, "packages/create-quayside/index.js");

function create(cwd: string, ...args: string[]) {
  return run(process.execPath, [CREATE, ...args], { cwd });
}

test("create-quayside names what an account holds after its folder", async () => {
  await create(root, "My App 2!");
  const read = (file: string) => readFileSync(join(root, "My App 2!", file), "utf8");
  assert.equal(JSON.parse(read("package.json")).name, "my-app-2");
  const configuration = read("wrangler.jsonc");
  for (const name of ["my-app-2", "my-app-2-uploads", "my-app-2-quayside-events", "my-app-2-quayside-dead-letters"]) {
    assert.ok(configuration.includes(`"${name}"`), name);
  }
  assert.doesNotMatch(configuration, /"quayside-(app|uploads|events|tasks)|"100[12]"/);
  assert.match(read(".gitignore"), /^\.dev\.vars$/m);
});

test("create-quayside makes a project that npm and wrangler take, whatever its folder is called", async () => {
  const names = {
    quayside: "quayside-app",
    "quayside-app": "quayside-app",
    wrangler: "wrangler-app",
    "./---": "uploads",
    ЖЖЖ: "uploads",
    "42": "42",
  };
  for (const [folder, name] of Object.entries(names)) {
    await create(root, folder);
    assert.equal(JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).name, name);
  }
  const long = `${"a".repeat(39)}-${"b".repeat(40)}`;
  await create(root, long);
  assert.equal(JSON.parse(readFileSync(join(root, long, "package.json"), "utf8")).name, "a".repeat(39));
});

test("create-quayside says what stands in its way", async () => {
  writeFileSync(join(root, "file"), "");
  await assert.rejects(create(root, "file"), (error: { stderr: string }) =>
    /^.*file is a file.*\n$/.test(error.stderr),
  );
  await assert.rejects(create(root, "file/below"), (error: { stderr: string }) =>
    /^.*below cannot be made: .*\n$/.test(error.stderr),
  );
  // An older Node: the version is said before anything is used that it does not have.
  const old = "Object.defineProperty(process.versions, 'node', { value: '18.20.4' })";
  writeFileSync(join(root, "old.cjs"), old);
  await assert.rejects(
    run(process.execPath, ["--require", join(root, "old.cjs"), CREATE, "new"], { cwd: root }),
    (error: { stderr: string }) =>
      /^Node 18.20.4 is too old: get 20 or newer from https:\/\/nodejs.org\n$/.test(error.stderr),
  );
});

test("create-quayside writes over nothing", async () => {
  const folder = mkdtempSync(join(root, "mine-"));
  writeFileSync(join(folder, "thesis.txt"), "");
  await assert.rejects(create(folder, "."), /is not empty/);
  await assert.rejects(create(folder, "--template"), /Usage/);
});

test("create-quayside says how to get into a folder whatever it is called", async () => {
  for (const folder of ["a $(touch here) `b` \"c\" 'd' $&", "plain-1.0", "-x"]) {
    const { stdout } = await create(root, "--", folder);
    const [, cd = ""] = /^ {2}(cd .*)$/m.exec(stdout) ?? [];
    const { stdout: reached } = await run("sh", ["-c", `${cd} && pwd`], { cwd: root });
    assert.equal(reached, `${join(root, folder)}\n`, cd);
  }
  assert.ok(!existsSync(join(root, "here")));
});

test("create-quayside takes packages that are files, where each is there once", async () => {
  const packages = mkdtempSync(join(root, "pack $& $1 ages-"));
  await assert.rejects(
    create(root, "unpacked", "--packages", packages),
    /does not have each of quayside, quayside-client/,
  );
  for (const name of ["quayside", "quayside-client", "quayside-server", "create-quayside"]) {
    writeFileSync(join(packages, `${name}-1.0.0-rc.1.tgz`), "");
  }
  await create(root, "unpacked", "--packages", packages);
  const { dependencies } = JSON.parse(readFileSync(join(root, "unpacked/package.json"), "utf8"));
  const file = (name: string) => `file:${join(packages, name)}-1.0.0-rc.1.tgz`;
  const names = ["quayside", "quayside-client", "quayside-server"];
  assert.deepEqual(dependencies, Object.fromEntries(names.map((name) => [name, file(name)])));
});
