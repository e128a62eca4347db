// Tokens that expire while `quay` works: what was begun goes on, and a command that prints tokens is asked again.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { eventOf, Quay } from "../support/quay.ts";
import { Stack } from "../support/stack.ts";
import { bearer, claimsOf, mint, secondsFromNow } from "../support/tokens.ts";
import { waitFor } from "../support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "", AUTH: "token" } });
const { client } = stack;
after(() => stack.stop());

function quay(): Quay {
  const made = new Quay(stack.baseUrl);
  after(() => made.remove());
  return made;
}

/** Good for so many seconds more, by a clock of which 30 are forgiven. */
const brief = (owner: string, seconds: number) => mint(stack, claimsOf(owner, { exp: secondsFromNow(seconds - 30) }));
const good = (owner: string) => mint(stack, claimsOf(owner));

async function untilExpired(token: string): Promise<void> {
  await waitFor("the token to expire", async () => {
    return (await client.request("GET", "/uploads", { headers: bearer(token) })).status === 401;
  });
}

/** A command that prints `first` once and `then` from there on. How often it has run is in the file `asked`. */
function printing(user: Quay, first: string, then: string): string {
  return `echo >> '${join(user.home, "asked")}'; [ $(wc -l < '${join(user.home, "asked")}') = 1 ] && echo '${first}' || echo '${then}'`;
}

const asked = (user: Quay) => readFileSync(join(user.home, "asked"), "utf8").length;

for (const input of [["--live", "-"], ["-"]]) {
  test(`an input that lasts longer than its token is sent to its end: put ${input.join(" ")}`, async () => {
    const user = quay();
    const token = brief("alice", 12);
    const args = ["put", ...input, "--json", "--chunk-size", "5M"];
    const running = user.start(args, { stdin: "open", env: { QUAY_TOKEN: token } });
    const bytes = fileBytes("quay longer than its token", 6 * MIB);
    running.child.stdin?.write(bytes);
    await running.event("progress");
    await untilExpired(token);
    running.child.stdin?.end(bytes);
    assert.equal((await running.ended).code, 0, running.stderr);
    assert.equal(eventOf(running.events, "finished").sha256, sha256(Buffer.concat([bytes, bytes])));
  });
}

test("files that begin after the token has expired are sent with what the command prints then", async () => {
  const user = quay();
  mkdirSync(join(user.home, "many"));
  for (let number = 0; number < 40; number += 1) {
    user.file(`many/${number}`, fileBytes(`quay renewal ${number}`, MIB));
  }
  const env = { QUAY_TOKEN_COMMAND: printing(user, brief("bob", 5), good("bob")) };
  const events = await user.events(["put", "many", "--limit-rate", "3M"], { env });
  assert.equal(eventOf(events, "end").sentFiles, 40);
  assert.equal(asked(user), 2, "once at the beginning, and once for all that were refused");
});

test("a command that goes on printing what has expired is waited for, and then given up", async () => {
  const user = quay();
  const expired = mint(stack, claimsOf("carol", { exp: secondsFromNow(-100) }));
  const args = ["put", user.file("a.txt", "a"), "--retry-for", "2s", "--token-command", `echo '${expired}'`];
  const { code, stderr } = await user.run(args);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /still prints the same one.*Given up/);
});

test("login keeps a command in place of a token, for this server alone", async () => {
  const user = quay();
  const command = printing(user, good("dora"), good("dora"));
  const login = await user.run(["login", stack.baseUrl, "--token-command", command]);
  assert.equal(login.code, 0, login.stderr);
  const kept = readFileSync(join(user.home, ".config/quay/config.toml"), "utf8");
  assert.match(kept, /^token_command = /m);
  assert.ok(!/^token = /m.test(kept), "no token is kept");
  assert.equal((await user.run(["ls"])).code, 0);
  const before = asked(user);
  const elsewhere = await user.run(["ls", "--endpoint", stack.baseUrl.replace("127.0.0.1", "localhost")]);
  assert.equal(elsewhere.code, 3);
  assert.equal(asked(user), before, "the command is not asked for another server");
});

test("a command that fails, and one beside a token, are told", async () => {
  const user = quay();
  const failed = await user.run(["ls", "--token-command", "echo no key here >&2; exit 7"]);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /no key here\n.*The command for the token has failed/s);
  const both = await user.run(["ls", "--token-command", "true"], { env: { QUAY_TOKEN: good("alice") } });
  assert.equal(both.code, 2);
});
