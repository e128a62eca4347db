// Where objects lie in the bucket: as the deployment says, as the token says, and as the application says that is asked. Whatever the client
// calls its file, and however the bytes got into R2, the object lies where the status says, and nothing lies beside it.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { AcceptHook } from "./support/accept_hook.ts";
import type { Created, InitFields } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Client } from "./support/client.ts";
import { DamagedFile, PART_BYTES } from "./support/damaged_file.ts";
import { DirectClient } from "./support/direct.ts";
import type { Headers } from "./support/http.ts";
import { bucketState } from "./support/r2_state.ts";
import { assertBadRequest } from "./support/refusals.ts";
import { sceneWithS3 } from "./support/scene.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { idOf, Tus } from "./support/tus.ts";
import { waitFor } from "./support/wait.ts";

const hook = await AcceptHook.start();
after(() => hook.stop());
const { stack, origin, client } = await sceneWithS3({
  AUTH: "token",
  ACCEPT_HOOK: hook.url,
  OBJECT_KEY: "in=box/{prefix}{year}/{id}{.ext}",
});
hook.trust(stack.secrets.WEBHOOK_SECRET);

const token = (quayside: object) => bearer(mint(stack, claimsOf("alice@example.com", { quayside })));
const alice = token({});
const year = new Date().getUTCFullYear();
const small = fileBytes("one part", 100_000);
const large = fileBytes("some parts", 17 * MIB);

/** Alice, whatever is asked. */
class Alice extends Client {
  override request(...[method, path, options = {}]: Parameters<Client["request"]>) {
    return super.request(method, path, { ...options, headers: { ...alice, ...options.headers } });
  }
}
const hers = new Alice(stack.baseUrl);

async function create(file: Uint8Array, fileName: string, headers: Headers = alice, fields: InitFields = {}) {
  const reply = await client.init({ fileName, fileSize: file.length, ...fields }, headers);
  assert.equal(reply.status, 201, reply.body.toString());
  return reply.json<Created>().uploadId;
}

async function send(file: Uint8Array, fileName: string, headers: Headers = alice): Promise<string> {
  const id = await create(file, fileName, headers);
  assert.equal((await client.put(id, 0, file, headers)).status, 200);
  return id;
}

/** The upload is whole at the origin, and all that the bucket has of it is an object with this key. */
async function assertLiesAt(key: string, id: string, file: Uint8Array, headers: Headers = alice): Promise<void> {
  assert.equal((await origin.waitForStored(id)).sha256, sha256(file));
  const status = await client.request("GET", `/upload/${id}`, { headers });
  assert.equal(status.json<{ object: { key: string } }>().object.key, key);
  await waitFor(`nothing but ${key}`, () => {
    const { objects, unfinished } = bucketState(stack.persistDir);
    const ofIt = [...objects, ...unfinished].filter((found) => found.includes(id));
    return ofIt.length === 1 && ofIt[0] === key ? true : undefined;
  });
}

test("as the deployment says: put in one request, and in parts", async () => {
  const put = await send(small, "Holiday in Zürich.JPG");
  await assertLiesAt(`in=box/${year}/${put}-1.jpg`, put, small);
  const parts = await send(large, "film.mp4");
  await assertLiesAt(`in=box/${year}/${parts}.mp4`, parts, large);
  const inPieces = await create(large, "film.tar.gz", alice, { chunkSize: PART_BYTES });
  for (let offset = 0; offset < large.length; offset += PART_BYTES) {
    await client.put(inPieces, offset, large.subarray(offset, offset + PART_BYTES), alice);
  }
  await assertLiesAt(`in=box/${year}/${inPieces}.gz`, inPieces, large);
  const none = await send(small, "no extension");
  await assertLiesAt(`in=box/${year}/${none}-1`, none, small);
});

test("as the token says, with its prefix where the template wants it, or in front", async () => {
  const named = token({ keyPrefix: "acme/in/", objectKey: "files/{owner}/{prefix}{id}/{name}" });
  const id = await send(small, "../../etc/pass wd.txt", named);
  await assertLiesAt(`files/alice-example.com/acme/in/${id}/-..-etc-pass-wd-1.txt`, id, small, named);
  const inFront = token({ keyPrefix: "acme/", objectKey: "{date}-{id}" });
  const second = await send(small, "a.txt", inFront);
  await assertLiesAt(`acme/${new Date().toISOString().slice(0, 10)}-${second}-1`, second, small, inFront);
});

