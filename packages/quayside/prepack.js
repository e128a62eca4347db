// Puts into the package what is made elsewhere in this repository: the built Worker (`cargo xtask build`), the reference and the licence.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const root = join(here, "../..");
const build = join(root, "build");

for (const folder of ["dist", "reference"]) {
  rmSync(join(here, folder), { recursive: true, force: true });
  mkdirSync(join(here, folder));
}
for (const file of ["entry.js", "index.js", "index_bg.wasm"]) {
  if (!existsSync(join(build, file))) {
    throw new Error(`${join(build, file)} is missing: run \`cargo xtask build\` first`);
  }
  copyFileSync(join(build, file), join(here, "dist", file));
}
const reference = join(root, "docs/reference");
for (const file of readdirSync(reference)) {
  // The rest of the documentation is not here: of a link to it, its words are kept.
  const text = readFileSync(join(reference, file), "utf8").replaceAll(/\[([^\]]+)\]\(\.\.\/[^)]*\)/g, "$1");
  writeFileSync(join(here, "reference", file), text);
}
copyFileSync(join(root, "LICENSE"), join(here, "LICENSE"));
