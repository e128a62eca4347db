// An application outside this repository that has the packed SDK and one toolchain, and what is asked of it.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, extname, join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

import { ProcessGroup } from "../../support/process_group.ts";
import { repositoryRoot } from "../../support/wrangler_config.ts";

const run = promisify(execFile);

/** Sends 12 MB with a hash of the whole file, which a Web Worker computes; gives the upload's id. */
export const APP = `
import { createUpload } from "quayside-client";

globalThis.send = async (endpoint) => {
  const file = new File([new Uint8Array(12_000_000).map((_, at) => (at * 7) % 251)], "toolchain.bin");
  const { uploadId } = await createUpload(file, { endpoint, dedup: true, store: null }).start();
  return uploadId;
};
`;

export const PAGE = `<!doctype html><title>app</title><script type="module" src="./main.js"></script>`;

/** Packs the SDK as it is published; where the archive is. */
export async function packClient(into: string): Promise<string> {
  const env = environment();
  await run("npm", ["pack", "--silent", "--pack-destination", into], { cwd: join(repositoryRoot, "client"), env });
  return join(into, String(readdirSync(into).find((name) => name.endsWith(".tgz"))));
}

/** Without what npm tells the programs that it runs, and without this repository's own programs. */
function environment(): NodeJS.ProcessEnv {
  const here = join(repositoryRoot, "node_modules");
  const ours = (name: string) => !/^npm_|^(NODE_TEST_CONTEXT|NODE_OPTIONS|FORCE_COLOR|INIT_CWD)$/i.test(name);
  const path = (process.env.PATH ?? "").split(delimiter).filter((entry) => !entry.startsWith(here));
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => ours(name)));
  return { ...own, PATH: path.join(delimiter), NO_COLOR: "1", CI: "1", NEXT_TELEMETRY_DISABLED: "1" };
}

export class ToolchainProject {
  readonly folder = mkdtempSync(join(tmpdir(), "quayside-toolchain-"));
  readonly #stops: (() => Promise<void> | void)[] = [];

  /** `packages` are npm's, such as `vite@7`. */
  static async create(packed: string, packages: string[], files: Record<string, string>): Promise<ToolchainProject> {
    const project = new ToolchainProject();
    project.write({ "package.json": '{ "private": true }', ...files });
    const install = ["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];
    await project.run("npm", [...install, packed, ...packages]);
    return project;
  }

  write(files: Record<string, string>): void {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }

  /** Runs a command to its end; what it prints. */
  async run(command: string, args: string[]): Promise<string> {
    const options = { cwd: this.folder, env: environment(), maxBuffer: 1 << 24 };
    const { stdout, stderr } = await run(command, args, options).catch((error) => {
      throw new Error(`${command} ${args.join(" ")}\n${error.stdout}\n${error.stderr}`);
    });
    return stdout + stderr;
  }

  /** Runs a program of the toolchain. */
  bin(name: string, args: string[]): Promise<string> {
    return this.run(join("node_modules/.bin", name), args);
  }

  /** A server of the toolchain's own, until the project is removed. */
  serve(name: string, args: string[]): void {
    const env = environment();
    const command = join(this.folder, "node_modules/.bin", name);
    const group = new ProcessGroup({ command, args, cwd: this.folder, env, onOutput: () => {} });
    this.#stops.push(() => group.terminate());
  }

  /** What was built, as any host would serve it; its address. */
  async serveFiles(folder: string): Promise<string> {
    const server = staticServer(join(this.folder, folder));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#stops.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  /** Of all scripts below a folder, gzipped: everything, and the worker that hashes. */
  sizes(folder: string): { allBytes: number; workerBytes: number } {
    const root = join(this.folder, folder);
    const scripts = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => /\.m?js$/.test(name));
    const texts = scripts.map((name) => readFileSync(join(root, name)));
    const sizes = texts.map((text) => gzipSync(text).length);
    // Only the worker posts digests; what the page runs reads them.
    const isWorker = (text: Buffer) => /postMessage\(\{\s*digests/.test(text.toString());
    const workers = sizes.filter((_, index) => isWorker(texts[index] as Buffer));
    return { allBytes: sizes.reduce((sum, size) => sum + size, 0), workerBytes: Math.max(0, ...workers) };
  }

  async remove(): Promise<void> {
    await Promise.all(this.#stops.map((stop) => stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };

function staticServer(root: string): Server {
  return createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://x").pathname;
    const file = join(root, path === "/" ? "index.html" : path);
    try {
      if (!statSync(file).isFile()) {
        throw new Error("no file");
      }
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
      response.end(readFileSync(file));
    } catch {
      response.writeHead(404).end();
    }
  });
}
