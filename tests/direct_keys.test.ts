// A direct door without the right keys says so when an upload is created, by the setting's name, and everything else works.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertRefused } from "./support/refusals.ts";
import { LOCAL_KEYS, S3 } from "./support/s3.ts";

const NOBODY_LISTENS = "http://127.0.0.1:9";

for (const [what, vars, keys, named] of [
  ["no endpoint", { R2_S3_ENDPOINT: "" }, LOCAL_KEYS, /R2_S3_ENDPOINT/],
  ["an endpoint that is no URL", { R2_S3_ENDPOINT: "r2" }, LOCAL_KEYS, /R2_S3_ENDPOINT/],
  ["an endpoint that does not answer", { R2_S3_ENDPOINT: NOBODY_LISTENS }, LOCAL_KEYS, /R2_S3_ENDPOINT/],
  ["a bucket that is not there", { R2_S3_BUCKET: "nobodys" }, LOCAL_KEYS, /R2_S3_BUCKET/],
  ["no keys", {}, {}, /R2_ACCESS_KEY_ID is not set/],
  ["no secret key", {}, { R2_ACCESS_KEY_ID: "local-access-key" }, /R2_SECRET_ACCESS_KEY is not set/],
  ["a wrong key id", {}, { ...LOCAL_KEYS, R2_ACCESS_KEY_ID: "another" }, /R2_ACCESS_KEY_ID .*Unauthorized/],
  [
    "a wrong secret",
    {},
    { ...LOCAL_KEYS, R2_SECRET_ACCESS_KEY: "another" },
    /R2_ACCESS_KEY_ID .*SignatureDoesNotMatch/,
  ],
] as const) {
  test(`${what}: said at init, and nothing is created`, async () => {
    const { s3, stack } = await S3.withStack({ ORIGIN_WEBHOOK_URL: "", ...vars }, keys);
    try {
      const refused = await stack.client.init({ fileName: "a", fileSize: 1, direct: true });
      assert.match(assertRefused(refused, 503, "not-configured").detail, named);
      const body = JSON.stringify({ filename: "a", type: "a/b" });
      assertRefused(await stack.client.request("POST", "/s3/multipart", { body }), 503, "not-configured");
      assert.deepEqual(await stack.client.openUploads(), []);
      await stack.client.upload(Buffer.from("through the other door"));
    } finally {
      s3.stop();
      await stack.stop();
    }
  });
}
