// A client that watches an upload over its WebSocket, and remembers what it was told and when.

import type { Status } from "./api.ts";
import { waitFor } from "./wait.ts";

export class Watcher {
  readonly told: Status[] = [];
  /** When each came, in milliseconds. */
  readonly toldAtMs: number[] = [];
  /** How the socket was closed, once it is. */
  closed: { code: number; reason: string } | undefined;
  readonly socket: WebSocket;

  constructor(baseUrl: string, uploadId: string, protocols: string[] = []) {
    this.socket = new WebSocket(`${baseUrl.replace("http", "ws")}/upload/${uploadId}/events`, protocols);
    this.socket.onmessage = ({ data }) => {
      this.told.push(JSON.parse(String(data)) as Status);
      this.toldAtMs.push(Date.now());
    };
    this.socket.onclose = ({ code, reason }) => {
      this.closed = { code, reason };
    };
  }

  /** The first told status for which this holds. */
  until(what: string, holds: (status: Status) => boolean): Promise<Status> {
    return waitFor(`being told of ${what}`, () => this.told.find(holds), { lastSeen: () => this.told.at(-1) });
  }

  /** The other side has said that it closes; the connection itself may take some seconds to end. */
  untilClosing(): Promise<boolean> {
    const isClosing = () => this.socket.readyState >= WebSocket.CLOSING;
    return waitFor("the socket to be closing", isClosing, { lastSeen: () => this.told.at(-1) });
  }

  untilClosed(): Promise<{ code: number; reason: string }> {
    return waitFor("the socket to be closed", () => this.closed, { lastSeen: () => this.told.at(-1) });
  }

  close(): void {
    this.socket.close();
  }
}
