// A project for the command `quayside`, with something in wrangler's place that writes down what it is asked.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";

import { repositoryRoot } from "../support/wrangler_config.ts";

const run = promisify(execFile);
export const QUAYSIDE = join(repositoryRoot, "packages/quayside/bin/quayside.js");

/** Where what is made here is; it goes when the tests of the file that asks have ended. */
export const root = mkdtempSync(join(tmpdir(), "quayside-command-"));
after(() => rmSync(root, { recursive: true }));

/** Where in wrangler.jsonc vars begin. */
export const VARS = '"vars": {';

/** What the Worker needs, and may be made here. */
export const SECRETS = ["DOWNLOAD_SECRET", "TOKEN_SECRETS", "WEBHOOK_SECRET"];

/** A project whose wrangler is a script: it writes down its arguments and its input, and goes on as `script` says. */
export class Project {
  readonly folder = mkdtempSync(join(root, "project-"));

  constructor(script = "") {
    cpSync(join(repositoryRoot, "packages/quayside/wrangler.jsonc"), join(this.folder, "wrangler.jsonc"));
    mkdirSync(join(this.folder, "node_modules"));
    symlinkSync(join(repositoryRoot, "node_modules/wrangler"), join(this.folder, "node_modules/wrangler"));
    mkdirSync(join(this.folder, "bin"));
    const record = 'echo "$*" >> calls\nif [ "$2" = put ]; then cat >> inputs; echo >> inputs; fi\n';
    writeFileSync(join(this.folder, "bin/wrangler"), `#!/bin/sh\n${record}${script}\n`, { mode: 0o755 });
  }

  async run(...args: string[]): Promise<string> {
    return this.runWith({}, ...args);
  }

  async runWith(given: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
    const env = { ...process.env, ...given, PATH: `${join(this.folder, "bin")}${delimiter}${process.env.PATH}` };
    return (await run(process.execPath, [QUAYSIDE, ...args], { cwd: this.folder, env })).stdout;
  }

  /** What is said by a command that must fail, without a stack trace. */
  async fails(...args: string[]): Promise<string> {
    const { code, stderr } = await this.end({}, ...args);
    assert.equal(code, 1, stderr);
    assert.doesNotMatch(stderr, /^\s+at .*:\d+/m);
    return stderr;
  }

  /** How a command ends. */
  async end(given: NodeJS.ProcessEnv, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const { folder } = this;
    const env = { ...process.env, ...given, PATH: `${join(folder, "bin")}${delimiter}${process.env.PATH}` };
    return await run(process.execPath, [QUAYSIDE, ...args], { cwd: folder, env }).then(
      (ended) => ({ code: 0, ...ended }),
      (ended) => ended,
    );
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Changes wrangler.jsonc by words. */
  configure(...changes: [string, string][]): this {
    const path = join(this.folder, "wrangler.jsonc");
    let text = readFileSync(path, "utf8");
    for (const [from, to] of changes) {
      assert.ok(text.includes(from), from);
      text = text.replace(from, to);
    }
    writeFileSync(path, text);
    return this;
  }

  lines(file: string): string[] {
    return readFileSync(join(this.folder, file), "utf8").trim().split("\n");
  }
}
