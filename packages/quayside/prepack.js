// Puts into the package what is made elsewhere in this repository: the built Worker (`cargo xtask build`) and the licence.

import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const root = join(here, "../..");
const build = join(root, "build");

rmSync(join(here, "dist"), { recursive: true, force: true });
mkdirSync(join(here, "dist"));
for (const file of ["entry.js", "index.js", "index_bg.wasm"]) {
  if (!existsSync(join(build, file))) {
    throw new Error(`${join(build, file)} is missing: run \`cargo xtask build\` first`);
  }
  copyFileSync(join(build, file), join(here, "dist", file));
}
copyFileSync(join(root, "LICENSE"), join(here, "LICENSE"));
