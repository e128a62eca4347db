// A clamd of the test's own, from Debian's clamav-daemon: its configuration, its port, and a database of one signature, since the real one
// cannot be fetched here.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort } from "./ports.ts";
import { waitFor } from "./wait.ts";

/** Where its program is: as the test run says, or where Debian puts it. */
const PROGRAM = process.env.CLAMD || "/usr/sbin/clamd";

export const skip = existsSync(PROGRAM) ? false : "there is no clamd (clamav-daemon)";

/** The EICAR test file, in two pieces: this source is no virus either. */
export const EICAR = Buffer.from(
  [String.raw`X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR`, "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].join(""),
);

export const STREAM_MAX_BYTES = 2 * 2 ** 20;

export type Clamd = { address: string; stop: () => Promise<void> };

export async function startClamd(): Promise<Clamd> {
  const folder = mkdtempSync(join(tmpdir(), "quayside-clamd-"));
  const port = await freePort();
  const database = join(folder, "database");
  mkdirSync(database);
  writeFileSync(join(database, "own.ndb"), `Eicar-Test-Signature:0:*:${EICAR.toString("hex")}\n`);
  const settings = [
    `DatabaseDirectory ${database}`,
    "TCPAddr 127.0.0.1",
    `TCPSocket ${port}`,
    `PidFile ${join(folder, "pid")}`,
    `TemporaryDirectory ${folder}`,
    `StreamMaxLength ${STREAM_MAX_BYTES}`,
    "Foreground yes",
  ];
  const config = join(folder, "clamd.conf");
  writeFileSync(config, `${settings.join("\n")}\n`);
  const child = spawn(PROGRAM, ["--foreground", `--config-file=${config}`], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await waitFor("clamd to answer", () => isThere(port), { lastSeen: () => output });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { address: `127.0.0.1:${port}`, stop };
}

function isThere(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.end("zPING\0"));
    socket.once("data", (reply) => resolve(reply.toString().startsWith("PONG")));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
