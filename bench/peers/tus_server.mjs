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
