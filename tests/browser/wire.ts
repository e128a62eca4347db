// The network between the browser and the Worker: it counts what the browser sends, can be cut, and can be made to hold back
// everything after so many bytes, so that a test acts in the middle of an upload however fast the machine is. What is held back of
// a connection that the browser has closed is lost: left in the kernel's buffers, which have room for a whole file, it would
// arrive after the release, and complete the upload of a page that is long gone.

import { connect, createServer, type Server, type Socket } from "node:net";

import { freePort } from "../support/ports.ts";

interface Pair {
  readonly browser: Socket;
  readonly worker: Socket;
  /** What came while everything is held back; undefined where nothing came since. */
  held: Buffer[] | undefined;
}

export class Wire {
  readonly url: string;
  /** Bytes from the browser that went through, heads of requests included. */
  sentBytes = 0;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #pairs = new Set<Pair>();
  #isCut = false;
  #holdAtBytes = Number.POSITIVE_INFINITY;

  static async start(targetUrl: string): Promise<Wire> {
    const wire = new Wire(Number(new URL(targetUrl).port), await freePort());
    await new Promise<void>((resolve) => wire.#server.listen(Number(new URL(wire.url).port), "127.0.0.1", resolve));
    return wire;
  }

  private constructor(targetPort: number, port: number) {
    this.#targetPort = targetPort;
    this.url = `http://127.0.0.1:${port}`;
    this.#server = createServer((browser) => this.#join(browser));
  }

  /** Ends every connection and takes no new one. */
  cut(): void {
    this.#isCut = true;
    for (const { browser, worker } of this.#pairs) {
      browser.resetAndDestroy();
      worker.resetAndDestroy();
    }
  }

  mend(): void {
    this.#isCut = false;
  }

  /** After so many further bytes from the browser, each connection gives on what comes next, and nothing more. */
  holdAfter(bytes: number): void {
    this.#holdAtBytes = this.sentBytes + bytes;
  }

  release(): void {
    this.#holdAtBytes = Number.POSITIVE_INFINITY;
    for (const pair of this.#pairs) {
      const held = Buffer.concat(pair.held ?? []);
      pair.held = undefined;
      this.#pass(pair, held);
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(browser: Socket): void {
    if (this.#isCut) {
      browser.resetAndDestroy();
      return;
    }
    const worker = connect(this.#targetPort, "127.0.0.1");
    const pair: Pair = { browser, worker, held: undefined };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      browser.destroy();
      worker.destroy();
    };
    for (const socket of [browser, worker]) {
      socket.on("error", end).on("close", end);
    }
    worker.pipe(browser);
    browser.on("data", (bytes) => {
      if (pair.held !== undefined) {
        pair.held.push(bytes);
        return;
      }
      this.#pass(pair, bytes);
      if (this.sentBytes >= this.#holdAtBytes) {
        pair.held = [];
      }
    });
  }

  #pass({ browser, worker }: Pair, bytes: Buffer): void {
    this.sentBytes += bytes.length;
    if (!worker.write(bytes)) {
      browser.pause();
      worker.once("drain", () => browser.resume());
    }
  }
}
