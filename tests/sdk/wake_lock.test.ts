// The screen stays on while something is sent, and no longer.

import assert from "node:assert/strict";
import { test } from "node:test";

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
const [one, other] = [{}, {}];

test("two uploads hold the screen together; when both have ended, it is let go", async () => {
  const screen = new FakeScreen();
  const became = wakeLock(screen.request, screen.onSeen);
  became(one, "uploading");
  became(other, "starting");
  became(one, "completed");
  await settled();
  assert.deepEqual(screen.said, ["on"]);
  became(other, "paused");
  await settled();
  assert.deepEqual(screen.said, ["on", "off"]);
});

test("a page that was hidden asks again when it is seen; one that only waits does not", async () => {
  const screen = new FakeScreen();
  const became = wakeLock(screen.request, screen.onSeen);
  became(one, "uploading");

  became(one, "uploading");
  screen.show();
  await settled();
  assert.deepEqual(screen.said, ["on", "on"]);
  became(one, "offline");
  screen.show();
  await settled();
  assert.deepEqual(screen.said, ["on", "on", "off"]);
});

test("a refusal stops nothing", async () => {
  const screen = new FakeScreen();
  screen.isRefusing = true;
  const became = wakeLock(screen.request, screen.onSeen);
  became(one, "uploading");
  await settled();
  became(one, "completed");
  await settled();
  assert.deepEqual(screen.said, ["on"]);
});
