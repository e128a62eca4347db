// The probe, on the simulator: every question is asked and answered, and says what is done where the answer is another.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";

import { repositoryRoot } from "./support/wrangler_config.ts";

type Answer = Record<"id" | "question" | "leansOn" | "fallback" | "answer" | "detail", string>;

let answers: Answer[] = [];

before(async () => {
  const run = [join(repositoryRoot, "probe/run.ts"), "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", ...run]);
  answers = JSON.parse(stdout);
});

test("every question is answered, and says what is done otherwise", () => {
  assert.ok(answers.length >= 20, `${answers.length} questions`);
  assert.equal(new Set(answers.map(({ id }) => id)).size, answers.length);
  for (const answer of answers) {
    assert.match(answer.answer, /^(yes|no)$/, `${answer.id}: ${answer.detail}`);
    assert.ok(answer.question.endsWith("?") && answer.fallback.length > 10 && answer.detail.length > 0, answer.id);
  }
});

test("the simulator gives every answer that the service leans on", () => {
  const otherwise = answers.filter(({ leansOn, answer }) => leansOn !== "either" && leansOn !== answer);
  assert.deepEqual(otherwise, []);
});

test("what the simulator is known to do otherwise than Cloudflare shows", () => {
  const answered = (id: string) => answers.find((answer) => answer.id === id)?.answer;
  // Cloudflare documents that a failed re-upload loses the part; the simulator keeps it. Its part ETags are random.
  assert.equal(answered("failed-reupload"), "no");
  assert.equal(answered("part-etag"), "no");
});

test("the documentation has every question, with its fallback", () => {
  const documented = readFileSync(join(repositoryRoot, "docs/internals/platform-assumptions.md"), "utf8");
  const rows = documented.split("\n").filter((line) => line.startsWith("| `"));
  const cells = rows.map((row) =>
    row
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
  const expected = answers.map(({ id, question, leansOn, fallback }) => [id, question, leansOn, fallback]);
  assert.deepEqual(cells.toSorted(), expected.toSorted());
});
