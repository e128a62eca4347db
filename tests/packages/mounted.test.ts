// Which requests a Quayside without a path of its own takes from the application around it, told without the platform: the Worker itself is
// left out, and what the platform has of the settings is in its place.

import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { repositoryRoot } from "../support/wrangler_config.ts";

const settings: Record<string, unknown> = {};
Object.assign(globalThis, { settingsOfTheTest: settings });
const STANDINS: Record<string, string> = {
  "cloudflare:workers": "export const env = globalThis.settingsOfTheTest",
  "./dist/entry.js": "export default {}",
};
registerHooks({
  resolve(specifier, context, next) {
    const standin = STANDINS[specifier];
    return standin === undefined
      ? next(specifier, context)
      : { url: `data:text/javascript,${encodeURIComponent(standin)}`, shortCircuit: true };
  },
});
type Mounted = { createQuayside(options?: object): { handles(request: Request): boolean } };
const { createQuayside }: Mounted = await import(
  pathToFileURL(join(repositoryRoot, "packages/quayside/mounted.js")).href
);

const HOST = "https://app.example.com";
const quayside = createQuayside();
const handled = (paths: string[]) => paths.filter((path) => quayside.handles(new Request(HOST + path)));

const ROUTES = ["/upload", "/upload/init", "/uploads", "/files", "/files/x", "/s3/multipart", "/healthz", "/readyz"];
const PAGE = "/problems/offset-mismatch";
const APPLICATION = [
  "/",
  "/problem",
  "/problems",
  "/problems/",
  "/problems/1/edit",
  "/problems/a/",
  "/filesystem",
  "/a/problems/b",
];

test("its own routes, and pages about its errors; the application's own problems stay the application's", () => {
  for (const empty of [undefined, "", " ", `${HOST}/problems/`]) {
    settings.PROBLEMS_URL = empty;
    assert.deepEqual(handled([...ROUTES, PAGE, `${PAGE}?a`, ...APPLICATION]), [...ROUTES, PAGE, `${PAGE}?a`], empty);
  }
});

test("where PROBLEMS_URL has the pages elsewhere, no problem is its own", () => {
  for (const elsewhere of [
    "https://docs.example.com/errors#",
    `${HOST}/errors/`,
    "https://docs.example.com/problems/",
  ]) {
    settings.PROBLEMS_URL = elsewhere;
    assert.deepEqual(handled([...ROUTES, PAGE, ...APPLICATION]), ROUTES, elsewhere);
  }
});
