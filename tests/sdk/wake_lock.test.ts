// The screen stays on while something is sent, and no longer.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { UploadState } from "../../client/src/index.ts";
import { wakeLock } from "../../client/src/wake_lock.ts";

class FakeScreen {
  readonly said: string[] = [];
  isRefusing = false;
  #listener = () => {};

  readonly request = async () => {
    this.said.push("on");
    if (this.isRefusing) {
      throw new Error("the battery is nearly empty");
    }
    return {
      release: async () => {
        this.said.push("off");
      },
    };
  };

  readonly onSeen = (listener: () => void) => {
    this.#listener = listener;
  };

  show(): void {
    this.#listener();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
/** Two uploads, each of which says what it becomes. */
function uploads(screen: FakeScreen) {
  const told = wakeLock(screen.request, screen.onSeen);
  const [one, other] = [{}, {}].map((upload) => (state: UploadState) => told(Object.assign(upload, { state })));
  return { one, other } as { one: (state: UploadState) => void; other: (state: UploadState) => void };
}

test("two uploads hold the screen together; when both have ended, it is let go", async () => {
  const screen = new FakeScreen();
  const { one, other } = uploads(screen);
  one("uploading");
  other("starting");
  one("completed");
  await settled();
  assert.deepEqual(screen.said, ["on"]);
  other("paused");
  await settled();
  assert.deepEqual(screen.said, ["on", "off"]);
});

test("a page that was hidden asks again when it is seen; one that only waits does not", async () => {
  const screen = new FakeScreen();
  const { one } = uploads(screen);
  one("uploading");

  one("uploading");
  screen.show();
  await settled();
  assert.deepEqual(screen.said, ["on", "on"]);
  one("offline");
  screen.show();
  await settled();
  assert.deepEqual(screen.said, ["on", "on", "off"]);
});

test("a refusal stops nothing", async () => {
  const screen = new FakeScreen();
  screen.isRefusing = true;
  const { one } = uploads(screen);
  one("uploading");
  await settled();
  one("completed");
  await settled();
  assert.deepEqual(screen.said, ["on"]);
});
