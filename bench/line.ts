// The line between the client and a server: a proxy on the loopback through which every byte takes its time, upwards no faster than the line
// carries, and with losses. A lost segment is seen as TCP shows it: nothing behind it arrives until it has been sent again.

import type { AddressInfo } from "node:net";
import { createServer, connect as dial, type Socket } from "node:net";

import type { Distances } from "./distances.ts";

/** What one segment carries on the way through a network. */
const SEGMENT_BYTES = 1400;
/** What a loss costs beside the way itself, at least (RFC 6298, which has a second; Linux has this). */
const RETRANSMISSION_MS = 200;
/** So much may be under way in one direction before the sender is told to wait. */
const WINDOW_BYTES = 4 * 1024 * 1024;

export type Line = { url: string; stop: () => void };

export async function line(target: string, distances: Distances): Promise<Line> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const uplink = new Pace(distances);
  const server = createServer((client) => {
    const upstream = dial({ host: hostname, port: Number(port), noDelay: true });
    client.setNoDelay(true);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => {
        client.destroy();
        upstream.destroy();
      });
    }
    carry(client, upstream, (bytes) => uplink.arrivalOf(bytes));
    carry(upstream, client, () => performance.now() + distances.clientMs / 2);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

/** When what is sent upwards arrives, by the clock of `performance.now`. All connections share it. */
class Pace {
  readonly #distances: Distances;
  #freeAt = 0;
  #segments = 0;

  constructor(distances: Distances) {
    this.#distances = distances;
  }

  arrivalOf(bytes: number): number {
    const { clientMs, bitsPerSecond, lossPercent = 0 } = this.#distances;
    const sendMs = bitsPerSecond === undefined ? 0 : (bytes * 8 * 1000) / bitsPerSecond;
    this.#freeAt = Math.max(this.#freeAt, performance.now()) + sendMs;
    return this.#freeAt + clientMs / 2 + this.#lost(bytes, lossPercent) * (clientMs + RETRANSMISSION_MS);
  }

  /** Each hundredth segment, say, and not by chance: both servers meet the same line. */
  #lost(bytes: number, percent: number): number {
    const before = Math.floor((this.#segments * percent) / 100);
    this.#segments += bytes / SEGMENT_BYTES;
    return Math.floor((this.#segments * percent) / 100) - before;
  }
}

/** In order, each piece when it is due. */
function carry(from: Socket, to: Socket, arrivalOf: (bytes: number) => number): void {
  const underWay: { due: number; piece: Buffer | undefined }[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  const deliver = () => {
    timer = undefined;
    for (let first = underWay[0]; first !== undefined && first.due <= performance.now(); first = underWay[0]) {
      underWay.shift();
      first.piece === undefined ? to.end() : to.write(first.piece);
      bytes -= first.piece?.length ?? 0;
    }
    if (bytes <= WINDOW_BYTES) {
      from.resume();
    }
    const next = underWay[0];
    if (next !== undefined) {
      timer = setTimeout(deliver, Math.max(0, next.due - performance.now()));
    }
  };
  const send = (due: number, piece?: Buffer) => {
    underWay.push({ due: Math.max(due, underWay.at(-1)?.due ?? 0), piece });
    if (timer === undefined) {
      timer = setTimeout(deliver, Math.max(0, due - performance.now()));
    }
  };
  from.on("data", (piece) => {
    bytes += piece.length;
    send(arrivalOf(piece.length), piece);
    if (bytes > WINDOW_BYTES) {
      from.pause();
    }
  });
  from.on("end", () => send(0));
}
