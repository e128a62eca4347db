// The packages as a new user has them: packed, installed into an empty folder outside this repository, and run.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import type { Created, Problem, Status } from "../support/api.ts";
import { codeBlock } from "../support/guides.ts";
import { waitFor } from "../support/wait.ts";
import { repositoryRoot } from "../support/wrangler_config.ts";
import { assertServes, filesOf, SIGN_IN } from "./guide_app.ts";
import { InstalledProject, type Running } from "./installed.ts";

const CHUNK_BYTES = 5 * 1024 * 1024;

let project: InstalledProject;
before(async () => {
  project = await InstalledProject.create();
});
after(() => project?.remove());

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Uploads in two chunks; the upload's id. */
async function upload(endpoint: string, file: Buffer, fileName: string, headers: Record<string, string> = {}) {
  const body = JSON.stringify({ fileName, fileSize: file.length, chunkSize: CHUNK_BYTES });
  const created = await fetch(`${endpoint}/upload/init`, { method: "POST", body, headers });
  assert.equal(created.status, 201, await created.clone().text());
  const { uploadId, uploadUrl } = (await created.json()) as Created;
  for (let offset = 0; offset < file.length; offset += CHUNK_BYTES) {
    const chunk = new Uint8Array(file.subarray(offset, offset + CHUNK_BYTES));
    const put = { method: "PUT", body: chunk, headers: { ...headers, "X-Upload-Offset": String(offset) } };
    const taken = await fetch(uploadUrl, put);
    assert.equal(taken.status, 200, await taken.text());
  }
  return uploadId;
}

async function json<T>(url: string, headers: Record<string, string> = {}): Promise<T> {
  return (await (await fetch(url, { headers })).json()) as T;
}

test("npm create, npm install, npm run dev: three commands to a file at its owner's", async (t) => {
  const began = performance.now();
  const running = await project.dev({ script: "dev", ready: "/api/files/readyz" });
  t.after(() => running.stop());
  const ready = await fetch(`${running.baseUrl}/api/files/readyz`);
  assert.equal(ready.status, 200, await ready.text());
  const answer = await fetch(`${running.baseUrl}/api/token`, { method: "POST" });
  const cookie = String(answer.headers.get("set-cookie")).split(";")[0] ?? "";
  const { token } = (await answer.json()) as { token: string };
  const file = randomBytes(CHUNK_BYTES + 1);
  const endpoint = `${running.baseUrl}/api/files`;
  const uploadId = await upload(endpoint, file, "holiday.mp4", { Authorization: `Bearer ${token}` });
  const stored = await waitFor(
    "the file in the library",
    async () => {
      const found = await fetch(`${running.baseUrl}/api/library/${uploadId}`, { headers: { cookie } });
      return found.ok && found;
    },
    { lastSeen: () => running.output },
  );
  assert.equal(sha256(new Uint8Array(await stored.arrayBuffer())), sha256(file));
  const seconds = (project.installMs + performance.now() - began) / 1000;
  t.diagnostic(`${seconds.toFixed(1)} s from an empty folder to the file at its owner's`);
  const list = await json<{ fileName: string }[]>(`${running.baseUrl}/api/library`, { cookie });
  assert.deepEqual(
    list.map(({ fileName }) => fileName),
    ["holiday.mp4"],
  );
  assert.deepEqual(await json(`${running.baseUrl}/api/library`), [], "another visitor's library");
  const page = await (await fetch(running.baseUrl)).text();
  const script = /src="([^"]+)"/.exec(page)?.[1];
  for (const path of [script, "/assets/hash_worker.js"]) {
    assert.equal((await fetch(`${running.baseUrl}${path}`)).status, 200, path);
  }
});

test("the template's own tests pass", async () => {
  const said = await project.run("npm", ["test"]);
  assert.match(said, /pass 2\n/);
  assert.match(said, /fail 0\n/);
});

test("what would be deployed can be put together", async () => {
  const out = join(project.folder, "variants/dry-run");
  const said = await project.run("npm", ["exec", "--", "wrangler", "deploy", "--dry-run", "--outdir", out]);
  assert.match(said, /UPLOAD_SESSIONS/);
});