test("as the application says that is asked, over the token", async () => {
  hook.says("invoice.pdf", { body: { objectKey: "customers/7/{prefix}{id}{.ext}" } });
  const named = token({ keyPrefix: "acme/", objectKey: "{id}" });
  const id = await send(small, "invoice.pdf", named);
  await assertLiesAt(`customers/7/acme/${id}-1.pdf`, id, small, named);
  hook.says("other.pdf", { body: { objectKey: "customers/7/invoice.pdf" } });
  const refused = await client.init({ fileName: "other.pdf", fileSize: 5 }, alice);
  assert.equal(refused.status, 503, "a key that is not this upload's alone is no answer");
});

test("a link that takes a file has its maker's", async () => {
  const maker = token({ objectKey: "from-outside/{id}{.ext}" });
  const made = await client.request("POST", "/upload/links", { headers: maker, body: "{}" });
  const { pathname } = new URL(made.json<{ url: string }>().url);
  const sent = await client.request("PUT", `${pathname}/photo.png`, { body: small });
  assert.ok(sent.status < 300, sent.body.toString());
  const id = sent.json<{ uploadId: string }>().uploadId;
  await assertLiesAt(`from-outside/${id}-1.png`, id, small, maker);
});

test("straight to R2, and put together from pieces, which lie where all pieces do", async () => {
  const direct = new DirectClient(hers);
  const { uploadId } = await direct.create(large, { fileName: "a+b.bin", chunkSize: 5 * MIB });
  await direct.putChunks(uploadId, large, 0, 1, 2, 3);
  await assertLiesAt(`in=box/${year}/${uploadId}.bin`, uploadId, large);
  const tus = new Tus(client);
  const [front, back] = [large.subarray(0, 9 * MIB), large.subarray(9 * MIB)];
  const pieces = [await tus.partial(front, alice), await tus.partial(back, alice)];
  const lies = bucketState(stack.persistDir).objects.filter((key) => key.includes(idOf(pieces[0] ?? "")));
  assert.deepEqual(lies, [`uploads/${idOf(pieces[0] ?? "")}`]);
  const id = idOf(await tus.composed(pieces, { ...alice, "Upload-Metadata": `filename ${btoa("whole.iso")}` }));
  await assertLiesAt(`in=box/${year}/${id}.iso`, id, large);
});

test("a repaired file has the number of the repair before its extension", async () => {
  const file = new DamagedFile(hers, "wrong once.bin");
  const id = await file.damaged(file.wrongAt(7), { fileName: "wrong once.bin" });
  await file.repair(id, await file.differing(id));
  await file.sendGood(id, 0);
  await assertLiesAt(`in=box/${year}/${id}.1.bin`, id, file.good);
});

test("two files of the same name, and a creation that is asked again, never share a key", async () => {
  const named = token({ objectKey: "same/{id}/{name}" });
  const [first, second] = [await send(small, "same.txt", named), await send(large, "same.txt", named)];
  await assertLiesAt(`same/${first}/same-1.txt`, first, small, named);
  await assertLiesAt(`same/${second}/same.txt`, second, large, named);
  const again = { ...named, "Idempotency-Key": "once" };
  const ids = [await create(small, "again.txt", again), await create(small, "again.txt", again)];
  assert.equal(ids[0], ids[1]);
});

test("what is no template is refused, with the claim's name", async () => {
  for (const objectKey of ["{name}", "a/{id}/../b", "{name}{prefix}{id}", "{id}{id}", 7]) {
    const reply = await client.init({ fileName: "a", fileSize: 5 }, token({ objectKey }));
    assert.equal(reply.status, 401, JSON.stringify(objectKey));
  }
  assertBadRequest(
    await client.init({ fileName: "a", fileSize: 5, objectKey: "{id}" } as InitFields, alice),
    "objectKey",
  );
});
