// Browsers on other sites: the preflight, what scripts may read, and that refusals can be read too.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import type { Reply } from "./support/http.ts";
import { Stack } from "./support/stack.ts";

const page = "https://app.example";
const unknown = "00000000-0000-4000-8000-000000000000";

const open = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
after(() => open.stop());

function listed(reply: Reply, header: string): string[] {
  return (reply.header(header) ?? "").split(",").map((item) => item.trim().toLowerCase());
}

function preflight(stack: Stack, path: string, method: string, origin = page): Promise<Reply> {
  const asked = { "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "x-upload-offset" };
  return stack.client.request("OPTIONS", path, { headers: { Origin: origin, ...asked } });
}

test("the preflight allows every method and header of the dialect", async () => {
  for (const [path, method] of [
    ["/upload/init", "POST"],
    [`/upload/${unknown}`, "PUT"],
    [`/upload/${unknown}/complete`, "POST"],
  ] as const) {
    const reply = await preflight(open, path, method);
    assert.equal(reply.status, 204);
    assert.equal(reply.body.length, 0);
    assert.equal(reply.header("Access-Control-Allow-Origin"), "*");
    for (const allowed of ["get", "head", "post", "put", "delete"]) {
      assert.ok(listed(reply, "Access-Control-Allow-Methods").includes(allowed), `${path} allows ${allowed}`);
    }
    const headers = listed(reply, "Access-Control-Allow-Headers");
    const ours = ["x-upload-offset", "x-chunk-checksum", "idempotency-key"];
    for (const header of ["content-type", "content-range", "content-digest", ...ours]) {
      assert.ok(headers.includes(header), `${path} allows ${header}`);
    }
    assert.ok(Number(reply.header("Access-Control-Max-Age")) > 0);
  }
});

test("scripts may read the headers that carry answers, on success and on refusals", async () => {
  const headers = { Origin: page };
  const created = await open.client.request("POST", "/upload/init", {
    headers,
    body: JSON.stringify({ fileName: "a", fileSize: 10 }),
  });
  const replies = [
    [201, created],
    [200, await open.client.request("HEAD", created.header("Location") ?? "", { headers })],
    [404, await open.client.request("GET", `/upload/${unknown}`, { headers })],
    [400, await open.client.request("POST", "/upload/init", { headers, body: "{" })],
    [404, await open.client.request("GET", "/nowhere", { headers })],
    [405, await open.client.request("PUT", "/upload/init", { headers, body: "" })],
  ] as const;
  for (const [status, reply] of replies) {
    assert.equal(reply.status, status);
    assert.equal(reply.header("Access-Control-Allow-Origin"), "*", `on ${status}`);
    const exposed = listed(reply, "Access-Control-Expose-Headers");
    for (const header of ["location", "upload-offset", "upload-length", "retry-after"]) {
      assert.ok(exposed.includes(header), `${header} on ${status}`);
    }
  }
});

test("with a list of sites, exactly those may call", async (t) => {
  const strict = await Stack.start({
    vars: { CORS_ORIGINS: `https://other.example, ${page}`, ORIGIN_WEBHOOK_URL: "" },
  });
  t.after(() => strict.stop());

  const known = await preflight(strict, "/upload/init", "POST");
  assert.equal(known.status, 204);
  assert.equal(known.header("Access-Control-Allow-Origin"), page);
  assert.ok(listed(known, "Vary").includes("origin"));

  for (const stranger of ["https://app.example.evil.test", "http://app.example", "https://sub.app.example", "null"]) {
    const reply = await preflight(strict, "/upload/init", "POST", stranger);
    assert.equal(reply.header("Access-Control-Allow-Origin"), undefined, stranger);
  }
});
