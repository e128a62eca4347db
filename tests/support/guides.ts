// Code that stands in the documentation, found by its page, its heading and its language, so that it can be run as it stands there.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { repositoryRoot } from "./wrangler_config.ts";

/** The code blocks of one language below a heading, however deep it is, up to the next one. */
export function codeBlocks(page: string, heading: string, language: string): string[] {
  const text = readFileSync(join(repositoryRoot, page), "utf8");
  // What is a comment in code looks like a heading: only lines outside of code begin a section.
  const sections: { heading: string; blocks: string[] }[] = [];
  let block: { language: string; lines: string[] } | undefined;
  for (const line of text.split("\n")) {
    if (block === undefined && /^#+ /.test(line)) {
      sections.push({ heading: line.replace(/^#+ /, ""), blocks: [] });
    } else if (block === undefined && line.startsWith("```")) {
      block = { language: line.slice(3), lines: [] };
    } else if (block && line === "```") {
      if (block.language === language) {
        sections.at(-1)?.blocks.push(`${block.lines.join("\n")}\n`);
      }
      block = undefined;
    } else {
      block?.lines.push(line);
    }
  }
  const found = sections.find((section) => section.heading === heading);
  assert.ok(found, `${page} has no heading ${heading}`);
  assert.ok(found.blocks.length > 0, `${page}, ${heading}: no code in ${language}`);
  return found.blocks;
}

/** The only one. */
export function codeBlock(page: string, heading: string, language: string): string {
  const [block = "", ...more] = codeBlocks(page, heading, language);
  assert.deepEqual(more, [], `${page}, ${heading}: more than one block in ${language}`);
  return block;
}
