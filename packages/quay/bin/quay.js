#!/usr/bin/env node
// `quay`, as npm installs it: the program is in the package for this platform, of which npm installs the one that fits.

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";

const platform = `${process.platform}-${process.arch}`;

/** The path of the program; undefined where there is none for this platform, or optional dependencies were left out. */
function program() {
  try {
    return createRequire(import.meta.url).resolve(`quayside-cli-${platform}/dist/quay`);
  } catch {
    return undefined;
  }
}

const path = program();
if (path === undefined) {
  console.error(`quay: there is no program for ${platform} here.`);
  console.error("Install with optional dependencies, or build it: cargo install --path cli, in a clone of Quayside.");
  process.exit(2);
}
// Ctrl-C reaches both: the program says what there is to say.
process.on("SIGINT", () => {});
const { status, signal, error } = spawnSync(path, process.argv.slice(2), { stdio: "inherit" });
if (error !== undefined) {
  console.error(`quay: ${path} cannot be run: ${error.message}`);
}
process.exit(status ?? 128 + (constants.signals[signal ?? "SIGTERM"] ?? 0));
