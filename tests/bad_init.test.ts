// What a client may get wrong when it creates an upload, and the file names that some of them send: a name is metadata,
// kept or refused, and never part of a key.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created, InitFields } from "./support/api.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { bucketState } from "./support/r2_state.ts";
import { assertBadRequest, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin();

for (const body of [
  "",
  "{",
  "[]",
  "null",
  "7",
  '"fileName"',
  '{"fileName":"a","fileSize":1',
  "\u0000",
  "fileName=a&fileSize=1",
]) {
  test(`a body that is no JSON object is refused: ${JSON.stringify(body)}`, async () => {
    const problem = assertRefused(await client.initRaw(body), 400, "bad-request");
    assert.ok(problem.field, "the field is named");
  });
}

const good = { fileName: "a.bin", fileSize: 1000 };
const TOO_LONG_FOR_R2 = "x".repeat(10_000);

const badFields: [string, string, InitFields][] = [
  ["no file name", "fileName", { fileSize: 1 }],
  ["a number for a file name", "fileName", { ...good, fileName: 3 }],
  ["null for a file name", "fileName", { ...good, fileName: null }],
  ["no file size", "fileSize", { fileName: "a" }],
  ["text for a file size", "fileSize", { ...good, fileSize: "1000" }],
  ["a negative file size", "fileSize", { ...good, fileSize: -1 }],
  ["half a byte", "fileSize", { ...good, fileSize: 0.5 }],
  ["a number for a type", "contentType", { ...good, contentType: 5 }],
  ["a type with a line break", "contentType", { ...good, contentType: "text/plain\r\nX-Evil: 1" }],
  ["text for a chunk size", "chunkSize", { ...good, chunkSize: "16" }],
  ["a chunk size of nothing", "chunkSize", { ...good, chunkSize: 0 }],
  ["a field that does not exist", "md5", { ...good, md5: "abc" } as InitFields],
  ["a negative chunk size", "chunkSize", { ...good, chunkSize: -16 }],
  ["a list for metadata", "metadata", { ...good, metadata: ["a"] }],
  ["a number in metadata", "metadata", { ...good, metadata: { year: 2026 } }],
  ["an object in metadata", "metadata", { ...good, metadata: { a: { b: "c" } } }],
  ["more metadata than R2 keeps", "metadata", { ...good, metadata: { note: TOO_LONG_FOR_R2 } }],
  ["a SHA-256 that is none", "sha256", { ...good, sha256: "abc" }],
  ["a number for a SHA-256", "sha256", { ...good, sha256: 5 }],
  ["a CRC-64 that is none", "crc64nvme", { ...good, crc64nvme: "xyz" }],
  ["a word for the parallel mode", "parallel", { ...good, parallel: "yes" }],
];

for (const [what, field, fields] of badFields) {
  test(`${what} is refused, and the field ${field} named`, async () => {
    const problem = assertBadRequest(await client.init(fields), field);
    assert.ok(problem.detail.length < 1000, "a problem does not repeat the whole input");
  });
}

for (const fileSize of ["9007199254740992", "9223372036854775808", "1e400", "-0.0001"]) {
  test(`a file size of ${fileSize} is refused without being rounded`, async () => {
    const reply = await client.initRaw(`{"fileName":"a","fileSize":${fileSize}}`);
    assert.ok(reply.status === 400 || reply.status === 413, `${reply.status} ${reply.body}`);
    assert.equal(reply.header("Content-Type")?.split(";")[0], "application/problem+json");
  });
}

test("a file above the maximum is refused at once, with the limit; the largest one is not", async () => {
  const limit = 100 * 1024 * MIB;
  const tooLarge = await client.init({ fileName: "a", fileSize: limit + 1 });
  assertRefused(tooLarge, 413, "upload-too-large", { limitBytes: limit });
  const largest = await client.init({ fileName: "a", fileSize: limit });
  assert.equal(largest.status, 201);
  const { limits, chunkSize } = largest.json<Created>();
  assert.ok(limit / limits.partBytes <= 8000, "the parts fit with room for retries");
  assert.ok(chunkSize <= limits.maxChunkBytes && chunkSize % limits.partBytes === 0);
});

for (const chunkSize of [1, MIB, 6 * MIB, 95 * MIB, 96 * MIB, 5000 * MIB]) {
  test(`asked for chunks of ${chunkSize} bytes, the answer is that or the largest possible, and parts fit it`, async () => {
    const created = await client.create(Buffer.alloc(0), { fileSize: 1024 * MIB, chunkSize });
    const { partBytes, maxChunkBytes } = created.limits;
    assert.equal(created.chunkSize, Math.min(chunkSize, maxChunkBytes));
    assert.ok(partBytes >= 5 * MIB);
    const fits = created.chunkSize % partBytes === 0 || partBytes % created.chunkSize === 0;
    assert.ok(fits, `chunks of ${created.chunkSize} bytes and parts of ${partBytes} leave no rest`);
  });

  test(`asked for parallel chunks of ${chunkSize} bytes, the answer is a size that R2 takes for a part`, async () => {
    const created = await client.create(Buffer.alloc(0), { fileSize: 1024 * MIB, chunkSize, parallel: true });
    const { partBytes, maxChunkBytes } = created.limits;
    assert.equal(created.chunkSize, Math.min(Math.max(chunkSize, 5 * MIB), maxChunkBytes));
    assert.equal(partBytes, created.chunkSize, "a chunk is a part");
  });
}

const names: [string, string][] = [
  ["a way out of a folder", "../../etc/passwd"],
  ["an absolute path", "/etc/passwd"],
  ["a Windows path", "C:\\windows\\system32"],
  ["another upload's key", "uploads/00000000-0000-4000-8000-000000000000"],
  ["nothing", ""],
  ["a dot", "."],
  ["300 characters", "n".repeat(300)],
  ["300 characters of four bytes", "🚢".repeat(300)],
  ["emoji", "🚢⚓ holiday.mp4"],
  ["control characters", "a\u0000b\u0007c\nd\re\u001b[31mf"],
  ["a header of its own", 'a"; filename="b\r\nX-Evil: 1'],
  ["text that runs backwards", "\u202egnp.exe"],
  ["spaces around it", "  a  "],
];

for (const [what, fileName] of names) {
  test(`a file name of ${what} is kept or refused, and never a key`, async () => {
    const file = fileBytes(what, 100);
    const reply = await client.init({ fileName, fileSize: file.length });
    if (reply.status !== 201) {
      assertBadRequest(reply, "fileName");
      return;
    }
    const created = reply.json<Created>();
    await client.putRest(created, file);
    assert.equal((await client.waitUntilState(created.uploadId, "completed")).fileName, fileName);
    const { data } = await origin.waitForEvent(created.uploadId, "upload.completed");
    assert.equal(data.fileName, fileName);
    assert.equal(data.key, `uploads/${created.uploadId}-1`);
    const download = await client.request("GET", await origin.waitForDownloadPath(created.uploadId));
    assert.equal(download.status, 200);
    assert.equal(download.header("X-Evil"), undefined);
    assert.ok(download.body.equals(file));
  });
}

test("after all those names, every key in the bucket is an upload's id, perhaps with the number of an attempt", () => {
  const { objects, unfinished } = bucketState(stack.persistDir);
  assert.ok(objects.length > 0);
  for (const key of [...objects, ...unfinished]) {
    assert.match(key, /^uploads\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-1)?$/);
  }
});
