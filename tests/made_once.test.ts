// Folders that tests share are made once, whoever asks for them at the same moment.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { madeOnce } from "./support/made_once.ts";

const root = mkdtempSync(join(tmpdir(), "made-once-"));
after(() => rmSync(root, { recursive: true }));

const fill = (folder: string, text: string) => writeFileSync(join(folder, "file"), text);
const filled = (folder: string) => readFileSync(join(folder, "file"), "utf8");

test("two who ask at once get one folder, which is made once", async () => {
  const folder = join(root, "at once");
  let times = 0;
  const make = async (half: string) => {
    times += 1;
    await Promise.resolve();
    fill(half, String(times));
  };
  assert.deepEqual(await Promise.all([madeOnce(folder, make), madeOnce(folder, make)]), [folder, folder]);
  assert.deepEqual([times, filled(folder)], [1, "1"]);
});

test("where another process was faster, the folder is that one's", async () => {
  const folder = join(root, "faster");
  await madeOnce(folder, async (half) => {
    fill(half, "ours");
    mkdirSync(folder);
    fill(folder, "theirs");
  });
  assert.equal(filled(folder), "theirs");
});

test("what could not be made leaves nothing, and is made by who asks next", async () => {
  const folder = join(root, "next");
  const fails = async (half: string) => {
    fill(half, "half");
    throw new Error("no network");
  };
  await assert.rejects(madeOnce(folder, fails), /no network/);
  assert.ok(readdirSync(root).every((name) => !name.startsWith("next")));
  await madeOnce(folder, async (half) => fill(half, "whole"));
  assert.equal(filled(folder), "whole");
});
