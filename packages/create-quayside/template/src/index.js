// The application: a page, a token for whoever may upload, the uploads themselves (Quayside, below /api/files), and what follows one.

import { createQuayside } from "quayside";
import { mintToken } from "quayside-server";

import { whoIs } from "./who_is.js";

// wrangler finds Quayside's Durable Objects by these names.
export { OwnerLedger, UploadSession } from "quayside";

const MOST_BYTES = 10 * 1024 ** 3;

const quayside = createQuayside({
  basePath: "/api/files",

  // The file is whole, and in the bucket. Told again, later, if this throws; the same event may come twice.
  onCompleted: shelve,

  // Its owner has uploaded these bytes before, and nothing was sent: it has the key of the file that is there.
  onDuplicate: shelve,

  // Its uploader has deleted it.
  async onDeleted({ data }, env) {
    await env.BUCKET.delete(record(data.owner, data.uploadId));
  },
});

export default {
  async fetch(request, env, context) {
    if (quayside.handles(request)) {
      return quayside.fetch(request, env, context);
    }
    const { user, headers } = whoIs(request);
    const { pathname } = new URL(request.url);
    if (!user) {
      return new Response("Sign in first.\n", { status: 401 });
    }
    const id = /^\/api\/library\/([\w-]+)$/.exec(pathname)?.[1];
    if (pathname === "/api/token" && request.method === "POST") {
      const token = await mintToken(env.TOKEN_SECRETS, { owner: user, validSeconds: 3600, maxBytes: MOST_BYTES });
      return Response.json({ token }, { headers: { ...headers, "cache-control": "no-store" } });
    }
    if (pathname === "/api/library" && request.method === "GET") {
      return Response.json(await library(user, env), { headers });
    }
    if (id !== undefined && request.method === "GET") {
      return file(user, id, env);
    }
    return new Response("There is nothing here.\n", { status: 404 });
  },

  async queue(batch, env, context) {
    // An application with queues of its own asks `quayside.handlesQueue(batch)` first.
    await quayside.queue(batch, env, context);
  },
};

async function shelve({ data }, env) {
  const { uploadId, key, owner, fileName, fileSize, contentType } = data;
  const facts = { uploadId, key, fileName, fileSize, contentType };
  await env.BUCKET.put(record(owner, uploadId), JSON.stringify(facts));
}

/** Where the record of an upload is. A user may have any name. */
function record(user, id) {
  return `${shelf(user)}${id}.json`;
}

function shelf(user) {
  return `library/${encodeURIComponent(user)}/`;
}

/** What this user has uploaded: the first thousand. */
async function library(user, env) {
  const { objects } = await env.BUCKET.list({ prefix: shelf(user) });
  const records = await Promise.all(objects.map(({ key }) => env.BUCKET.get(key)));
  return await Promise.all(records.filter((record) => record !== null).map((record) => record.json()));
}

/** A file, to its owner. As a download, so that a page that somebody has uploaded never runs here. */
async function file(user, id, env) {
  const found = await env.BUCKET.get(record(user, id));
  const { key, fileName } = found === null ? {} : await found.json();
  const object = key === undefined ? null : await env.BUCKET.get(key);
  if (object === null) {
    return new Response("There is no such file.\n", { status: 404 });
  }
  const name = encodeURIComponent(fileName).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const headers = new Headers({
    "content-type": "application/octet-stream",
    "content-length": String(object.size),
    "content-disposition": `attachment; filename*=UTF-8''${name}`,
    "x-content-type-options": "nosniff",
    etag: object.httpEtag,
  });
  return new Response(object.body, { headers });
}
