// The project's own wrangler.toml, changed in the two places that tie it to a folder and to a compiler: paths become
// absolute, and the [build] table goes, because the tests run what was built before. Bindings, queues, migrations and
// vars stay what they are, so that a mistake in wrangler.toml is a failing test.
//
// The bundle is copied: `wrangler dev` reloads when its files change, and a build beside a running test must not.

import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

export const repositoryRoot = resolve(import.meta.dirname, "../..");

/** Writes the changed configuration and the bundle into `dir`, and returns the configuration's path. `buildDir` is where the
 * bundle is, if not in `build`. */
export function writeWranglerConfig(dir: string, buildDir = "build", change = (toml: string) => toml): string {
  const original = change(readFileSync(join(repositoryRoot, "wrangler.toml"), "utf8"));
  const toml = original.replace(/^(main\s*=\s*")build\//m, `$1${buildDir}/`);
  const bundle = resolve(repositoryRoot, /^main\s*=\s*"(.+)"/m.exec(toml)?.[1] ?? "build/index.js");
  if (!existsSync(bundle)) {
    throw new Error(
      `${bundle} is missing: build it first (cargo xtask build; the one with faults: cargo xtask torture)`,
    );
  }
  const copy = join(dir, "build");
  cpSync(dirname(bundle), copy, { recursive: true });
  const path = join(dir, "wrangler.toml");
  const changed = withAbsolutePaths(withoutTable(toml, "build"));
  writeFileSync(path, changed.replace(JSON.stringify(bundle), JSON.stringify(join(copy, basename(bundle)))));
  return path;
}

function withoutTable(toml: string, table: string): string {
  let inside = false;
  const kept = toml.split("\n").filter((line) => {
    if (line.startsWith("[")) {
      inside = line.trim() === `[${table}]`;
    }
    return !inside;
  });
  return kept.join("\n");
}

function withAbsolutePaths(toml: string): string {
  return toml.replace(
    /^(main|directory)(\s*=\s*)"(.+)"/gm,
    (_line, key, equals, path) => `${key}${equals}${JSON.stringify(resolve(repositoryRoot, path))}`,
  );
}
