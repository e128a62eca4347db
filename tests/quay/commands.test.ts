// The other commands of `quay`: getting things back, looking at uploads, tokens, login, the doctor.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";

import { fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { CountingProxy } from "../support/counting_proxy.ts";
import { eventOf, Quay, quayProgram } from "../support/quay.ts";
import { Stack } from "../support/stack.ts";
import { claimsOf, mint, secondsFromNow } from "../support/tokens.ts";
import { waitFor } from "../support/wait.ts";

const pairs = {
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
};
const keys = Object.entries(pairs).map(([kid, { publicKey }]) => ({
  ...publicKey.export({ format: "jwk" }),
  kid,
  use: "sig",
}));
const vars = { ORIGIN_WEBHOOK_URL: "", AUTH: "token", TOKEN_PUBLIC_KEYS: JSON.stringify({ keys }) };
const stack = await Stack.start({ vars });
after(() => stack.stop());

const secrets = stack.secrets.TOKEN_SECRETS ?? "";

/** Somebody with a token, as far as `more` lets it. */
async function quay(more: string[] = [], endpoint = stack.baseUrl): Promise<{ user: Quay; env: NodeJS.ProcessEnv }> {
  const user = new Quay(endpoint);
  after(() => user.remove());
  const { stdout } = await user.run(["token", "--sub", "alice", ...more], { env: { TOKEN_SECRETS: secrets } });
  return { user, env: { QUAY_TOKEN: stdout.trim() } };
}

async function uploaded(user: Quay, env: NodeJS.ProcessEnv, name: string, bytes: Uint8Array): Promise<string> {
  return eventOf(await user.events(["put", user.file(name, bytes)], { env }), "finished").uploadId ?? "";
}

test("what was sent comes back under its name, compared, and nothing is written over", async () => {
  const { user, env } = await quay();
  const bytes = fileBytes("quay get", 10 * MIB);
  const id = await uploaded(user, env, "film.mp4", bytes);
  const occupied = await user.run(["get", id], { env });
  assert.equal(occupied.code, 2);
  assert.match(occupied.stderr, /film\.mp4 is there already: --force/);
  const { code, stderr } = await user.run(["get", id, "-o", "back.mp4"], { env });
  assert.equal(code, 0, stderr);
  assert.equal(sha256(readFileSync(join(user.home, "back.mp4"))), sha256(bytes));
  assert.deepEqual(
    [".quay-part", ".quay-etag"].filter((end) => existsSync(join(user.home, `back.mp4${end}`))),
    [],
  );
  const { code: forced } = await user.run(["get", id, "--force"], { env });
  assert.equal(forced, 0);
});

test("a download that is cut goes on where it was, in the same run and in the next one", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  const { user, env } = await quay([], proxy.url);
  const bytes = fileBytes("quay get cut", 12 * MIB);
  const id = await uploaded(user, env, "cut.bin", bytes);
  proxy.cutDownAfterBytes = 5 * MIB;
  proxy.downBytes = 0;
  const { code, stderr } = await user.run(["get", id, "-o", "one.bin"], { env });
  assert.equal(code, 0, stderr);
  assert.ok(proxy.cuts >= 2, `${proxy.cuts} cuts`);
  assert.equal(sha256(readFileSync(join(user.home, "one.bin"))), sha256(bytes));

  // What a killed run has left: most of the file, and of which version it is.
  const { etag = "" } = (await stack.client.request("GET", `/files/${id}`, { headers: bearer(env) })).headers;
  writeFileSync(join(user.home, "two.bin.quay-part"), bytes.subarray(0, 9 * MIB));
  writeFileSync(join(user.home, "two.bin.quay-etag"), etag);
  proxy.downBytes = 0;
  assert.equal((await user.run(["get", id, "-o", "two.bin"], { env })).code, 0);
  assert.ok(proxy.downBytes < 4 * MIB, `${proxy.downBytes} bytes came again`);
  assert.equal(sha256(readFileSync(join(user.home, "two.bin"))), sha256(bytes));
});

