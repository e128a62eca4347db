// Resumable Uploads for HTTP, draft-ietf-httpbis-resumable-upload-12: the draft's own examples, spoken by the real curl. Each
// step says which sentence of which section it obeys.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import type { OpenUpload } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { curl, noCurl, startCurl } from "./support/curl.ts";
import { APPEND, Draft, EMPTY, headers, idOf, says } from "./support/ietf.ts";
import { sceneWithOrigin } from "./support/scene.ts";
import { waitFor } from "./support/wait.ts";

const skip = noCurl;
const { origin, stack } = await sceneWithOrigin();
const draft = new Draft(stack);

test('Limits: OPTIONS "MUST include the `Upload-Limit` header field"', { skip }, async () => {
  const reply = await curl("-X", "OPTIONS", ...headers("Upload-Draft-Interop-Version: 9"), draft.files);
  says(reply, 204, {
    "Upload-Limit": `max-size=${100 * 1024 * MIB}, max-append-size=${95 * MIB}`,
    "Accept-Patch": "application/partial-upload",
    "Upload-Draft-Interop-Version": "9",
  });
});

test("Example 1 and Upload Creation, A: the whole representation in one request", { skip }, async () => {
  const file = fileBytes("ietf whole", 10 * MIB);
  const reply = await curl(
    ...["-X", "POST", ...draft.content(file)],
    ...headers(`Content-Disposition: inline; filename="file name.jpg"; filename*=UTF-8''file%20name.jpg`),
    ...headers("Content-Type: image/jpeg", `Upload-Length: ${file.length}`, "Upload-Complete: ?1", "Expect:"),
    draft.files,
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
  const created = await curl("-X", "PUT", ...headers("Upload-Complete: ?0"), ...draft.content(first), draft.files);
  says(created, 201, { "Upload-Complete": "?0", "Upload-Offset": String(x), "Upload-Length": undefined });
  assert.match(String(created.header("Upload-Limit")), /^max-size=\d+, max-append-size=\d+, max-age=\d+$/);
  const url = draft.locationOf(created);

  // "the server acknowledges the appended data by sending a `2xx (Successful)` response with the `Upload-Complete` header field
  // set to false"
  says(await draft.append(url, x, "?0", second), 204, { "Upload-Complete": "?0", "Upload-Offset": String(z) });

  // Offset Retrieval: "MUST include the offset", "`Upload-Complete`", "`Upload-Limit`", "SHOULD include the `Cache-Control`"
  const head = await curl("--head", url);
  says(head, 204, { "Upload-Offset": String(z), "Upload-Complete": "?0", "Cache-Control": "no-store" });
  assert.ok(head.header("Upload-Limit"));

  // "If the request content was fully processed, the upload is marked as complete [...] the response MUST include the
  // `Upload-Complete` header field with a true value"
  const final = await draft.append(url, z, "?1", last);
  says(final, 200, { "Upload-Complete": "?1", "Upload-Offset": String(file.length) });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));

  // "The server can choose to replay the final response to the client if the request to append to the completed upload is valid."
  const replayed = await draft.append(url, file.length, "?1", Buffer.alloc(0));
  assert.deepEqual(replayed.json(), final.json());
  says(replayed, 200, { "Upload-Complete": "?1" });
  says(await curl("--head", url), 204, { "Upload-Complete": "?1", "Upload-Length": String(file.length) });
});

