// Uppy with @uppy/aws-s3, as published, where tokens are asked for. Its requests to Companion's routes go through the page's `fetch` and
// have no option for headers, so the page adds the token there; what goes to R2 goes by XMLHttpRequest, and must not have it.

import assert from "node:assert/strict";
import { test } from "node:test";

import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";

import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithS3 } from "./support/scene.ts";
import { bearer, claimsOf, mint } from "./support/tokens.ts";
import { install } from "./support/xml_http_request.ts";

install();
const { origin, stack, client } = await sceneWithS3({ AUTH: "token" });

const bytes = fileBytes("uppy with a token", 2 * 5 * MIB + 7);
const original = globalThis.fetch;

/** What a page does that has a token: it adds it to what goes to Quayside, and to nothing else. */
function fetchWith(token: string): typeof fetch {
  return (input, init) => {
    const request = new Request(input, init);
    if (request.url.startsWith(`${stack.baseUrl}/`)) {
      request.headers.set("Authorization", `Bearer ${token}`);
    }
    return original(request);
  };
}

async function upload(): Promise<{ failed: unknown[]; url: string | undefined }> {
  const uppy = new Uppy().use(AwsS3, { companionEndpoint: stack.baseUrl, shouldUseMultipart: true });
  const data = new File([new Uint8Array(bytes)], "token.bin", { type: "application/x-quayside" });
  uppy.addFile({ name: data.name, type: data.type, data });
  const result = await uppy.upload();
  uppy.destroy();
  return { failed: result?.failed ?? [], url: result?.successful?.[0]?.uploadURL };
}

test("without a token nothing is created", async () => {
  const { failed } = await upload();
  assert.equal(failed.length, 1);
});

test("with the page's token on its fetch: at the origin, and the owner's", async () => {
  globalThis.fetch = fetchWith(mint(stack, claimsOf("alice")));
  try {
    const { failed, url } = await upload();
    assert.deepEqual(failed, []);
    const id = url?.split("/").at(-1) ?? "";
    const record = await origin.waitForStored(id);
    assert.deepEqual([record.sha256, record.owner], [sha256(bytes), "alice"]);
    const bob = bearer(mint(stack, claimsOf("bob")));
    for (const path of [`/s3/multipart/${id}/1?key=${id}`, `/s3/multipart/${id}?key=${id}`]) {
      assertRefused(await client.request("GET", path, { headers: bob }), 404, "upload-not-found");
      assertRefused(await client.request("GET", path), 401, "unauthorized");
    }
  } finally {
    globalThis.fetch = original;
  }
});
