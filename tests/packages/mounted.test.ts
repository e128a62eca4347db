// Which requests a Quayside without a path of its own takes from the application around it, and how it asks its functions, told without the
// platform: in the place of the Worker is what hands a request to the binding ACCEPT, and in that of the platform what it has of the settings.
// And what it makes of their answers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
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
const { acceptor, origin } = await import(pathToFileURL(join(repositoryRoot, "packages/quayside/hooks.js")).href);

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
  "/by/qul_abc.def",
  "/by/qul_abc.def/upload/init",
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
  "/by",
  "/by/me",
  "/a/problems/b",
  "/admin/switch",
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

test("everything on the host of public files, which is another than its own", (t) => {
  t.after(() => {
    delete settings.PUBLIC_FILES_URL;
    delete settings.PUBLIC_URL;
  });
  const at = (url: string) => createQuayside({ basePath: "/up" }).handles(new Request(url));
  settings.PUBLIC_FILES_URL = "https://files.mine.net/";
  assert.ok(!at("https://files.mine.net/a/b"), "there is none without an own one");
  settings.PUBLIC_URL = "https://mine.net/";
  assert.deepEqual(["https://files.mine.net/", "http://files.mine.net.:81/a/b", "https://mine.net/a/b"].map(at), [
    true,
    true,
    false,
  ]);
  settings.PUBLIC_FILES_URL = "https://files.mine.net/below";
  assert.ok(!at("https://files.mine.net/a/b"), "one with a path is none");
  settings.PUBLIC_FILES_URL = settings.PUBLIC_URL = "https://files.mine.net";
  assert.ok(!at("https://files.mine.net/a/b"), "one that is the same is none");
});

test("a path that is none is told to whoever wrote it", () => {
  for (const basePath of ["/api/files/*", "/my files", "/a?b", "https://x.net/up", null, 5]) {
    assert.throws(() => createQuayside({ basePath }), /basePath/, String(basePath));
  }
});

test("an option of another kind is told to whoever wrote it, and what is left out may be undefined", () => {
  for (const [name, value] of [
    ["queues", "quayside-events"],
    ["queues", [""]],
    ["queues", [7]],
    ["onCompleted", {}],
    ["onEvent", null],
    ["accept", true],
    ["basePath", "/api/../files"],
    ["basePath", "./files"],
    ["onDone", () => {}],
  ] as const) {
    assert.throws(() => createQuayside({ [name]: value }), new RegExp(name), `${name}: ${value}`);
  }
  createQuayside({ queues: undefined, onCompleted: undefined, accept: undefined, basePath: undefined });
});

test("the setting BASE_PATH is read as the Worker reads it", (t) => {
  t.after(() => {
    delete settings.BASE_PATH;
  });
  for (const [setting, path] of [
    [" \u0085/up/\n", "/up"],
    ["/a/./b/../up", "/a/up"],
    ["/a b", ""],
  ] as const) {
    settings.BASE_PATH = setting;
    assert.ok(quayside.handles(new Request(`${HOST}${path}/upload`)), setting);
  }
});

/** What the queues carry, as the Worker names it. */
const messages = [
  ...readFileSync(join(repositoryRoot, "durable-objects/src/rpc/upload.rs"), "utf8")
    .replace(/^[\s\S]*pub enum QueueMessage \{([\s\S]*?)\n\}[\s\S]*$/, "$1")
    .matchAll(/rename = "([a-z-]+)"/g),
].map(([, name = ""]) => name);
assert.ok(messages.includes("store-last-part"));

const uploadId = "067e6162-3b6f-4ae2-a171-2470b63dff00";
const TELL = { "deliver-event": { uploadId, eventId: "evt_1" } };

