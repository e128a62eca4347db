// Where the `type` of an error leads: the page about its code, which the Worker has itself, or where PROBLEMS_URL says that it is.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Problem } from "./support/api.ts";
import type { Headers, Reply } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";

const FROM_A_BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

type Page = Pick<Problem, "type" | "code" | "title" | "status"> & { cases: { cause: string; advice: string }[] };

// Uploading needs a token here; to read what an error means none.
const stack = await Stack.start({ vars: { AUTH: "token", BASE_PATH: "/api/files", ORIGIN_WEBHOOK_URL: "" } });
after(() => stack.stop());
const base = `${stack.baseUrl}/api/files`;

function get(url: string, headers: Headers = {}): Promise<Reply> {
  return stack.client.request("GET", url, { headers });
}

test("an error is taken, its type is followed, and its page is there", async () => {
  const body = JSON.stringify({ fileName: "a", fileSize: 1 });
  const headers = { "Content-Type": "application/json" };
  const refused = await stack.client.request("POST", `${base}/upload/init`, { headers, body });
  const { type, title } = assertRefused(refused, 401, "unauthorized");
  assert.equal(type, `${base}/problems/unauthorized`);

  const page = await get(type);
  assert.deepEqual([page.status, page.header("Content-Type")], [200, "application/json"]);
  const said = page.json<Page>();
  assert.deepEqual({ ...said, cases: said.cases.length }, { type, code: "unauthorized", title, status: 401, cases: 1 });
  assert.match(said.cases[0]?.advice ?? "", /token/);
});

test("a person gets it in HTML, and everybody may keep it", async () => {
  const page = await get(`${base}/problems/offset-mismatch`, { Accept: FROM_A_BROWSER });
  assert.equal(page.header("Content-Type"), "text/html; charset=utf-8");
  assert.match(page.body.toString(), /<h1>The chunk does not begin at the accepted offset<\/h1>/);
  assert.match(page.body.toString(), /Go on at <code>uploadedBytes<\/code>/);
  assert.match(page.header("Cache-Control") ?? "", /^public, max-age=[1-9]/);
  assert.match(page.header("Vary") ?? "", /Accept/);
  assert.equal(page.header("Access-Control-Allow-Origin"), "*");
  const head = await stack.client.request("HEAD", `${base}/problems/offset-mismatch`);
  assert.deepEqual([head.status, head.body.length], [200, 0]);
});

test("a code that is none has no page", async () => {
  const { detail } = assertRefused(await get(`${base}/problems/nonsense`), 404, "no-such-route");
  assert.match(detail, /^No error has this code here/);
  assertRefused(await get(`${base}/problems`), 404, "no-such-route");
});

test("a deployment that documents its errors elsewhere says where, also while its other settings are wrong", async () => {
  const PROBLEMS_URL = "https://docs.example.com/errors#";
  const own = await Stack.start({ vars: { PROBLEMS_URL, UPLOAD_TTL_SECONDS: "soon", ORIGIN_WEBHOOK_URL: "" } });
  after(() => own.stop());
  const refused = (await own.client.request("GET", "/uploads")).json<Problem>();
  assert.deepEqual([refused.code, refused.type], ["not-configured", `${PROBLEMS_URL}not-configured`]);
});
