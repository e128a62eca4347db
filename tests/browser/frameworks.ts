// The examples for frameworks, each put together with its own compiler into a script that shows it: `example.show(endpoint)`.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { build, type Plugin } from "esbuild";
import { compile as compileSvelte } from "svelte/compiler";
import { compileScript, parse as parseVue } from "vue/compiler-sfc";

import { repositoryRoot } from "../support/wrangler_config.ts";

const EXAMPLES = join(repositoryRoot, "examples/frameworks");
const FRAMEWORKS = join(repositoryRoot, "client/src/frameworks");

/** How each is shown. */
export const SHOWN = {
  React: `import { createElement } from "react";
    import { createRoot } from "react-dom/client";
    import App from "./App.jsx";
    export const show = (endpoint) =>
      createRoot(document.body.appendChild(document.createElement("main"))).render(createElement(App, { endpoint }));`,
  Vue: `import { createApp } from "vue";
    import App from "./App.vue";
    export const show = (endpoint) =>
      createApp(App, { endpoint }).mount(document.body.appendChild(document.createElement("main")));`,
  Svelte: `import { mount } from "svelte";
    import App from "./App.svelte";
    export const show = (endpoint) => void mount(App, { target: document.body, props: { endpoint } });`,
  "no framework": `export { show } from "./element.js";`,
};

/** Compiles files of a framework's own kind. */
function compiler(name: string, filter: RegExp, compile: (text: string) => string): Plugin {
  return {
    name,
    setup({ onLoad }) {
      onLoad({ filter }, ({ path }) => ({ contents: compile(readFileSync(path, "utf8")), loader: "js" }));
    },
  };
}

const svelte = compiler("svelte", /\.svelte$/, (text) => compileSvelte(text, { generate: "client" }).js.code);

const vue = compiler("vue", /\.vue$/, (text) => {
  const { descriptor } = parseVue(text);
  return compileScript(descriptor, { id: "app", inlineTemplate: true }).content;
});

/** The package as its users name it, from its source. */
const alias = Object.fromEntries(
  ["react", "vue", "svelte", "element"].map((name) => [`quayside-client/${name}`, join(FRAMEWORKS, `${name}.ts`)]),
);

export async function bundledExample(framework: keyof typeof SHOWN): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: SHOWN[framework], resolveDir: EXAMPLES, loader: "js" },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "example",
    platform: "browser",
    jsx: "automatic",
    conditions: ["svelte", "browser"],
    nodePaths: [join(repositoryRoot, "node_modules")],
    define: { "process.env.NODE_ENV": '"production"' },
    logOverride: { "empty-import-meta": "silent" },
    alias,
    plugins: [svelte, vue],
  });
  return String(outputFiles[0]?.text);
}
