// Free TCP ports on the loopback, for servers that must come back on the port they had.
//
// Ports are taken below the range from which the kernel serves outgoing connections, so that nobody's client socket
// sits on a server's port while that server is being restarted. A port is its process's own until that ends, whether anybody listens
// there or not: files of tests run side by side, and a server that is starting or killed would find another in its place. So each port that is
// taken has a file of its own in a folder that all processes share.

import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;

/** No process of tests lives so long: what is older was left by one that was killed. */
const LEFT_AFTER_MS = 24 * 3_600_000;

const folder = join(tmpdir(), "quayside-ports");
const taken = new Set<string>();

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    if (take(port) && (await canListen(port))) {
      return port;
    }
  }
  throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT}`);
}

/** Whether nobody else has it. */
function take(port: number): boolean {
  const path = join(folder, String(port));
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
  } catch {
    const writtenMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - writtenMs > LEFT_AFTER_MS) {
      // For whoever asks next.
      rmSync(path, { force: true });
    }
    return false;
  }
  if (taken.size === 0) {
    process.once("exit", () => {
      for (const path of taken) {
        rmSync(path, { force: true });
      }
    });
  }
  taken.add(path);
  return true;
}

export function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