/** The package's own configuration, changed by words. */
function configuration(changes: [string, string][]): string {
  const path = join(project.folder, "node_modules/quayside/wrangler.jsonc");
  return changes.reduce(
    (text, [from, to]) => {
      assert.ok(text.includes(from), `wrangler.jsonc has no ${from}`);
      return text.replace(from, to);
    },
    readFileSync(path, "utf8"),
  );
}

const MAIN = '"node_modules/quayside/worker.js"';

function devVars(): string {
  return readFileSync(join(project.folder, ".dev.vars"), "utf8").replace('AUTH="token"', 'AUTH="open"');
}

test("mounted in a Hono application, beside its own queue and Durable Object", async (t) => {
  await project.add("hono@4");
  const cwd = project.write("hono", {
    "src/index.js": readFileSync(join(repositoryRoot, "tests/packages/fixtures/hono.js"), "utf8"),
    "wrangler.jsonc": configuration([
      [MAIN, '"src/index.js"'],
      ['"bindings": [', '"bindings": [{ "name": "COUNTER", "class_name": "Counter" },'],
      ['"migrations": [', '"migrations": [{ "tag": "v1", "new_sqlite_classes": ["Counter"] },'],
      ['"producers": [', '"producers": [{ "binding": "JOBS", "queue": "app-jobs" },'],
      ['"consumers": [', '"consumers": [{ "queue": "app-jobs", "max_batch_timeout": 0 },'],
      ['"vars": {', '"vars": { "DELIVERY_FIRST_DELAY_SECONDS": "1",'],
    ]),
    ".dev.vars": devVars(),
  });
  const running = await project.dev({ cwd, ready: "/hello" });
  t.after(() => running.stop());
  const url = (path: string) => running.baseUrl + path;
  assert.equal(await (await fetch(url("/hello"))).text(), "my own app");
  assert.deepEqual(await json(url("/handles")), ["/api/files", "/api/files/upload/init"]);

  const file = randomBytes(CHUNK_BYTES + 1);
  const endpoint = url("/api/files");
  const received = (id: string) =>
    waitFor(
      "the hook",
      async () => {
        const answer = await fetch(url(`/received/${id}`));
        return answer.ok && ((await answer.json()) as Record<string, unknown>);
      },
      { lastSeen: () => running.output },
    );

  const first = await received(await upload(endpoint, file, "cat.png"));
  assert.deepEqual([first.type, first.sha256, first.attempts, first.link], ["upload.completed", sha256(file), 1, null]);

  assert.deepEqual(first.attached, { asked: "1" }, "its own function was asked first");
  const body = JSON.stringify({ fileName: "unwanted.bin", fileSize: 1 });
  const unwanted = await fetch(`${endpoint}/upload/init`, { method: "POST", body });
  const { code, detail, applicationCode } = (await unwanted.json()) as Problem;
  assert.deepEqual(
    [unwanted.status, code, detail, applicationCode],
    [403, "refused-by-application", "Not in this application.", "unwanted"],
  );

  const again = await received(await upload(endpoint, file, "second-time.bin"));
  assert.deepEqual([again.sha256, again.attempts], [sha256(file), 2], "told again after an exception");

  const taken = await upload(endpoint, file, "taken.bin");
  assert.equal((await received(taken)).sha256, sha256(file));
  await waitFor("the object to be deleted, as the hook has asked", async () => {
    return (await json<Status>(`${endpoint}/upload/${taken}`)).deletedAt !== null;
  });

  await fetch(url("/jobs"), { method: "POST" });
  const done = await waitFor("the application's own queue", () =>
    json<object | null>(url("/jobs")).then((it) => it ?? false),
  );
  assert.ok(done);
});

test("the guide's Hono application", async (t) => {
  await project.add("hono@4");
  const code = codeBlock("docs/guides/apps/hono.md", "In a Worker: Hono", "js");
  assert.ok(code.trim().split("\n").length <= 60);
  const cwd = project.write("guide", {
    ...filesOf([code]),
    "src/sign_in.js": SIGN_IN,
    "wrangler.jsonc": configuration([[MAIN, '"src/index.js"']]),
    ".dev.vars": readFileSync(join(project.folder, ".dev.vars"), "utf8"),
    "package.json": '{ "type": "module" }',
  });
  const running = await project.dev({ cwd, ready: "/api/files/healthz" });
  t.after(() => running.stop());
  const { baseUrl } = running;
  await assertServes({ folder: cwd, baseUrl, endpoint: `${baseUrl}/api/files`, lastSeen: () => running.output });
});

