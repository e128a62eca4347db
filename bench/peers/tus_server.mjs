// @tus/server from npm, for orientation: `node tus_server.mjs file|s3 PORT FOLDER S3_PORT`. With `s3` it stores into an S3
// of its own, s3rver, in the same process.

import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { FileStore } from "@tus/file-store";
import { S3Store } from "@tus/s3-store";
import { Server } from "@tus/server";
import S3rver from "s3rver";

const [store, port, folder, s3Port] = process.argv.slice(2);
const directory = join(folder, "files");
mkdirSync(directory);

const datastore = store === "s3" ? await s3Store() : new FileStore({ directory });
const server = new Server({ path: "/files", datastore, respectForwardedHeaders: false });
createServer(server.handle.bind(server)).listen(Number(port), "127.0.0.1");

async function s3Store() {
  const bucket = "bench";
  const s3 = new S3rver({
    port: Number(s3Port),
    address: "127.0.0.1",
    silent: true,
    directory,
    configureBuckets: [{ name: bucket }],
  });
  s3.middleware.unshift(listsParts(new Map()));
  await s3.run();
  return new S3Store({
    partSize: 8 * 1024 * 1024,
    s3ClientConfig: {
      bucket,
      region: "us-east-1",
      endpoint: `http://127.0.0.1:${s3Port}`,
      forcePathStyle: true,
      credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
    },
  });
}

// ListParts, which s3rver does not know and the S3 store asks for before every PATCH: from the answers to the parts' PUTs.
function listsParts(uploads) {
  return async (context, next) => {
    const { uploadId, partNumber } = context.query;
    if (context.method === "GET" && uploadId !== undefined) {
      const parts = [...(uploads.get(uploadId) ?? [])].map(
        ([number, { etag, bytes }]) =>
          `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag><Size>${bytes}</Size></Part>`,
      );
      context.type = "application/xml";
      context.body = `<ListPartsResult><IsTruncated>false</IsTruncated>${parts.join("")}</ListPartsResult>`;
      return;
    }
    await next();
    if (context.method === "PUT" && partNumber !== undefined && context.status === 200) {
      const bytes = Number(context.get("x-amz-decoded-content-length") || context.get("content-length"));
      const known = uploads.get(uploadId) ?? new Map();
      uploads.set(uploadId, known.set(Number(partNumber), { etag: context.response.get("etag"), bytes }));
    }
  };
}
