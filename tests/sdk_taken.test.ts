// An origin that takes the object at once, and a client whose last answer was lost: what was once complete is a success, and
// nothing is sent again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sizeOf } from "../client/src/file_reader.ts";

import { createUpload } from "../client/src/index.ts";
import type { HttpClient, HttpRequest } from "../client/src/interfaces.ts";
import { fetchHttp } from "../client/src/platform.ts";
import { MemoryStore } from "./sdk/dialogue.ts";
import { fileBytes, MIB } from "./support/bytes.ts";
import { waitUntilNothingLeft } from "./support/r2_state.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";

const CHUNK_BYTES = 5 * MIB;
const FILE_BYTES = 2 * CHUNK_BYTES + 1;

const { origin, stack, client } = await sceneWithScriptedOrigin();

/** fetch, until the answer to the last byte is lost, and with it the network. */
class LosingHttp implements HttpClient {
  isDown = false;
  sentBytes = 0;

  async send(request: HttpRequest): ReturnType<HttpClient["send"]> {
    if (this.isDown) {
      throw new TypeError("no network");
    }
    const response = await fetchHttp.send(request);
    if (request.method === "PUT") {
      this.sentBytes += sizeOf(request.body);
      this.isDown = this.sentBytes === FILE_BYTES;
    }
    if (this.isDown) {
      throw new TypeError("the answer was lost");
    }
    return response;
  }
}

for (const parallel of [false, true]) {
  for (const isReloaded of [false, true]) {
    const who = isReloaded ? "the page after a reload" : "the page";
    test(`${who} is told of the success, parallel: ${parallel}`, async () => {
      const name = `${who} ${parallel}`;
      const file = new File([new Uint8Array(fileBytes(name, FILE_BYTES))], name, { lastModified: 1 });
      const http = new LosingHttp();
      const store = new MemoryStore();
      const begin = () => {
        const options = { endpoint: stack.baseUrl, chunkBytes: CHUNK_BYTES, parallel, store };
        return createUpload(file, { ...options, runtime: { http } });
      };
      const first = begin();
      let id = "";
      first.on("progress", () => {
        if (id === "" && first.uploadId !== undefined) {
          id = first.uploadId;
          origin.script(id, { status: 200, body: { disposition: "delete" } });
        }
      });
      const lost = new Promise<void>((resolve) => first.on("retry", () => resolve()));
      const done = first.start();
      await lost;
      await client.waitUntilDelivery(id, "delivered");
      await waitUntilNothingLeft(stack.persistDir, id);
      if (isReloaded) {
        first.pause();
      }
      http.isDown = false;
      const { uploadId } = await (isReloaded ? begin().start() : done);
      assert.equal(uploadId, id);
      assert.equal(http.sentBytes, FILE_BYTES, "every byte once");
      assert.equal(store.records.size, 0);
    });
  }
}
