// R2's S3 endpoint for tests: the simulator's own, which stores parts and checks every signature, and in front of it what it
// lacks. ListParts is answered from the simulator's own tables, and only after the simulator itself has found the request well
// signed: it answers 501 then, and 403 otherwise.

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { BucketCors } from "./bucket_cors.ts";
import type { Reply } from "./http.ts";
import { send } from "./http.ts";
import { partsOf } from "./r2_state.ts";
import { Stack, type StackOptions } from "./stack.ts";

/** As in wrangler.toml, `localDev` of the bucket. */
export const LOCAL_KEYS = { R2_ACCESS_KEY_ID: "local-access-key", R2_SECRET_ACCESS_KEY: "local-secret-key" };

const SIMULATOR_PATH = "/cdn-cgi/local/r2/s3";

export class S3 {
  /** Whether it lists parts, as R2 does and the simulator does not. */
  listsParts = true;
  /** Whether it answers 403 to every part, as to URLs that are too old. */
  refusesParts = false;
  /** How much longer it says that each part is than it is. */
  addedBytes = 0;
  /** Which pages may use it, as the bucket's rules say; none where there are none. */
  cors: BucketCors | undefined;
  readonly #server: Server;
  #stack: Stack | undefined;

  /** The endpoint, and a Worker that uses it. */
  static async withStack(
    vars: StackOptions["vars"] = {},
    keys: Record<string, string> = LOCAL_KEYS,
    options: Omit<StackOptions, "vars"> = {},
  ): Promise<{ s3: S3; stack: Stack }> {
    const s3 = new S3();
    await new Promise<void>((resolve) => s3.#server.listen(0, "127.0.0.1", resolve));
    const stack = await Stack.start({ ...options, vars: { R2_S3_ENDPOINT: s3.endpoint, ...keys, ...vars } });
    s3.#stack = stack;
    return { s3, stack };
  }

  private constructor() {
    this.#server = createServer((asked, answer) => this.#answer(asked, answer));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${SIMULATOR_PATH}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(asked: IncomingMessage, answer: ServerResponse): void {
    this.cors?.allow(asked, answer);
    if (asked.method === "OPTIONS") {
      answer.writeHead(this.cors?.hasAllowed(answer) ? 204 : 403).end();
      return;
    }
    if (this.refusesParts && asked.method === "PUT") {
      asked.resume().on("end", () => answer.writeHead(403).end());
      return;
    }
    const { hostname, port } = new URL(this.#stack?.baseUrl ?? "");
    // The host is signed too, so it goes on as it came.
    const { method, url, headers } = asked;
    const onward = request(
      { hostname, port, method, path: url, headers, setHost: false, agent: false },
      (simulated) => {
        if (simulated.statusCode === 501 && this.listsParts && method === "GET") {
          simulated.resume();
          answer.writeHead(200, { "content-type": "application/xml" });
          answer.end(this.#list(new URL(url ?? "", this.endpoint)));
          return;
        }
        answer.writeHead(simulated.statusCode ?? 500, simulated.headers);
        simulated.pipe(answer);
      },
    );
    onward.on("error", () => answer.destroy());
    asked.on("aborted", () => onward.destroy());
    asked.pipe(onward);
  }

  /** The shape of S3's answer (API_ListParts), in pages of two so that paging is walked through. */
  #list(url: URL): string {
    const behind = Number(url.searchParams.get("part-number-marker") ?? 0);
    const uploadId = url.searchParams.get("uploadId") ?? "";
    const all = partsOf(this.#stack?.persistDir ?? "", uploadId).filter(({ number }) => number > behind);
    const page = all.slice(0, 2);
    const parts = page.map(
      ({ number, etag, sizeBytes }) =>
        `<Part><PartNumber>${number}</PartNumber><LastModified>2026-11-21T00:00:00.000Z</LastModified>` +
        `<ETag>&quot;${etag}&quot;</ETag><Size>${sizeBytes + this.addedBytes}</Size></Part>`,
    );
    return (
      `<?xml version="1.0" encoding="UTF-8"?><ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
      `<Bucket>b</Bucket><Key>k</Key><UploadId>${uploadId}</UploadId><PartNumberMarker>${behind}</PartNumberMarker>` +
      `<NextPartNumberMarker>${page.at(-1)?.number ?? 0}</NextPartNumberMarker><MaxParts>2</MaxParts>` +
      `<IsTruncated>${all.length > page.length}</IsTruncated>${parts.join("")}</ListPartsResult>`
    );
  }
}

/** What a client does with a signed URL. */
export function putPart(url: string, body: Uint8Array): Promise<Reply> {
  const { origin, pathname, search } = new URL(url);
  return send(origin, "PUT", pathname + search, { body });
}
