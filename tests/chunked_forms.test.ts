// Pieces of a file in forms, in the words of every library that is spoken, by hand: how they are put together whatever order they come in,
// what is answered, and what is refused. The libraries themselves are in `browser/chunked_libraries.test.ts`.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";

import type { Status } from "./support/api.ts";
import { crc64nvme, fileBytes, MIB } from "./support/bytes.ts";
import {
  askForPiece,
  dropzone,
  fineUploader,
  flow,
  formOf,
  type Library,
  type Piece,
  plupload,
  ranged,
  resumable,
  sendPiece,
  simpleUploader,
} from "./support/chunked_form.ts";
import { PendingRequest, type Reply } from "./support/http.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { assertBadRequest, assertNothingCounted, assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

type Answer = {
  success: boolean;
  uploadId: string;
  uploadUrl: string;
  state: Status["state"];
  uploadedBytes: number;
  fileSize: number | null;
  object: { crc64nvme: string } | null;
};

const ALL: Library[] = [dropzone, fineUploader, resumable, flow, simpleUploader, plupload, ranged];

describe("pieces of a file in forms", async () => {
  const { origin, stack, client } = await sceneWithScriptedOrigin();

  const piecesOf = (library: Library, file: Uint8Array, chunkBytes = MIB) =>
    library.pieces(file, chunkBytes, randomUUID().slice(0, 8));

  async function taken(piece: Piece, options?: Parameters<typeof sendPiece>[2]): Promise<Answer> {
    return assertTaken(await sendPiece(client, piece, options));
  }

  function assertTaken(reply: Reply): Answer {
    assert.equal(reply.status, 200, reply.body.toString());
    const answer = reply.json<Answer>();
    assert.equal(answer.success, true);
    return answer;
  }

  function assertComplete(answer: Answer, file: Uint8Array): void {
    assert.deepEqual([answer.state, answer.uploadedBytes], ["completed", file.length]);
    assert.equal(answer.object?.crc64nvme, crc64nvme(file));
  }

  const at = (pieces: Piece[], index: number): Piece => {
    const piece = pieces.at(index);
    assert.ok(piece);
    return piece;
  };

  test("pieces that begin like the line behind them are taken", async () => {
    const file = Buffer.from(fileBytes("dashes", 3 * MIB));
    for (const [index, begins] of ["-", "--", "\r\n--"].entries()) {
      file.write(begins, index * MIB, "latin1");
    }
    const answers: Answer[] = [];
    for (const piece of piecesOf(dropzone, file)) {
      answers.push(await taken(piece));
    }
    assertComplete(answers[2] as Answer, file);
  });

  for (const library of ALL) {
    test(`${library.name}: a file in four pieces, one after the other`, async () => {
      const file = fileBytes(library.name, 3 * MIB + 7);
      const answers: Answer[] = [];
      for (const piece of piecesOf(library, file)) {
        answers.push(await taken(piece, { fields: { album: "summer" } }));
      }
      assert.equal(new Set(answers.map(({ uploadId }) => uploadId)).size, 1);
      const last = answers.at(-1);
      assert.ok(last);
      assertComplete(last, file);
      const { data } = await origin.waitForEvent(last.uploadId, "upload.completed");
      assert.match(String(data.fileName), /a b\.bin$/);
      assert.deepEqual([data.contentType, data.metadata], ["image/png", { album: "summer" }]);
    });
  }

  for (const library of ALL.filter((library) => library !== plupload)) {
    test(`${library.name}: pieces that come at once, the last first, wait for those in front of them`, async () => {
      const file = fileBytes(`${library.name}, backwards`, 4 * MIB);
      const [first, ...others] = piecesOf(library, file);
      assert.ok(first);
      const before = new Set((await client.openUploads()).map(({ uploadId }) => uploadId));
      const waiting = others.toReversed().map((piece) => sendPiece(client, piece));
      const opened = await waitFor("the upload", async () =>
        (await client.openUploads()).find(({ uploadId }) => !before.has(uploadId)),
      );
      assert.equal((await client.state(opened.uploadId)).uploadedBytes, 0);
      await taken(first);
      const [last, ...rest] = (await Promise.all(waiting)).map(assertTaken);
      assert.ok(last);
      assertComplete(last, file);
      assert.deepEqual(new Set(rest.map(({ uploadId }) => uploadId)), new Set([opened.uploadId]));
    });
  }

  test("a piece that comes again is there already, also with other bytes: the first ones count", async () => {
    const file = fileBytes("again", 2 * MIB);
    const [first, last] = piecesOf(dropzone, file);
    assert.ok(first && last);
    const { uploadId } = await taken(first);
    await assertNothingCounted(client, uploadId, async () => {
      assert.equal((await taken(first)).uploadedBytes, MIB);
      assert.equal((await taken({ ...first, bytes: fileBytes("other", MIB) })).uploadedBytes, MIB);
    });
    assertComplete(await taken(last), file);
    for (const piece of [first, last]) {
      assertComplete(await taken(piece), file);
    }
  });

  for (const library of [resumable, flow, simpleUploader]) {
    test(`${library.name} is told which pieces are there, and finds its file again`, async () => {
      const file = fileBytes(`${library.name}, asked`, 3 * MIB);
      const pieces = piecesOf(library, file);
      const asked = async () =>
        await Promise.all(pieces.map(async (piece) => (await askForPiece(client, piece)).status));
      assert.deepEqual(await asked(), [204, 204, 204]);
      const { uploadId } = await taken(at(pieces, 0));
      assert.deepEqual(await asked(), [200, 204, 204]);
      await taken(at(pieces, 1));
      assertComplete(await taken(at(pieces, 2)), file);
      assert.deepEqual(await asked(), [200, 200, 200]);
      assert.equal((await taken(at(pieces, 2))).uploadId, uploadId);
    });
  }

  test("a file that was given up begins anew under the same identifier", async () => {
    const file = fileBytes("given up", 2 * MIB);
    const pieces = piecesOf(resumable, file);
    const { uploadId } = await taken(at(pieces, 0));
    assert.equal((await client.abort(uploadId)).status, 204);
    assert.equal((await askForPiece(client, at(pieces, 0))).status, 204);
    const again = await taken(at(pieces, 0));
    assert.notEqual(again.uploadId, uploadId);
    assertComplete(await taken(at(pieces, 1)), file);
  });

  test("an upload with an identifier of its own that was given up is gone", async () => {
    const pieces = piecesOf(dropzone, fileBytes("gone", 2 * MIB));
    const { uploadId } = await taken(at(pieces, 0));
    assert.equal((await client.abort(uploadId)).status, 204);
    assertRefused(await sendPiece(client, at(pieces, 1)), 410, "upload-gone");
  });

  test("a piece of which only the front counts is completed by the same piece once more", async () => {
    const file = fileBytes("cut", 41 * MIB);
    const [first, last] = piecesOf(dropzone, file, 40 * MIB);
    assert.ok(first && last);
    const { type, body } = await formOf(first);
    const before = new Set((await client.openUploads()).map(({ uploadId }) => uploadId));
    const pending = new PendingRequest(client.baseUrl, "POST", "/upload", {
      "Content-Type": type,
      "Content-Length": body.length,
    });
    pending.write(body.subarray(0, 25 * MIB));
    const opened = await waitFor("the upload", async () =>
      (await client.openUploads()).find(({ uploadId }) => !before.has(uploadId)),
    );
    const { uploadedBytes } = await client.waitUntilCounted(opened.uploadId, 5 * MIB);
    assert.ok(uploadedBytes < first.bytes.length);
    pending.cut();
    assert.equal((await taken(first)).uploadId, opened.uploadId);
    assertComplete(await taken(last), file);
  });

  test("an empty file, and a file that is one piece", async () => {
    for (const library of ALL.filter((library) => library !== ranged)) {
      for (const file of [Buffer.alloc(0), fileBytes(`${library.name}, one`, 1_000)]) {
        const pieces = piecesOf(library, file);
        assert.equal(pieces.length, 1);
        assertComplete(await taken(at(pieces, 0)), file);
      }
    }
  });

  test("a file name is only shown, whatever stands in it", async () => {
    const file = fileBytes("name", 1_000);
    const [piece] = piecesOf(dropzone, file);
    assert.ok(piece);
    const { uploadId } = await taken({ ...piece, fileName: "../../etc/pass\u00e4wd" });
    assert.equal((await client.state(uploadId)).fileName, "pass\u00e4wd");
  });

  test("Plupload: the beginning of a file of the same name is a new upload, and what is not its turn is refused", async () => {
    const file = fileBytes("plupload", 3 * MIB);
    const pieces = piecesOf(plupload, file);
    const one = await taken(at(pieces, 0));
    assertRefused(await sendPiece(client, at(pieces, 2)), 409, "offset-mismatch", { uploadedBytes: MIB });
    const other = await taken(at(pieces, 0));
    assert.notEqual(other.uploadId, one.uploadId);
    await origin.waitForEvent(one.uploadId, "upload.aborted");
    await waitUntilNothingLeft(stack.persistDir, one.uploadId);
    await taken(at(pieces, 1));
    assertComplete(await taken(at(pieces, 2)), file);
    // It is smaller than a part, so nobody can say whether these are the bytes that count.
    assertRefused(await sendPiece(client, at(pieces, 2)), 409, "chunk-differs");
    assert.equal((await client.state(other.uploadId)).state, "completed");
    const third = await taken(at(pieces, 0));
    assert.notEqual(third.uploadId, other.uploadId);
  });

  test("Plupload: a last piece whose forerunner is missing is refused, however short it is", async () => {
    const file = fileBytes("plupload, a gap", 2.25 * MIB);
    const pieces = piecesOf(plupload, file);
    const { uploadId } = await taken(at(pieces, 0));
    await assertNothingCounted(client, uploadId, async () => {
      assertRefused(await sendPiece(client, at(pieces, 2)), 409, "offset-mismatch", { uploadedBytes: MIB });
    });
    await taken(at(pieces, 1));
    assertComplete(await taken(at(pieces, 2)), file);
  });

  test("Plupload: what is not the first piece creates nothing", async () => {
    const before = await client.openUploads();
    const pieces = piecesOf(plupload, fileBytes("plupload, late", 3 * MIB));
    for (const piece of pieces.slice(1)) {
      assertRefused(await sendPiece(client, piece), 409, "offset-mismatch", { uploadedBytes: 0 });
    }
    assert.deepEqual(await client.openUploads(), before);
  });

  test("two files of one name and length do not become one: a piece that differs is refused, and ends their upload", async () => {
    const id = randomUUID();
    const [one, other] = ["one", "other"].map((name) => ranged.pieces(fileBytes(name, 15 * MIB), 5 * MIB, id));
    assert.ok(one && other);
    await taken(at(one, 0));
    const { uploadId } = await taken(at(other, 0));
    assert.equal((await taken(at(one, 1))).uploadId, uploadId, "which of them it is of, nobody knows");
    assert.equal((await taken(at(one, 1))).uploadedBytes, 10 * MIB, "the same bytes once more");
    assertRefused(await sendPiece(client, at(other, 1)), 409, "chunk-differs", { uploadedBytes: 10 * MIB });
    await origin.waitForEvent(uploadId, "upload.aborted");
    for (const pieces of [one, other]) {
      assertRefused(await sendPiece(client, at(pieces, 2)), 410, "upload-gone");
    }
    for (const piece of other) {
      await taken(piece);
    }
  });

  test("a piece that comes again is refused where only a name tells files apart and it is too small to be compared", async () => {
    const file = fileBytes("small", 3 * MIB);
    const pieces = piecesOf(ranged, file);
    await taken(at(pieces, 0));
    const { uploadId } = await taken(at(pieces, 1));
    assertRefused(await sendPiece(client, at(pieces, 1)), 409, "chunk-differs", { uploadedBytes: 2 * MIB });
    await origin.waitForEvent(uploadId, "upload.aborted");
    const headers = { "Idempotency-Key": randomUUID() };
    for (const piece of [...pieces.slice(0, 2), ...pieces]) {
      await taken(piece, { headers });
    }
    assertComplete(await taken(at(pieces, 2), { headers }), file);
  });

  test("an Idempotency-Key is for one file: another under it is refused, and the first goes on", async () => {
    for (const library of [ranged, plupload]) {
      const headers = { "Idempotency-Key": randomUUID() };
      const file = fileBytes(`${library.name}, one key`, 2 * MIB);
      const pieces = piecesOf(library, file);
      const { uploadId } = await taken(at(pieces, 0), { headers });
      await assertNothingCounted(client, uploadId, async () => {
        const another = at(piecesOf(library, fileBytes("another", 2 * MIB)), 0);
        assertRefused(await sendPiece(client, another, { headers }), 422, "idempotency-mismatch");
      });
      assertComplete(await taken(at(pieces, 1), { headers }), file);
    }
  });

  test("Content-Range: an Idempotency-Key tells files of one name and length apart", async () => {
    const file = fileBytes("keyed", 2 * MIB);
    const [first, last] = piecesOf(ranged, file);
    assert.ok(first && last);
    const keys = ["one", "two"].map((key) => ({ headers: { "Idempotency-Key": `${key}-${randomUUID()}` } }));
    const begun = [await taken(first, keys[0]), await taken(first, keys[1])];
    assert.notEqual(begun[0]?.uploadId, begun[1]?.uploadId);
    assert.equal((await taken(first, keys[0])).uploadId, begun[0]?.uploadId, "its answer was lost");
    for (const key of keys) {
      assertComplete(await taken(last, key), file);
    }
  });

  test("Content-Range: how far bytes count stands in Range, as blueimp reads it; and a piece may come bare", async () => {
    const file = fileBytes("bare", 2 * MIB);
    const name = `attachment; filename="${randomUUID()}%20b.bin"`;
    const send = (from: number, to: number) =>
      client.request("POST", "/upload", {
        headers: { "Content-Range": `bytes ${from}-${to - 1}/${file.length}`, "Content-Disposition": name },
        body: file.subarray(from, to),
      });
    const reply = await send(0, MIB);
    assert.equal(reply.header("Range"), `bytes=0-${MIB - 1}`);
    const last = assertTaken(await send(MIB, 2 * MIB));
    assertComplete(last, file);
    assert.match(String((await client.state(last.uploadId)).fileName), / b\.bin$/);
  });

  test("Resumable.js with `method: 'octet'`, whose fields stand in the query alone", async () => {
    const file = fileBytes("octet", 2 * MIB);
    const answers: Answer[] = [];
    for (const { fields, bytes } of piecesOf(resumable, file)) {
      const query = new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)]));
      const headers = { "Content-Type": "application/octet-stream" };
      answers.push(assertTaken(await client.request("POST", `/upload?${query}`, { headers, body: bytes })));
    }
    const last = answers.at(-1);
    assert.ok(last);
    assertComplete(last, file);
  });

  test("numbers that do not fit are refused by the field that is wrong, and create nothing", async () => {
    const before = await client.openUploads();
    const file = fileBytes("wrong", 3 * MIB);
    const wrong = async (library: Library, fields: Piece["fields"], field: string) => {
      const piece = at(piecesOf(library, file), 1);
      assertBadRequest(await sendPiece(client, { ...piece, fields: { ...piece.fields, ...fields } }), field);
    };
    await wrong(dropzone, { dzchunkindex: 3 }, "dzchunkindex");
    await wrong(dropzone, { dztotalchunkcount: 9 }, "dztotalchunkcount");
    await wrong(dropzone, { dzchunkbyteoffset: 1 }, "dzchunkbyteoffset");
    await wrong(dropzone, { dztotalfilesize: "1e9" }, "dztotalfilesize");
    await wrong(fineUploader, { qqpartindex: 7 }, "qqpartindex");
    await wrong(fineUploader, { qqtotalfilesize: 9 }, "qqtotalfilesize");
    await wrong(resumable, { resumableChunkNumber: 0 }, "resumableChunkNumber");
    await wrong(flow, { flowChunkNumber: 4 }, "flowChunkNumber");
    await wrong(simpleUploader, { totalSize: MIB }, "chunkNumber");
    await wrong(plupload, { chunk: 3 }, "chunk");
    const [piece] = piecesOf(ranged, file);
    assert.ok(piece);
    for (const range of ["bytes 0-9", `bytes 0-${MIB}/${MIB}`, "bytes 0-*/*"]) {
      assertBadRequest(await sendPiece(client, piece, { headers: { "Content-Range": range } }), "Content-Range");
    }
    assert.deepEqual(await client.openUploads(), before);
  });

  test("a piece that is longer or shorter than said, or empty, counts for nothing", async () => {
    const file = fileBytes("lies", 3 * MIB);
    for (const library of [dropzone, fineUploader, resumable, ranged]) {
      const pieces = piecesOf(library, file);
      const { uploadId } = await taken(at(pieces, 0));
      await assertNothingCounted(client, uploadId, async () => {
        for (const bytes of [file.subarray(0, MIB - 1), file.subarray(0, MIB + 1), file.subarray(0, 0)]) {
          assertBadRequest(await sendPiece(client, { ...at(pieces, 1), bytes }), "file");
        }
      });
      for (const piece of pieces.slice(1, -1)) {
        await taken(piece);
      }
      assertComplete(await taken(at(pieces, -1)), file);
    }
  });

  test("another total under the same identifier is refused", async () => {
    const id = randomUUID();
    const [first] = dropzone.pieces(fileBytes("total", 2 * MIB), MIB, id);
    const [, other] = dropzone.pieces(fileBytes("total", 3 * MIB), MIB, id);
    assert.ok(first && other);
    const { uploadId } = await taken(first);
    await assertNothingCounted(client, uploadId, async () => {
      assertRefused(await sendPiece(client, other), 400, "inconsistent-length", { uploadedBytes: MIB });
    });
  });

  test("what does not pass by itself is 400 for Resumable.js, which repeats anything else", async () => {
    const reply = await sendPiece(client, {
      ...at(piecesOf(resumable, fileBytes("too large", 1_000)), 0),
      fields: {
        resumableChunkNumber: 1,
        resumableChunkSize: 1_000,
        resumableCurrentChunkSize: 1_000,
        resumableTotalSize: 2 ** 50,
        resumableIdentifier: randomUUID(),
        resumableTotalChunks: 2,
      },
    });
    assert.equal(reply.json<{ error: string; success: boolean }>().success, false);
    assert.equal(reply.status, 413, "its fields are not in the query here");
    const query = `resumableIdentifier=${randomUUID()}&resumableChunkNumber=1&resumableChunkSize=5&resumableCurrentChunkSize=5`;
    const path = `/upload?${query}&resumableTotalSize=${2 ** 50}&resumableTotalChunks=9`;
    assertRefused(await client.request("POST", path, { body: "bytes" }), 400, "upload-too-large");
  });
});

