// The network between the browser and the Worker: it counts what the browser sends, can be cut, and can be made to hold back
// everything after so many bytes, so that a test acts in the middle of an upload however fast the machine is. What is held back of
// a connection that the browser has closed is lost: the kernel's buffers have room for a whole file, which would otherwise
// arrive after the release, and complete the upload of a page that is long gone.

import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";

import { freePort } from "../support/ports.ts";

/** Of a connection, in the kernel's table of them. */
const ESTABLISHED = "01";

export class Wire {
  readonly url: string;
  /** Bytes from the browser, heads of requests included. */
  sentBytes = 0;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #pairs = new Set<{ browser: Socket; worker: Socket }>();
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

  /** After so many further bytes from the browser, nothing more goes through. */
  holdAfter(bytes: number): void {
    this.#holdAtBytes = this.sentBytes + bytes;
  }

  release(): void {
    this.#holdAtBytes = Number.POSITIVE_INFINITY;
    for (const { browser, worker } of this.#pairs) {
      if (isClosed(browser)) {
        browser.destroy();
        worker.destroy();
      } else {
        browser.resume();
      }
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
    const pair = { browser, worker };
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
      this.sentBytes += bytes.length;
      const isFull = !worker.write(bytes);
      if (this.sentBytes >= this.#holdAtBytes) {
        browser.pause();
      } else if (isFull) {
        browser.pause();
        worker.once("drain", () => this.sentBytes < this.#holdAtBytes && browser.resume());
      }
    });
  }
}

/**
 * Whether the other side has closed it. Nobody who does not read is told, but the kernel knows the state of the other end, which is on this
 * machine: Linux shows it under its two ports. Where there is nothing of it, it is taken for open: one that was reset tells so when it is read.
 */
function isClosed({ remotePort = 0, localPort = 0 }: Socket): boolean {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
  const other = new RegExp(`:${hex(remotePort)} [0-9A-F]+:${hex(localPort)} ([0-9A-F]{2}) `);
  try {
    const [, state] = other.exec(readFileSync("/proc/net/tcp", "latin1")) ?? [];
    return state !== undefined && state !== ESTABLISHED;
  } catch {
    return false;
  }
}
