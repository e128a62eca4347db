// The project's own wrangler.toml, changed in the two places that tie it to a folder and to a compiler: paths become
// absolute, and the [build] table goes, because the tests run what was built before. Bindings, queues, migrations and
// vars stay what they are, so that a mistake in wrangler.toml is a failing test.
//
// The bundle and the demo page are copied: `wrangler dev` reloads when their files change, and a build beside a running test
// must not. The copy of the page may be told things, as whoever deploys it may.

import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

export type ConfigChanges = {
  buildDir?: string;
  page?: PageConfig | undefined;
  /** Whether it runs behind the platform's limit on connections, as `six_connections.js` has it. */
  connections?: boolean;
  /** A script of this folder that stands in front of the bundle's `entry.js`. */
  entry?: string | undefined;
  /** Changes wrangler.toml itself. */
  change?: ((toml: string) => string) | undefined;
};

/** What the page's `config.json` says. */
export type PageConfig = { originUrl?: string; allowedFileTypes?: string[] };

const CONNECTIONS_ENTRY = "six_connections.js";

export const repositoryRoot = resolve(import.meta.dirname, "../..");

/** Writes the changed configuration and the bundle into `dir`, and returns the configuration's path. `buildDir` is where the
 * bundle is, if not in `build`. */
export function writeWranglerConfig(
  dir: string,
  {
    buildDir = "build",
    page: pageConfig = {},
    connections = false,
    entry,
    change = (toml) => toml,
  }: ConfigChanges = {},
): string {
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
  const inFront = connections ? CONNECTIONS_ENTRY : entry;
  if (inFront !== undefined) {
    cpSync(join(import.meta.dirname, inFront), join(copy, inFront));
  }
  const main = inFront ?? basename(bundle);
  const path = join(dir, "wrangler.toml");
  const pageDir = resolve(repositoryRoot, /^directory\s*=\s*"(.+)"/m.exec(toml)?.[1] ?? "build-page");
  const changed = withAbsolutePaths(withoutTable(toml, "build"))
    .replace(JSON.stringify(bundle), JSON.stringify(join(copy, main)))
    .replace(JSON.stringify(pageDir), JSON.stringify(copyPage(pageDir, join(dir, "page"), pageConfig)));
  writeFileSync(path, connections ? withAsyncContext(changed) : changed);
  return path;
}

/** Also allows the page to ask the origin, which its own policy does not. */
function copyPage(from: string, to: string, config: PageConfig): string {
  cpSync(from, to, { recursive: true });
  writeFileSync(join(to, "config.json"), JSON.stringify(config));
  if (config.originUrl !== undefined) {
    const headers = readFileSync(join(to, "_headers"), "utf8");
    writeFileSync(
      join(to, "_headers"),
      headers.replace("connect-src 'self'", `connect-src 'self' ${config.originUrl}`),
    );
  }
  return to;
}

/** What the entry with the limit follows an invocation by. */
function withAsyncContext(toml: string): string {
  return toml.replace(/^compatibility_date.*$/m, '$&\ncompatibility_flags = ["nodejs_als"]');
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
