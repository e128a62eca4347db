// Somebody who publishes keys: a JWK set behind a URL, as identity providers have it, which can be down, or
// somewhere else.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export class KeyServer {
  /** What is published: a JWK set, perhaps with more beside `keys`. */
  document: object;
  isDown = false;
  /** Where it sends whoever asks. */
  movedTo: string | undefined;
  /** How often it was asked. */
  fetches = 0;
  readonly #server: Server;

  private constructor(document: object) {
    this.document = document;
    this.#server = createServer((_request, response) => {
      this.fetches++;
      if (this.movedTo !== undefined) {
        response.writeHead(302, { Location: this.movedTo }).end();
        return;
      }
      response.writeHead(this.isDown ? 500 : 200, { "Content-Type": "application/json" });
      response.end(this.isDown ? "down" : JSON.stringify(this.document));
    });
  }

  static async start(document: object): Promise<KeyServer> {
    const server = new KeyServer(document);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/jwks.json`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
