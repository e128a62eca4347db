// The example scanner: Quayside asks it about every file that is held, and it has ClamAV's clamd look at it. Node 20 or newer, and nothing else:
// copy this file, and put a scanner of your own in the place of `lookAt`.
//
// What it answers:
//
// | what came of it | answer |
// |---|---|
// | clamd finds nothing | 200, `release` |
// | clamd finds something | 200, `delete`, with its name as the reason |
// | the file is longer than clamd takes | 200, `hold`: a person decides |
// | clamd or the file cannot be had just now | 503: Quayside asks again, unless it has been deleted or decided about meanwhile |
// | the question is not signed with the secret, or is old | 401 |
//
// The file goes from its link to clamd as it comes: no more of it is kept here than is on its way.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { connect } from "node:net";
import { pathToFileURL } from "node:url";

/** A question that is older, or from the future, is none (Standard Webhooks). */
const MOST_AGE_SECONDS = 300;
/** A question is a few kilobytes. */
const MOST_QUESTION_BYTES = 256 * 1024;

/** The file cannot be looked at just now. */
class NotNow extends Error {}

/** Debian's `StreamMaxLength`, 25M. */
const MOST_BYTES = 25 * 1024 * 1024;

/**
 * The server. `clamd` is `host:port`, or the path of a socket; `mostBytes` its `StreamMaxLength`: it closes a connection on which more comes, and
 * what it says of that may be lost with it. `seconds` is less than WEBHOOK_TIMEOUT_SECONDS.
 */
export function scanner({
  secret,
  clamd = "/run/clamav/clamd.ctl",
  mostBytes = MOST_BYTES,
  seconds = 50,
  log = console.log,
}) {
  return createServer(async (request, response) => {
    const answer = (status, said = {}) =>
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(said));
    try {
      const body = await text(request);
      if (!isGenuine(secret, request.headers, body)) {
        return answer(401);
      }
      const { type, data } = JSON.parse(body);
      if (type !== "upload.held") {
        // Whoever answers another event says nothing of what is held.
        return answer(204);
      }
      const said = await lookAt(data, { clamd, mostBytes }, AbortSignal.timeout(seconds * 1000));
      log(`${data.uploadId}: ${said.verdict}${said.reason ? `, ${said.reason}` : ""}`);
      answer(200, said);
    } catch (error) {
      log(`not now: ${error.message}`);
      answer(503);
    }
  });
}

/** What is to become of the file: it is streamed from its link into clamd. */
async function lookAt({ downloadUrl, fileSize }, { clamd, mostBytes }, signal) {
  if (fileSize > mostBytes) {
    return { verdict: "hold", reason: "It is longer than the scanner takes." };
  }
  const file = await fetch(downloadUrl, { signal });
  if (file.status !== 200) {
    await file.body?.cancel();
    throw new NotNow(`the file was answered with ${file.status}`);
  }
  const { reply, sentBytes } = await instream(clamd, file.body ?? [], signal);
  const found = reply.match(/^stream: (.+) FOUND$/)?.[1];
  if (found?.startsWith("Heuristics.Limits.Exceeded")) {
    return { verdict: "hold", reason: "It is longer than the scanner looks at." };
  }
  if (found !== undefined) {
    return { verdict: "delete", reason: found };
  }
  if (reply.includes("size limit exceeded")) {
    return { verdict: "hold", reason: "It is longer than the scanner takes." };
  }
  // A part of a file is no file.
  if (reply !== "stream: OK" || sentBytes !== fileSize) {
    throw new NotNow(`clamd says ${JSON.stringify(reply)} of ${sentBytes} of ${fileSize} bytes`);
  }
  return { verdict: "release" };
}

/** clamd's INSTREAM (https://docs.clamav.net/manual/Usage/ClamdProtocol.html): pieces with their lengths in front, and one of length zero. */
async function instream(clamd, pieces, signal) {
  const [, host, port] = clamd.match(/^(.+):(\d+)$/) ?? [];
  const socket = host === undefined ? connect({ path: clamd, signal }) : connect({ host, port: Number(port), signal });
  let sentBytes = 0;
  let said = "";
  const replied = new Promise((resolve, reject) => {
    socket.setEncoding("utf8").on("data", (part) => {
      said += part;
    });
    socket.on("end", () => resolve());
    // Where it has had enough it says so, and closes: what is still on its way breaks.
    socket.on("error", (error) => (said === "" ? reject(new NotNow(error.message)) : resolve()));
  });
  replied.catch(() => {});
  const write = async (bytes) => {
    if (!socket.write(bytes)) {
      await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), replied]);
    }
  };
  try {
    await write("zINSTREAM\0");
    for await (const piece of pieces) {
      if (said !== "" || socket.destroyed) {
        break;
      }
      const length = Buffer.alloc(4);
      length.writeUInt32BE(piece.length);
      await write(Buffer.concat([length, piece]));
      sentBytes += piece.length;
    }
    await write(Buffer.alloc(4));
    await replied;
    return { reply: said.replace(/\0.*$/s, ""), sentBytes };
  } finally {
    socket.destroy();
  }
}

/** Standard Webhooks: HMAC-SHA-256 over the id, the time and the body, with one of the secrets. `quayside-server` does the same. */
function isGenuine(secrets, headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= MOST_AGE_SECONDS)) {
    return false;
  }
  return secrets.split(/[ ,]+/).some((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
    return signatures.split(" ").some((signature) => {
      const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
  });
}

async function text(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > MOST_QUESTION_BYTES) {
      throw new Error("the question is too long");
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const {
    SCANNER_SECRET: secret,
    SCANNER_LISTEN = "127.0.0.1:8789",
    CLAMD: clamd,
    CLAMD_STREAM_MAX_BYTES: mostBytes,
    SCANNER_SECONDS: seconds,
  } = process.env;
  if (!secret?.startsWith("whsec_")) {
    console.error("SCANNER_SECRET is not set: `whsec_` and 24 to 64 bytes in base64, as Quayside has it");
    process.exit(1);
  }
  const [, host, port] = SCANNER_LISTEN.match(/^(.+):(\d+)$/) ?? [];
  const server = scanner({
    secret,
    clamd: clamd || undefined,
    mostBytes: Number(mostBytes) || undefined,
    seconds: Number(seconds) || undefined,
  });
  server.listen(Number(port), host, () => console.log(`listening at http://${host}:${server.address().port}`));
  process.on("SIGTERM", () => server.close());
}
