// A project outside this repository, as somebody begins it who has nothing but Node and npm: the packages are packed, the template is
// unfolded by `npm create`'s own means, and everything is installed; from the registry, but for the packages themselves.
//
// Needs the built Worker (`cargo xtask build`), and the network for npm.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

import { freePort } from "../support/ports.ts";
import { ProcessGroup } from "../support/process_group.ts";
import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";

const run = promisify(execFile);

const PACKAGES = {
  quayside: "packages/quayside",
  "quayside-client": "client",
  "quayside-server": "packages/server",
  "create-quayside": "packages/create-quayside",
};

export type PackageName = keyof typeof PACKAGES;

/** Packs all packages into a folder of their own; where each is. */
export async function packAll(folder: string): Promise<Record<PackageName, string>> {
  const packed: Partial<Record<PackageName, string>> = {};
  const into = mkdtempSync(join(folder, "packages-"));
  for (const [name, path] of Object.entries(PACKAGES)) {
    // With this repository's own programs: the packages are built by its TypeScript.
    await run("npm", ["pack", "--silent", "--pack-destination", into], {
      cwd: join(repositoryRoot, path),
      env: withoutNpm(process.env),
    });
    const file = readdirSync(into).find((file) => new RegExp(`^${name}-\\d`).test(file));
    packed[name as PackageName] = join(into, file ?? "");
  }
  return packed as Record<PackageName, string>;
}

/** The environment of somebody who has Node and npm, and never heard of this repository. */
export function outside(folder: string): NodeJS.ProcessEnv {
  const here = join(repositoryRoot, "node_modules");
  const path = (process.env.PATH ?? "").split(delimiter).filter((entry) => !entry.startsWith(here));
  return {
    ...withoutNpm(process.env),
    PATH: path.join(delimiter),
    NO_COLOR: "1",
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_LOG_PATH: join(folder, ".logs"),
    WRANGLER_REGISTRY_PATH: join(folder, ".registry"),
  };
}

function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = (name: string) => !/^npm_|^(NODE_TEST_CONTEXT|NODE_OPTIONS|FORCE_COLOR|INIT_CWD)$/i.test(name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => ours(name)));
}

/** `script` is one of the project's; `options` are wrangler's. */
type DevOptions = { cwd?: string; ready: string; script?: string; options?: string[] };

export class InstalledProject {
  /** Where the template was unfolded and installed. */
  readonly folder: string;
  /** How long it took from the empty folder, packing not counted. */
  readonly installMs: number;
  readonly #root: string;

  static async create(): Promise<InstalledProject> {
    const root = mkdtempSync(join(tmpdir(), "quayside project "));
    const packed = await packAll(root);
    const folder = join(root, "my uploads");
    const began = performance.now();
    const create = ["exec", "--yes", `--package=${packed["create-quayside"]}`, "--", "create-quayside", "my uploads"];
    await run("npm", [...create, "--packages", dirname(packed.quayside)], { cwd: root, env: outside(root) });
    await run("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder, env: outside(root) });
    return new InstalledProject(root, folder, performance.now() - began);
  }

  private constructor(root: string, folder: string, installMs: number) {
    this.#root = root;
    this.folder = folder;
    this.installMs = installMs;
  }

  /** Runs a command to its end; what it prints. */
  async run(command: string, args: string[], cwd = this.folder): Promise<string> {
    const { stdout } = await run(command, args, { cwd, env: outside(this.#root), maxBuffer: 1 << 24 });
    return stdout;
  }

  /** Adds packages of the registry. */
  async add(...names: string[]): Promise<void> {
    await this.run("npm", ["install", "--no-audit", "--no-fund", "--no-save", ...names]);
  }

  /** A Worker of its own that finds what is installed here; its files by name. */
  write(name: string, files: Record<string, string>): string {
    const folder = join(this.folder, "variants", name);
    for (const [file, text] of Object.entries(files)) {
      const path = join(folder, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    return folder;
  }

  /** Starts `wrangler dev`, through npm where `script` is one of the project's. Ready when `ready` answers with any of its own. */
  async dev({ cwd = this.folder, ready, script, options = [] }: DevOptions): Promise<Running> {
    const port = await freePort();
    const state = mkdtempSync(join(this.#root, "state-"));
    const place = ["--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0", "--persist-to", state];
    const args = [...place, ...options, "--show-interactive-dev-session=false"];
    const npm = script === undefined ? ["exec", "--", "wrangler", "dev", ...args] : ["run", script, "--", ...args];
    const running = new Running(port, cwd, npm, outside(this.#root));
    await running.waitUntilItAnswers(ready);
    return running;
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

export class Running {
  readonly baseUrl: string;
  output = "";
  readonly #group: ProcessGroup;

  constructor(port: number, cwd: string, args: string[], env: NodeJS.ProcessEnv) {
    this.baseUrl = `http://127.0.0.1:${port}`;
    const onOutput = (text: string) => {
      this.output += text;
    };
    this.#group = new ProcessGroup({ command: "npm", args, cwd, env, onOutput });
  }

  async waitUntilItAnswers(path: string): Promise<void> {
    const answers = async () => (await fetch(this.baseUrl + path)).status < 600;
    await waitFor("the Worker to answer", async () => this.#group.hasEnded || (await answers()), {
      lastSeen: () => this.output,
    });
    if (this.#group.hasEnded) {
      throw new Error(`wrangler ended before the Worker answered:\n${this.output}`);
    }
  }

  async stop(): Promise<void> {
    await this.#group.terminate();
  }
}