test("a name as long as names can be is gone on with, too", async () => {
  const proxy = await CountingProxy.before(stack.baseUrl);
  after(() => proxy.stop());
  const { user, env } = await quay([], proxy.url);
  const bytes = fileBytes("quay get long", 12 * MIB);
  const id = await uploaded(user, env, "long.bin", bytes);
  const name = `${"long".repeat(62)}.bin`;
  proxy.cutDownAfterBytes = 5 * MIB;
  const running = user.start(["get", id, "-o", name], { env });
  await waitFor("a part of it", () => partBytes(user.home) >= 4 * MIB);
  await running.kill();
  proxy.cutDownAfterBytes = Number.POSITIVE_INFINITY;
  proxy.downBytes = 0;
  const { code, stderr } = await user.run(["get", id, "-o", name], { env });
  assert.equal(code, 0, stderr);
  assert.ok(proxy.downBytes < 9 * MIB, `${proxy.downBytes} bytes came again`);
  assert.equal(sha256(readFileSync(join(user.home, name))), sha256(bytes));
  assert.equal(partBytes(user.home), 0);
});

/** How much is there of files that are not whole yet. */
function partBytes(folder: string): number {
  const parts = readdirSync(folder).filter((name) => name.endsWith(".quay-part"));
  return parts.reduce((bytes, part) => bytes + statSync(join(folder, part)).size, 0);
}

test("no name that the server says makes a hidden file", async () => {
  const { user, env } = await quay();
  const id = await uploaded(user, env, ".bashrc", Buffer.from("echo pwned"));
  rmSync(join(user.home, ".bashrc"));
  const { code, stderr } = await user.run(["get", id], { env });
  assert.equal(code, 0);
  assert.match(stderr, /^_\.bashrc: /m);
  assert.ok(!existsSync(join(user.home, ".bashrc")));
  assert.equal(readFileSync(join(user.home, "_.bashrc"), "utf8"), "echo pwned");
});

test("a part that is not of this object is noticed, and the next run begins again", async () => {
  const { user, env } = await quay();
  const bytes = fileBytes("quay get wrong", 2 * MIB);
  const id = await uploaded(user, env, "right.bin", bytes);
  const { etag = "" } = (await stack.client.request("GET", `/files/${id}`, { headers: bearer(env) })).headers;
  writeFileSync(join(user.home, "x.quay-part"), fileBytes("something else", MIB));
  writeFileSync(join(user.home, "x.quay-etag"), etag);
  const { code, stderr } = await user.run(["get", id, "-o", "x"], { env });
  assert.equal(code, 1);
  assert.match(stderr, /does not have the object's digest/);
  assert.equal((await user.run(["get", id, "-o", "x"], { env })).code, 0);
  assert.equal(sha256(readFileSync(join(user.home, "x"))), sha256(bytes));
});

test("a link opens a file to whoever has no token", async () => {
  const { user, env } = await quay();
  const bytes = fileBytes("quay link", MIB);
  const put = await user.events(["put", user.file("notes.txt", bytes), "--type", "text/plain"], { env });
  const id = eventOf(put, "finished").uploadId ?? "";
  const linked = await user.run(["link", id, "--expires", "1h"], { env });
  assert.equal(linked.code, 0, linked.stderr);
  const url = linked.stdout.trim();
  const opened = await fetch(url);
  assert.equal(sha256(Buffer.from(await opened.arrayBuffer())), sha256(bytes));
  assert.equal(opened.headers.get("Content-Disposition"), "attachment; filename*=UTF-8''notes.txt");

  const said = await user.run(["link", id, "--inline", "--name", "shown.txt", "--expires", "10m", "--json"], { env });
  assert.equal(said.code, 0, said.stderr);
  const { url: shown, expiresAt } = JSON.parse(said.stdout);
  assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 600_000) < 30_000, expiresAt);
  assert.equal((await fetch(shown)).headers.get("Content-Disposition"), "inline; filename*=UTF-8''shown.txt");

  const tooLong = await user.run(["link", id, "--expires", "8d"], { env });
  assert.equal(tooLong.code, 3);
  assert.match(tooLong.stderr, /expiresInSeconds/);
});

