// Loaded into wrangler's Node before anything else: the R2 simulator is read with a smallest part of 50 bytes instead of 5 MiB,
// which is what its own tests use. For bench/many_parts.ts alone.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const SIMULATOR = /workers[\\/]r2[\\/]bucket\.worker\.js$/;
const LIMIT = /MIN_MULTIPART_PART_SIZE: \d+/;
const readFileSync = fs.readFileSync;

fs.readFileSync = (path, ...options) => {
  const read = readFileSync(path, ...options);
  if (typeof path !== "string" || !SIMULATOR.test(path)) {
    return read;
  }
  const changed = read.toString().replace(LIMIT, "MIN_MULTIPART_PART_SIZE: 50");
  return typeof read === "string" ? changed : Buffer.from(changed);
};
syncBuiltinESMExports();
