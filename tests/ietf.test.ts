// Resumable Uploads for HTTP, draft-ietf-httpbis-resumable-upload-12: the draft's own examples, spoken by the real curl. Each
// step says which sentence of which section it obeys.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import type { OpenUpload } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { curl, noCurl, startCurl } from "./support/curl.ts";
import type { Reply } from "./support/http.ts";
import { Origin } from "./support/origin.ts";
import { Stack } from "./support/stack.ts";
import { waitFor } from "./support/wait.ts";

const origin = await Origin.prepare();
const MAX_APPEND_BYTES = 32 * MIB;
const stack = await Stack.start({
  vars: {
    ORIGIN_WEBHOOK_URL: origin.webhookUrl,
    DELIVERY_FIRST_DELAY_SECONDS: 1,
    MAX_CHUNK_BYTES: MAX_APPEND_BYTES,
  },
});
await origin.start(stack.secrets.WEBHOOK_SECRET);
const files = `${stack.baseUrl}/files`;
const skip = noCurl;
after(async () => {
  await origin.remove();
  await stack.stop();
});

let written = 0;

/** The arguments with which curl sends these bytes as content. */
function content(bytes: Uint8Array): string[] {
  const path = join(stack.stateDir, `content.${written++}`);
  writeFileSync(path, bytes);
  return ["-T", path];
}

function headers(...lines: string[]): string[] {
  return lines.flatMap((line) => ["-H", line]);
}

const EMPTY = headers("Content-Length: 0");
const APPEND = ["-X", "PATCH", ...headers("Content-Type: application/partial-upload")];
const TYPES = "https://iana.org/assignments/http-problem-types#";

function says(reply: Reply, status: number, expected: Record<string, string | undefined>): void {
  const seen = Object.fromEntries(Object.keys(expected).map((name) => [name, reply.header(name)]));
  assert.deepEqual({ status: reply.status, ...seen }, { status, ...expected }, reply.body.toString());
}

/** The URL of the upload that was created. */
function locationOf(reply: Reply): string {
  const location = reply.header("Location");
  assert.ok(location, `no Location: ${reply.status} ${reply.body.toString()}`);
  return new URL(location, files).href;
}

function idOf(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1);
}

async function create(...lines: string[]): Promise<string> {
  const reply = await curl("-X", "POST", ...headers("Upload-Complete: ?0", ...lines), ...EMPTY, files);
  assert.equal(reply.status, 201, reply.body.toString());
  return locationOf(reply);
}

function append(url: string, offset: number, complete: "?0" | "?1", bytes: Uint8Array, ...lines: string[]) {
  const said = headers(`Upload-Offset: ${offset}`, `Upload-Complete: ${complete}`, ...lines);
  return curl(...APPEND, ...said, ...content(bytes), url);
}

test('Limits: OPTIONS "MUST include the `Upload-Limit` header field"', { skip }, async () => {
  const reply = await curl("-X", "OPTIONS", ...headers("Upload-Draft-Interop-Version: 8"), files);
  says(reply, 204, {
    "Upload-Limit": `max-size=${100 * 1024 * MIB}, max-append-size=${MAX_APPEND_BYTES}`,
    "Accept-Patch": "application/partial-upload",
    "Upload-Draft-Interop-Version": "8",
  });
});

test("Example 1 and Upload Creation, A: the whole representation in one request", { skip }, async () => {
  const file = fileBytes("ietf whole", 10 * MIB);
  const reply = await curl(
    ...["-X", "POST", ...content(file)],
    ...headers(`Content-Disposition: inline; filename="file name.jpg"; filename*=UTF-8''file%20name.jpg`),
    ...headers("Content-Type: image/jpeg", `Upload-Length: ${file.length}`, "Upload-Complete: ?1", "Expect:"),
    files,
  );
  // "the server proceeds to process the request and generate a response"
  says(reply, 200, { "Upload-Complete": "?1", "Content-Type": "application/json" });
  const answer = reply.json<Record<string, unknown>>();
  assert.equal(answer.location, reply.header("Location"));
  assert.equal(answer.crc64nvme, crc64nvme(file));
  const record = await origin.waitForStored(String(answer.uploadId));
  assert.deepEqual([record.sha256, record.fileName, record.contentType], [sha256(file), "file name.jpg", "image/jpeg"]);
});

