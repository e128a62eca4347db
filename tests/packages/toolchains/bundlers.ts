// Every bundler: what it needs, and how it builds and serves the application.

import { freePort } from "../../support/ports.ts";
import { APP, PAGE, type ToolchainProject } from "./project.ts";

export interface Bundler {
  readonly packages: string[];
  readonly files: Record<string, string>;
  /** Builds, and serves what was built; the page's address. */
  readonly build: (project: ToolchainProject) => Promise<string>;
  /** Serves the sources, for those that can. */
  readonly dev?: (project: ToolchainProject) => Promise<string>;
  /** Where what was built lies. */
  readonly output: string;
  /** Also run with every `cargo xtask test`. */
  readonly isAlwaysRun: boolean;
}

/** What the guide says for Vite up to 7: its dev server moves packages away from the files beside them. */
const BESIDE_ITS_FILES = `export default { optimizeDeps: { exclude: ["quayside-client"] } };\n`;

function vite(version: number): Bundler {
  return {
    packages: [`vite@${version}`],
    files: { "index.html": PAGE, "main.js": APP, ...(version < 8 ? { "vite.config.js": BESIDE_ITS_FILES } : {}) },
    async build(project) {
      await project.bin("vite", ["build"]);
      return await project.serveFiles("dist");
    },
    async dev(project) {
      const port = await freePort();
      project.serve("vite", ["--host", "127.0.0.1", "--port", String(port), "--strictPort"]);
      return `http://127.0.0.1:${port}/`;
    },
    output: "dist",
    // The first makes workers with Rollup, in one file each; the last with Rolldown.
    isAlwaysRun: version === 5 || version === 8,
  };
}

const webpack: Bundler = {
  packages: ["webpack@5", "webpack-cli@6"],
  files: { "index.html": PAGE, "src/index.js": APP, "dist/index.html": PAGE },
  async build(project) {
    await project.bin("webpack", ["--mode", "production", "--output-filename", "main.js"]);
    return await project.serveFiles("dist");
  },
  output: "dist",
  isAlwaysRun: true,
};

const esbuild: Bundler = {
  packages: ["esbuild"],
  files: { "main.js": APP, "dist/index.html": PAGE },
  async build(project) {
    // esbuild does not follow addresses of workers: the worker is an entry of its own, beside the application's.
    const entries = ["main.js", "hash_worker=quayside-client/hash_worker"];
    await project.bin("esbuild", [...entries, "--bundle", "--minify", "--format=esm", "--outdir=dist"]);
    return await project.serveFiles("dist");
  },
  output: "dist",
  isAlwaysRun: true,
};

const next: Bundler = {
  packages: ["next@latest", "react@latest", "react-dom@latest"],
  files: {
    "app/layout.js": "export default ({ children }) => <html lang='en'><body>{children}</body></html>;",
    "app/page.js": `"use client";
      import { useEffect } from "react";
      export default function Page() {
        useEffect(() => void import("./send.js"), []);
        return <p>app</p>;
      }`,
    "app/send.js": APP,
  },
  async build(project) {
    await project.bin("next", ["build"]);
    const port = await freePort();
    project.serve("next", ["start", "--hostname", "127.0.0.1", "--port", String(port)]);
    return `http://127.0.0.1:${port}/`;
  },
  output: ".next/static",
  isAlwaysRun: false,
};

export const BUNDLERS: Readonly<Record<string, Bundler>> = {
  "Vite 5": vite(5),
  "Vite 6": vite(6),
  "Vite 7": vite(7),
  "Vite 8": vite(8),
  "webpack 5": webpack,
  esbuild,
  "Next.js": next,
};