test('Careful Upload Creation: "sends an empty upload creation request"', { skip }, async () => {
  const file = fileBytes("ietf careful", 1000);
  const created = await curl(
    "-X",
    "POST",
    ...headers("Upload-Complete: ?0", `Upload-Length: ${file.length}`),
    draft.files,
  );
  says(created, 201, { "Upload-Complete": "?0", "Upload-Offset": "0", "Upload-Length": "1000" });
  const url = draft.locationOf(created);
  says(await draft.append(url, 0, "?1", file), 200, { "Upload-Complete": "?1" });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test('Upload Append: "the request has no content. Once the request is processed by the server, the upload is complete"', {
  skip,
}, async () => {
  const file = fileBytes("ietf empty end", 5000);
  const url = await draft.create();
  says(await draft.append(url, 0, "?0", file), 204, { "Upload-Complete": "?0", "Upload-Offset": "5000" });
  says(await draft.append(url, file.length, "?1", Buffer.alloc(0)), 200, { "Upload-Complete": "?1" });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test('Upload Creation: "the client intends to upload an empty representation"', { skip }, async () => {
  const whole = await curl("-X", "POST", ...headers("Upload-Complete: ?1"), ...EMPTY, draft.files);
  says(whole, 200, { "Upload-Complete": "?1", "Upload-Offset": "0" });
  assert.equal((await origin.waitForStored(idOf(draft.locationOf(whole)))).fileSize, 0);
  // Completeness: "marked as completed [...] when a response includes the `Upload-Complete` header field with a true value"
  const early = await curl("-X", "POST", ...headers("Upload-Complete: ?0", "Upload-Length: 0"), ...EMPTY, draft.files);
  says(early, 200, { "Upload-Complete": "?1", "Upload-Offset": "0" });
});

test('Upload Append: interrupted, "the server SHOULD append as much of the patch document as possible"', {
  skip,
}, async () => {
  const file = fileBytes("ietf cut", 30 * MIB);
  const url = await draft.create(`Upload-Length: ${file.length}`);
  const said = headers("Upload-Offset: 0", "Upload-Complete: ?1");
  const slow = startCurl([...APPEND, ...said, ...draft.content(file), "--limit-rate", "10M", url]);
  await stack.client.waitUntilCounted(idOf(url), 8 * MIB);
  slow.kill("SIGKILL");
  await once(slow, "close");
  // "the upload resource MUST NOT be considered complete then"
  const head = await curl("--head", url);
  says(head, 204, { "Upload-Complete": "?0", "Upload-Length": String(file.length) });
  const offset = Number(head.header("Upload-Offset"));
  assert.ok(offset >= 8 * MIB && offset < file.length, `offset ${offset}`);
  // Concurrency: "the offset sent by the server MUST be accepted in a subsequent request"
  says(await draft.append(url, offset, "?1", file.subarray(offset)), 200, { "Upload-Complete": "?1" });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("Upload Cancellation: DELETE, and the upload is deactivated", { skip }, async () => {
  const url = await draft.create("Upload-Length: 100");
  assert.equal((await curl("-X", "DELETE", url)).status, 204);
  assert.equal((await curl("--head", url)).status, 410);
  assert.equal((await draft.append(url, 0, "?1", Buffer.alloc(100))).status, 410);
  assert.equal((await curl("-X", "DELETE", `${draft.files}/067e6162-3b6f-4ae2-a171-2470b63dff00`)).status, 404);
});

test("Offset Retrieval by GET: says the same, and brings the file once it is there", { skip }, async () => {
  const file = fileBytes("ietf get", 2000);
  const url = await draft.create("Upload-Length: 2000", "Content-Type: text/plain");
  await draft.append(url, 0, "?0", file.subarray(0, 500));
  const open = await curl(url);
  says(open, 204, { "Upload-Offset": "500", "Upload-Complete": "?0", "Upload-Length": "2000" });
  assert.ok(open.header("Upload-Limit"));
  await draft.append(url, 500, "?1", file.subarray(500));
  const complete = await curl(url);
  says(complete, 200, { "Upload-Offset": "2000", "Upload-Complete": "?1", "Content-Type": "text/plain" });
  assert.equal(sha256(complete.body), sha256(file));
});

test("a creation repeated under its Idempotency-Key is one upload, whose Location was lost", { skip }, async () => {
  const file = fileBytes("ietf again", 3000);
  const said = ["-X", "POST", ...headers("Upload-Complete: ?1", 'Idempotency-Key: "one"'), ...draft.content(file)];
  const first = await curl(...said, draft.files);
  const second = await curl(...said, draft.files);
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
  const whole = ["-X", "POST", ...said, ...draft.content(file)];
  const slow = startCurl([...whole, "--limit-rate", "10M", draft.files]);
  const id = await waitFor("the upload to be there", async () => {
    const { uploads } = (await stack.client.list()).json<{ uploads: OpenUpload[] }>();
    return uploads.find((upload) => upload.fileName === "cut")?.uploadId;
  });
  await stack.client.waitUntilCounted(id, 8 * MIB);
  slow.kill("SIGKILL");
  await once(slow, "close");

  const again = await curl(...whole, draft.files);
  says(again, 201, { Location: `${draft.files}/${id}`, "Upload-Complete": "?0", "Upload-Length": String(file.length) });
  const offset = Number((await curl("--head", draft.locationOf(again))).header("Upload-Offset"));
  assert.ok(offset >= 8 * MIB && offset < file.length, `offset ${offset}`);
  says(await draft.append(draft.locationOf(again), offset, "?1", file.subarray(offset)), 200, {
    "Upload-Complete": "?1",
  });
  assert.equal((await origin.waitForStored(id)).sha256, sha256(file));
});

test("older interop versions: answered in their own words", { skip }, async () => {
  const file = fileBytes("ietf interop", 1000);
  const three = ["Upload-Draft-Interop-Version: 3"];
  const created = await curl("-X", "POST", ...headers(...three, "Upload-Incomplete: ?1"), ...EMPTY, draft.files);
  says(created, 201, { "Upload-Incomplete": "?1", "Upload-Complete": undefined, "Upload-Draft-Interop-Version": "3" });
  assert.match(String(created.header("Upload-Limit")), /expires=\d+$/);
  const url = draft.locationOf(created);
  const last = headers(...three, "Upload-Offset: 0", "Upload-Incomplete: ?0");
  const final = await curl("-X", "PATCH", ...last, ...draft.content(file), url);
  says(final, 200, { "Upload-Incomplete": "?0", "Upload-Complete": undefined });
  assert.equal((await origin.waitForStored(idOf(url))).sha256, sha256(file));
});

test("what was begun by one version is finished by another", { skip }, async () => {
  const url = await draft.create("Upload-Draft-Interop-Version: 6", "Upload-Length: 10");
  const head = await curl("--head", ...headers("Upload-Draft-Interop-Version: 5"), url);
  says(head, 204, { "Upload-Draft-Interop-Version": "5", "Upload-Offset": "0" });
  says(await draft.append(url, 0, "?1", Buffer.alloc(10)), 200, { "Upload-Draft-Interop-Version": undefined });
});