test("Example 2: an upload as a series of parts, whose length is known at its end", { skip }, async () => {
  const file = fileBytes("ietf parts", 20 * MIB + 1);
  const [x, z] = [9 * MIB, 19 * MIB];
  const [first, second, last] = [file.subarray(0, x), file.subarray(x, z), file.subarray(z)];

  // "Servers are RECOMMENDED to use the `201 (Created)` status code"; "the server MUST include the `Location` response header
  // field pointing to the upload resource and MUST include the `Upload-Limit` header field"
  const created = await curl("-X", "PUT", ...headers("Upload-Complete: ?0"), ...content(first), files);
  says(created, 201, { "Upload-Complete": "?0", "Upload-Offset": String(x), "Upload-Length": undefined });
  assert.match(String(created.header("Upload-Limit")), /^max-size=\d+, max-append-size=\d+, max-age=\d+$/);
  const url = locationOf(created);

  // "the server acknowledges the appended data by sending a `2xx (Successful)` response with the `Upload-Complete` header field
  // set to false"
  says(await append(url, x, "?0", second), 204, { "Upload-Complete": "?0", "Upload-Offset": String(z) });

  // Offset Retrieval: "MUST include the offset", "`Upload-Complete`", "`Upload-Limit`", "SHOULD include the `Cache-Control`"
  const head = await curl("--head", url);
  says(head, 204, { "Upload-Offset": String(z), "Upload-Complete": "?0", "Cache-Control": "no-store" });
  assert.ok(head.header("Upload-Limit"));

  // "If the request content was fully processed, the upload is marked as complete [...] the response MUST include the
  // `Upload-Complete` header field with a true value"
  const final = await append(url, z, "?1", last);
  says(final, 200, { "Upload-Complete": "?1", "Upload-Offset": String(file.length) });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));

  // "The server can choose to replay the final response to the client if the request to append to the completed upload is valid."
  const replayed = await append(url, file.length, "?1", Buffer.alloc(0));
  assert.deepEqual(replayed.json(), final.json());
  says(replayed, 200, { "Upload-Complete": "?1" });
  says(await curl("--head", url), 204, { "Upload-Complete": "?1", "Upload-Length": String(file.length) });
});