test("another Worker is told by a service binding", async (t) => {
  const bound = configuration([
    [MAIN, '"index.js"'],
    [
      '"vars": {',
      '"services": [{ "binding": "ORIGIN", "service": "receiver" }], "vars": { "PROBLEMS_URL": "https://docs.mine.net/#",',
    ],
  ]);
  const cwd = project.write("service", {
    "wrangler.jsonc": bound,
    ".dev.vars": devVars(),
    "index.js": `
      import quayside from "quayside";
      export { OwnerLedger, UploadSession } from "quayside";
      export default {
        fetch: (request, env, context) =>
          quayside.handles(request) ? quayside.fetch(request, env, context) : env.ORIGIN.fetch(request),
        queue: quayside.queue,
      };`,
    "receiver/wrangler.jsonc": '{ "name": "receiver", "main": "index.js", "compatibility_date": "2026-11-01" }',
    "receiver/index.js": `
      const told = [];
      export default {
        async fetch(request) {
          if (request.method === "GET") return Response.json(told);
          const { type, data } = await request.json();
          told.push({ path: new URL(request.url).pathname, type, uploadId: data.uploadId });
          return new Response(null, { status: 204 });
        },
      };`,
  });
  const configurations = ["--config", "wrangler.jsonc", "--config", "receiver/wrangler.jsonc"];
  const running = await project.dev({ cwd, ready: "/healthz", options: configurations });
  t.after(() => running.stop());
  assert.deepEqual(await json(`${running.baseUrl}/problems/offset-mismatch`), [], "its own problems are elsewhere");
  const uploadId = await upload(running.baseUrl, randomBytes(CHUNK_BYTES + 1), "cat.png");
  const told = await waitFor("the event", async () => {
    const told = await json<object[]>(`${running.baseUrl}/told`);
    return told.length > 0 && told;
  });
  assert.deepEqual(told, [{ path: "/webhooks/quayside", type: "upload.completed", uploadId }]);
  await waitFor("its acknowledgement", async () => {
    return (await json<Status>(`${running.baseUrl}/upload/${uploadId}`)).delivery === "delivered";
  });
});

test("the whole Worker, with nothing but a configuration", async (t) => {
  const cwd = project.write("whole", { "package.json": "{}" });
  const quayside = join(project.folder, "node_modules/.bin/quayside");
  await project.run(quayside, ["init"], cwd);
  await project.run(quayside, ["dev-vars"], cwd);
  const running = await project.dev({ cwd, ready: "/healthz" });
  t.after(() => running.stop());
  const content = randomBytes(CHUNK_BYTES + 1);
  const uploadId = await upload(running.baseUrl, content, "cat.png");
  const status = await waitFor("the object", async () => {
    const status = await json<Status>(`${running.baseUrl}/upload/${uploadId}`);
    return status.state === "completed" && status;
  });
  assert.deepEqual([status.fileSize, status.delivery], [content.length, "none"]);
});

async function refused(running: Running): Promise<string> {
  const body = JSON.stringify({ fileName: "a", fileSize: 1 });
  const answer = await fetch(`${running.baseUrl}/upload/init`, { method: "POST", body });
  assert.equal(answer.status, 503);
  return ((await answer.json()) as Problem).detail;
}

test("bindings that are missing are named, at the first request and in readyz", async (t) => {
  const lines = configuration([[MAIN, '"src/index.js"']]).split("\n");
  const cwd = project.write("unbound", {
    "src/index.js": 'export { default, OwnerLedger, UploadSession } from "quayside";\n',
    "wrangler.jsonc": lines.filter((line) => !/"BUCKET"|"TASKS"/.test(line)).join("\n"),
    ".dev.vars": devVars(),
  });
  const running = await project.dev({ cwd, ready: "/healthz" });
  t.after(() => running.stop());
  const detail = await refused(running);
  for (const name of ["BUCKET (an R2 bucket)", "TASKS"]) {
    assert.ok(detail.includes(name), detail);
  }
  assert.ok(!detail.includes("EVENTS"), detail);
  const ready = await fetch(`${running.baseUrl}/readyz`);
  assert.equal(ready.status, 503);
  assert.ok((await ready.text()).includes("BUCKET (an R2 bucket)"));
});