test("a batch is its own by its queue's name, and where a message is; of dead letters, where every one is", (t) => {
  const said = t.mock.method(console, "error", () => {});
  const named = createQuayside({ queues: ["uploads", "uploads-dead-letters"] });
  type Case = [typeof quayside, string, unknown[] | undefined, boolean];
  const cases: Case[] = [
    [quayside, "quayside-events", [TELL], true],
    [quayside, "quayside-staging-tasks", [{ verify: { uploadId } }, { repair: { uploadId } }], true],
    [quayside, "shop-quayside-dead-letters", [TELL, { concatenate: { uploadId } }], true],
    [quayside, "quayside-events", undefined, true],
    [quayside, "uploads-events", [TELL], false],
    [quayside, "quayside-shop-dead-letters", [TELL, { order: 7 }], false],
    [quayside, "quayside-shop-dead-letters", [{ order: 7 }], false],
    [quayside, "quayside-events", [{ ...TELL, order: 7 }], false],
    ...messages.map((name): Case => [quayside, "quayside-tasks", [{ [name]: { uploadId } }], true]),
    [quayside, "quayside-tasks", [{ verify: { uploadId: "order-7" } }], false],
    [quayside, "quayside-tasks", [{ verify: true }], false],
    [quayside, "quayside-tasks", ["text"], false],
    [quayside, "quayside-tasks", [null], false],
    [quayside, "notquayside-events", [TELL], false],
    [named, "uploads", [TELL], true],
    [quayside, "quayside-events", [TELL, { order: 7 }], true],
    [named, "uploads", [TELL, { order: 7 }], true],
    [named, "quayside-events", [TELL], false],
  ];
  for (const [one, queue, bodies, isOwn] of cases) {
    const messages = bodies?.map((body) => ({ body }));
    assert.equal(one.handlesQueue({ queue, messages }), isOwn, `${queue}: ${JSON.stringify(bodies)}`);
  }
  const told = said.mock.calls.map(({ arguments: [text] }) => /^The queue (\S+) has/.exec(String(text))?.[1]);
  assert.deepEqual(told, ["uploads-events", "notquayside-events"]);
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
    [undefined, undefined],
    [null, undefined],
    [{}, undefined],
    [Object.assign(Object.create(null), { maxBytes: 5 }), undefined],
    [{ maxBytes: 5, types: ["image/*"], metadata: { a: "b" }, expiresInSeconds: null }, undefined],
    [Response.json({ maxBytes: 5 }), undefined],
    [{ maxBytes: undefined }, "maxBytes cannot be said in JSON: undefined"],
    [{ metadata: { a: undefined } }, "a cannot be said in JSON: undefined"],
    [{ types: ["image/*", undefined] }, "1 cannot be said in JSON: undefined"],
    [{ types: Array(1) }, "0 cannot be said in JSON: undefined"],
    [{ maxBytes: 5n }, "maxBytes cannot be said in JSON: 5"],
    [{ maxBytes: Object(5) }, "maxBytes cannot be said in JSON: .object Number."],
    [{ metadata: new Map([["a", "b"]]) }, "metadata cannot be said in JSON: .object Map."],
    [{ [Symbol("maxBytes")]: 5 }, "the answer cannot be said in JSON"],
    [Object.create({ maxBytes: 5 }), "the answer cannot be said in JSON"],
    [new Error("no"), "the answer cannot be said in JSON: .object Error."],
    [new Map([["maxBytes", 5]]), "the answer cannot be said in JSON: .object Map."],
    [new Headers({ maxBytes: "5" }), "the answer cannot be said in JSON: .object Headers."],
    [new (class Terms {})(), "the answer cannot be said in JSON"],
    [Object(5), "the answer cannot be said in JSON"],
    [[], "the answer cannot be said in JSON"],
    [false, "the answer cannot be said in JSON: false"],
    ["", "the answer cannot be said in JSON"],
    [{ maxBytes: Number.NaN }, "maxBytes cannot be said in JSON: NaN"],
    [{ expiresInSeconds: 60 / 0 }, "expiresInSeconds cannot be said in JSON: Infinity"],
    [{ metadata: { left: -Infinity } }, "left cannot be said in JSON: -Infinity"],
    [{ maxBytes: quota }, "maxBytes cannot be said in JSON: "],
    [{ types: [Symbol("image")] }, "0 cannot be said in JSON: "],
    [quota, "the answer cannot be said in JSON: "],
  ];
  for (const [answer, complaint] of answers) {
    const body = JSON.stringify({ type: "upload.accept", data: { uploadId: "u" } });
    const { status } = await acceptor(() => answer, {}, {}).fetch(new Request(HOST, { method: "POST", body }));
    assert.equal(status, complaint === undefined ? 200 : 500, String(complaint));
    if (complaint !== undefined) {
      assert.match(String(said.mock.calls.at(-1)?.arguments[1]), new RegExp(complaint), typeof answer);
    }
  }
  assert.equal(said.mock.callCount(), answers.filter(([, complaint]) => complaint !== undefined).length);
});

