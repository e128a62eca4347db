// `quayside-cli`, as npm installs it: the command finds the program of its platform, and passes on what it says and how it ends.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";

import { quayProgram } from "../support/quay.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";

const root = mkdtempSync(join(tmpdir(), "quayside-cli-"));
after(() => rmSync(root, { recursive: true, force: true }));
const installed = join(root, "node_modules/quayside-cli");
cpSync(join(repositoryRoot, "packages/quay"), installed, { recursive: true });

function quay(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(installed, "bin/quay.js"), ...args], { encoding: "utf8" });
}

test("without a program for this platform, it is said where to get one", () => {
  const { status, stderr } = quay("--version");
  assert.equal(status, 2);
  assert.match(stderr, new RegExp(`no program for ${process.platform}-${process.arch} here`));
});

test("with one, it says what the program says and ends as it ends", () => {
  const program = join(root, `node_modules/quayside-cli-${process.platform}-${process.arch}/dist/quay`);
  mkdirSync(dirname(program), { recursive: true });
  symlinkSync(quayProgram, program);
  assert.match(quay("--version").stdout, /^quay \d+\.\d+\.\d+/);
  const wrong = quay("put");
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /required/);
});