test("an invitation takes one file from somebody who has no token, and can be taken back", async () => {
  const { user, env } = await quay();
  const made = await user.run(["invite", "--max-size", "2M", "--type", "text/*", "--expires", "1h"], { env });
  assert.equal(made.code, 0, made.stderr);
  const guest = new Quay(made.stdout.trim());
  after(() => guest.remove());
  const tooLarge = await guest.run(["put", guest.file("big.txt", fileBytes("big", 3 * MIB)), "--type", "text/plain"]);
  assert.equal(tooLarge.code, 3, tooLarge.stderr);
  const put = await guest.events(["put", guest.file("small.txt", fileBytes("small", MIB)), "--type", "text/plain"]);
  const { uploadId = "" } = eventOf(put, "finished");
  const { code } = await user.run(["get", uploadId, "-o", "got.txt"], { env });
  assert.equal(code, 0);
  assert.equal(sha256(readFileSync(join(user.home, "got.txt"))), sha256(fileBytes("small", MIB)));
  const second = await guest.run(["put", guest.file("more.txt", fileBytes("more", 10)), "--type", "text/plain"]);
  assert.equal(second.code, 3, second.stderr);
  assert.match(second.stderr, /takes one file, and has it/);

  const other = JSON.parse((await user.run(["invite", "--json"], { env })).stdout) as { linkId: string; url: string };
  const revoked = await user.run(["invite", "--revoke", other.linkId], { env });
  assert.deepEqual([revoked.code, revoked.stdout], [0, ""], revoked.stderr);
  const late = new Quay(other.url);
  after(() => late.remove());
  assert.match((await late.run(["put", late.file("late.txt", fileBytes("late", 10))])).stderr, /has taken it back/);
  assert.equal((await user.run(["invite", "--revoke", "x"], { env })).code, 2);
});

test("open uploads are listed, looked at, followed and deleted", async () => {
  const { user, env } = await quay();
  const created = await stack.client.init({ fileName: "open.bin", fileSize: 10 }, bearer(env));
  const { uploadId } = created.json<{ uploadId: string }>();
  const list = await user.run(["ls"], { env });
  assert.match(list.stdout, new RegExp(`^UPLOAD.*\n(.*\n)*${uploadId}  10 B .*open\\.bin`));
  const usage = await user.run(["usage", "--json"], { env });
  assert.ok(JSON.parse(usage.stdout).openUploads.used >= 1, usage.stdout);
  assert.match((await user.run(["usage"], { env })).stdout, /^QUOTA +USED +OF\nopen uploads +\d+ +\d+\n/);
  const status = await user.run(["status", uploadId], { env });
  assert.match(status.stdout, /open +0 B +10 B +none +open\.bin/);
  const log = await user.run(["log", uploadId], { env });
  assert.match(log.stdout, /created/);
  const watching = user.start(["watch", uploadId, "--json"], { env });
  const removed = await user.run(["rm", uploadId], { env });
  assert.equal(removed.code, 0, removed.stderr);
  assert.equal((await watching.ended).code, 3, "an upload that is deleted has not been completed");
  assert.equal((await user.run(["rm", uploadId], { env })).code, 0, "deleting twice is deleting");
  const nobody = await user.run(["status", "067e6162-3b6f-4ae2-a171-2470b63dff00"], { env });
  assert.equal(nobody.code, 3);
  assert.match(nobody.stderr, /There is no such upload/);
});

test("an upload is followed until it is complete", async () => {
  const { user, env } = await quay();
  const created = await stack.client.init({ fileName: "followed.bin", fileSize: 3 }, bearer(env));
  const { uploadId } = created.json<{ uploadId: string }>();
  const watching = user.start(["watch", uploadId], { env });
  await stack.client.put(uploadId, 0, Buffer.from("abc"), bearer(env));
  const { code, stdout } = await watching.ended;
  assert.equal(code, 0);
  assert.match(stdout, /followed\.bin: completed, 3 B of 3 B\n$/);
});

test("tokens of all three kinds are taken, and their terms hold", async () => {
  const { user } = await quay();
  const key = (kid: keyof typeof pairs) =>
    user.file(`${kid}.pem`, pairs[kid].privateKey.export({ type: "pkcs8", format: "pem" }) as string);
  for (const args of [
    ["--key-file", user.file("secrets", `TOKEN_SECRETS="${secrets}"\n`)],
    ["--algorithm", "ES256", "--kid", "ES256", "--key-file", key("ES256")],
    ["--algorithm", "EdDSA", "--kid", "EdDSA", "--key-file", key("EdDSA")],
  ]) {
    const minted = await user.run(["token", "--sub", "bob", "--max-bytes", "10", ...args]);
    assert.equal(minted.code, 0, minted.stderr);
    const env = { QUAY_TOKEN: minted.stdout.trim() };
    assert.equal((await user.run(["put", user.file("small", "123")], { env })).code, 0, args.join(" "));
    const large = await user.run(["put", user.file("large", "12345678901")], { env });
    assert.equal(large.code, 3);
    assert.match(large.stderr, /large/);
  }
  const wrong = await user.run(["token", "--sub", "bob", "--algorithm", "ES256", "--key-file", key("EdDSA")]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /is no key for this algorithm/);
});