/** What the Worker hears of an event that was told to these. */
async function told(hook: () => unknown, env: object = {}): Promise<unknown> {
  const body = JSON.stringify({ type: "upload.completed", data: { uploadId } });
  const request = new Request(HOST, { method: "POST", body, headers: { "webhook-id": "evt_1" } });
  const answer = await origin({ onCompleted: hook }, env, {}).fetch(request, {});
  return answer.status === 200 ? await answer.json() : answer.status;
}

const JSON_TYPE = { headers: { "content-type": "application/json" } };
const KEPT = { disposition: "keep" };
const GOES = { disposition: "delete", result: 7 };
const CUT = new ReadableStream({
  start(controller) {
    controller.enqueue(new TextEncoder().encode('{"disposition":'));
    controller.error(new Error("the connection was lost"));
  },
});

/** Answers to an event, and what the Worker hears then. */
const EVENT_ANSWERS: [string, () => Response, unknown][] = [
  ["what it says", () => Response.json(GOES), GOES],
  ["nothing", () => new Response(null, { status: 204 }), KEPT],
  ["nothing in JSON", () => new Response("", JSON_TYPE), KEPT],
  ["a page", () => new Response("<p>OK {"), KEPT],
  ["text that claims to be JSON", () => new Response("OK", JSON_TYPE), KEPT],
  ["JSON with something behind it", () => new Response("{} {", JSON_TYPE), KEPT],
  ["JSON null", () => new Response("null", JSON_TYPE), KEPT],
  ["no UTF-8", () => new Response(new Uint8Array([255]), JSON_TYPE), KEPT],
  ...['{"disposition":"del', '{"disposition":', "{", "[1,", '{"a":1', '{"a":1 ', "-", "1e", "tr", '"\\', '"\\u12'].map(
    (text): [string, () => Response, unknown] => [
      `JSON that ends with ${text}`,
      () => new Response(text, JSON_TYPE),
      500,
    ],
  ),
  ["a body that was cut short", () => new Response(CUT, JSON_TYPE), 500],
  ["64 KiB", () => new Response(`"${"x".repeat(65_534)}"`, JSON_TYPE), KEPT],
  ["more than 64 KiB", () => new Response("x".repeat(65_537)), 500],
];

test("a result that JSON cannot say is not told, and the event has been taken all the same", async (t) => {
  const said = t.mock.method(console, "error", () => {});
  assert.deepEqual(await told(() => ({ disposition: "delete", result: { id: 10n } })), { disposition: "delete" });
  assert.equal(said.mock.callCount(), 1);
  assert.deepEqual(await told(() => ({ result: [7, undefined] })), { disposition: "keep", result: [7, null] });
});

test("a Response to an event, and a webhook's beside a function, are read as the Worker reads one", async (t) => {
  const said = t.mock.method(console, "error", () => {});
  const webhook = (answer: () => Response) => ({ ORIGIN: { fetch: async () => answer() } });
  for (const [what, answer, heard] of EVENT_ANSWERS) {
    if (!what.includes("cut short")) {
      assert.deepEqual(await told(answer), heard, what);
    }
    let isTold = false;
    const hook = () => {
      isTold = true;
    };
    assert.deepEqual(await told(hook, webhook(answer)), heard, `the webhook's ${what}`);
    assert.equal(isTold, heard !== 500, "the function is told when the webhook has it");
  }
  const refusals = EVENT_ANSWERS.filter(([, , heard]) => heard === 500).length;
  assert.equal(said.mock.callCount(), 2 * refusals - 1);
  for (const status of [302, 404, 503]) {
    assert.equal(await told(() => Response.json(GOES, { status })), 500, "a function's is an exception");
    assert.equal(
      await told(
        () => GOES,
        webhook(() => Response.json({}, { status })),
      ),
      status,
    );
  }
  assert.match(String(said.mock.calls.at(-1)?.arguments[1]), /the function answers with the status 503/);
  assert.equal(await told(() => new Error("no database")), 500, "an Error that is returned is one");
});
