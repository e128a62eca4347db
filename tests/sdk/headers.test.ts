// The page's headers: an object or a function, fresh ones after a 401, and pages that cannot say them just now.

import assert from "node:assert/strict";
import { test } from "node:test";

import { UploadError } from "../../client/src/index.ts";
import type { HeadersAsk, HttpRequest } from "../../client/src/interfaces.ts";
import {
  answered,
  assertSays,
  created,
  Dialogue,
  failing,
  fileOf,
  type Line,
  offset,
  problem,
  Scene,
  status,
  taken,
} from "./dialogue.ts";

const refused = problem(401, "token-expired");
const init: Line = ["POST /upload/init", created()];
const put: Line = ["PUT /upload/{id} 0-5", taken(5, 5)];
const completed: Line = ["GET /upload/{id}/status", status("completed", 5, 5)];
const plain = [init, put, completed];

test("an object of headers goes along with every request", async () => {
  const talk = new Dialogue(...plain);
  await new Scene(fileOf(5), talk, { headers: { Authorization: "Bearer t" } }).upload.start();
  talk.end();
  assert.deepEqual(
    talk.requests.map(({ headers }) => headers.Authorization),
    ["Bearer t", "Bearer t", "Bearer t"],
  );
});

test("a 401 asks for fresh headers, once, and the request is sent again; the upload notices nothing", async () => {
  let token = 1;
  const asks: boolean[] = [];
  const headers = async ({ isRefused }: HeadersAsk) => {
    asks.push(isRefused);
    token += isRefused ? 1 : 0;
    return { Authorization: `Bearer ${token}` };
  };
  const talk = new Dialogue(init, ["PUT /upload/{id} 0-5", refused], put, completed);
  const scene = new Scene(fileOf(5), talk, { headers });
  await scene.upload.start();
  talk.end();
  assert.deepEqual(
    talk.requests.map(({ headers }) => headers.Authorization),
    ["Bearer 1", "Bearer 1", "Bearer 2", "Bearer 2"],
  );
  assert.deepEqual(asks.slice(0, 3), [false, false, true]);
  assert.ok(!asks.slice(3).includes(true));
  assert.deepEqual([scene.retries, scene.errors], [[], []]);
});

test("a second 401 ends it, resumably; with a new token it goes on", async () => {
  let token = "old";
  const talk = new Dialogue(
    init,
    ["PUT /upload/{id} 0-5", refused],
    ["PUT /upload/{id} 0-5", refused],
    ["GET /upload/{id}/status", status("open", 0, 5)],
    ["HEAD /upload/{id}", offset(0)],
    put,
    completed,
  );
  const scene = new Scene(fileOf(5), talk, { headers: () => ({ Authorization: token }) });
  assertSays(await failing(scene), "unauthorized", "resume", /Sign in/);
  token = "new";
  await scene.upload.start();
  talk.end();
  assert.deepEqual([talk.header(1, "Authorization"), talk.header(3, "Authorization")], ["old", "new"]);
});

test("fixed headers cannot be fresher: a 401 ends it at once", async () => {
  const talk = new Dialogue(init, ["PUT /upload/{id} 0-5", refused]);
  assertSays(await failing(new Scene(fileOf(5), talk, { headers: { A: "b" } })), "unauthorized", "resume", /Sign in/);
  talk.end();
});

test("chunks that are refused together ask for fresh headers together", async () => {
  let token = "old";
  let refreshes = 0;
  const headers = async ({ isRefused }: HeadersAsk) => {
    if (isRefused) {
      refreshes += 1;
      await new Promise(setImmediate);
      token = "new";
    }
    return { Authorization: token };
  };
  const http = {
    send(request: HttpRequest) {
      const isStale = request.method === "PUT" && request.headers.Authorization === "old";
      const answer = { POST: created(), PUT: taken(10, 20), GET: status("completed", 20, 20) }[request.method as "GET"];
      return answered(isStale ? refused : answer, request);
    },
  };
  await new Scene(fileOf(20), http, { headers }).upload.start();
  assert.equal(refreshes, 1);
});

const troubles: [string, () => Record<string, string> | Promise<Record<string, string>>, RegExp][] = [
  ["throws", () => assert.fail("the sign-in is away"), /headers: the sign-in is away/],
  ["rejects", () => Promise.reject(new TypeError("Failed to fetch")), /headers: Failed to fetch/],
  ["never settles", () => new Promise(() => {}), /headers: it has not answered for 60 s/],
  ["gives what is no header", () => ({ "not a name": "x" }), /headers: /],
];

for (const [what, trouble, words] of troubles) {
  test(`a page whose headers() ${what} is asked again, like a server that is away`, async () => {
    let left = 3;
    const headers = () => (left-- > 0 ? trouble() : { Authorization: "Bearer t" });
    const talk = new Dialogue(...plain);
    const scene = new Scene(fileOf(5), talk, { headers });
    await scene.upload.start();
    talk.end();
    assert.equal(scene.retries.length, 3);
    for (const { error } of scene.retries) {
      assertSays(error, "headers", "resume", words);
    }
  });

  test(`while headers() ${what}, the upload can be paused, and cancelled`, async () => {
    const scene = new Scene(fileOf(5), new Dialogue(), { headers: trouble });
    const paused = scene.state("paused");
    const done = assert.rejects(scene.upload.start(), { code: "aborted" });
    setImmediate(() => scene.upload.pause());
    await paused;
    await scene.upload.abort().catch(() => {});
    await done;
  });
}

test("a page ends an upload by an error of its own", async () => {
  const over = new UploadError("unauthorized", "resume", "You have been signed out.");
  const headers = () => {
    throw over;
  };
  const scene = new Scene(fileOf(5), new Dialogue(), { headers });
  assert.equal(await failing(scene), over);
});
