// Forms with files at `POST /upload`: what becomes of files and fields, what is answered, and that a form is whole or nothing. Malformed
// ones are in `forms_bad_input.test.ts`, those whose client leaves in `forms_cut_off.test.ts`, libraries that send forms in
// `forms_clients.test.ts` and `browser/forms_*.test.ts`.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";

import type { Problem, Status } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB } from "./support/bytes.ts";
import { BOUNDARY, type FormPart, formBody, formHeaders, partHead } from "./support/form.ts";
import { type Headers, PendingRequest, type Reply } from "./support/http.ts";
import { bucketState, waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

type FileAnswer = {
  uploadId: string;
  uploadUrl: string;
  uploadToken?: string;
  status: number;
  state: Status["state"];
  field: string;
  fileName: string;
  fileSize: number;
  contentType: string | null;
  object: { crc64nvme: string };
};

type Answer = FileAnswer & { files: (FileAnswer & Partial<Problem>)[] };

const small = fileBytes("form, small", 70_000);
const large = fileBytes("form, large", 20 * MIB + 7);
const file = (name: string, bytes: Uint8Array = small, fileName = `${name}.bin`): FormPart => ({
  name,
  fileName,
  bytes,
});
const field = (name: string, value: string): FormPart => ({ name, value });

describe("a form", async () => {
  const { origin, stack, client } = await sceneWithScriptedOrigin();

  const post = (parts: FormPart[], address = "/upload", headers: Headers = {}) =>
    client.request("POST", address, { headers: { ...formHeaders(), ...headers }, body: formBody(parts) });

  /** Every file of the form has arrived as it was. */
  function assertStored(reply: Reply, parts: FormPart[]): FileAnswer[] {
    assert.equal(reply.status, 201, reply.body.toString());
    const { files } = reply.json<Answer>();
    const sent = parts.filter((part) => "bytes" in part);
    const shown = files.map((answer) => [
      answer.field,
      answer.fileName,
      answer.fileSize,
      answer.state,
      answer.object.crc64nvme,
    ]);
    assert.deepEqual(
      shown,
      sent.map(({ name, fileName, bytes }) => [name, fileName, bytes.length, "completed", crc64nvme(bytes)]),
    );
    return files;
  }

  test("with one file is answered as the file alone would be, and the origin hears of it", async () => {
    for (const bytes of [small, large, Buffer.alloc(0)]) {
      const parts: FormPart[] = [{ name: "photo", fileName: "cat.png", type: "image/png", bytes }];
      const reply = await post(parts);
      const [stored] = assertStored(reply, parts);
      const { files, ...alone } = reply.json<Answer>();
      assert.deepEqual([alone, reply.header("Location")], [stored, stored?.uploadUrl]);
      const { data } = await origin.waitForEvent(alone.uploadId, "upload.completed");
      assert.deepEqual([data.fileName, data.contentType, data.fileSize], ["cat.png", "image/png", bytes.length]);
      assert.deepEqual(data.metadata, { formField: "photo" });
    }
  });

  test("has files and fields in any order, and all fields are metadata of each file", async () => {
    const orders: FormPart[][] = [
      [field("album", "7"), field("tag", "a"), field("tag", "b"), file("f")],
      [file("f"), field("album", "7"), field("tag", "a"), field("tag", "b")],
      [field("tag", "a"), file("f", large), field("album", "7"), field("tag", "b")],
      [field("album", "7"), file("f"), field("tag", "a"), file("g", large), file("f"), field("tag", "b")],
      [file("f", Buffer.alloc(0)), file("g"), field("album", "7"), field("tag", "a"), field("tag", "b")],
    ];
    for (const parts of orders) {
      for (const { uploadId, field } of assertStored(await post(parts), parts)) {
        const { data } = await origin.waitForEvent(uploadId, "upload.completed");
        assert.deepEqual(data.metadata, { album: "7", tag: "a\nb", formField: field });
      }
    }
  });

  test("may come in pieces of any length, without saying how long it is", async () => {
    const parts = [field("a", "1"), file("f", small), file("g", large), field("b", "\r\n--")];
    const body = formBody(parts);
    for (const pieceBytes of [1021, 300_001]) {
      const headers = { ...formHeaders(), "Transfer-Encoding": "chunked" };
      const pending = new PendingRequest(client.baseUrl, "POST", "/upload", headers);
      for (let at = 0; at < body.length; at += pieceBytes) {
        await pending.writeThrough(body.subarray(at, at + pieceBytes));
      }
      assertStored(await pending.finish(), parts);
    }
  });

  test("brings bytes that look like a boundary", async () => {
    const alike = Buffer.concat([
      ...[
        `\r\n--${BOUNDARY}x`,
        `--${BOUNDARY}--`,
        `\r\n--${BOUNDARY.slice(0, -1)}\r\n`,
        `\r\n--${BOUNDARY}-`,
        "\r",
        "\r\n--",
      ].map((text) => Buffer.from(text)),
    ]);
    const parts = [file("f", alike), file("g", Buffer.concat([large, alike])), file("h", Buffer.from("\r\n"))];
    assertStored(await post(parts), parts);
  });

  test("with a small file costs what the file alone would", async () => {
    // Also what it costs until the origin has heard of it.
    const cost = async (reply: Reply) => {
      const { uploadId } = reply.json<Answer>();
      return (await client.waitUntilDelivery(uploadId, "delivered")).cost;
    };
    const alone = await cost(await client.request("POST", "/upload", { body: small }));
    assert.deepEqual(await cost(await post([field("a", "1"), file("f"), field("b", "2")])), alone);
  });

  test("with fields in which no file was chosen has only those that were", async () => {
    const nothing: FormPart = { name: "more", fileName: "", bytes: Buffer.alloc(0) };
    assertStored(await post([nothing, file("f"), nothing]), [file("f")]);
    assertBadRequest(await post([nothing]), "form");
    assertBadRequest(await post([field("a", "1")]), "form");
    assert.deepEqual(await client.openUploads(), []);
  });

  test("that is cut off leaves nothing, also of the files that had arrived", async () => {
    const before = await bucketState(stack.persistDir);
    const body = formBody([file("f", small, "cut-1.bin"), file("g", large, "cut-2.bin")]);
    const pending = new PendingRequest(client.baseUrl, "POST", "/upload", {
      ...formHeaders(),
      "Content-Length": body.length,
    });
    pending.write(body.subarray(0, 15 * MIB));
    const open = await waitFor("both to be listed", async () => {
      const uploads = await client.openUploads();
      return uploads.length === 2 && uploads;
    });
    pending.cut();
    for (const { uploadId } of open) {
      await origin.waitForEvent(uploadId, "upload.aborted");
      await waitUntilNothingLeft(stack.persistDir, uploadId);
    }
    assert.deepEqual(await bucketState(stack.persistDir), before);
  });

  test("that is malformed in its last part leaves nothing either", async () => {
    const before = await bucketState(stack.persistDir);
    const body = formBody([file("f"), file("g", large), field("x", "1")]).toString("latin1");
    const broken = Buffer.from(body.replace('form-data; name="x"', "attachment"), "latin1");
    assertBadRequest(await client.request("POST", "/upload", { headers: formHeaders(), body: broken }), "form");
    await waitFor("nothing of it to be left", async () => {
      const now = await bucketState(stack.persistDir);
      return now.objects.length === before.objects.length && now.unfinished.length === before.unfinished.length;
    });
    assert.deepEqual(await client.openUploads(), []);
  });

  test("that is repeated under its key is the same uploads", async () => {
    const headers = { "Idempotency-Key": randomUUID() };
    const parts = [file("f"), file("g", large), field("a", "1")];
    const first = assertStored(await post(parts, "/upload", headers), parts);
    assert.deepEqual(assertStored(await post(parts, "/upload", headers), parts), first);
    const other = await post([file("h")], "/upload", headers);
    assertRefused(other, 422, "idempotency-mismatch");
  });

  test("is answered with the id alone where that is asked for, by which its file is taken back", async () => {
    for (const [address, accept] of [
      ["/upload?answer=id", "*/*"],
      ["/upload", "text/plain"],
    ] as const) {
      const reply = await post([file("f")], address, { Accept: accept });
      const uploadId = reply.body.toString();
      assert.deepEqual([reply.status, reply.header("Content-Type")], [201, "text/plain; charset=utf-8"]);
      assert.equal((await client.state(uploadId)).state, "completed");
      const revert = () => client.request("DELETE", "/upload", { body: uploadId });
      assert.equal((await revert()).status, 204);
      assertRefused(await client.status(uploadId), 410, "upload-gone", { state: "deleted" });
      assert.equal((await revert()).status, 204, "its answer was lost");
    }
    const reply = await post([file("f")]);
    assert.equal(
      (await client.request("DELETE", "/upload", { body: reply.body })).status,
      204,
      "the whole answer was kept",
    );
    assertBadRequest(await client.request("DELETE", "/upload", { body: "x" }), "body");
    assertRefused(await client.request("DELETE", "/upload", { body: randomUUID() }), 404, "upload-not-found");
  });
});

describe("files that are not taken", async () => {
  const vars = { ALLOWED_TYPES: "image/png,text/plain", QUOTA_OPEN_UPLOADS: 2 };
  const { stack, client } = await sceneWithScriptedOrigin(vars);
  const text: FormPart = { name: "f", fileName: "a.txt", type: "text/plain", bytes: Buffer.from("text") };
  const video: FormPart = { name: "g", fileName: "b.mp4", type: "video/mp4", bytes: large };

  const post = (parts: FormPart[], address = "/upload") =>
    client.request("POST", address, { headers: formHeaders(), body: formBody(parts) });

  test("are told so each, and the others are stored", async () => {
    const reply = await post([video, text, video, { ...text, fileName: "c.txt" }]);
    assert.equal(reply.status, 207, reply.body.toString());
    const { files } = reply.json<Answer>();
    assert.deepEqual(
      files.map(({ status }) => status),
      [415, 201, 415, 201],
    );
    assert.deepEqual([files[0]?.fileName, files[0]?.field], ["b.mp4", "g"]);
    assert.match(String(files[0]?.type), /type-not-allowed$/);
    assert.deepEqual(await client.openUploads(), []);
  });

  test("refuse the form where they are all that it has", async () => {
    for (const parts of [[video], [video, video]]) {
      const reply = await post(parts);
      assertRefused(reply, 415, "type-not-allowed");
      assert.equal(reply.json<Answer>().files.length, parts.length);
    }
  });

  test("refuse all others in an atomic form, which leaves nothing", async () => {
    const before = await bucketState(stack.persistDir);
    const empty: FormPart = { ...text, bytes: Buffer.alloc(0) };
    const medium: FormPart = { ...text, bytes: Buffer.alloc(3 * MIB, "text") };
    for (const parts of [
      [text, medium, video, text],
      [empty, text, video],
    ]) {
      const reply = await post(parts, "/upload?atomic");
      assertRefused(reply, 415, "type-not-allowed");
      const { fileName, field } = reply.json<Answer>();
      assert.deepEqual([fileName, field], ["b.mp4", "g"]);
    }
    await waitFor("nothing of it to be left", async () => {
      const now = await bucketState(stack.persistDir);
      return now.objects.length === before.objects.length && now.unfinished.length === before.unfinished.length;
    });
    assert.deepEqual(await client.openUploads(), []);
    assert.equal((await post([text, text], "/upload?atomic")).status, 201);
  });

  test("count in the quotas of their owner, as many as a form has", async () => {
    const { files } = (await post([text, text, text])).json<Answer>();
    assert.deepEqual(
      files.map(({ status }) => status),
      [201, 201, 429],
    );
    assertRefused(await post([text, text, text], "/upload?atomic"), 429, "quota-exceeded");
    assert.deepEqual(await client.openUploads(), []);
  });
});

describe("where tokens are needed", async () => {
  const { stack, client } = await sceneWithScriptedOrigin({ AUTH: "token" });
  const token = (owner: string) => mint(stack, claimsOf(owner));
  const post = (parts: FormPart[], headers: Headers = {}) =>
    client.request("POST", "/upload", { headers: { ...formHeaders(), ...headers }, body: formBody(parts) });

  test("a form brings one in its header, or in a field before its files", async () => {
    for (const reply of [
      await post([file("f")], bearer(token("alice"))),
      await post([field("access_token", token("alice")), file("f")]),
      await post([field("access_token", "nonsense"), file("f")], bearer(token("alice"))),
    ]) {
      assert.equal(reply.status, 201, reply.body.toString());
      const { uploadUrl, uploadToken = "" } = reply.json<Answer>();
      const status = (headers: Headers) => client.request("GET", uploadUrl, { headers });
      assert.equal((await status(bearer(token("alice")))).status, 200);
      assert.equal((await status(bearer(uploadToken))).status, 200);
      assert.equal((await status(bearer(token("mallory")))).status, 404);
      const { metadata } = (await status(bearer(token("alice")))).json<{ metadata: object }>();
      assert.ok(!JSON.stringify(metadata ?? {}).includes("access_token"), "the token is no metadata");
    }
  });

  test("a form without one, or with one behind its files, stores nothing", async () => {
    const before = await bucketState(stack.persistDir);
    assertRefused(await post([file("f")]), 401, "unauthorized");
    assertRefused(await post([file("f", large), field("access_token", token("alice"))]), 401, "unauthorized");
    assertRefused(await post([field("access_token", "let-me-in"), file("f")]), 401, "invalid-token");
    const { uploadToken = "" } = (await post([file("f")], bearer(token("alice")))).json<Answer>();
    assertRefused(await post([field("access_token", uploadToken), file("f")]), 403, "not-permitted");
    assert.equal((await bucketState(stack.persistDir)).objects.length, before.objects.length + 1);
  });

  test("a file is taken back by whoever may delete it", async () => {
    const { uploadId } = (await post([file("f")], bearer(token("alice")))).json<Answer>();
    const revert = (owner: string, claims = {}) => {
      const headers = bearer(mint(stack, claimsOf(owner, claims)));
      return client.request("DELETE", "/upload", { headers, body: uploadId });
    };
    assertRefused(await revert("mallory", { quayside: { delete: true } }), 404, "upload-not-found");
    assertRefused(await revert("alice"), 403, "not-permitted");
    assert.equal((await revert("alice", { quayside: { delete: true } })).status, 204);
  });
});

describe("a browser without script", async () => {
  const vars = {
    FORM_REDIRECTS: "https://app.example.com/thanks,https://app.example.com/albums/",
    ALLOWED_TYPES: "text/plain",
  };
  const { client } = await sceneWithScriptedOrigin(vars);
  const page = { Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" };
  const text: FormPart = { name: "f", fileName: "a.txt", type: "text/plain", bytes: Buffer.from("text") };

  const post = (parts: FormPart[], address = "/upload", headers: Headers = page) =>
    client.request("POST", address, { headers: { ...formHeaders(), ...headers }, body: formBody(parts) });

  async function assertSentTo(reply: Reply, expected: string): Promise<void> {
    assert.equal(reply.status, 303, reply.body.toString());
    const location = new URL(String(reply.header("Location")));
    const ids = location.searchParams.getAll("uploadId");
    for (const id of ids) {
      assert.equal((await client.state(id)).state, "completed");
    }
    location.searchParams.delete("uploadId");
    assert.equal(`${location.href} ${ids.length}`, expected);
  }

  test("is sent to the page that the form names, the address names, or the deployment has first", async () => {
    const redirect = field("redirect", "https://app.example.com/albums/7?x=y#z");
    const inAddress = `/upload?redirect=${encodeURIComponent("https://app.example.com/albums/8")}`;
    await assertSentTo(await post([text, text]), "https://app.example.com/thanks 2");
    await assertSentTo(await post([redirect, text]), "https://app.example.com/albums/7?x=y#z 1");
    await assertSentTo(await post([text, redirect]), "https://app.example.com/albums/7?x=y#z 1");
    await assertSentTo(await post([text], inAddress, {}), "https://app.example.com/albums/8 1");
    await assertSentTo(
      await post([{ ...text, type: "video/mp4" }]),
      "https://app.example.com/thanks?error=type-not-allowed 0",
    );
  });

  test("is never sent anywhere else, and nothing of such a form is stored", async () => {
    for (const address of [
      "https://evil.example/",
      "//evil.example",
      "https://app.example.com/thanks/../x",
      "javascript:alert(1)",
    ]) {
      for (const parts of [
        [field("redirect", address), text],
        [text, field("redirect", address)],
        [text, text, field("redirect", address)],
      ]) {
        assertBadRequest(await post(parts), "redirect");
      }
      assertBadRequest(await post([text], `/upload?redirect=${encodeURIComponent(address)}`), "redirect");
    }
    assert.deepEqual(await client.openUploads(), []);
  });

  test("is shown what is wrong where no page is known", async () => {
    const { client } = await sceneWithScriptedOrigin();
    const reply = await client.request("POST", "/upload", {
      headers: { ...formHeaders(), ...page },
      body: formBody([text]),
    });
    assert.equal(reply.status, 201, "and what is right");
    const wrong = `/upload?redirect=${encodeURIComponent("https://app.example.com/thanks")}`;
    assertBadRequest(
      await client.request("POST", wrong, { headers: formHeaders(), body: formBody([text]) }),
      "redirect",
    );
  });
});

test("a form that is larger than a request may be is refused with the limit", async () => {
  const { client } = await sceneWithScriptedOrigin({ MAX_CHUNK_BYTES: 8 * MIB });
  const body = formBody([file("f", Buffer.alloc(8 * MIB))]);
  const reply = await client.request("POST", "/upload", { headers: formHeaders(), body });
  assertRefused(reply, 413, "chunk-too-large", { limitBytes: 8 * MIB });
});

test("a page of another site may post a form, and read the answer", async () => {
  const { client } = await sceneWithScriptedOrigin({ CORS_ORIGINS: "https://app.example.com" });
  const headers = { Origin: "https://app.example.com", ...formHeaders() };
  const reply = await client.request("POST", "/upload", { headers, body: formBody([file("f")]) });
  assert.deepEqual([reply.status, reply.header("Access-Control-Allow-Origin")], [201, "https://app.example.com"]);
  const wrong = await client.request("POST", "/upload", { headers, body: formBody([field("a", "1")]) });
  assert.deepEqual([wrong.status, wrong.header("Access-Control-Allow-Origin")], [400, "https://app.example.com"]);
  const asks = { Origin: "https://app.example.com", "Access-Control-Request-Method": "DELETE" };
  assert.equal((await client.request("OPTIONS", "/upload", { headers: asks })).status, 204);
});

test("a form that drips in is stored as it comes, and ends with whoever sends it", async () => {
  const { client } = await sceneWithScriptedOrigin({ STALLED_BODY_SECONDS: 4 });
  const pending = new PendingRequest(client.baseUrl, "POST", "/upload", {
    ...formHeaders(),
    "Transfer-Encoding": "chunked",
  });
  pending.write(partHead(file("f", small, "drip.bin")));
  pending.write(small.subarray(0, 1000));
  const { uploadId } = await waitFor("it to be listed", async () => (await client.openUploads())[0]);
  await client.waitUntilCounted(uploadId, 1000);
  assertRefused(await pending.reply, 408, "body-stalled");
  await client.waitUntilState(uploadId, "aborted");
});
