// Where the service is reached: addresses in answers are whole, links lead where the settings say and never where a request does, the
// service lives below a path where it is told to, and equivalent URLs name one upload.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created, OpenUpload } from "./support/api.ts";
import { fileBytes, sha256 } from "./support/bytes.ts";
import { Client } from "./support/client.ts";
import type { Headers } from "./support/http.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { Stack } from "./support/stack.ts";
import { idOf, Tus } from "./support/tus.ts";

const BASE_PATH = "/api/files";
// Without a slash at its beginning and with one at its end: either way it is the same.
const { origin, stack } = await sceneWithScriptedOrigin({ BASE_PATH: "api/files/" });
const base = stack.baseUrl + BASE_PATH;
const client = new Client(base);
const tus = new Tus(client);
const file = fileBytes("addresses", 1000);
const elsewhere: Headers = { Host: "elsewhere.localhost:1234" };

test("whoever creates is told a whole address, in every protocol, and it is the right one", async () => {
  const json = await client.init({ fileName: "a", fileSize: file.length });
  const { uploadId, uploadUrl } = json.json<Created>();
  assert.equal(uploadUrl, `${base}/upload/${uploadId}`);
  assert.equal(json.header("Location"), uploadUrl);
  assert.equal((await client.request("PUT", uploadUrl, { headers: { "X-Upload-Offset": 0 }, body: file })).status, 200);
  const { statusUrl } = (await client.complete(uploadId)).json<{ statusUrl: string }>();
  assert.equal(statusUrl, `${uploadUrl}/status`);
  assert.equal((await client.request("GET", statusUrl)).status, 200);

  const byTus = await tus.create({ "Upload-Length": file.length });
  assert.equal(byTus, `${base}/files/${idOf(byTus)}`);
  assert.equal((await tus.patch(byTus, 0, file)).status, 204);
  assert.equal((await tus.head(byTus)).header("Upload-Offset"), String(file.length));

  const byDraft = await client.request("POST", "/files", { headers: { "Upload-Complete": "?1" }, body: file });
  const { location } = byDraft.json<{ location: string }>();
  assert.equal(byDraft.header("Location"), location);
  assert.equal(sha256((await client.request("GET", location)).body), sha256(file));

  const listed = await client.create(file, { fileName: "listed" });
  const { uploads } = (await client.list()).json<{ uploads: OpenUpload[] }>();
  assert.ok(uploads.some((upload) => upload.uploadUrl === listed.uploadUrl && upload.uploadUrl.startsWith(base)));
});

test("a link in an event is below the path, opens, and is good for nothing else", async () => {
  const { uploadId } = await client.upload(file);
  const { data } = await origin.waitForEvent(uploadId, "upload.completed");
  const link = String(data.downloadUrl);
  assert.ok(link.startsWith(`${base}/upload/${uploadId}/content?`), link);
  assert.equal(sha256((await client.request("GET", link)).body), sha256(file));
  const other = await client.upload(fileBytes("other", 10));
  assert.equal((await client.request("GET", link.replace(uploadId, other.uploadId))).status, 403);
});

test("what a request says of its host is in no link and no address", async () => {
  const created = await client.init({ fileName: "a", fileSize: file.length }, elsewhere);
  const { uploadId, uploadUrl } = created.json<Created>();
  assert.equal(uploadUrl, `${base}/upload/${uploadId}`);
  await client.put(uploadId, 0, file);
  const { data } = await origin.waitForEvent(uploadId, "upload.completed");
  assert.ok(data.downloadUrl?.startsWith(`${base}/upload/`), data.downloadUrl);
});

test("what lies outside of the path is nothing, and can be read by a page", async () => {
  const above = new Client(stack.baseUrl);
  const headers = { Origin: "https://app.example" };
  for (const path of ["/upload/init", "/files", "/healthz", "/readyz", "/api", "/api/filesystem/upload/init"]) {
    const reply = await above.request("POST", path, { headers, body: "" });
    const { detail } = assertRefused(reply, 404, "no-such-route");
    assert.ok(detail.includes(`POST ${base}/upload/init`) && detail.includes(`POST ${base}/files.`), detail);
    assert.equal(reply.header("Access-Control-Allow-Origin"), "*", path);
  }
  assert.equal((await client.request("GET", "/healthz")).status, 200);
  assert.equal((await client.request("GET", "/readyz")).status, 200);
});

test("equivalent paths are one upload: slashes at the end and doubled, characters encoded that need not be", async () => {
  const { uploadId } = await client.create(file);
  const above = new Client(stack.baseUrl);
  const encoded = uploadId.replaceAll("-", "%2d").replace(/^./, (digit) => `%${digit.charCodeAt(0).toString(16)}`);
  for (const path of [
    `/api/files/upload/${uploadId}/`,
    `//api//files//upload///${uploadId}`,
    `/api/files/%75pload/${encoded}`,
    `/api/%66iles/upload/./x/../${uploadId}`,
  ]) {
    const reply = await above.request("HEAD", path);
    assert.equal(reply.status, 200, path);
    assert.equal(reply.header("Upload-Length"), String(file.length), path);
  }
  const url = await tus.create({ "Upload-Length": file.length });
  assert.equal((await tus.patch(`${url}/`, 0, file)).status, 204);
  for (const path of [`/api/files/upload%2f${uploadId}`, `/api/files/upload/${uploadId}%2fstatus`]) {
    assert.equal((await above.request("GET", path)).status, 404, path);
  }
});

test("partial uploads are named by whole URLs, by paths with the base path and without, and in any spelling", async () => {
  const [first, second] = [file.subarray(0, 400), file.subarray(400)];
  const one = await tus.partial(first);
  const two = await tus.partial(second);
  const path = (url: string) => url.slice(stack.baseUrl.length);
  for (const [named, alike] of [
    [one, two],
    [path(one), path(two)],
    [path(one).slice(BASE_PATH.length), path(two).slice(BASE_PATH.length)],
    [`files/${idOf(one)}`, `${two}/`],
    [`https://upload.example.com/files/${idOf(one)}`, path(two).replace("/files/", "//files//").replaceAll("-", "%2D")],
  ] as const) {
    const url = await tus.composed([named, alike], {
      "Upload-Metadata": `key ${Buffer.from(named).toString("base64")}`,
    });
    assert.ok(url.startsWith(`${base}/files/`), url);
    const whole = await tus.whole(url);
    assert.equal(whole.header("Upload-Concat"), `final;${named} ${alike}`, "given back as it came");
    assert.equal(sha256((await tus.send("GET", url)).body), sha256(file));
  }
});

test("without PUBLIC_URL an answer has the request's own address, where there is nobody to tell", async (t) => {
  const bare = await Stack.start({ vars: { PUBLIC_URL: "", ORIGIN_WEBHOOK_URL: "" } });
  t.after(() => bare.stop());
  for (const [headers, address] of [
    [{}, bare.baseUrl],
    [elsewhere, "http://elsewhere.localhost:1234"],
  ] as [Headers, string][]) {
    const { uploadId, uploadUrl } = (await bare.client.init({ fileName: "a", fileSize: 1 }, headers)).json<Created>();
    assert.equal(uploadUrl, `${address}/upload/${uploadId}`);
    const created = await new Tus(bare.client).post({ "Upload-Length": 1, ...headers });
    assert.ok(created.header("Location")?.startsWith(`${address}/files/`), created.header("Location"));
  }
});
