// The same in Firefox, whose places and encoder are its own: a picture that moves is recorded, the tab goes while the network is away, and the
// next one sends what is left.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { LeftRecording, RecordingStatus } from "../../client/src/recording/index.ts";
import { waitFor } from "../support/wait.ts";
import { type Engine, launch, type Tab, unlessThere } from "./engines/engine.ts";
import { RecordingPages } from "./recording_page.ts";
import { Service } from "./service.ts";

const inFirefox = unlessThere("Firefox");

let service: Service;
let engine: Engine;
let pages: RecordingPages;
if (!inFirefox.skip) {
  before(async () => {
    service = new Service(await Service.parts());
    engine = await launch("Firefox");
    pages = await RecordingPages.open(service.wire.url);
  });
  after(async () => {
    pages.close();
    await engine.close();
    await service.close();
  });
}

/** Records a canvas on which something moves. */
function recordIn(place: string): string {
  return `(async () => {
    const canvas = document.body.appendChild(document.createElement("canvas"));
    const paint = canvas.getContext("2d");
    let at = 0;
    setInterval(() => {
      paint.fillStyle = "hsl(" + (at * 7) % 360 + " 80% 50%)";
      paint.fillRect((at * 13) % 300, (at * 29) % 150, 60, 40);
      at += 1;
    }, 30);
    const recorder = new MediaRecorder(canvas.captureStream(20));
    globalThis.recording = recordings.createRecording(recorder, {
      endpoint: ${JSON.stringify(service.wire.url)},
      storage: recordings.${place === "opfs" ? "opfsStorage" : "indexedDbStorage"}(),
      persist: false,
      pieceMs: 200,
      retry: { longestDelayMs: 1000 },
    });
    recording.start().catch(() => {});
  })()`;
}

async function until(tab: Tab, what: string, is: (status: RecordingStatus) => boolean): Promise<RecordingStatus> {
  let lastSeen: RecordingStatus | undefined;
  const probe = async () => {
    lastSeen = JSON.parse(await tab.evaluate<string>("JSON.stringify(recording.status)")) as RecordingStatus;
    return is(lastSeen) && lastSeen;
  };
  return waitFor(what, probe, { giveUpMs: 120_000, lastSeen: () => lastSeen });
}

const LEFT = `(async () => {
  const [left] = await recordings.listRecordings({ endpoint: ENDPOINT });
  const digest = await crypto.subtle.digest("SHA-256", await (await left.file()).arrayBuffer());
  const sha256 = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  globalThis.recording = left.resume();
  return JSON.stringify({ ...left, sha256 });
})()`;

for (const place of ["opfs", "indexeddb"]) {
  test(
    `Firefox: a tab is closed while the network is away; the next one sends what is in ${place}`,
    inFirefox,
    async (t) => {
      const profile = await engine.newProfile();
      t.after(() => profile.close());
      const tab = await profile.newTab();
      await tab.goto(pages.url);
      await tab.evaluate(recordIn(place));
      const { storage, contentType } = await until(tab, "bytes at the server", (status) => status.safeThereBytes > 0);
      assert.deepEqual([storage, contentType], [place, "video/webm"]);
      service.wire.cut();
      const seen = await until(tab, "more to be here than there", ({ safeHereBytes, safeThereBytes }) => {
        return safeHereBytes > safeThereBytes + 5000;
      });
      await tab.close();
      const next = await profile.newTab();
      await next.goto(pages.url);
      const found = await next.evaluate<string>(LEFT.replace("ENDPOINT", JSON.stringify(service.wire.url)));
      const left = JSON.parse(found) as LeftRecording & { sha256: string };
      assert.ok(left.recordedBytes >= seen.safeHereBytes, "what was said to be safe here is here");
      service.wire.mend();
      const uploadId = await next.evaluate<string>("recording.start().then(({ uploadId }) => uploadId)");
      const record = await service.origin.waitForStored(uploadId);
      assert.deepEqual([record.fileSize, record.sha256], [left.recordedBytes, left.sha256]);
    },
  );
}
