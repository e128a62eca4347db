// The demo page as static files beside the Worker: served with a strict policy, and in nobody's way.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { fileBytes } from "./support/bytes.ts";
import { assertRefused } from "./support/refusals.ts";
import { Stack } from "./support/stack.ts";

const stack = await Stack.start();
const { client } = stack;
after(() => stack.stop());

test("the page comes with a policy under which nothing foreign and nothing inline runs", async () => {
  const page = await client.request("GET", "/");
  assert.equal(page.status, 200);
  assert.match(page.header("Content-Type") ?? "", /^text\/html/);
  assert.equal(page.header("X-Content-Type-Options"), "nosniff");
  const policy = page.header("Content-Security-Policy") ?? "";
  for (const rule of ["default-src 'none'", "connect-src 'self';", "style-src 'self';", "frame-ancestors 'none'"]) {
    assert.ok(policy.includes(rule), rule);
  }
  assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|https?:|\*/);
  const html = page.body.toString();
  assert.doesNotMatch(html, /<script(?![^>]* src="\.\/)|<style|style="|https?:\/\//);
  const files = [...html.matchAll(/(?:src|href)="\.(\/[^"]+)"/g)].map(([, path]) => String(path));
  assert.ok(files.length >= 3);
  for (const path of files) {
    const file = await client.request("GET", path);
    assert.equal(file.status, 200, path);
    assert.equal(file.header("X-Content-Type-Options"), "nosniff", path);
  }
});

test("the page is told nothing that is not configured", async () => {
  const config = await client.request("GET", "/config.json");
  assert.deepEqual([config.status, config.json()], [200, {}]);
});

test("what is no file is the Worker's to answer", async () => {
  for (const [method, path] of [
    ["GET", "/nowhere"],
    ["PUT", "/nowhere"],
    ["GET", "/_headers"],
    ["GET", "/assets/nothing.js"],
  ] as const) {
    const reply = await client.request(method, path);
    assert.equal(reply.status, 404, path);
    assert.equal(reply.header("Content-Type"), "application/problem+json", path);
  }
});

/** The table of this name in wrangler.toml, without its heading. */
function table(toml: string, name: string): string {
  const after = toml.split(`\n[${name}]\n`)[1];
  assert.ok(after !== undefined, name);
  return after.split(/\n(?=\[)/)[0] ?? "";
}

for (const env of ["production", "staging"]) {
  test(`in ${env} there is no page, and uploads do not need one`, async (t) => {
    const deployed = await Stack.start({
      configuration: (toml) => toml.replace(table(toml, "assets"), table(toml, `env.${env}.assets`)),
    });
    t.after(() => deployed.stop());
    for (const path of ["/", "/index.html", "/favicon.svg"]) {
      assertRefused(await deployed.client.request("GET", path), 404, "no-such-route");
    }
    const robots = await deployed.client.request("GET", "/robots.txt");
    assert.deepEqual([robots.status, robots.body.toString()], [200, "User-agent: *\nDisallow: /\n"]);
    const file = fileBytes("without a page", 1000);
    const { uploadId } = await deployed.client.create(file);
    await deployed.client.putPiece(uploadId, file, 0, file.length);
    await deployed.client.waitUntilState(uploadId, "completed");
  });
}