test("a piece whose turn does not come is told so, and nothing of it counts", async () => {
  const { client } = await sceneWithScriptedOrigin({ STALLED_BODY_SECONDS: 1 });
  const file = fileBytes("early", 2 * MIB);
  const [first, last] = dropzone.pieces(file, MIB, randomUUID());
  assert.ok(first && last);
  const early = await sendPiece(client, last);
  assertRefused(early, 503, "chunk-too-early", { uploadedBytes: 0 });
  assert.equal(early.header("Retry-After"), "1");
  for (const piece of [first, last]) {
    assert.equal((await sendPiece(client, piece)).status, 200);
  }
});

test("a file that begins anew gives back what was charged ahead for the one before", async () => {
  // A file of unknown length is charged 64 MiB ahead where there is room.
  const { client } = await sceneWithScriptedOrigin({ QUOTA_BYTES_PER_DAY: 66 * MIB });
  const [first] = plupload.pieces(fileBytes("anew", 2 * MIB), MIB, randomUUID());
  assert.ok(first);
  for (let times = 0; times < 6; times++) {
    const reply = await sendPiece(client, first);
    assert.equal(reply.status, 200, reply.body.toString());
  }
});

test("who may not create the next upload does not end the one before", async () => {
  const stack = await Stack.start({
    vars: { AUTH: "token" },
    secrets: {
      WEBHOOK_SECRET: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
      DOWNLOAD_SECRET: "download-secret-0123456789abcdef",
      TOKEN_SECRETS: "key:0123456789abcdef0123456789abcdef",
    },
  });
  after(() => stack.stop());
  const { client } = stack;
  const alice = bearer(mint(stack, claimsOf("alice")));
  const narrow = bearer(mint(stack, claimsOf("alice", { quayside: { maxBytes: 1_000 } })));
  const file = fileBytes("left", 2 * MIB);
  const [first, last] = ranged.pieces(file, MIB, randomUUID());
  assert.ok(first && last);
  const { uploadId } = (await sendPiece(client, first, { headers: alice })).json<Answer>();
  assertRefused(await sendPiece(client, first, { headers: narrow }), 413, "upload-too-large");
  const reply = await sendPiece(client, last, { headers: alice });
  assert.equal(reply.status, 200, reply.body.toString());
  const answer = reply.json<Answer>();
  assert.deepEqual([answer.uploadId, answer.state], [uploadId, "completed"]);
});
