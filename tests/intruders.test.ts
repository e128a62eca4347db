// Every route in every protocol, and everybody who has no business there: to them the upload is not there, word for word as if
// it never had been; and it stands afterwards as it stood before. The matrix is counted, and the count is checked.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import type { Created, DeletedMany, Status } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { askForPiece, dropzone, flow, plupload, ranged, resumable, sendPiece } from "./support/chunked_form.ts";
import type { Headers, Reply } from "./support/http.ts";
import { KeyServer } from "./support/key_server.ts";
import { LOCAL_KEYS } from "./support/s3.ts";
import { Stack } from "./support/stack.ts";
import {
  bearer,
  type Claims,
  claimsOf,
  encode,
  mint,
  mintWith,
  Signer,
  secondsFromNow,
  sharedKey,
} from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const ed = new Signer("EdDSA", "ed");
const ec = new Signer("ES256", "ec");
const rsa = new Signer("RS256", "rsa");
const small = new Signer("RS256", "small", 1024);
/** Another issuer's, whose owners have a prefix. */
const other = new Signer("PS256", "other");
const otherKeys = await KeyServer.start({ keys: [other.jwk] });
const OTHER = { iss: "https://other.example", aud: "elsewhere" };
const PROXY_HEADER = "X-Login";
const stack = await Stack.start({
  vars: {
    AUTH: "token",
    ORIGIN_WEBHOOK_URL: "",
    TOKEN_PUBLIC_KEYS: JSON.stringify({ keys: [ed.jwk, ec.jwk, rsa.jwk, small.jwk] }),
    TOKEN_HEADER: PROXY_HEADER,
    TOKEN_ISSUERS: JSON.stringify([
      { name: "other", issuer: OTHER.iss, audience: OTHER.aud, jwksUrl: otherKeys.url, rules: { tier: "paid" } },
    ]),
    // Nobody listens there: an intruder is refused before anything is asked.
    R2_S3_ENDPOINT: "http://127.0.0.1:9",
    PUBLIC_FILES_URL: "http://files.localhost",
    ...LOCAL_KEYS,
  },
});
after(async () => {
  otherKeys.stop();
  await stack.stop();
});
const { client } = stack;
const { secret, kid } = sharedKey(stack);

const alice = bearer(mint(stack, claimsOf("alice")));
const bytes = fileBytes("victim", 6 * MIB);

type WithToken = Created & { uploadToken: string };

async function create(headers: Headers): Promise<WithToken> {
  const reply = await client.init({ fileName: "secret.pdf", fileSize: bytes.length }, headers);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<WithToken>();
}

const victim = await create(alice);
const begun = await client.put(victim.uploadId, 0, bytes.subarray(0, MIB), alice);
assert.equal(begun.status, 200);
const finished = await create(alice);
assert.equal((await client.put(finished.uploadId, 0, bytes, alice)).status, 200);
const mallory = bearer(mint(stack, claimsOf("mallory")));
const hers = await create(mallory);

