// Which requests a Quayside without a path of its own takes from the application around it, and how it asks its functions, told without the
// platform: in the place of the Worker is what hands a request to the binding ACCEPT, and in that of the platform what it has of the settings.

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
  "./dist/entry.js": "export default { fetch: (request, env) => env.ACCEPT.fetch(request) }",
};
registerHooks({
  resolve(specifier, context, next) {
    const standin = STANDINS[specifier];
    return standin === undefined
      ? next(specifier, context)
      : { url: `data:text/javascript,${encodeURIComponent(standin)}`, shortCircuit: true };
  },
});
type Mounted = {
  createQuayside(options?: object): {
    handles(request: Request): boolean;
    handlesQueue(batch: object): boolean;
    fetch(request: Request, env: object, context: object): Promise<Response>;
  };
};
const { createQuayside }: Mounted = await import(
  pathToFileURL(join(repositoryRoot, "packages/quayside/mounted.js")).href
);

const HOST = "https://app.example.com";
const quayside = createQuayside();
const handled = (paths: string[]) => paths.filter((path) => quayside.handles(new Request(HOST + path)));

const ROUTES = [
  "/upload",
  "/upload/init",
  "/uploads",
  "/files",
  "/files/x",
  "/s3/multipart",
  "/usage",
  "/healthz",
  "/readyz",
];
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

test("below the setting BASE_PATH, where no option says another path", (t) => {
  t.after(() => {
    delete settings.BASE_PATH;
  });
  settings.BASE_PATH = "/up/";
  assert.deepEqual(handled(["/up", "/up/upload", "/upload", "/upper", "/readyz"]), ["/up", "/up/upload"]);
  assert.ok(createQuayside({ basePath: "" }).handles(new Request(`${HOST}/upload`)));
});

test("a path that is none is told to whoever wrote it", () => {
  for (const basePath of ["/api/files/*", "/my files", "/a?b", "https://x.net/up", null, 5]) {
    assert.throws(() => createQuayside({ basePath }), /basePath/, String(basePath));
  }
});

test("a queue is its own by its name, or by what is in it", () => {
  const batch = (queue: string, body: unknown) => ({ queue, messages: [{ body }] });
  const uploadId = "067e6162-3b6f-4ae2-a171-2470b63dff00";
  for (const [queue, body, isOwn] of [
    ["quayside-staging-events", null, true],
    ["uploads-events", { "deliver-event": { uploadId, eventId: "evt_1" } }, true],
    ["uploads-tasks", { verify: { uploadId } }, true],
    ["mail", { to: "somebody", verify: true }, false],
    ["mail", "text", false],
  ] as const) {
    assert.equal(quayside.handlesQueue(batch(queue, body)), isOwn, queue);
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

test("a function of the application is asked before an upload is created, and what it returns is the answer", async (t) => {
  const said = t.mock.method(console, "error", () => {});
  const asking = createQuayside({
    async accept(
      { id, data }: { id: string; data: { fileName: string } },
      env: { full: string },
      context: { of: string },
    ) {
      if (data.fileName === env.full) {
        return Response.json({ detail: "The album is full." }, { status: 403 });
      }
      assert.notEqual(data.fileName, "broken");
      return data.fileName === "plain" ? undefined : { metadata: { id, of: context.of } };
    },
  });
  const ask = async (fileName: string) => {
    const body = JSON.stringify({ type: "upload.accept", data: { fileName, uploadId: "u" } });
    const request = new Request(HOST, { method: "POST", body, headers: { "webhook-id": "evt_1" } });
    const answer = await asking.fetch(request, { full: "too much" }, { of: "this request" });
    return [answer.status, await answer.json()];
  };
  assert.deepEqual(await ask("plain"), [200, {}]);
  assert.deepEqual(await ask("told"), [200, { metadata: { id: "evt_1", of: "this request" } }]);
  assert.deepEqual(await ask("too much"), [403, { detail: "The album is full." }]);
  assert.deepEqual(await ask("broken"), [500, {}]);
  assert.equal(said.mock.callCount(), 1);
});

test("an answer that JSON would say otherwise lets nothing in, and is named", async (t) => {
  const said = t.mock.method(console, "error", () => {});
  const quota = () => 5;
  const answers: [unknown, string | undefined][] = [
    [{ maxBytes: 5, types: undefined }, undefined],
    [{ maxBytes: Number.NaN }, "maxBytes cannot be said in JSON: NaN"],
    [{ expiresInSeconds: 60 / 0 }, "expiresInSeconds cannot be said in JSON: Infinity"],
    [{ metadata: { left: -Infinity } }, "left cannot be said in JSON: -Infinity"],
    [{ maxBytes: quota }, "maxBytes cannot be said in JSON: "],
    [{ types: [Symbol("image")] }, "0 cannot be said in JSON: "],
    [quota, "the answer cannot be said in JSON: "],
  ];
  const { acceptor } = await import(pathToFileURL(join(repositoryRoot, "packages/quayside/hooks.js")).href);
  for (const [answer, complaint] of answers) {
    const body = JSON.stringify({ type: "upload.accept", data: { uploadId: "u" } });
    const { status } = await acceptor(() => answer, {}, {}).fetch(new Request(HOST, { method: "POST", body }));
    assert.equal(status, complaint === undefined ? 200 : 500, String(complaint));
    if (complaint !== undefined) {
      assert.match(String(said.mock.calls.at(-1)?.arguments[1]), new RegExp(complaint), typeof answer);
    }
  }
  assert.equal(said.mock.callCount(), answers.length - 1);
});
