// Resumable Uploads for HTTP, draft-ietf-httpbis-resumable-upload-12, by the real curl: offsets, lengths, digests, types and sizes
// that are wrong, and that nothing of them counts.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { curl, noCurl } from "./support/curl.ts";
import type { Reply } from "./support/http.ts";
import { APPEND, Draft, EMPTY, headers, says } from "./support/ietf.ts";
import { Stack } from "./support/stack.ts";

const skip = noCurl;
const MAX_APPEND_BYTES = 32 * MIB;
const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", MAX_CHUNK_BYTES: MAX_APPEND_BYTES } });
const draft = new Draft(stack);
after(() => stack.stop());

const TYPES = "https://iana.org/assignments/http-problem-types#";

test('Mismatching Offset: ahead and behind, "`409 (Conflict)` [...] MUST include the correct offset"', {
  skip,
}, async () => {
  const url = await draft.create("Upload-Length: 100");
  await draft.append(url, 0, "?0", Buffer.alloc(50));
  for (const provided of [49, 51]) {
    const reply = await draft.append(url, provided, "?0", Buffer.alloc(10));
    says(reply, 409, {
      "Upload-Offset": "50",
      "Upload-Complete": "?0",
      "Content-Type": "application/problem+json",
    });
    const problem = reply.json<Record<string, unknown>>();
    assert.equal(problem.type, `${TYPES}mismatching-upload-offset`);
    assert.deepEqual([problem["expected-offset"], problem["provided-offset"]], [50, provided]);
  }
  says(await curl("--head", url), 204, { "Upload-Offset": "50" });
});

test('Inconsistent Length: "their indicated lengths MUST match", in one request and across requests', {
  skip,
}, async () => {
  const inconsistent = (reply: Reply) => {
    says(reply, 400, { "Upload-Complete": "?0", "Content-Type": "application/problem+json" });
    assert.equal(reply.json<{ type: string }>().type, `${TYPES}inconsistent-upload-length`);
  };
  const ten = Buffer.alloc(10);
  inconsistent(
    await curl(
      "-X",
      "POST",
      ...headers("Upload-Complete: ?1", "Upload-Length: 11"),
      ...draft.content(ten),
      draft.files,
    ),
  );
  inconsistent(
    await curl("-X", "POST", ...headers("Upload-Complete: ?0", "Upload-Length: 9"), ...draft.content(ten), draft.files),
  );
  const url = await draft.create("Upload-Length: 100");
  inconsistent(await draft.append(url, 0, "?0", ten, "Upload-Length: 101"));
  inconsistent(await draft.append(url, 0, "?1", ten));
  inconsistent(await draft.append(url, 0, "?1", ten, "Upload-Length: 100"));
  says(await draft.append(url, 0, "?1", Buffer.alloc(100)), 200, { "Upload-Complete": "?1" });
});

test('Upload Append: the offset exceeding the length by one byte marks "the upload resource invalid"', {
  skip,
}, async () => {
  const url = await draft.create("Upload-Length: 100");
  says(await draft.append(url, 0, "?0", Buffer.alloc(101)), 400, { "Upload-Complete": "?0" });
  // "rejecting any further interaction with it"
  assert.equal((await curl("--head", url)).status, 410);
  assert.equal((await draft.append(url, 0, "?1", Buffer.alloc(100))).status, 410);
});

test('State: "Other values MUST cause the entire header field to be ignored"', { skip }, async () => {
  const created = await curl(
    "-X",
    "POST",
    ...headers("Upload-Complete: ?0", 'Upload-Length: "100"'),
    ...EMPTY,
    draft.files,
  );
  says(created, 201, { "Upload-Length": undefined });
  const url = draft.locationOf(created);
  const ten = draft.content(Buffer.alloc(10));
  for (const [complete, offset] of [
    ["true", "0"],
    ["1", "0"],
    ["?0", "?0"],
    ["?0", "-0.5"],
    ["?0", "zero"],
  ]) {
    const said = headers(`Upload-Complete: ${complete}`, `Upload-Offset: ${offset}`);
    assert.equal((await curl(...APPEND, ...said, ...ten, url)).status, 400, `${complete} ${offset}`);
  }
  says(await curl("--head", url), 204, { "Upload-Offset": "0" });
});

