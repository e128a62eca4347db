// Who sits between `quay` and the server: a network that wants a sign-in first. At the first request it is said, and that is all; once the
// server has answered rightly, it is an outage like any other.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request as ask, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";

import { fileBytes, MIB, sha256 } from "../support/bytes.ts";
import { eventOf, Quay } from "../support/quay.ts";
import { Stack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
after(() => stack.stop());

/** Lets everything through, unless a sign-in is wanted. */
class Network {
  /** Whether it is, of the request with this number. */
  wantsSignIn = (_number: number): boolean => false;
  /** With what: a page at once, or where it is. */
  signIn: 200 | 302 | 401 | 403 = 302;
  asked = 0;
  /** How many requests were led to the sign-in. */
  ledAway = 0;
  readonly #server = createServer((request, response) => {
    this.asked += 1;
    if (this.wantsSignIn(this.asked)) {
      this.ledAway += 1;
      // Read to its end: a connection that is closed with bytes unread is reset, and its answer may be lost with it.
      const answer = { Location: "https://portal.example/sign-in", Connection: "close" };
      request.resume().once("end", () => response.writeHead(this.signIn, answer).end());
      return;
    }
    const { method, url = "/", headers } = request;
    const passedOn = ask(new URL(url, stack.baseUrl), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passedOn.on("error", () => response.destroy());
    request.on("error", () => passedOn.destroy());
    request.pipe(passedOn);
  });

  static async start(): Promise<Network> {
    const network = new Network();
    network.#server.listen(0, "127.0.0.1");
    await once(network.#server, "listening");
    after(() => {
      network.#server.closeAllConnections();
      network.#server.close();
    });
    return network;
  }

  user(): Quay {
    const user = new Quay(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
    after(() => user.remove());
    return user;
  }
}

test("a sign-in page at the first request ends it, and it is said who answers", async () => {
  const network = await Network.start();
  network.wantsSignIn = () => true;
  const user = network.user();
  for (const bytes of [new Uint8Array(1), new Uint8Array(2 * MIB)]) {
    const { code, stderr } = await user.run(["put", user.file("a.bin", bytes)]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /Something other than Quayside answered 302 and points to portal\.example/);
  }
  assert.ok(network.ledAway <= 3, "nothing is tried again");
});

const put = (path: string) => ["put", path, "--json", "--chunk-size", "5M", "--parallel", "2", "--limit-rate", "8M"];

for (const [signIn, said] of [
  [302, /answered 302 and points to portal\.example.*Again in/],
  [401, /Something other than Quayside answered 401.*wants a sign-in.*Again in/],
  [403, /Something other than Quayside answered 403.*wants a sign-in.*Again in/],
] as const) {
  test(`a sign-in page in the middle of an upload is sat out, and told: ${signIn}`, async () => {
    const network = await Network.start();
    network.signIn = signIn;
    const user = network.user();
    const bytes = fileBytes(`quay portal ${signIn}`, 25 * MIB);
    const running = user.start(put(user.file("portal.bin", bytes)));
    await running.event("progress");
    network.wantsSignIn = () => true;
    const { text } = await running.event("note");
    assert.match(text ?? "", said);
    network.wantsSignIn = () => false;
    const { code, stderr } = await running.ended;
    assert.equal(code, 0, stderr);
    assert.equal(eventOf(running.events, "finished").sha256, sha256(bytes));
  });
}

test("a sign-in that outlasts the patience, and one that waits for the next run, cost nothing of an upload that was begun", async () => {
  const network = await Network.start();
  network.signIn = 403;
  const user = network.user();
  const bytes = fileBytes("quay portal next", 25 * MIB);
  const path = user.file("portal.bin", bytes);
  const first = user.start([...put(path), "--retry-for", "3s"]);
  const { uploadId } = await first.event("started");
  await first.event("progress");
  network.wantsSignIn = () => true;
  assert.equal((await first.ended).code, 1, "the same command goes on");
  const second = user.start(put(path));
  assert.match((await second.event("note")).text ?? "", /answered 403.*Again in/);
  network.wantsSignIn = () => false;
  assert.equal((await second.ended).code, 0);
  const { resumedFromBytes = 0, ...started } = eventOf(second.events, "started");
  assert.equal(started.uploadId, uploadId);
  assert.ok(resumedFromBytes > 0);
  assert.equal(eventOf(second.events, "finished").sha256, sha256(bytes));
});

test("a sign-in page in the middle of a folder that comes back costs none of its files", async () => {
  const network = await Network.start();
  const user = network.user();
  const bytes = fileBytes("quay portal folder", MIB);
  const { uploadId = "" } = eventOf(await user.events(["put", user.file("a.bin", bytes)]), "finished");
  const files = Array.from({ length: 20 }, (_, number) => ({ path: `${number}`, uploadId, sha256: sha256(bytes) }));
  user.file("m.json", JSON.stringify({ files }));
  const already = network.asked;
  network.wantsSignIn = (number) => number - already > 12 && number - already <= 15;
  await user.events(["get", "--manifest", "m.json", "-o", "back"]);
  assert.equal(network.ledAway, 3);
  for (const { path } of files) {
    assert.equal(sha256(readFileSync(join(user.home, "back", path))), sha256(bytes));
  }
});

test("a sign-in page is no deletion, and no event", async () => {
  const network = await Network.start();
  const user = network.user();
  const path = user.file("a.bin", fileBytes("quay portal deletion", 1000));
  const { uploadId = "" } = eventOf(await user.events(["put", path]), "finished");
  network.signIn = 200;
  network.wantsSignIn = () => true;
  const { code, stderr } = await user.run(["rm", uploadId]);
  assert.equal(code, 1);
  assert.match(stderr, /Something other than Quayside answered 200/);
  const watching = user.start(["watch", uploadId]);
  await waitFor("it to say so", () => /Something other than Quayside answered 200/.test(watching.stderr));
  network.wantsSignIn = () => false;
  assert.equal((await watching.ended).code, 0, "it is there, and complete");
});