test("an upload begun with a token goes on after that has expired", async () => {
  const { user, env } = await quay();
  const path = user.file("long.bin", fileBytes("quay expired", 20 * MIB));
  const running = user.start(["put", path, "--json", "--chunk-size", "5M", "--limit-rate", "5M"], { env });
  const { uploadId = "" } = await running.event("started");
  await running.event("progress");
  await running.kill();
  const expired = mint(stack, claimsOf("alice", { exp: secondsFromNow(-60) }));
  assert.equal((await user.run(["ls"], { env: { QUAY_TOKEN: expired } })).code, 3);
  const finished = eventOf(await user.events(["put", path], { env: { QUAY_TOKEN: expired } }), "finished");
  assert.equal(finished.uploadId, uploadId);
});

test("login keeps an endpoint and a token that the server takes, for this user alone", async () => {
  const { user, env } = await quay();
  const other = new Quay();
  after(() => other.remove());
  const refused = await other.run(["login", stack.baseUrl], { stdin: Buffer.from("nonsense\n") });
  assert.equal(refused.code, 3);
  const { code, stderr } = await other.run(["login", stack.baseUrl], { stdin: Buffer.from(`${env.QUAY_TOKEN}\n`) });
  assert.equal(code, 0, stderr);
  assert.equal(statSync(join(other.home, ".config/quay/config.toml")).mode & 0o777, 0o600);
  assert.equal((await other.run(["put", user.file("a.txt", "a")])).code, 0);
  const elsewhere = await other.run(["ls", "--endpoint", stack.baseUrl.replace("127.0.0.1", "localhost")]);
  assert.match(elsewhere.stderr, /Uploading needs a token/, "the token goes to no other server");
  assert.equal(elsewhere.code, 3);
});

test("without a token, and with one that is none, it is said what to do", async () => {
  const { user } = await quay();
  const path = user.file("a.txt", "a");
  for (const env of [{}, { QUAY_TOKEN: "nonsense" }]) {
    const { code, stderr } = await user.run(["put", path], { env });
    assert.equal(code, 3);
    assert.match(stderr, /--token or QUAY_TOKEN/);
  }
  assert.equal((await user.run(["put", path], { env: { QUAY_TOKEN: "two words" } })).code, 2);
});

test("the doctor finds a healthy deployment healthy, and leaves nothing behind", async () => {
  const { user, env } = await quay();
  const { code, stdout, stderr } = await user.run(["doctor", stack.baseUrl], { env });
  assert.equal(code, 0, `${stdout} ${stderr}`);
  for (const check of ["server", "clock", "readyz", "token", "interruption", "size", "speed", "live", "delete"]) {
    assert.match(stdout, new RegExp(`^ok {5}${check}: `, "m"));
  }
  assert.doesNotMatch((await user.run(["ls"], { env })).stdout, /quay-doctor/);
});

test("the doctor says what is wrong: a token that is missing, pages that may not upload", async () => {
  const { user } = await quay();
  const { code, stdout } = await user.run(["doctor", "--origin", "ftp://nobody"]);
  assert.equal(code, 1);
  assert.match(stdout, /^WRONG {2}token: Uploading needs a token/m);
});

test("shells get their completions, and people their pages", async () => {
  const { user } = await quay();
  assert.match((await user.run(["completions", "bash"])).stdout, /complete -F _quay/);
  assert.equal((await user.run(["man", "pages"])).code, 0);
  assert.match(readFileSync(join(user.home, "pages/quay-put.1"), "utf8"), /limit-rate|limit\\-rate/);
});

function bearer(env: NodeJS.ProcessEnv): Record<string, string> {
  return { Authorization: `Bearer ${env.QUAY_TOKEN}` };
}

