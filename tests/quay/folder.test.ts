// A folder up and down again: `quay put FOLDER --manifest`, `quay get --manifest`. What comes back is what was sent, and no path in a
// manifest leads out of the folder.

import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { crc64nvme, fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { CountingProxy } from "../support/counting_proxy.ts";
import { eventOf, Quay } from "../support/quay.ts";
import { Stack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
after(() => stack.stop());

function quay(endpoint = stack.baseUrl): Quay {
  const made = new Quay(endpoint);
  after(() => made.remove());
  return made;
}

/** Every file below a folder, by the bytes of its path, with its digest. */
function contents(folder: string): Map<string, string> {
  return new Map(filesBelow(Buffer.from(folder), "").sort());
}

function filesBelow(folder: Buffer, before: string): [string, string][] {
  return readdirSync(folder, { encoding: "buffer" }).flatMap((name): [string, string][] => {
    const path = Buffer.concat([folder, Buffer.from("/"), name]);
    const shown = before + name.toString("latin1");
    const found = lstatSync(path);
    if (found.isDirectory()) {
      return filesBelow(path, `${shown}/`);
    }
    return found.isFile() ? [[shown, sha256(readFileSync(path))]] : [];
  });
}

function makeFolder(user: Quay): void {
  mkdirSync(join(user.home, "trip/2026/ä ö"), { recursive: true });
  user.file("trip/empty", "");
  user.file("trip/a.txt", "a");
  user.file("trip/2026/b.bin", fileBytes("folder b", 3 * MIB));
  user.file("trip/2026/ä ö/large.bin", fileBytes("folder large", 12 * MIB + 1));
  user.file("trip/2026/new\nline", "odd");
  const notUtf8 = Buffer.concat([Buffer.from(join(user.home, "trip/caf")), Buffer.from([0xe9])]);
  writeFileSync(notUtf8, "also odd");
}

test("a folder comes back as it was, to the last byte and name", async () => {
  const user = quay();
  makeFolder(user);
  await user.events(["put", "trip", "--manifest", "trip.json"]);
  const events = await user.events(["get", "--manifest", "trip.json", "-o", "back"]);
  const end = eventOf(events, "end") as { gotFiles?: number };
  assert.equal(end.gotFiles, 6);
  assert.deepEqual(contents(join(user.home, "back/trip")), contents(join(user.home, "trip")));
  assert.equal(contents(join(user.home, "trip")).size, 6);

  const again = eventOf(await user.events(["get", "--manifest", "trip.json", "-o", "back"]), "end");
  assert.equal(again.earlierFiles, 6, "what is there is not got again");
});

test("interrupted, the same command goes on and gets what is missing", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  const user = quay(proxy.url);
  makeFolder(user);
  await user.events(["put", "trip", "--manifest", "trip.json"]);
  const get = ["get", "--manifest", "trip.json", "-o", "back"];
  proxy.cutDownAfterBytes = 5 * MIB;
  const running = user.start([...get, "--json"]);
  const part = join(user.home, "back/trip/2026/ä ö/large.bin.quay-part");
  await waitFor("a part of the large one", () => existsSync(part) && lstatSync(part).size >= MIB);
  await running.kill();
  proxy.cutDownAfterBytes = Number.POSITIVE_INFINITY;
  proxy.downBytes = 0;
  await user.events(get);
  assert.deepEqual(contents(join(user.home, "back/trip")), contents(join(user.home, "trip")));
  assert.ok(proxy.downBytes < 15 * MIB, `${proxy.downBytes} bytes came again`);
});

test("what is there and is something else stays, unless --force says otherwise", async () => {
  const user = quay();
  makeFolder(user);
  await user.events(["put", "trip", "--manifest", "trip.json"]);
  mkdirSync(join(user.home, "back/trip"), { recursive: true });
  user.file("back/trip/a.txt", "mine");
  const kept = await user.run(["get", "--manifest", "trip.json", "-o", "back"]);
  assert.equal(kept.code, 2);
  assert.match(kept.stderr, /trip\/a\.txt: .*a\.txt is there already: --force/);
  assert.match(kept.stderr, /5 files got.*1 not got/);
  assert.equal(readFileSync(join(user.home, "back/trip/a.txt"), "utf8"), "mine");
  const forced = await user.run(["get", "--manifest", "trip.json", "-o", "back", "--force"]);
  assert.equal(forced.code, 0, forced.stderr);
  assert.equal(readFileSync(join(user.home, "back/trip/a.txt"), "utf8"), "a");
});

test("no path leads out of the folder, whatever a manifest says, and the others come all the same", async () => {
  const user = quay();
  const { uploadId } = eventOf(await user.events(["put", user.file("a.txt", "inside")]), "finished");
  const outside = join(user.home, "outside");
  mkdirSync(join(user.home, "back"));
  mkdirSync(outside);
  symlinkSync(outside, join(user.home, "back/link"));
  symlinkSync(join(outside, "x"), join(user.home, "back/part.quay-part"));
  const bad = [
    "../outside/a",
    "sub/../../outside/a",
    `${outside}/a`,
    "link/a",
    "part",
    "..",
    "",
    "sub//a",
    "fine/a.quay-part",
  ];
  const files = ["fine/a", "fine/b", ...bad].map((path) => ({ path, uploadId }));
  files.push({ path: "bytes", uploadId, pathBytes: "..%2Foutside%2Fbytes" } as (typeof files)[number]);
  user.file("m.json", JSON.stringify({ files }));
  const { code, stderr } = await user.run(["get", "--manifest", "m.json", "-o", "back"]);
  assert.equal(code, 2, stderr);
  assert.match(stderr, /\.\.\/outside\/a: Its path leads out of the folder, .*`quay get .* -o FILE`/);
  assert.match(stderr, /link\/a: .*link is a link: nothing is written through it/);
  assert.match(stderr, /part: .*part\.quay-part is no file, and in the way/);
  assert.match(stderr, /fine\/a\.quay-part: Another file of the manifest/);
  assert.match(stderr, new RegExp(`2 files got.*${bad.length + 1} not got`));
  assert.deepEqual(readdirSync(outside), []);
  assert.deepEqual([...contents(join(user.home, "back")).keys()], ["fine/a", "fine/b"]);
});

test("a file that was named with `./` in front comes back", async () => {
  const user = quay();
  user.file("a.txt", "a");
  await user.events(["put", "./a.txt", "--manifest", "m.json"]);
  await user.events(["get", "--manifest", "m.json", "-o", "back"]);
  assert.equal(readFileSync(join(user.home, "back/a.txt"), "utf8"), "a");
});

test("what the server has and is not what was sent is refused, and not kept", async () => {
  const user = quay();
  const { uploadId } = eventOf(await user.events(["put", user.file("a.txt", "one")]), "finished");
  const [other, fine] = [Buffer.from("two"), Buffer.from("one")];
  const manifest = (digests: object) =>
    user.file("m.json", JSON.stringify({ files: [{ path: "a", uploadId, ...digests }] }));
  for (const digests of [{ sha256: sha256(other) }, { crc64nvme: crc64nvme(other), bytes: 3 }]) {
    manifest(digests);
    const { code, stderr } = await user.run(["get", "--manifest", "m.json", "-o", "back"]);
    assert.equal(code, 3);
    assert.match(stderr, /What the server has is not what was sent/);
    assert.ok(!existsSync(join(user.home, "back/a")));
  }
  manifest({ sha256: sha256(fine), crc64nvme: crc64nvme(fine) });
  assert.equal((await user.run(["get", "--manifest", "m.json", "-o", "back"])).code, 0);
});

test("a file that was not sent, one that is gone and a manifest that is none are told", async () => {
  const user = quay();
  mkdirSync(join(user.home, "two"));
  user.file("two/a.txt", "a");
  user.file("two/b.txt", "b");
  await user.events(["put", "two", "--manifest", "m.json"]);
  const { files } = JSON.parse(readFileSync(join(user.home, "m.json"), "utf8"));
  const gone = "067e6162-3b6f-4ae2-a171-2470b63dff00";
  user.file(
    "m.json",
    JSON.stringify({ files: [files[0], { path: "c", failed: "no" }, { path: "d", uploadId: gone }] }),
  );
  const { code, stderr } = await user.run(["get", "--manifest", "m.json", "-o", "back"]);
  assert.equal(code, 3);
  assert.match(stderr, /^c: It was not sent/m);
  assert.match(stderr, /^d: There is no such upload/m);
  assert.match(stderr, /1 file got/);
  for (const wrong of ["nonsense", "{}", "[]"]) {
    user.file("m.json", wrong);
    const refused = await user.run(["get", "--manifest", "m.json"]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /m\.json is no manifest/);
  }
  rmSync(join(user.home, "m.json"));
  assert.equal((await user.run(["get", "--manifest", "m.json"])).code, 2);
  assert.equal((await user.run(["get"])).code, 2);
});
