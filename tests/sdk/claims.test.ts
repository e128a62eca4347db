// Who may send a file: one upload in one page, by Web Locks where there are such, by entries in the browser's storage elsewhere.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PageClaims, type PageLocks, storageLocks, webLocks } from "../../client/src/claims.ts";
import type { Claim } from "../../client/src/interfaces.ts";
import type { TextStorage } from "../../client/src/stores.ts";
import { waitFor } from "../support/wait.ts";
import { MemoryLocks } from "./dialogue.ts";

/** The browser's locks, as its pages see them (W3C Web Locks, as far as they are used). */
class FakeLockManager {
  readonly held = new Map<string, (reason: unknown) => void>();

  async request(
    name: string,
    { ifAvailable = false, steal = false }: LockOptions,
    callback: (lock: object | null) => unknown,
  ): Promise<unknown> {
    if (this.held.has(name) && ifAvailable && !steal) {
      return callback(null);
    }
    this.held.get(name)?.(new DOMException("stolen", "AbortError"));
    const stolen = new Promise<never>((_, reject) => this.held.set(name, reject));
    stolen.catch(() => {});
    const mine = this.held.get(name);
    try {
      return await Promise.race([callback({ name }), stolen]);
    } finally {
      if (this.held.get(name) === mine) {
        this.held.delete(name);
      }
    }
  }
}

class FakeStorage implements TextStorage {
  readonly entries = new Map<string, string>();
  isFull = false;
  getItem = (key: string) => this.entries.get(key) ?? null;
  removeItem = (key: string) => void this.entries.delete(key);
  setItem = (key: string, value: string) => {
    if (this.isFull) {
      throw new DOMException("full", "QuotaExceededError");
    }
    this.entries.set(key, value);
  };
}

function taken(claim: Claim | string): Claim {
  assert.ok(typeof claim !== "string", String(claim));
  return claim;
}

/** A browser passes a lock on some time after it was given back. */
function eventually(claims: PageClaims, holder: object): Promise<Claim> {
  return waitFor("the claim", async () => {
    const claim = await claims.claim("a", holder);
    return typeof claim !== "string" && claim;
  });
}

const quick = { renewMs: 5, staleMs: 1_000, settleMs: 1 };

const kinds: [what: string, browser: () => () => PageLocks][] = [
  [
    "Web Locks",
    () => {
      const locks = new FakeLockManager();
      return () => webLocks(locks as unknown as LockManager);
    },
  ],
  [
    "entries in a storage",
    () => {
      const storage = new FakeStorage();
      return () => storageLocks(() => storage, quick);
    },
  ],
  [
    "what the tests of tabs use",
    () => {
      const locks = new MemoryLocks();
      return () => locks.page();
    },
  ],
];

for (const [what, browser] of kinds) {
  test(`by ${what}: one has it; the others are told where it is, and get it when it is given back`, async () => {
    const page = browser();
    const [here, there] = [new PageClaims(page()), new PageClaims(page())];
    const [one, two, other] = [{}, {}, {}];
    const claim = taken(await here.claim("a", one));
    assert.equal(await here.claim("a", two), "here");
    assert.equal(await there.claim("a", other), "elsewhere");
    assert.equal(await here.takeOver("a", two), "here", "never from an upload in this page");
    taken(await there.claim("b", other)).release();
    claim.release();
    taken(await here.claim("a", two)).release();
    claim.release();
    const next = await eventually(there, other);
    assert.equal(await here.claim("a", one), "elsewhere");
    next.release();
    assert.equal(claim.lost.aborted, false);
  });

  test(`by ${what}: whoever waits for another page is before the others in its own, until it leaves`, async () => {
    const page = browser();
    const [here, there] = [new PageClaims(page()), new PageClaims(page())];
    const [one, two] = [{}, {}];
    const claim = taken(await there.claim("a", {}));
    assert.equal(await here.claim("a", one), "elsewhere");
    assert.equal(await here.claim("a", two), "here");
    here.leave("a", two);
    assert.equal(await here.claim("a", two), "here");
    here.leave("a", one);
    assert.equal(await here.claim("a", two), "elsewhere");
    claim.release();
    (await eventually(here, two)).release();
  });

  test(`by ${what}: of two pages at the same moment, one gets it`, async () => {
    const page = browser();
    const claims = await Promise.all([new PageClaims(page()).claim("a", {}), new PageClaims(page()).claim("a", {})]);
    assert.equal(claims.filter((claim) => claim === "elsewhere").length, 1);
    for (const claim of claims) {
      typeof claim === "string" || claim.release();
    }
  });

  test(`by ${what}: whoever it is taken from learns of it, and can claim again`, async () => {
    const page = browser();
    const [asleep, awake] = [new PageClaims(page()), new PageClaims(page())];
    const [one, two] = [{}, {}];
    const lost = taken(await asleep.claim("a", one));
    const stolen = taken(await awake.takeOver("a", two));
    await waitFor("the loss", () => lost.lost.aborted);
    lost.release();
    assert.equal(await asleep.claim("a", one), "elsewhere");
    stolen.release();
    (await eventually(asleep, one)).release();
  });
}

