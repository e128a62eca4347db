// What `quay` is given that is wrong, gone, changing, somebody else's or forbidden: a clear sentence, the right exit code, nothing lost.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { crc64nvme, fileBytes, MIB } from "../support/bytes.ts";
import { freePort } from "../support/ports.ts";
import { eventOf, Quay, quayProgram } from "../support/quay.ts";
import { Stack } from "../support/stack.ts";

const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: "" } });
const { client } = stack;
after(() => stack.stop());

const SLOWLY = ["--chunk-size", "5M", "--parallel", "2", "--limit-rate", "8M"];
/** Nobody's user: root may read and write everything, and could not show what others may not. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

function quay(endpoint?: string): Quay {
  const made = new Quay(endpoint ?? stack.baseUrl);
  after(() => made.remove());
  return made;
}

/** Runs as somebody who may not do everything. */
function ordinary(user: Quay): { uid?: number; program?: string } {
  if (!isRoot) {
    return {};
  }
  chownSync(user.home, NOBODY, NOBODY);
  const folder = mkdtempSync(join(tmpdir(), "quayside-program-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const program = join(folder, "quay");
  copyFileSync(quayProgram, program);
  chmodSync(program, 0o755);
  return { uid: NOBODY, program };
}

test("a file that changes while it is sent is taken back, and sent whole by the next run", async () => {
  const user = quay();
  const path = user.file("growing.log", fileBytes("quay growing", 30 * MIB));
  const running = user.start(["put", path, "--json", ...SLOWLY]);
  const { uploadId = "" } = await running.event("started");
  await client.waitUntilCounted(uploadId, 5 * MIB);
  appendFileSync(path, "more");
  const { code } = await running.ended;
  assert.equal(code, 1);
  assert.match(eventOf(running.events, "failed").message ?? "", /has changed while it was being sent/);
  assert.equal((await client.status(uploadId)).json<{ state: string }>().state, "aborted");
  const finished = eventOf(await user.events(["put", path]), "finished");
  assert.notEqual(finished.uploadId, uploadId);
  assert.equal(finished.sentBytes, 30 * MIB + 4);
});

test("a file that has changed since a run was killed begins again, and nothing of the old one stays", async () => {
  const user = quay();
  const path = user.file("edited.bin", fileBytes("quay edited", 30 * MIB));
  const running = user.start(["put", path, "--json", ...SLOWLY]);
  const { uploadId = "" } = await running.event("started");
  await client.waitUntilCounted(uploadId, 5 * MIB);
  await running.kill();
  const bytes = fileBytes("quay edited again", 12 * MIB);
  user.file("edited.bin", bytes);
  const events = await user.events(["put", path]);
  assert.equal(eventOf(events, "started").resumedFromBytes, 0);
  const { object } = await client.waitUntilState(eventOf(events, "finished").uploadId ?? "", "completed");
  assert.equal(object?.crc64nvme, crc64nvme(bytes));
  assert.equal((await client.status(uploadId)).json<{ state: string }>().state, "aborted");
});

test("a file that is cut short while it is sent is taken back", async () => {
  const user = quay();
  const path = user.file("shrinking.bin", fileBytes("quay shrinking", 30 * MIB));
  const running = user.start(["put", path, "--json", ...SLOWLY]);
  const { uploadId = "" } = await running.event("started");
  await client.waitUntilCounted(uploadId, 5 * MIB);
  truncateSync(path, 6 * MIB);
  assert.equal((await running.ended).code, 1);
  assert.match(eventOf(running.events, "failed").message ?? "", /has changed while it was being sent/);
  assert.equal((await client.status(uploadId)).json<{ state: string }>().state, "aborted");
});

test("a file that vanishes before its turn fails alone", async () => {
  const user = quay();
  mkdirSync(join(user.home, "many"));
  for (let number = 10; number < 40; number++) {
    user.file(`many/${number}.bin`, fileBytes(`quay vanished ${number}`, MIB));
  }
  const running = user.start(["put", "many", "--json", "--parallel", "1", "--limit-rate", "8M"]);
  await running.event("finished");
  rmSync(join(user.home, "many/39.bin"));
  assert.equal((await running.ended).code, 1);
  const failed = eventOf(running.events, "failed");
  assert.match(`${failed.file} ${failed.message}`, /^many\/39\.bin .*39\.bin is not there \(any more\)/);
  assert.equal(eventOf(running.events, "end").sentFiles, 29);
});

test("a file that vanishes while it is sent is sent all the same, since it was open", async () => {
  const user = quay();
  const bytes = fileBytes("quay vanishing", 20 * MIB);
  const path = user.file("vanishing.bin", bytes);
  const running = user.start(["put", path, "--json", ...SLOWLY]);
  await running.event("started");
  rmSync(path);
  assert.equal((await running.ended).code, 0);
});

test("two at once: the second says that the first is sending it, and the first finishes", async () => {
  const user = quay();
  const path = user.file("shared.bin", fileBytes("quay shared", 20 * MIB));
  const first = user.start(["put", path, "--json", ...SLOWLY]);
  await first.event("started");
  const second = await user.run(["put", path]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /is being sent by another `quay put`/);
  assert.equal((await first.ended).code, 0);
});

test("a file that may not be read fails alone, and is sent once it may", async () => {
  const user = quay();
  mkdirSync(join(user.home, "mixed"));
  user.file("mixed/a.txt", "a");
  const secret = user.file("mixed/secret.txt", "secret");
  const options = ordinary(user);
  chmodSync(secret, 0o000);
  const { code, stderr, stdout } = await user.run(["put", "mixed"], options);
  assert.equal(code, 1);
  assert.match(stderr, /secret\.txt may not be read by this user/);
  assert.match(stderr, /1 file sent.*1 file not sent: the same command goes on/);
  assert.match(stdout, /mixed\/a\.txt/);
  chmodSync(secret, 0o644);
  const end = eventOf(await user.events(["put", "mixed"], options), "end");
  assert.deepEqual([end.sentFiles, end.earlierFiles], [1, 1]);
});

test("a folder that may not be looked into is told, and the others are sent", async () => {
  const user = quay();
  mkdirSync(join(user.home, "mixed/locked"), { recursive: true });
  user.file("mixed/a.txt", "a");
  user.file("mixed/locked/b.txt", "b");
  const options = ordinary(user);
  chmodSync(join(user.home, "mixed/locked"), 0o000);
  const { code, stderr, stdout } = await user.run(["put", "mixed"], options);
  chmodSync(join(user.home, "mixed/locked"), 0o755);
  assert.equal(code, 1);
  assert.match(stderr, /A folder could not be looked into: .*mixed\/locked.*Permission denied/);
  assert.match(stdout, /mixed\/a\.txt/);
  const end = eventOf(await user.events(["put", "mixed"], options), "end");
  assert.deepEqual([end.sentFiles, end.earlierFiles], [1, 1]);
});

test("a folder that may not be written to keeps nothing, and it is said", async () => {
  const user = quay();
  const { uploadId = "" } = eventOf(await user.events(["put", user.file("a.txt", "a")]), "finished");
  const options = ordinary(user);
  mkdirSync(join(user.home, "locked"), { mode: 0o555 });
  const { code, stderr } = await user.run(["get", uploadId, "-o", "locked/a.txt"], options);
  assert.equal(code, 1);
  assert.match(stderr, /locked\/a\.txt.* cannot be written: Permission denied/);
});

test("a name cannot command the terminal", async () => {
  const user = quay();
  const path = user.file("red\u001b[31m.txt", "red");
  const sent = await user.run(["put", path]);
  assert.equal(sent.code, 0, sent.stderr);
  rmSync(path);
  const missing = await user.run(["put", path]);
  assert.equal(missing.code, 2);
  for (const said of [sent.stdout, sent.stderr, missing.stderr]) {
    assert.match(said, /red.*\[31m\.txt|1 file sent/);
    assert.ok(!said.includes("\u001b"), JSON.stringify(said));
  }
});

test("a state folder that cannot be written is told, and the file is sent", async () => {
  const user = quay();
  const path = user.file("a.txt", "a");
  const options = ordinary(user);
  const folder = join(user.home, "locked");
  mkdirSync(folder, { mode: 0o555 });
  const { code, stderr } = await user.run(["put", path], {
    ...options,
    env: { QUAY_STATE_DIR: join(folder, "state") },
  });
  assert.equal(code, 0);
  assert.match(stderr, /Nothing can be kept in .*locked.* begins again/);
});

test("a state folder that becomes full is told, and the file is sent", async () => {
  const user = quay();
  const bytes = fileBytes("quay full", 22 * MIB);
  const path = user.file("full.bin", bytes);
  // No file of this process may become longer than a kibibyte.
  const limited = `trap '' XFSZ; ulimit -f 1; exec "$0" put "$1"`;
  const { code, stderr } = await user.run(["-c", limited, quayProgram, path], { program: "/bin/bash" });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /cannot be written.*An interruption now means to begin again/);
});

test("a name that is no UTF-8 is told as well as it can be, with its bytes beside it", async () => {
  const user = quay();
  mkdirSync(join(user.home, "odd"));
  const name = Buffer.concat([Buffer.from(join(user.home, "odd/caf")), Buffer.from([0xe9]), Buffer.from(".txt")]);
  writeFileSync(name, "odd");
  const { uploadId = "" } = eventOf(await user.events(["put", "odd"]), "finished");
  const status = (await client.status(uploadId)).json<{ fileName: string; metadata: Record<string, string> }>();
  assert.equal(status.fileName, "caf\u{fffd}.txt");
  assert.equal(status.metadata.relativePathBytes, "odd/caf%E9.txt");
});

test("a sparse file of a tebibyte is refused at once, and not read", async () => {
  const user = quay();
  const path = user.file("sparse.img", "");
  truncateSync(path, 1024 ** 4);
  const { code, stderr } = await user.run(["put", path]);
  assert.equal(code, 3);
  assert.match(stderr, /too large|larger/i);
});

test("what is no file is named, and so is what is not there", async () => {
  const user = quay();
  const socket = join(user.home, "socket");
  const server = createTcpServer().listen(socket);
  after(() => server.close());
  const pipe = join(user.home, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const [args, complaint] of [
    [["put", socket], /is a socket, not a file/],
    [["put", pipe], /is a pipe, not a file\. A stream is sent by `quay put -`/],
    [["put", "/dev/null"], /is a device, not a file/],
    [["put", join(user.home, "nothing")], /nothing cannot be sent: No such file/],
    [["put", user.home, "--include", "*.none"], /There is no file to send/],
    [["put", user.home, "--include", "["], /is no pattern/],
    [["put", "-", user.home], /is sent by itself/],
    [["put"], /required/],
    [["put", "a", "--chunk-size", "1.5M"], /not a size/],
    [["put", "a", "--limit-rate", "0"], /zero/],
    [["put", "a", "--nonsense"], /unexpected argument/],
    [["status", "nobody"], /is no upload's id/],
    [["get", "nobody"], /neither an upload's id nor a link/],
  ] as const) {
    const { code, stderr } = await user.run([...args]);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, complaint);
  }
});

test("an endpoint that is none, is missing, or is not understood is a mistake of the command line", async () => {
  const user = new Quay();
  after(() => user.remove());
  const path = user.file("a.txt", "a");
  assert.match((await user.run(["put", path])).stderr, /No endpoint is known/);
  assert.match((await user.run(["put", path, "--endpoint", "upload.example.com"])).stderr, /is no endpoint/);
  const config = user.file("config.toml", "endpiont = 'x'");
  const { code, stderr } = await user.run(["put", path, "--config", config]);
  assert.equal(code, 2);
  assert.match(stderr, /config\.toml is not understood.*endpiont/s);
});

test("an endpoint that is something else is said to be that", async () => {
  const server = createServer((_, response) => response.writeHead(404).end("<html>")).listen(0, "127.0.0.1");
  after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const user = quay(url);
  for (const bytes of [new Uint8Array(1), new Uint8Array(2 * MIB)]) {
    const { code, stderr } = await user.run(["put", user.file("a.bin", bytes)]);
    assert.equal(code, 3);
    assert.match(stderr, /No Quayside answers at .*: is the endpoint right\?/);
  }
  for (const args of [["doctor"], ["login", url], ["put", "-"]]) {
    const { code, stderr } = await user.run(args);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /No Quayside answers/);
  }
});

test("where nobody answers it tries for as long as it was told, and the same command goes on later", async () => {
  const user = quay(`http://127.0.0.1:${await freePort()}`);
  const { code, stderr } = await user.run(["put", user.file("a.txt", "a"), "--retry-for", "1s"]);
  assert.equal(code, 1);
  assert.match(stderr, /The server cannot be reached: .*Given up: nothing has succeeded for 1 s/);
});

test("TLS that fails is no outage: it is said what to look at", async () => {
  const user = quay(stack.baseUrl.replace("http:", "https:"));
  const { code, stderr } = await user.run(["put", user.file("a.txt", "a")]);
  assert.equal(code, 3);
  assert.match(stderr, /No TLS connection could be made: .*clock/);
});

test("the server's wish to be left alone is obeyed", async () => {
  let asked = 0;
  const times: number[] = [];
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      times.push(Date.now());
      asked += 1;
      const type = "https://u.example/errors#rate-limited";
      if (asked === 1) {
        response
          .writeHead(429, { "Retry-After": "2" })
          .end(JSON.stringify({ type, code: "rate-limited", title: "Too many", detail: "Wait." }));
      } else {
        response
          .writeHead(201, { Location: "/files/067e6162-3b6f-4ae2-a171-2470b63dff00", "Upload-Offset": "1" })
          .end();
      }
    });
  }).listen(0, "127.0.0.1");
  after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const user = quay(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await user.events(["put", user.file("a.txt", "a")]);
  const [first = 0, second = 0] = times;
  assert.ok(second - first >= 2_000, `it came again after ${second - first} ms`);
});
