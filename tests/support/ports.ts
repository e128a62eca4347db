// Free TCP ports on the loopback, for servers that must come back on the port they had.
//
// Ports are taken below the range from which the kernel serves outgoing connections, so that nobody's client socket
// sits on a server's port while that server is being restarted.

import { createServer } from "node:net";

const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    if (await canListen(port)) {
      return port;
    }
  }
  throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT}`);
}

export function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