/** Each way of asking about an upload. */
const tus = { "Tus-Resumable": "1.0.0" };
const append = { ...tus, "Content-Type": "application/offset+octet-stream" };
const draft = { "Upload-Draft-Interop-Version": "8" };
type Route = [string, (id: string, headers: Headers) => Promise<Reply>];
const routes: Route[] = [
  ["json PUT", (id, headers) => client.put(id, MIB, bytes.subarray(MIB), headers)],
  ["json PUT, no bytes", (id, headers) => client.put(id, MIB, Buffer.alloc(0), headers)],
  ["json HEAD", (id, headers) => client.request("HEAD", `/upload/${id}`, { headers })],
  ["json GET", (id, headers) => client.request("GET", `/upload/${id}`, { headers })],
  ["json status", (id, headers) => client.request("GET", `/upload/${id}/status`, { headers })],
  ["json complete", (id, headers) => client.request("POST", `/upload/${id}/complete`, { headers })],
  ["json redeliver", (id, headers) => client.request("POST", `/upload/${id}/redeliver`, { headers })],
  [
    "json PATCH",
    (id, headers) => client.request("PATCH", `/upload/${id}`, { headers, body: '{"metadata":{"by":"an intruder"}}' }),
  ],
  ["json DELETE", (id, headers) => client.request("DELETE", `/upload/${id}`, { headers })],
  [
    "json events",
    (id, headers) => {
      const upgrade = { Connection: "Upgrade", Upgrade: "websocket" };
      const socket = { ...upgrade, "Sec-WebSocket-Version": 13, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" };
      return client.request("GET", `/upload/${id}/events`, { headers: { ...socket, ...headers } });
    },
  ],
  ["json content", (id, headers) => client.request("GET", `/upload/${id}/content`, { headers })],
  ["json playlist", (id, headers) => client.request("GET", `/upload/${id}/index.m3u8`, { headers })],
  ["json links", (id, headers) => client.request("POST", `/upload/${id}/links`, { headers, body: "{}" })],
  ["json log", (id, headers) => client.request("GET", `/upload/${id}/log`, { headers })],
  [
    "json sign",
    (id, headers) => client.request("POST", `/upload/${id}/parts/sign`, { headers, body: '{"chunks":[0]}' }),
  ],
  [
    "json parts",
    (id, headers) => client.request("POST", `/upload/${id}/parts`, { headers, body: '{"parts":[{"partNumber":1}]}' }),
  ],
  ["companion list", (id, headers) => client.request("GET", `/s3/multipart/${id}`, { headers })],
  ["companion sign", (id, headers) => client.request("GET", `/s3/multipart/${id}/1`, { headers })],
  ["companion DELETE", (id, headers) => client.request("DELETE", `/s3/multipart/${id}`, { headers })],
  ["tus HEAD", (id, headers) => client.request("HEAD", `/files/${id}`, { headers: { ...tus, ...headers } })],
  ["tus GET", (id, headers) => client.request("GET", `/files/${id}`, { headers: { ...tus, ...headers } })],
  [
    "tus PATCH",
    (id, headers) => {
      const all = { ...append, "Upload-Offset": MIB, ...headers };
      return client.request("PATCH", `/files/${id}`, { headers: all, body: bytes.subarray(MIB) });
    },
  ],
  [
    "tus POST for PATCH",
    (id, headers) => {
      const all = { ...append, "Upload-Offset": MIB, "X-HTTP-Method-Override": "PATCH", ...headers };
      return client.request("POST", `/files/${id}`, { headers: all, body: bytes.subarray(MIB) });
    },
  ],
  ["tus DELETE", (id, headers) => client.request("DELETE", `/files/${id}`, { headers: { ...tus, ...headers } })],
  ["ietf HEAD", (id, headers) => client.request("HEAD", `/files/${id}`, { headers: { ...draft, ...headers } })],
  ["ietf GET", (id, headers) => client.request("GET", `/files/${id}`, { headers: { ...draft, ...headers } })],
  ["plain GET of a file", (id, headers) => client.request("GET", `/files/${id}`, { headers })],
  [
    "ietf PATCH",
    (id, headers) => {
      const type = { "Content-Type": "application/partial-upload", "Upload-Complete": "?1" };
      const all = { ...draft, ...type, "Upload-Offset": MIB, ...headers };
      return client.request("PATCH", `/files/${id}`, { headers: all, body: bytes.subarray(MIB) });
    },
  ],
  [
    "google question",
    (id, headers) => {
      const all = { "Content-Range": "bytes */*", ...headers };
      return client.request("PUT", `/upload?upload_id=${id}&uploadType=resumable`, { headers: all, body: "" });
    },
  ],
  [
    "google PUT",
    (id, headers) => {
      const all = { "Content-Range": `bytes ${MIB}-${bytes.length - 1}/${bytes.length}`, ...headers };
      const path = `/upload/storage/v1/b/x/o?upload_id=${id}&uploadType=resumable`;
      return client.request("PUT", path, { headers: all, body: bytes.subarray(MIB) });
    },
  ],
  [
    "google DELETE",
    (id, headers) => client.request("DELETE", `/upload?upload_id=${id}&uploadType=resumable`, { headers }),
  ],
  [
    "filepond HEAD",
    (id, headers) => client.request("HEAD", `/upload?patch=${id}`, { headers: { "Upload-Length": 5, ...headers } }),
  ],
  [
    "filepond PATCH",
    (id, headers) => {
      const all = { "Upload-Offset": MIB, "Upload-Length": bytes.length, ...headers };
      return client.request("PATCH", `/upload?patch=${id}`, { headers: all, body: bytes.subarray(MIB) });
    },
  ],
  ["ietf DELETE", (id, headers) => client.request("DELETE", `/files/${id}`, { headers: { ...draft, ...headers } })],
];

/** What only whoever runs the service may ask: there is nothing to hide but what it answers. */
const adminRoutes: Route[] = [
  ["owners", (_, headers) => client.request("GET", "/admin/owners", { headers })],
  ["uploads", (_, headers) => client.request("GET", "/admin/uploads?owner=alice&state=all", { headers })],
  ["show", (id, headers) => client.request("GET", `/admin/uploads/${id}`, { headers })],
  ["delete", (id, headers) => client.request("DELETE", `/admin/uploads/${id}`, { headers })],
  ["redeliver", (id, headers) => client.request("POST", `/admin/uploads/${id}/redeliver`, { headers, body: "" })],
  ["release", (id, headers) => client.request("POST", `/admin/uploads/${id}/release`, { headers })],
  ["reject", (id, headers) => client.request("POST", `/admin/uploads/${id}/reject`, { headers })],
  ["release, beside the upload", (id, headers) => client.request("POST", `/upload/${id}/release`, { headers })],
  [
    "reject, beside the upload",
    (id, headers) => client.request("POST", `/upload/${id}/reject`, { headers, body: "{}" }),
  ],
  [
    "delete many",
    (id, headers) => {
      const body = JSON.stringify({ uploadIds: [id] });
      return client.request("POST", "/admin/uploads/delete", { headers, body });
    },
  ],
  ["a link", (id, headers) => client.request("POST", `/admin/uploads/${id}/links`, { headers, body: "{}" })],
  ["held uploads", (_, headers) => client.request("GET", "/admin/held-uploads", { headers })],
  ["failed deliveries", (_, headers) => client.request("GET", "/admin/failed-deliveries", { headers })],
  [
    "redeliver all",
    (_, headers) =>
      client.request("POST", "/admin/failed-deliveries/redeliver", { headers, body: JSON.stringify({ all: true }) }),
  ],
  ["read the switch", (_, headers) => client.request("GET", "/admin/switch", { headers })],
  [
    "close",
    (_, headers) => client.request("PUT", "/admin/switch", { headers, body: JSON.stringify({ mode: "closed" }) }),
  ],
];

const forged = { alg: "HS256", kid };
const tampered = mint(stack, claimsOf("alice")).split(".");
tampered[1] = encode(claimsOf("alice", { exp: secondsFromNow(9999) }));
const ofOther = (more: Claims & { tier?: string } = {}, header = {}) =>
  other.mint(claimsOf("alice", { ...OTHER, tier: "paid", ...more } as Claims), header);
const byProxy = (token: string): Headers => ({ [PROXY_HEADER]: token });
const evilPage = { Origin: "https://evil.example" };
const publicKey = Buffer.from(String((ed.jwk as { x: string }).x), "base64url");

/** Everybody who has no business with the upload: what they send, and the status they are told. */
const intruders: [string, Headers, 401 | 403 | 404][] = [
  ["another owner", mallory, 404],
  ["an owner of nearly the same name", bearer(mint(stack, claimsOf("alice "))), 404],
  ["an owner in capitals", bearer(mint(stack, claimsOf("ALICE"))), 404],
  ["another owner, by EdDSA", bearer(ed.mint(claimsOf("mallory"))), 404],
  ["another owner, by ES256", bearer(ec.mint(claimsOf("mallory"))), 404],
  ["the token of another upload", bearer(hers.uploadToken), 404],
  ["an upload's token that was altered", bearer(flipped(victim.uploadToken)), 404],
  ["an upload's token cut short", bearer(victim.uploadToken.slice(0, -3)), 404],
  [
    "a token bound to another upload",
    bearer(mint(stack, claimsOf("alice", { quayside: { upload: hers.uploadId } }))),
    404,
  ],
  [
    "another owner, with a token bound to the upload",
    bearer(mint(stack, claimsOf("mallory", { quayside: { upload: victim.uploadId } }))),
    404,
  ],
  ["nobody", {}, 401],
  ["an empty token", bearer(""), 401],
  ["another scheme", { Authorization: `Basic ${Buffer.from("alice:alice").toString("base64")}` }, 401],
  ["a token that is none", bearer("let-me-in"), 401],
  ["a token cut short", bearer(mint(stack, claimsOf("alice")).slice(0, -6)), 401],
  ["a token without signature", bearer(`${encode(forged)}.${encode(claimsOf("alice"))}.`), 401],
  ["a token with another payload", bearer(tampered.join(".")), 401],
  ["a forged token", bearer(mintWith("x".repeat(32), claimsOf("alice"), forged)), 401],
  ["alg none", bearer(`${encode({ alg: "none", kid })}.${encode(claimsOf("alice"))}.`), 401],
  ["alg nOnE", bearer(mintWith(secret, claimsOf("alice"), { alg: "nOnE", kid })), 401],
  ["HMAC with the public key", bearer(mintWith(publicKey, claimsOf("alice"), { alg: "HS256", kid: "ed" })), 401],
  ["EdDSA said of an ES256 key", bearer(ed.mint(claimsOf("alice"), { kid: "ec" })), 401],
  ["a stranger's key under our kid", bearer(new Signer("EdDSA", "ed").mint(claimsOf("alice"))), 401],
  ["a key that nobody knows", bearer(mint(stack, claimsOf("alice"), { kid: "gone" })), 401],
  ["an expired token", bearer(mint(stack, claimsOf("alice", { exp: secondsFromNow(-3600) }))), 401],
  ["a token for later", bearer(mint(stack, claimsOf("alice", { nbf: secondsFromNow(3600) }))), 401],
  ["a token for another audience", bearer(mint(stack, claimsOf("alice", { aud: "billing" }))), 401],
  ["a token without expiry", bearer(mint(stack, { sub: "alice", aud: "quayside" })), 401],
  ["a token without owner", bearer(mint(stack, claimsOf("alice", { sub: undefined }))), 401],
  ["a token with an unknown restriction", bearer(mint(stack, claimsOf("alice", { quayside: { maxsize: 1 } }))), 401],
  ["a token in the query", {}, 401],
  ["another issuer's user of the same name", bearer(ofOther()), 404],
  ["another issuer's user of the same name, by a proxy", byProxy(ofOther()), 404],
  ["another owner, by a proxy", byProxy(mint(stack, claimsOf("mallory"))), 404],
  ["another issuer's token outside of its rules", bearer(ofOther({ tier: "free" })), 401],
  ["another issuer's token for our audience", bearer(ofOther({ aud: "quayside" })), 401],
  ["another issuer's key in our name", bearer(other.mint(claimsOf("alice"))), 401],
  ["our key in another issuer's name", bearer(mint(stack, claimsOf("alice", OTHER))), 401],
  ["our owner as another issuer would call it", bearer(mint(stack, claimsOf("other:alice"))), 401],
  ["another issuer's user who says that it runs the service", bearer(ofOther({ quayside: { scope: "admin" } })), 401],
  [
    "a public key's word that it runs the service",
    bearer(ec.mint(claimsOf("alice", { quayside: { scope: "admin" } }))),
    401,
  ],
  [
    "whoever runs the service, who has no uploads",
    bearer(mint(stack, claimsOf("alice", { quayside: { scope: "admin" } }))),
    403,
  ],
  ["an RSA key that is too small", bearer(small.mint(claimsOf("alice"))), 401],
  ["RS512 said of an RS256 key", bearer(rsa.mint(claimsOf("alice"), { alg: "RS512" })), 401],
  ["PS256 said of an RS256 key", bearer(rsa.mint(claimsOf("alice"), { alg: "PS256" })), 401],
  ["HMAC with an RSA key", bearer(mintWith(rsa.pem, claimsOf("alice"), { alg: "HS256", kid: "rsa" })), 401],
  ["a key brought along", bearer(new Signer("RS256", "x").mint(claimsOf("alice"), { jwk: small.jwk })), 401],
  ["a forged token, by a proxy", byProxy(mintWith("x".repeat(32), claimsOf("alice"), forged)), 401],
  ["its owner's login, from a page of nobody's", { ...byProxy(mint(stack, claimsOf("alice"))), ...evilPage }, 403],
];

function flipped(token: string): string {
  return token.slice(0, 10) + (token[10] === "A" ? "B" : "A") + token.slice(11);
}

/** What an answer says, but for the upload that it names, and how long it took. */
function told(reply: Reply, id: string): unknown {
  const body = reply.body.toString().replaceAll(id, "ID");
  const { date: _, "server-timing": __, ...headers } = reply.headers;
  return { status: reply.status, headers: { ...headers, "content-length": "" }, body };
}

/** All that its owner is told, but for the cost, of which what was not stored with a row is forgotten while nobody asks. */
async function stateOfVictim(): Promise<Partial<Status>> {
  const reply = await client.request("GET", `/upload/${victim.uploadId}`, { headers: alice });
  const { cost: _, ...state } = reply.json<Status>();
  return state;
}

/** What somebody may ask for without naming an upload. */
const LISTS = ["/uploads", "/uploads?state=all", "/uploads?state=completed&prefix=secret", "/uploads/events", "/usage"];

function removeAll(uploadIds: string[], headers: Headers): Promise<Reply> {
  return client.request("POST", "/uploads/delete", { headers, body: JSON.stringify({ uploadIds }) });
}

let cells = 0;
for (const [who, headers, status] of intruders) {
  test(`${who}: ${status} on every route, as if there were no upload`, async () => {
    const before = await stateOfVictim();
    for (const [route, ask] of routes) {
      const unknown = randomUUID();
      const nothing = await ask(unknown, headers);
      for (const id of [victim.uploadId, finished.uploadId]) {
        const isQuery = who === "a token in the query" && /^(tus|ietf|plain)/.test(route);
        const reply = await ask(isQuery ? `${id}?token=${mint(stack, claimsOf("alice"))}` : id, headers);
        assert.equal(reply.status, status, `${route}: ${reply.body}`);
        assert.equal(reply.header("WWW-Authenticate") !== undefined, status !== 404, route);
        assert.deepEqual(told(reply, id), told(nothing, unknown), route);
        assert.ok(!reply.body.includes("secret.pdf"), route);
        cells++;
      }
    }
    assert.deepEqual(await stateOfVictim(), before);
  });
}

test("a link of its owner's that takes a file: 403 or 404 on every route, as if there were no upload", async () => {
  const made = await client.request("POST", "/upload/links", { headers: alice, body: "" });
  const { url } = made.json<{ url: string }>();
  const byLink = bearer(url.split("/").at(-1) ?? "");
  const before = await stateOfVictim();
  for (const [route, ask] of routes) {
    const unknown = randomUUID();
    const nothing = await ask(unknown, byLink);
    for (const id of [victim.uploadId, finished.uploadId]) {
      const reply = await ask(id, byLink);
      assert.ok(reply.status === 403 || reply.status === 404, `${route}: ${reply.status} ${reply.body}`);
      assert.deepEqual(told(reply, id), told(nothing, unknown), route);
      assert.ok(!reply.body.includes("secret.pdf"), route);
      cells++;
    }
  }
  assert.deepEqual(await stateOfVictim(), before);
});

test("nobody but whoever runs the service is told anything below /admin/, or changes anything", async () => {
  const before = await stateOfVictim();
  const link = await client.request("POST", "/upload/links", { headers: alice, body: "" });
  const others: typeof intruders = [
    ["its owner", alice, 403],
    ["the upload's own token", bearer(victim.uploadToken), 403],
    ["a link of its owner's", bearer(link.json<{ url: string }>().url.split("/").at(-1) ?? ""), 403],
    ["a scope of a provider's", bearer(mint(stack, { ...claimsOf("alice"), scope: "admin" } as Claims)), 403],
  ];
  const isAdmin = (who: string) => who === "whoever runs the service, who has no uploads";
  for (const [who, headers, status] of [...intruders.filter(([who]) => !isAdmin(who)), ...others]) {
    for (const [route, ask] of adminRoutes) {
      const reply = await ask(victim.uploadId, headers);
      // A good token of somebody else's is not for this; what is no good token is that here as everywhere.
      assert.equal(reply.status, status === 404 ? 403 : status, `${who}, ${route}: ${reply.body}`);
      assert.ok(!/secret\.pdf|alice/.test(reply.body.toString()), `${who}, ${route}`);
      cells++;
    }
  }
  assert.deepEqual(await stateOfVictim(), before);
});

test("no intruder creates anything, or sees a list that is not theirs", async () => {
  const [piece] = flow.pieces(bytes.subarray(0, 5), 5, "intruder");
  assert.ok(piece);
  const query = new URLSearchParams(Object.entries(piece.fields).map(([name, value]) => [name, String(value)]));
  const meta = { ...tus, "Upload-Length": 5 };
  const creations: Route[] = [
    ["json", (_, headers) => client.init({ fileName: "a", fileSize: 5 }, headers)],
    ["tus", (_, headers) => client.request("POST", "/files", { headers: { ...meta, ...headers }, body: "" })],
    [
      "ietf",
      (_, headers) => {
        const all = { ...draft, "Upload-Complete": "?0", "Upload-Length": 5, ...headers };
        return client.request("POST", "/files", { headers: all, body: "" });
      },
    ],
    ["plain", (_, headers) => client.request("POST", "/upload", { headers, body: "bytes" })],
    ["google", (_, headers) => client.request("POST", "/upload?uploadType=resumable", { headers, body: "" })],
    ["a chunked form", (_, headers) => sendPiece(client, piece, { headers })],
    ["a bare chunk", (_, headers) => client.request("POST", `/upload?${query}`, { headers, body: piece.bytes })],
  ];
  for (const [who, headers, status] of intruders.filter(([, , status]) => status !== 404)) {
    for (const [protocol, ask] of creations) {
      const reply = await ask("", headers);
      assert.equal(reply.status, status, `${who}, ${protocol}: ${reply.body}`);
      assert.ok(reply.header("WWW-Authenticate")?.startsWith("Bearer"), `${who}, ${protocol}`);
      cells++;
    }
    for (const list of LISTS) {
      assert.equal((await client.request("GET", list, { headers })).status, status, who);
      cells++;
    }
    assert.equal((await removeAll([victim.uploadId], headers)).status, status, who);
    cells++;
  }
  for (const bound of [victim.uploadToken, mint(stack, claimsOf("alice", { quayside: { upload: victim.uploadId } }))]) {
    for (const [protocol, ask] of creations) {
      assert.equal((await ask("", bearer(bound))).status, 403, protocol);
      cells++;
    }
    for (const list of LISTS) {
      assert.equal((await client.request("GET", list, { headers: bearer(bound) })).status, 403, list);
      cells++;
    }
    assert.equal((await removeAll([victim.uploadId], bearer(bound))).status, 403);
    cells++;
  }
  const list = await client.request("GET", "/uploads", { headers: mallory });
  const ids = list.json<{ uploads: { uploadId: string }[] }>().uploads.map(({ uploadId }) => uploadId);
  assert.deepEqual(ids, [hers.uploadId]);
});

test("whoever deletes many at once deletes nobody else's, and is told of no more than of what never was", async () => {
  const before = await stateOfVictim();
  const strangers = intruders.filter(([who, , status]) => status === 404 && !who.includes("upload"));
  for (const [who, headers] of strangers) {
    const never = randomUUID();
    const reply = await removeAll([victim.uploadId, never, finished.uploadId], headers);
    assert.equal(reply.status, 200, who);
    const { deleted, refused } = reply.json<DeletedMany>();
    assert.deepEqual(deleted, [], who);
    const [first, second, third] = refused.map(({ uploadId: _, ...told }) => told);
    assert.deepEqual([second?.code, first, third], ["upload-not-found", second, second], who);
    cells++;
  }
  assert.equal(strangers.length, 8);
  assert.deepEqual(await stateOfVictim(), before);
});

test("every list is its owner's", async () => {
  const idsOf = async (path: string, headers: Headers) => {
    const reply = await client.request("GET", path, { headers });
    return reply.json<{ uploads: { uploadId: string }[] }>().uploads.map(({ uploadId }) => uploadId);
  };
  await waitFor(
    "the finished one to be listed",
    async () => (await idsOf("/uploads?state=completed", alice)).length > 0,
  );
  assert.deepEqual(await idsOf("/uploads?state=completed", alice), [finished.uploadId]);
  const cursor = `9007199254740991.${finished.uploadId}`;
  for (const query of ["state=all", "state=all&prefix=", `state=all&cursor=${cursor}`]) {
    assert.deepEqual(await idsOf(`/uploads?${query}`, mallory), [hers.uploadId], query);
    cells++;
  }
  for (const query of ["state=completed", "state=all&prefix=secret.pdf%20"]) {
    assert.deepEqual(await idsOf(`/uploads?${query}`, mallory), [], query);
    cells++;
  }
});

test("the content is its owner's, and a link that is none opens it to nobody", async () => {
  const content = `/upload/${finished.uploadId}/content`;
  const asked: [Headers, number][] = [
    [alice, 200],
    [bearer(finished.uploadToken), 200],
    [mallory, 404],
    [{}, 401],
  ];
  for (const [headers, status] of asked) {
    assert.equal((await client.request("GET", content, { headers })).status, status);
    const signed = await client.request("GET", `${content}?expires=9999999999&signature=00`, { headers });
    assert.equal(signed.status, 403);
    cells++;
  }
});

test("on the host of public files nobody gets what is not public, nor anything of the API, whatever they send", async () => {
  const everybody: [string, Headers][] = [
    ["its owner", alice],
    ...intruders.map(([who, headers]): [string, Headers] => [who, headers]),
  ];
  for (const [who, headers] of everybody) {
    const visit = (path: string) => client.request("GET", path, { headers: { ...headers, Host: "files.localhost" } });
    const [unknown, nothing] = [randomUUID(), await visit(`/${randomUUID()}/secret.pdf`)];
    assert.equal(nothing.status, 404, who);
    const expected = told(await visit(`/${unknown}/secret.pdf`), unknown);
    for (const id of [victim.uploadId, finished.uploadId]) {
      assert.deepEqual(told(await visit(`/${id}/secret.pdf`), id), expected, who);
      assert.equal((await visit(`/upload/${id}/content`)).status, 404, who);
      cells += 2;
    }
    assert.equal((await visit("/admin/owners")).status, 404, who);
    assert.equal((await visit("/uploads")).status, 404, who);
    cells += 2;
  }
});

test("path tricks lead nowhere", async () => {
  const { uploadId } = victim;
  for (const headers of [alice, mallory]) {
    for (const id of [
      `${hers.uploadId}/../${uploadId}`,
      `${hers.uploadId}%2f..%2f${uploadId}`,
      `${hers.uploadId}%2F${uploadId}`,
      `${hers.uploadId}\\${uploadId}`,
      `${uploadId}%00`,
      `${uploadId};x`,
      `${uploadId}.`,
      `%2e%2e%2f${uploadId}`,
      uploadId.toUpperCase(),
      `{${uploadId}}`,
      uploadId.replaceAll("-", ""),
      `urn:uuid:${uploadId}`,
    ]) {
      for (const base of ["/upload/", "/files/"]) {
        const reply = await client.request("GET", base + id, { headers });
        // A path with dots is tidied by the platform before anybody looks at it; it then names the upload itself.
        const isTidied = id.includes("/../") && headers === alice;
        assert.equal(Math.floor(reply.status / 100), isTidied ? 2 : 4, `${base}${id}: ${reply.body}`);
        assert.ok(isTidied || reply.status === 404, `${base}${id}: ${reply.status}`);
        cells++;
      }
    }
  }
});

test("nothing is put together from another's pieces, nor is it told that there are any", async () => {
  const partial = { ...tus, "Upload-Concat": "partial", "Upload-Length": 5 };
  const piece = await client.request("POST", "/files", { headers: { ...partial, ...alice }, body: "" });
  assert.equal(piece.status, 201, piece.body.toString());
  const [hers, nobodys] = [String(piece.header("Location")), `/files/${randomUUID()}`];
  const compose = (location: string, headers: Headers) =>
    client.request("POST", "/files", {
      headers: { ...tus, ...headers, "Upload-Concat": `final;${location}` },
      body: "",
    });
  const [refused, nothing] = [await compose(hers, mallory), await compose(nobodys, mallory)];
  assert.ok(refused.status >= 400 && refused.status < 500, refused.body.toString());
  const idOf = (location: string) => location.slice(location.lastIndexOf("/") + 1);
  assert.deepEqual(told(refused, idOf(hers)), told(nothing, idOf(nobodys)));
  assert.equal((await compose(hers, {})).status, 401);
  assert.equal((await compose(hers, bearer(victim.uploadToken))).status, 403);
});

test("what an owner calls a file is the owner's alone", async () => {
  for (const library of [dropzone, resumable, plupload, ranged]) {
    const [first, second] = library.pieces(bytes.subarray(0, 2_000), 1_000, "shared");
    assert.ok(first && second);
    const idOf = (reply: Reply) => {
      assert.equal(reply.status, 200, reply.body.toString());
      return reply.json<{ uploadId: string }>().uploadId;
    };
    const id = idOf(await sendPiece(client, first, { headers: alice }));
    // She has nothing of this name: to her it is not there, and what she sends is hers.
    assert.equal((await askForPiece(client, first, mallory)).status, library === resumable ? 204 : 404);
    const other = { ...first, bytes: fileBytes("another file", 1_000) };
    assert.notEqual(idOf(await sendPiece(client, other, { headers: mallory })), id);
    assert.equal(idOf(await sendPiece(client, second, { headers: alice })), id);
    const state = await client.request("GET", `/upload/${id}`, { headers: alice });
    assert.equal(state.json<Status>().uploadedBytes, 2_000);
  }
});

test("the matrix is as large as it should be", () => {
  console.log(`intruders: ${intruders.length} on ${routes.length} routes, ${cells} cells in all`);
  assert.equal(
    cells,
    (intruders.length + 1) * routes.length * 2 +
      (intruders.length + 3) * adminRoutes.length +
      (intruders.length + 1) * 6 +
      36 * 13 +
      26 +
      8 +
      5 +
      4 +
      48,
  );
});

test("and its owner goes on as if nothing had been", async () => {
  const reply = await client.put(victim.uploadId, MIB, bytes.subarray(MIB), alice);
  assert.equal(reply.status, 200, reply.body.toString());
});
