// A real scanner: ClamAV's clamd, asked by examples/scanner as it stands there, with the one signature that matches EICAR's test file.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, test } from "node:test";

import { fileBytes, MIB } from "./support/bytes.ts";
import { EICAR, STREAM_MAX_BYTES, skip, startClamd } from "./support/clamd.ts";
import { Held } from "./support/held.ts";
import { send } from "./support/http.ts";
import { freePort } from "./support/ports.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { waitFor } from "./support/wait.ts";
import { repositoryRoot } from "./support/wrangler_config.ts";

/** The example, as its README starts it. */
async function startExample(port: number, secret: string, clamd: string): Promise<() => string> {
  let output = "";
  const child = spawn(process.execPath, ["examples/scanner/scanner.mjs"], {
    cwd: repositoryRoot,
    env: {
      PATH: process.env.PATH,
      SCANNER_SECRET: secret,
      SCANNER_LISTEN: `127.0.0.1:${port}`,
      CLAMD: clamd,
      CLAMD_STREAM_MAX_BYTES: String(STREAM_MAX_BYTES),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  after(() => child.kill());
  await waitFor("the scanner to listen", () => output.includes("listening"));
  return () => output;
}

test("clamd looks at what is held: what is clean is released, and what is not goes", { skip }, async () => {
  const clamd = await startClamd();
  const port = await freePort();
  const SCANNER = JSON.stringify({ url: `http://127.0.0.1:${port}/`, secret: "SCANNER_SECRET" });
  const held = await Held.start({ SCANNER, DELIVERY_MAX_ATTEMPTS: 30, DELIVERY_FIRST_DELAY_SECONDS: 1 });
  const log = await startExample(port, held.stack.secrets.SCANNER_SECRET ?? "", clamd.address);

  const clean = await held.upload(fileBytes("clean", MIB), "clean.bin");
  await held.waitUntil(clean, (status) => !status.held);
  assert.equal((await held.status(clean)).state, "completed", log());
  assert.deepEqual(await held.heard("origin", clean, "upload.completed"), ["upload.held", "upload.completed"]);

  const empty = await held.upload(Buffer.alloc(0), "empty.bin");
  await held.waitUntil(empty, (status) => !status.held);

  for (const [name, bytes] of [
    ["eicar.com", EICAR],
    ["hidden.bin", Buffer.concat([fileBytes("before", MIB), EICAR, fileBytes("behind", 1000)])],
  ] as const) {
    const id = await held.upload(bytes, name);
    const { reason } = await held.waitUntil(id, ({ state }) => state === "failed");
    assert.match(reason ?? "", /^It was rejected: Eicar-Test-Signature/);
    await waitUntilNothingLeft(held.stack.persistDir, id);
  }

  const long = await held.upload(fileBytes("long", STREAM_MAX_BYTES + MIB), "long.bin");
  const isDone = (one: { name: string; state: string }) => one.name === "scanner" && one.state === "delivered";
  await held.waitUntil(long, ({ receivers }) => receivers?.some(isDone) ?? false);
  assert.equal((await held.status(long)).held, true, "what clamd does not take is left to a person");

  await clamd.stop();
  const waiting = await held.upload(EICAR, "waits.com");
  await waitFor("clamd to be missed", () => log().includes("not now"));
  assert.equal((await held.status(waiting)).held, true);

  const forged = await send(`http://127.0.0.1:${port}`, "POST", "/", { body: JSON.stringify({ type: "upload.held" }) });
  assert.equal(forged.status, 401);
});