test("something else that answers in the middle of a download changes nothing of what has come", async () => {
  const { user, env } = await quay();
  const bytes = fileBytes("quay get portal", 3 * MIB);
  const id = await uploaded(user, env, "portal.bin", bytes);
  let asked = 0;
  const portal = createServer(async (request, response) => {
    asked += 1;
    if (asked === 2) {
      response.writeHead(200, { "Content-Type": "text/html" }).end("<html>Sign in</html>");
      return;
    }
    const headers = request.headers as Record<string, string>;
    const answer = await stack.client.request(request.method ?? "GET", request.url ?? "/", { headers });
    response.writeHead(answer.status, answer.headers);
    // The first time it breaks off.
    response.write(answer.body.subarray(0, asked === 1 ? 2 * MIB : answer.body.length), () => {
      asked === 1 ? response.destroy() : response.end();
    });
  });
  await new Promise<void>((resolve) => portal.listen(0, "127.0.0.1", resolve));
  after(() => portal.close());
  const endpoint = `http://127.0.0.1:${(portal.address() as AddressInfo).port}`;
  const { code, stderr } = await user.run(["get", id, "-o", "through.bin"], {
    env: { ...env, QUAY_ENDPOINT: endpoint },
  });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Something other than Quayside answered 200/);
  assert.equal(sha256(readFileSync(join(user.home, "through.bin"))), sha256(bytes));
  assert.equal(asked, 3);
});

test("a manifest that could not be written is refused before anything is sent", async () => {
  const { user, env } = await quay();
  const path = user.file("m.bin", fileBytes("manifest nowhere", 1000));
  const { code, stderr } = await user.run(["put", path, "--manifest", join("nowhere", "m.json")], { env });
  assert.equal(code, 2);
  assert.match(stderr, /nowhere.m\.json cannot be written/);
  const { stdout } = await user.run(["ls", "--json"], { env });
  assert.ok(!stdout.includes("m.bin"));
});

test("where standard error takes nothing, what is said there is missed, and the file is sent all the same", async () => {
  const { user, env } = await quay();
  const path = user.file("quiet.bin", fileBytes("full stderr", 2 * MIB));
  const program = user.file("full", Buffer.from(`#!/bin/sh\nexec '${quayProgram}' "$@" 2>/dev/full\n`));
  chmodSync(program, 0o755);
  const { code, stdout } = await user.run(["put", path], { env, program });
  assert.equal(code, 0, stdout);
});

test("where standard output takes nothing, that is told once, and the command has failed", async () => {
  const { user, env } = await quay();
  mkdirSync(join(user.home, "two"));
  user.file("two/a.txt", "a");
  user.file("two/b.txt", "b");
  const program = user.file("full", Buffer.from(`#!/bin/sh\nexec '${quayProgram}' "$@" >/dev/full\n`));
  chmodSync(program, 0o755);
  for (const args of [["put", "two", "--json"], ["put", "two"], ["ls"], ["usage"], ["completions", "bash"]]) {
    const { code, stderr } = await user.run(args, { env, program });
    assert.equal(code, 1, `${args.join(" ")}: ${stderr}`);
    assert.equal(stderr.match(/standard output cannot be written: No space left/g)?.length, 1, stderr);
  }
});

test("whoever reads the results may have had enough", async () => {
  const { user, env } = await quay();
  const path = user.file("a.txt", "a");
  // What is read from has no reader any more before anything is said.
  const program = "/bin/bash";
  const closed = `exec 3> >(:); wait $!; exec "$0" put "$1" --json >&3`;
  const { code, stderr } = await user.run(["-c", closed, quayProgram, path], { env, program });
  assert.equal(code, 0, stderr);
});

test("what is not whole yet is refused, and nothing is kept of the refusal", async () => {
  const { user, env } = await quay();
  const created = await stack.client.init({ fileName: "part.bin", fileSize: 10 }, bearer(env));
  const { uploadId } = created.json<{ uploadId: string }>();
  const { code, stderr } = await user.run(["get", uploadId, "-o", "part.bin", "--retry-for", "1s"], { env });
  assert.equal(code, 1, stderr);
  assert.ok(!existsSync(join(user.home, "part.bin.quay-part")), stderr);
});
