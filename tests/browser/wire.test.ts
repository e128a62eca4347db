// What a held network does with the bytes of somebody who has gone.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";

import { freePort } from "../support/ports.ts";
import { waitFor } from "../support/wait.ts";
import { Wire } from "./wire.ts";

const MIB = 1024 * 1024;
let wire: Wire;
/** Of each connection, in their order: the bytes that came. */
const arrived: number[] = [];
const worker = createServer((socket) => {
  const at = arrived.push(0) - 1;
  socket.on("data", ({ length }) => {
    arrived[at] = Number(arrived[at]) + length;
  });
  socket.on("error", () => {});
});

before(async () => {
  const port = await freePort();
  await new Promise<void>((resolve) => worker.listen(port, "127.0.0.1", resolve));
  wire = await Wire.start(`http://127.0.0.1:${port}`);
});
after(async () => {
  await wire.stop();
  await new Promise((resolve) => worker.close(resolve));
});

test("what is held of a closed connection never arrives, and of an open one all does", async () => {
  const port = Number(new URL(wire.url).port);
  wire.holdAfter(MIB);
  const gone = connect(port, "127.0.0.1");
  gone.write(Buffer.alloc(8 * MIB));
  await waitFor("the first bytes to go through", () => Number(arrived[0]) >= MIB);
  const before = Number(arrived[0]);
  assert.ok(before < 2 * MIB, `${before} bytes went through`);
  // What the kernel has of it is on its way all the same.
  gone.destroy();
  await once(gone, "close");
  const staying = connect(port, "127.0.0.1");
  staying.write(Buffer.alloc(8 * MIB));
  await waitFor("the other connection", () => arrived.length === 2);
  wire.release();
  await waitFor("all of the open one", () => arrived[1] === 8 * MIB);
  assert.equal(arrived[0], before);
  staying.destroy();
});