test('Content Digests: "If the digests don\'t match the server SHOULD [...] not append the content"', {
  skip,
}, async () => {
  const file = fileBytes("ietf digest", 3000);
  const url = await draft.create("Upload-Length: 3000");
  const digest = (bytes: Uint8Array) => `Content-Digest: sha-256=:${sha256(bytes, "base64")}:`;
  says(await draft.append(url, 0, "?1", file, digest(Buffer.from("else"))), 422, {
    "Upload-Complete": "?0",
    "Upload-Offset": "0",
  });
  for (const malformed of ["sha-256", "sha-256=abc", "sha-256=:AAAA:", "?"]) {
    assert.equal((await draft.append(url, 0, "?1", file, `Content-Digest: ${malformed}`)).status, 400, malformed);
  }
  says(await draft.append(url, 0, "?1", file, digest(file)), 200, { "Upload-Complete": "?1" });

  const refused = await curl(
    ...["-X", "POST", ...draft.content(file), ...headers("Upload-Complete: ?0", digest(Buffer.from("else")))],
    draft.files,
  );
  says(refused, 422, { Location: undefined, "Upload-Complete": "?0" });
});

test("Representation Digests: verified at the end, and told where wanted", { skip }, async () => {
  const file = fileBytes("ietf repr", 4000);
  const repr = (bytes: Uint8Array) => `sha-256=:${sha256(bytes, "base64")}:`;
  const crc = Buffer.from(crc64nvme(file), "hex").toString("base64");

  const wanted = await draft.create("Want-Repr-Digest: crc64nvme=10");
  says(await draft.append(wanted, 0, "?1", file), 200, { "Repr-Digest": `crc64nvme=:${crc}:` });

  const declared = await draft.create(`Repr-Digest: ${repr(file)}`);
  says(await draft.append(declared, 0, "?0", file.subarray(0, 2000)), 204, { "Upload-Complete": "?0" });
  const final = await draft.append(declared, 2000, "?1", file.subarray(2000));
  says(final, 200, { "Repr-Digest": `${repr(file)}, crc64nvme=:${crc}:` });

  // "the server SHOULD consider the upload failed, not process the representation further, and signal the failure to the client"
  const wrong = await draft.create(`Repr-Digest: ${repr(Buffer.from("else"))}`);
  const failed = await draft.append(wrong, 0, "?1", file);
  says(failed, 422, { "Upload-Complete": "?1" });
  assert.equal((await curl("--head", wrong)).status, 410);

  assert.equal(
    (await curl("-X", "POST", ...headers("Upload-Complete: ?0", "Repr-Digest: sha-256=x"), draft.files)).status,
    400,
  );
});

test("Media Type: an append of another type is refused and told the right one", { skip }, async () => {
  const url = await draft.create("Upload-Length: 10");
  const said = headers("Content-Type: application/octet-stream", "Upload-Offset: 0", "Upload-Complete: ?1");
  const reply = await curl("-X", "PATCH", ...said, ...draft.content(Buffer.alloc(10)), url);
  says(reply, 415, { "Accept-Patch": "application/partial-upload", "Upload-Complete": "?0" });
});

test('Limits: beyond by one byte, 413, which "SHOULD include the `Upload-Limit` header field"', { skip }, async () => {
  const tooLarge = headers("Upload-Complete: ?0", `Upload-Length: ${100 * 1024 * MIB + 1}`);
  const reply = await curl("-X", "POST", ...tooLarge, ...EMPTY, draft.files);
  says(reply, 413, { "Upload-Complete": "?0" });
  assert.match(String(reply.header("Upload-Limit")), /^max-size=107374182400, max-append-size=33554432$/);
  await draft.create(`Upload-Length: ${100 * 1024 * MIB}`);

  const url = await draft.create();
  const appended = await draft.append(url, 0, "?0", Buffer.alloc(MAX_APPEND_BYTES + 1));
  says(appended, 413, { "Upload-Complete": "?0" });
  assert.match(String(appended.header("Upload-Limit")), /max-append-size=33554432/);
  says(await draft.append(url, 0, "?0", Buffer.alloc(MAX_APPEND_BYTES)), 204, {
    "Upload-Offset": String(MAX_APPEND_BYTES),
  });
});

test("a content of unknown length whose digest is to be right is refused, and the answer says why", {
  skip,
}, async () => {
  const digest = "Content-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
  const said = headers("Upload-Complete: ?1", "Transfer-Encoding: chunked", digest);
  const reply = await curl("-X", "POST", ...said, ...draft.content(Buffer.alloc(10)), draft.files);
  says(reply, 411, { "Content-Type": "application/problem+json" });
  assert.match(reply.json<{ detail: string }>().detail, /length is known beforehand/);
});
