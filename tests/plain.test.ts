// A file as the body of one request: what is taken, what is answered, what is refused, and what stays of a request that was cut off.
// curl, wget and fetch as people use them are in `frontends.test.ts`.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";

import type { Status } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { type Headers, PendingRequest, type Reply } from "./support/http.ts";
import { bucketState, waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

type Answer = {
  uploadId: string;
  uploadUrl: string;
  state: Status["state"];
  fileName: string;
  fileSize: number;
  contentType: string | null;
  object: { key: string; etag: string; crc64nvme: string; sha256: string | null };
  uploadToken?: string;
};

const small = fileBytes("plain", MIB + 7);
const digestOf = (bytes: Uint8Array) => `sha-256=:${sha256(bytes, "base64")}:`;

describe("a file in one request", async () => {
  const { origin, stack, client } = await sceneWithScriptedOrigin();

  const post = (body: Uint8Array, headers: Headers = {}, path = "/upload") =>
    client.request("POST", path, { headers, body });

  /** Without `Content-Length`: in pieces, as a pipe brings them. */
  async function postInPieces(body: Uint8Array, headers: Headers = {}): Promise<Reply> {
    const pending = new PendingRequest(client.baseUrl, "POST", "/upload", {
      "Transfer-Encoding": "chunked",
      ...headers,
    });
    for (let at = 0; at < body.length; at += MIB) {
      await pending.writeThrough(body.subarray(at, at + MIB));
    }
    return await pending.finish();
  }

  function assertStored(reply: Reply, file: Uint8Array): Answer {
    assert.equal(reply.status, 201, reply.body.toString());
    const answer = reply.json<Answer>();
    assert.deepEqual([answer.state, answer.fileSize], ["completed", file.length]);
    assert.equal(answer.object.crc64nvme, crc64nvme(file));
    assert.equal(reply.header("Location"), answer.uploadUrl);
    return answer;
  }

  test("comes back as an object, which the origin is told of and the JSON protocol knows", async () => {
    const said = { "Content-Type": "image/png", "Content-Disposition": "attachment; filename*=UTF-8''%e2%82%ac.png" };
    const { uploadId, uploadUrl, object, fileName, contentType } = assertStored(await post(small, said), small);
    assert.deepEqual([fileName, contentType], ["€.png", "image/png"]);
    const { data } = await origin.waitForEvent(uploadId, "upload.completed");
    assert.deepEqual([data.fileName, data.contentType, data.fileSize], ["€.png", "image/png", small.length]);
    const status = (await client.request("GET", uploadUrl)).json<Status>();
    assert.deepEqual([status.state, status.object?.key, status.object?.etag], ["completed", object.key, object.etag]);
  });

  test("costs one class A operation, in one part or with a digest in several", async () => {
    const large = fileBytes("plain, large", 20 * MIB);
    for (const [file, headers] of [
      [small, {}],
      [large, { "Content-Digest": digestOf(large) }],
    ] as const) {
      const { uploadId } = assertStored(await post(file, headers), file);
      const { cost } = await client.state(uploadId);
      assert.deepEqual([cost.r2ClassA, cost.r2ClassB], [1, 0]);
    }
  });

  test("may be of any length that it does not say, and of none", async () => {
    for (const file of [Buffer.alloc(0), small, fileBytes("plain, piped", 20 * MIB)]) {
      assertStored(await postInPieces(file), file);
      assertStored(await post(file), file);
    }
  });

  test("is compared with every digest that comes with it", async () => {
    for (const name of ["Content-Digest", "Repr-Digest", "Digest"]) {
      const file = fileBytes(`plain, with a ${name}`, MIB);
      const headers = { [name]: name === "Digest" ? `SHA-256=${sha256(file, "base64")}` : digestOf(file) };
      const before = await bucketState(stack.persistDir);
      const wrong = Buffer.concat([file.subarray(1), Buffer.from("!")]);
      assertRefused(await post(wrong, headers), 422, "checksum-mismatch");
      assert.equal((await postInPieces(wrong, headers)).status, 422, name);
      await waitFor("nothing of it to be left", async () => {
        const now = await bucketState(stack.persistDir);
        return now.objects.length === before.objects.length && now.unfinished.length === before.unfinished.length;
      });
      assert.equal(assertStored(await post(file, headers), file).object.sha256, sha256(file));
    }
    assert.deepEqual(await client.openUploads(), []);
  });

  test("that is stored already is not stored again", async () => {
    const file = fileBytes("plain, twice", MIB);
    const headers = { "Repr-Digest": digestOf(file) };
    const { uploadId, object } = assertStored(await post(file, headers), file);
    assert.equal(object.sha256, sha256(file));
    // As long as its origin has not acknowledged it, it may still have it deleted.
    await client.waitUntilDelivery(uploadId, "delivered");
    const again = await post(file, headers);
    assert.equal(again.status, 200, again.body.toString());
    const known = again.json<{ duplicate: boolean; object: { uploadId: string } }>();
    assert.deepEqual([known.duplicate, known.object.uploadId], [true, uploadId]);
  });

  test("that is repeated under its key is the same upload, and another file under it is refused", async () => {
    const headers = { "Idempotency-Key": randomUUID() };
    const first = assertStored(await post(small, headers), small);
    assert.deepEqual(assertStored(await post(small, headers), small), first);
    assertRefused(await post(small.subarray(1), headers), 422, "idempotency-mismatch");
    assertRefused(await post(small, headers, "/upload?name=other"), 422, "idempotency-mismatch");
  });

  test("that was cut off under a key goes on in the JSON protocol", async () => {
    const file = fileBytes("plain, cut", 30 * MIB);
    const headers = { "Idempotency-Key": randomUUID(), "Content-Length": file.length };
    const pending = new PendingRequest(client.baseUrl, "PUT", "/upload/new/cut.bin", headers);
    pending.write(file.subarray(0, 20 * MIB));
    const { uploadId } = await waitFor("it to be listed", async () =>
      (await client.openUploads()).find(({ fileName }) => fileName === "cut.bin"),
    );
    await client.waitUntilCounted(uploadId, 5 * MIB);
    pending.cut();
    const counted = await client.offset(uploadId);

    const again = await client.request("PUT", "/upload/new/cut.bin", { headers, body: file });
    const problem = assertRefused(again, 409, "incomplete", { uploadId, uploadedBytes: counted });
    assert.match(problem.detail, /X-Upload-Offset/);
    assert.equal(again.header("Location"), `${stack.baseUrl}/upload/${uploadId}`);
    const rest = await client.put(uploadId, counted, file.subarray(counted));
    assert.equal(rest.status, 200, rest.body.toString());
    const { object } = await client.waitUntilState(uploadId, "completed");
    assert.equal(object?.crc64nvme, crc64nvme(file));
  });

  test("that is none is refused with what to do, and nothing is left", async () => {
    const before = await bucketState(stack.persistDir);
    const put = (path: string, headers: Headers = {}) => client.request("PUT", path, { headers, body: small });
    for (const path of ["/upload/new/", "/upload/new", "/upload/new/a/b.png", "/upload/new/%00", "/upload/new?name="]) {
      assertBadRequest(await put(path), "name");
    }
    const form = { "Content-Type": "multipart/form-data; boundary=x" };
    assertRefused(await post(small, { "Content-Type": "multipart/mixed; boundary=x" }), 415, "unsupported-media-type");
    assertRefused(await put("/upload/new/a", form), 415, "unsupported-media-type");
    assertBadRequest(await post(small, { "Content-Digest": "sha-256=abc" }), "Content-Digest");
    assertBadRequest(await post(small, { "Repr-Digest": "sha-256=:YQ==:" }), "Repr-Digest");
    assertBadRequest(await post(small, { Digest: "SHA-256=YQ==" }), "Digest");
    assertBadRequest(await post(small, { "Content-Type": "movie" }), "Content-Type");
    assertBadRequest(await post(small, { "Idempotency-Key": "" }), "Idempotency-Key");
    assertRefused(await postInPieces(small, { Digest: "MD5=1B2M2Y8AsgTpgAmY7PhCfg==" }), 411, "length-required");
    for (const [method, path] of [
      ["GET", "/upload/new/cat.png"],
      ["DELETE", "/upload/new/cat.png"],
    ] as const) {
      const reply = await client.request(method, path);
      assertRefused(reply, 405, "method-not-allowed");
      assert.equal(reply.header("Allow"), "PUT, POST, OPTIONS");
    }
    assert.equal((await client.request("PUT", "/upload", { body: small })).status, 404);
    assert.deepEqual([await client.openUploads(), await bucketState(stack.persistDir)], [[], before]);
  });

  test("has a name that is only a name", async () => {
    for (const [path, expected] of [
      ["/upload/new/..%2F..%2Fetc%2Fpasswd", "passwd"],
      ["/upload/new/%22a%0D%0Ab%22", '"ab"'],
      ["/upload?name=C%3A%5Cx%5Cevil.exe", "evil.exe"],
      ["/upload?name=a+b", "a b"],
    ] as const) {
      const { fileName, object, uploadId } = assertStored(await post(Buffer.from("x"), {}, path), Buffer.from("x"));
      assert.equal(fileName, expected, path);
      assert.ok(object.key.startsWith(`uploads/${uploadId}`), object.key);
    }
  });
});

test("one that is larger than a request may be is refused with the limit, and nothing is left", async () => {
  const { stack, client } = await sceneWithScriptedOrigin({ MAX_CHUNK_BYTES: 8 * MIB });
  const reply = await client.request("POST", "/upload", { body: Buffer.alloc(8 * MIB + 1) });
  assertRefused(reply, 413, "chunk-too-large", { limitBytes: 8 * MIB });
  assert.deepEqual([await client.openUploads(), (await bucketState(stack.persistDir)).objects], [[], []]);
});

test("one that was cut off without a key goes by itself", async () => {
  const { origin, stack, client } = await sceneWithScriptedOrigin({ UPLOAD_TTL_SECONDS: 3 });
  const pending = new PendingRequest(client.baseUrl, "POST", "/upload", { "Content-Length": 30 * MIB });
  pending.write(fileBytes("plain, forgotten", 20 * MIB));
  const { uploadId } = await waitFor("it to be listed", async () => (await client.openUploads())[0]);
  pending.cut();
  await origin.waitForEvent(uploadId, "upload.expired");
  await waitUntilNothingLeft(stack.persistDir, uploadId);
  assert.deepEqual(await client.openUploads(), []);
});

test("where tokens are needed, each upload is its owner's, and brings a token of its own", async () => {
  const { stack, client } = await sceneWithScriptedOrigin({ AUTH: "token", ALLOWED_TYPES: "image/png,text/plain" });
  const [alice, mallory] = ["alice", "mallory"].map((owner) => bearer(mint(stack, claimsOf(owner))));
  const put = (headers: Headers = {}) =>
    client.request("PUT", "/upload/new/a.txt", { headers: { "Content-Type": "text/plain", ...headers }, body: "text" });
  assertRefused(await put(), 401, "unauthorized");
  assertRefused(await put(bearer("let-me-in")), 401, "invalid-token");
  assertRefused(await put({ ...alice, "Content-Type": "video/mp4" }), 415, "type-not-allowed");
  const reply = await put(alice);
  assert.equal(reply.status, 201, reply.body.toString());
  const { uploadId, uploadToken = "" } = reply.json<Answer>();
  const status = (headers: Headers = {}) => client.request("GET", `/upload/${uploadId}`, { headers });
  assert.equal((await status(bearer(uploadToken))).status, 200);
  assert.equal((await status(mallory)).status, 404);
  assertRefused(await put(bearer(uploadToken)), 403, "not-permitted");
});

test("a page of another site may post, and read where the file is", async () => {
  const { client } = await sceneWithScriptedOrigin({ CORS_ORIGINS: "https://app.example.com" });
  const headers = { Origin: "https://app.example.com" };
  for (const path of ["/upload", "/upload/new/a", "/upload?uploadType=resumable"]) {
    const asks = { "Access-Control-Request-Method": "POST", ...headers };
    const preflight = await client.request("OPTIONS", path, { headers: asks });
    assert.deepEqual([preflight.status, preflight.header("Access-Control-Allow-Origin")], [204, headers.Origin]);
    for (const name of ["Digest", "X-Upload-Content-Length", "Content-Range"]) {
      assert.ok(preflight.header("Access-Control-Allow-Headers")?.split(", ").includes(name), `${path}: ${name}`);
    }
  }
  const reply = await client.request("POST", "/upload", { headers, body: "x" });
  const exposed = reply.header("Access-Control-Expose-Headers")?.split(", ");
  assert.ok(reply.status === 201 && exposed?.includes("Location") && exposed.includes("Range"));
});
