// The demo page, built into `build-page/`, which wrangler serves beside the Worker. Everything it needs comes along: no
// script, style or font is fetched from anywhere else, and none stands in the HTML, so that the policy in `public/_headers`
// can be strict.

import { resolve } from "node:path";

import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  logLevel: "warn",
  // Wherever the page is served from, its files lie beside it.
  base: "./",
  build: {
    outDir: resolve(import.meta.dirname, "../../build-page"),
    emptyOutDir: true,
    target: "es2022",
    // A data: URL of a script would be refused by the policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  worker: { format: "es" },
});
