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

test("the preflight allows every method and header of the protocol", async () => {
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
    vars: { CORS_ORIGINS: `https://other.example, ${page}, https://*.apps.example`, ORIGIN_WEBHOOK_URL: "" },
  });
  t.after(() => strict.stop());

  for (const origin of [page, "https://other.example", "https://a.apps.example", "https://a.b.apps.example"]) {
    const known = await preflight(strict, "/upload/init", "POST", origin);
    assert.equal(known.status, 204);
    assert.equal(known.header("Access-Control-Allow-Origin"), origin);
    assert.equal(known.header("Access-Control-Allow-Credentials"), "true");
    assert.ok(listed(known, "Vary").includes("origin"));
    assert.ok(listed(known, "Vary").includes("access-control-request-headers"));
    const refused = await strict.client.request("GET", `/upload/${unknown}`, { headers: { Origin: origin } });
    assert.equal(refused.status, 404);
    assert.equal(refused.header("Access-Control-Allow-Origin"), origin, "a refusal can be read too");
  }

  for (const stranger of [
    "https://app.example.evil.test",
    "http://app.example",
    "https://sub.app.example",
    "https://app.example:8443",
    "https://app.example.",
    "https://APP.example",
    "https://apps.example",
    "https://evil-apps.example",
    "https://a.apps.example.evil.test",
    "https://a.apps.example@evil.test",
    "https://evil.test/.apps.example",
    "http://a.apps.example",
    "https://*.apps.example",
    "https://a.apps.example, https://evil.test",
    "null",
    "",
  ]) {
    for (const reply of [
      await preflight(strict, "/upload/init", "POST", stranger),
      await preflight(strict, "/files", "POST", stranger),
      await strict.client.request("GET", `/upload/${unknown}`, { headers: { Origin: stranger } }),
    ]) {
      const allowing = Object.keys(reply.headers).filter((name) => name.startsWith("access-control-"));
      assert.deepEqual(allowing, [], stranger);
      assert.ok(listed(reply, "Vary").includes("origin"), "a cache must not hand one site's answer to another");
      assert.ok(!JSON.stringify(reply.headers).includes("evil"), "nothing is reflected");
    }
  }
});

test("the draft's own headers are allowed, and those that an application's libraries add", async (t) => {
  const names = ["traceparent", "baggage", "sentry-trace", "X-CSRF-Token", "apikey"];
  const traced = await Stack.start({ vars: { CORS_HEADERS: names.join(", "), ORIGIN_WEBHOOK_URL: "" } });
  t.after(() => traced.stop());
  for (const path of ["/upload/init", "/files", "/s3/multipart"]) {
    const ours = listed(await preflight(open, path, "POST"), "Access-Control-Allow-Headers");
    assert.ok(ours.includes("incremental") && ours.includes("if-range"), path);
    const all = listed(await preflight(traced, path, "POST"), "Access-Control-Allow-Headers");
    assert.deepEqual(all, [...ours, ...names.map((name) => name.toLowerCase())]);
  }
});

test("where anybody may call, nobody is given credentials", async () => {
  const reply = await preflight(open, "/upload/init", "POST", "https://any.test");
  assert.equal(reply.header("Access-Control-Allow-Origin"), "*");
  assert.equal(reply.header("Access-Control-Allow-Credentials"), undefined);
});

test("a browser may send a token, and read why it was refused", async () => {
  const reply = await preflight(open, "/upload/init", "POST");
  assert.ok(listed(reply, "Access-Control-Allow-Headers").includes("authorization"));
  assert.ok(listed(reply, "Access-Control-Expose-Headers").includes("www-authenticate"));
});