test('Careful Upload Creation: "sends an empty upload creation request"', { skip }, async () => {
  const file = fileBytes("ietf careful", 1000);
  const created = await curl("-X", "POST", ...headers("Upload-Complete: ?0", `Upload-Length: ${file.length}`), files);
  says(created, 201, { "Upload-Complete": "?0", "Upload-Offset": "0", "Upload-Length": "1000" });
  const url = locationOf(created);
  says(await append(url, 0, "?1", file), 200, { "Upload-Complete": "?1" });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test('Upload Append: "the request has no content. Once the request is processed by the server, the upload is complete"', {
  skip,
}, async () => {
  const file = fileBytes("ietf empty end", 5000);
  const url = await create();
  says(await append(url, 0, "?0", file), 204, { "Upload-Complete": "?0", "Upload-Offset": "5000" });
  says(await append(url, file.length, "?1", Buffer.alloc(0)), 200, { "Upload-Complete": "?1" });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test('Upload Creation: "the client intends to upload an empty representation"', { skip }, async () => {
  const whole = await curl("-X", "POST", ...headers("Upload-Complete: ?1"), ...EMPTY, files);
  says(whole, 200, { "Upload-Complete": "?1", "Upload-Offset": "0" });
  assert.equal((await origin.waitForStored(idOf(locationOf(whole)))).fileSize, 0);
  // Completeness: "marked as completed [...] when a response includes the `Upload-Complete` header field with a true value"
  const early = await curl("-X", "POST", ...headers("Upload-Complete: ?0", "Upload-Length: 0"), ...EMPTY, files);
  says(early, 200, { "Upload-Complete": "?1", "Upload-Offset": "0" });
});

test('Upload Append: interrupted, "the server SHOULD append as much of the patch document as possible"', {
  skip,
}, async () => {
  const file = fileBytes("ietf cut", 30 * MIB);
  const url = await create(`Upload-Length: ${file.length}`);
  const said = headers("Upload-Offset: 0", "Upload-Complete: ?1");
  const slow = startCurl([...APPEND, ...said, ...content(file), "--limit-rate", "10M", url]);
  await stack.client.waitUntilCounted(idOf(url), 8 * MIB);
  slow.kill("SIGKILL");
  await once(slow, "close");
  // "the upload resource MUST NOT be considered complete then"
  const head = await curl("--head", url);
  says(head, 204, { "Upload-Complete": "?0", "Upload-Length": String(file.length) });
  const offset = Number(head.header("Upload-Offset"));
  assert.ok(offset >= 8 * MIB && offset < file.length, `offset ${offset}`);
  // Concurrency: "the offset sent by the server MUST be accepted in a subsequent request"
  says(await append(url, offset, "?1", file.subarray(offset)), 200, { "Upload-Complete": "?1" });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test('Mismatching Offset: ahead and behind, "`409 (Conflict)` [...] MUST include the correct offset"', {
  skip,
}, async () => {
  const url = await create("Upload-Length: 100");
  await append(url, 0, "?0", Buffer.alloc(50));
  for (const provided of [49, 51]) {
    const reply = await append(url, provided, "?0", Buffer.alloc(10));
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
    await curl("-X", "POST", ...headers("Upload-Complete: ?1", "Upload-Length: 11"), ...content(ten), files),
  );
  inconsistent(await curl("-X", "POST", ...headers("Upload-Complete: ?0", "Upload-Length: 9"), ...content(ten), files));
  const url = await create("Upload-Length: 100");
  inconsistent(await append(url, 0, "?0", ten, "Upload-Length: 101"));
  inconsistent(await append(url, 0, "?1", ten));
  inconsistent(await append(url, 0, "?1", ten, "Upload-Length: 100"));
  says(await append(url, 0, "?1", Buffer.alloc(100)), 200, { "Upload-Complete": "?1" });
});

test('Upload Append: the offset exceeding the length by one byte marks "the upload resource invalid"', {
  skip,
}, async () => {
  const url = await create("Upload-Length: 100");
  says(await append(url, 0, "?0", Buffer.alloc(101)), 400, { "Upload-Complete": "?0" });
  // "rejecting any further interaction with it"
  assert.equal((await curl("--head", url)).status, 410);
  assert.equal((await append(url, 0, "?1", Buffer.alloc(100))).status, 410);
});

test("Upload Cancellation: DELETE, and the upload is deactivated", { skip }, async () => {
  const url = await create("Upload-Length: 100");
  assert.equal((await curl("-X", "DELETE", url)).status, 204);
  assert.equal((await curl("--head", url)).status, 410);
  assert.equal((await append(url, 0, "?1", Buffer.alloc(100))).status, 410);
  assert.equal((await curl("-X", "DELETE", `${files}/067e6162-3b6f-4ae2-a171-2470b63dff00`)).status, 404);
});

test('State: "Other values MUST cause the entire header field to be ignored"', { skip }, async () => {
  const created = await curl("-X", "POST", ...headers("Upload-Complete: ?0", 'Upload-Length: "100"'), ...EMPTY, files);
  says(created, 201, { "Upload-Length": undefined });
  const url = locationOf(created);
  const ten = content(Buffer.alloc(10));
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
  const url = await create("Upload-Length: 3000");
  const digest = (bytes: Uint8Array) => `Content-Digest: sha-256=:${sha256(bytes, "base64")}:`;
  says(await append(url, 0, "?1", file, digest(Buffer.from("else"))), 422, {
    "Upload-Complete": "?0",
    "Upload-Offset": "0",
  });
  for (const malformed of ["sha-256", "sha-256=abc", "sha-256=:AAAA:", "?"]) {
    assert.equal((await append(url, 0, "?1", file, `Content-Digest: ${malformed}`)).status, 400, malformed);
  }
  says(await append(url, 0, "?1", file, digest(file)), 200, { "Upload-Complete": "?1" });

  const refused = await curl(
    ...["-X", "POST", ...content(file), ...headers("Upload-Complete: ?0", digest(Buffer.from("else")))],
    files,
  );
  says(refused, 422, { Location: undefined, "Upload-Complete": "?0" });
});

test("Representation Digests: verified at the end, and told where wanted", { skip }, async () => {
  const file = fileBytes("ietf repr", 4000);
  const repr = (bytes: Uint8Array) => `sha-256=:${sha256(bytes, "base64")}:`;
  const crc = Buffer.from(crc64nvme(file), "hex").toString("base64");

  const wanted = await create("Want-Repr-Digest: crc64nvme=10");
  says(await append(wanted, 0, "?1", file), 200, { "Repr-Digest": `crc64nvme=:${crc}:` });

  const declared = await create(`Repr-Digest: ${repr(file)}`);
  says(await append(declared, 0, "?0", file.subarray(0, 2000)), 204, { "Upload-Complete": "?0" });
  const final = await append(declared, 2000, "?1", file.subarray(2000));
  says(final, 200, { "Repr-Digest": `${repr(file)}, crc64nvme=:${crc}:` });

  // "the server SHOULD consider the upload failed, not process the representation further, and signal the failure to the client"
  const wrong = await create(`Repr-Digest: ${repr(Buffer.from("else"))}`);
  const failed = await append(wrong, 0, "?1", file);
  says(failed, 422, { "Upload-Complete": "?1" });
  assert.equal((await curl("--head", wrong)).status, 410);

  assert.equal(
    (await curl("-X", "POST", ...headers("Upload-Complete: ?0", "Repr-Digest: sha-256=x"), files)).status,
    400,
  );
});

test("Media Type: an append of another type is refused and told the right one", { skip }, async () => {
  const url = await create("Upload-Length: 10");
  const said = headers("Content-Type: application/octet-stream", "Upload-Offset: 0", "Upload-Complete: ?1");
  const reply = await curl("-X", "PATCH", ...said, ...content(Buffer.alloc(10)), url);
  says(reply, 415, { "Accept-Patch": "application/partial-upload", "Upload-Complete": "?0" });
});

test('Limits: beyond by one byte, 413, which "SHOULD include the `Upload-Limit` header field"', { skip }, async () => {
  const tooLarge = headers("Upload-Complete: ?0", `Upload-Length: ${100 * 1024 * MIB + 1}`);
  const reply = await curl("-X", "POST", ...tooLarge, ...EMPTY, files);
  says(reply, 413, { "Upload-Complete": "?0" });
  assert.match(String(reply.header("Upload-Limit")), /^max-size=107374182400, max-append-size=33554432$/);
  await create(`Upload-Length: ${100 * 1024 * MIB}`);

  const url = await create();
  const appended = await append(url, 0, "?0", Buffer.alloc(MAX_APPEND_BYTES + 1));
  says(appended, 413, { "Upload-Complete": "?0" });
  assert.match(String(appended.header("Upload-Limit")), /max-append-size=33554432/);
  says(await append(url, 0, "?0", Buffer.alloc(MAX_APPEND_BYTES)), 204, { "Upload-Offset": String(MAX_APPEND_BYTES) });
});

test("a content of unknown length is refused, and the answer says why", { skip }, async () => {
  const said = headers("Upload-Complete: ?1", "Transfer-Encoding: chunked");
  const reply = await curl("-X", "POST", ...said, ...content(Buffer.alloc(10)), files);
  says(reply, 411, { "Content-Type": "application/problem+json" });
  assert.match(reply.json<{ detail: string }>().detail, /length is known beforehand/);
});

test("Offset Retrieval by GET: says the same, and brings the file once it is there", { skip }, async () => {
  const file = fileBytes("ietf get", 2000);
  const url = await create("Upload-Length: 2000", "Content-Type: text/plain");
  await append(url, 0, "?0", file.subarray(0, 500));
  const open = await curl(url);
  says(open, 204, { "Upload-Offset": "500", "Upload-Complete": "?0", "Upload-Length": "2000" });
  assert.ok(open.header("Upload-Limit"));
  await append(url, 500, "?1", file.subarray(500));
  const complete = await curl(url);
  says(complete, 200, { "Upload-Offset": "2000", "Upload-Complete": "?1", "Content-Type": "text/plain" });
  assert.equal(sha256(complete.body), sha256(file));
});

test("a creation repeated under its Idempotency-Key is one upload, whose Location was lost", { skip }, async () => {
  const file = fileBytes("ietf again", 3000);
  const said = ["-X", "POST", ...headers("Upload-Complete: ?1", 'Idempotency-Key: "one"'), ...content(file)];
  const first = await curl(...said, files);
  const second = await curl(...said, files);
  says(second, 200, { Location: first.header("Location"), "Upload-Complete": "?1" });
  assert.deepEqual(second.json(), first.json());
});

test("an optimistic creation that was cut goes on under its Idempotency-Key, without any 104", { skip }, async () => {
  const file = fileBytes("ietf optimistic", 30 * MIB);
  const said = headers(
    "Upload-Complete: ?1",
    'Idempotency-Key: "optimistic"',
    "Content-Disposition: inline; filename=cut",
  );
  const whole = ["-X", "POST", ...said, ...content(file)];
  const slow = startCurl([...whole, "--limit-rate", "10M", files]);
  const id = await waitFor("the upload to be there", async () => {
    const { uploads } = (await stack.client.list()).json<{ uploads: OpenUpload[] }>();
    return uploads.find((upload) => upload.fileName === "cut")?.uploadId;
  });
  await stack.client.waitUntilCounted(id, 8 * MIB);
  slow.kill("SIGKILL");
  await once(slow, "close");

  const again = await curl(...whole, files);
  says(again, 201, { Location: `/files/${id}`, "Upload-Complete": "?0", "Upload-Length": String(file.length) });
  const offset = Number((await curl("--head", locationOf(again))).header("Upload-Offset"));
  assert.ok(offset >= 8 * MIB && offset < file.length, `offset ${offset}`);
  says(await append(locationOf(again), offset, "?1", file.subarray(offset)), 200, { "Upload-Complete": "?1" });
  assert.equal((await origin.waitForStored(id)).sha256, sha256(file));
});

test("older interop versions: answered in their own words", { skip }, async () => {
  const file = fileBytes("ietf interop", 1000);
  const three = ["Upload-Draft-Interop-Version: 3"];
  const created = await curl("-X", "POST", ...headers(...three, "Upload-Incomplete: ?1"), ...EMPTY, files);
  says(created, 201, { "Upload-Incomplete": "?1", "Upload-Complete": undefined, "Upload-Draft-Interop-Version": "3" });
  assert.match(String(created.header("Upload-Limit")), /expires=\d+$/);
  const url = locationOf(created);
  const last = headers(...three, "Upload-Offset: 0", "Upload-Incomplete: ?0");
  const final = await curl("-X", "PATCH", ...last, ...content(file), url);
  says(final, 200, { "Upload-Incomplete": "?0", "Upload-Complete": undefined });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("what was begun by one version is finished by another", { skip }, async () => {
  const url = await create("Upload-Draft-Interop-Version: 6", "Upload-Length: 10");
  const head = await curl("--head", ...headers("Upload-Draft-Interop-Version: 5"), url);
  says(head, 204, { "Upload-Draft-Interop-Version": "5", "Upload-Offset": "0" });
  says(await append(url, 0, "?1", Buffer.alloc(10)), 200, { "Upload-Draft-Interop-Version": undefined });
});
