// A TCP proxy in front of a server: counts the bytes that clients send and get, and cuts connections where a test wants it.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class CountingProxy {
  /** All that clients have sent, and have got. */
  upBytes = 0;
  downBytes = 0;
  /** How many connections were cut. */
  cuts = 0;
  /** A connection is cut once its client has sent, or got, so many bytes. */
  cutUpAfterBytes = Number.POSITIVE_INFINITY;
  cutDownAfterBytes = Number.POSITIVE_INFINITY;
  /** A connection is cut so long after it was made. */
  cutAfterMs = Number.POSITIVE_INFINITY;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async before(url: string): Promise<CountingProxy> {
    const proxy = new CountingProxy(Number(new URL(url).port));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(port: number) {
    this.#server = createServer((client) => this.#relay(client, connect(port, "127.0.0.1")));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    this.#server.close();
  }

  #relay(client: Socket, server: Socket): void {
    let [up, down] = [0, 0];
    const cut = () => {
      this.cuts += 1;
      client.resetAndDestroy();
      server.destroy();
    };
    if (Number.isFinite(this.cutAfterMs)) {
      const timer = setTimeout(cut, this.cutAfterMs);
      client.on("close", () => clearTimeout(timer));
    }
    client.on("data", (bytes) => {
      up += bytes.length;
      this.upBytes += bytes.length;
      if (up > this.cutUpAfterBytes) {
        cut();
      }
    });
    server.on("data", (bytes) => {
      down += bytes.length;
      this.downBytes += bytes.length;
      if (down > this.cutDownAfterBytes) {
        cut();
      }
    });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