test("a base path may have slashes or not; a second Quayside in one Worker, and an option that does not exist, are said", async (t) => {
  const cwd = project.write("two", {
    "src/index.js": `
      import { createQuayside } from "quayside";
      export { OwnerLedger, UploadSession } from "quayside";
      const one = createQuayside({ basePath: "one/" });
      const two = createQuayside({ basePath: "/two//" });
      const misspelt = () => createQuayside({ onComplete() {} });
      export default {
        async fetch(request, env, context) {
          try {
            const { pathname } = new URL(request.url);
            if (pathname === "/misspelt") return misspelt();
            return await (one.handles(request) ? one : two).fetch(request, env, context);
          } catch (error) {
            return new Response(error.message, { status: 500 });
          }
        },
        queue: one.queue,
      };`,
    "wrangler.jsonc": configuration([[MAIN, '"src/index.js"']]),
    ".dev.vars": devVars(),
  });
  const running = await project.dev({ cwd, ready: "/one/healthz" });
  t.after(() => running.stop());
  assert.equal((await fetch(`${running.baseUrl}/one/readyz`)).status, 200);
  const created = await fetch(`${running.baseUrl}/one/upload/init`, {
    method: "POST",
    body: JSON.stringify({ fileName: "a", fileSize: 1 }),
  });
  assert.ok(((await created.json()) as Created).uploadUrl.startsWith(`${running.baseUrl}/one/upload/`));
  for (const path of ["/one", "/one/"]) {
    const nothing = await fetch(running.baseUrl + path);
    assert.deepEqual(
      [nothing.status, ((await nothing.json()) as Problem).type.split("/").pop()],
      [404, "no-such-route"],
    );
  }
  const second = await fetch(`${running.baseUrl}/two/readyz`);
  assert.deepEqual([second.status, (await second.text()).slice(0, 31)], [500, "One Worker holds one Quayside: "]);
  assert.match(await (await fetch(`${running.baseUrl}/misspelt`)).text(), /no option onComplete;/);
});

for (const [module, moduleResolution] of [
  ["ESNext", "bundler"],
  ["Node16", "node16"],
]) {
  test(`the types are right where modules are resolved as ${moduleResolution} does`, async () => {
    const cwd = project.write(`types-${moduleResolution}`, {
      "main.ts": readFileSync(join(repositoryRoot, "tests/packages/fixtures/types.ts"), "utf8"),
      "package.json": '{ "type": "module" }',
    });
    const options = { module, moduleResolution, target: "ES2022", lib: ["ES2022", "DOM"], types: [], strict: true };
    const compilerOptions = { ...options, noEmit: true, exactOptionalPropertyTypes: true };
    writeFileSync(join(cwd, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
    await project
      .run(process.execPath, [join(repositoryRoot, "node_modules/typescript/bin/tsc"), "-p", "."], cwd)
      .catch(({ stdout }) => assert.fail(stdout));
  });
}

test("quayside says that it is a Worker where Node imports or requires it", async () => {
  const script = `
    import { createRequire } from "node:module";
    await import("quayside").catch((error) => console.log(error.message));
    try { createRequire(import.meta.url)("quayside"); } catch (error) { console.log(error.message); }`;
  const cwd = project.write("node", { "main.mjs": script });
  const said = await project.run(join(project.folder, "node_modules/.bin/node"), ["main.mjs"], cwd);
  assert.match(said, /^quayside is a Worker: it runs under wrangler .*\nquayside is a Worker and an ES module: .*\n$/);
});

test("quayside-client and quayside-server are imported where there is no page, and by require", async () => {
  const script = `
    import { createRequire } from "node:module";
    const [client, server] = [await import("quayside-client"), await import("quayside-server")];
    const required = createRequire(import.meta.url)("quayside-server");
    console.log(typeof client.createUpload, typeof server.mintToken, typeof required.mintToken);`;
  const cwd = project.write("imports", { "main.mjs": script });
  const node = join(project.folder, "node_modules/.bin/node");
  assert.equal(
    await project.run(node, ["--disable-warning=ExperimentalWarning", "main.mjs"], cwd),
    "function function function\n",
  );
});