test("where there are no locks after all, a page keeps order among its own uploads", async () => {
  const forbidden: PageLocks = { take: () => Promise.reject(new DOMException("no", "SecurityError")) };
  const insecure = webLocks({ request: () => Promise.reject(new DOMException("no", "SecurityError")) } as never);
  const full = new FakeStorage();
  full.isFull = true;
  const missing = storageLocks(() => {
    throw new DOMException("no", "SecurityError");
  });
  for (const locks of [forbidden, insecure, storageLocks(() => full, quick), missing]) {
    const claims = new PageClaims(locks);
    const claim = taken(await claims.claim("a", {}));
    assert.equal(claim.lost.aborted, false);
    assert.equal(await claims.claim("a", {}), "here");
    claim.release();
    taken(await claims.claim("a", {})).release();
  }
});

test("an entry is renewed while its page lives; one that is not, is taken for nothing", async () => {
  const storage = new FakeStorage();
  const at = () => JSON.parse(String(storage.getItem("a:claim"))).atMs as number;
  const living = taken(await new PageClaims(storageLocks(() => storage, quick)).claim("a", {}));
  const first = at();
  await waitFor("the renewal", () => at() > first);
  living.release();
  assert.equal(storage.entries.size, 0);
  storage.setItem("a:claim", JSON.stringify({ owner: "crashed", atMs: Date.now() - 2_000 }));
  taken(await new PageClaims(storageLocks(() => storage, quick)).claim("a", {})).release();
});

test("a clock that jumps by a day keeps nobody out for a day", async () => {
  const storage = new FakeStorage();
  const day = 86_400_000;
  for (const atMs of [Date.now() + day, Date.now() - day, "yesterday", undefined]) {
    storage.setItem("a:claim", JSON.stringify({ owner: "other", atMs }));
    taken(await new PageClaims(storageLocks(() => storage, quick)).claim("a", {})).release();
  }
});

test("entries that are cleared away come back; a storage that stops working takes no claim away", async () => {
  const storage = new FakeStorage();
  const claim = taken(await new PageClaims(storageLocks(() => storage, quick)).claim("a", {}));
  storage.entries.clear();
  await waitFor("the entry", () => storage.entries.size === 1);
  storage.isFull = true;
  storage.entries.clear();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(claim.lost.aborted, false);
  claim.release();
});

test("a page that slept has lost its claim, also where the page that took it has given it back", async () => {
  const storage = new FakeStorage();
  let nowMs = 1_000_000;
  const claim = taken(
    await new PageClaims(storageLocks(() => storage, { ...quick, nowMs: () => nowMs })).claim("a", {}),
  );
  await waitFor("the entry", () => storage.entries.size === 1);
  nowMs += 1_000_000;
  storage.entries.clear();
  await waitFor("the loss", () => claim.lost.aborted);
  assert.equal(storage.entries.size, 0);
});

test("what is no entry is nobody's claim", async () => {
  const storage = new FakeStorage();
  for (const text of ["", "null", "{", "[]", "7"]) {
    storage.setItem("a:claim", text);
    taken(await new PageClaims(storageLocks(() => storage, quick)).claim("a", {})).release();
  }
});
