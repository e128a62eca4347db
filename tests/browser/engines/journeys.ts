// The main journeys of a file through the page, the same in every engine: up, over a line that is cut, past a reload, into another tab
// after the first was closed, and with two tabs at once.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { Service, type TestFile } from "../service.ts";
import { type Engine, type EngineName, KEEPS_FILES, launch, type Profile, TRIES, unlessThere } from "./engine.ts";
import { EnginePage } from "./engine_page.ts";

const FILE_BYTES = 40_000_000;
/** Above what the page keeps of a file, so that it is chosen again. */
const LARGE_FILE_BYTES = 70_000_000;
/** One chunk of several has arrived. */
const MIDWAY_PERCENT = 10;

type Journey = (journey: { service: Service; profile: Profile; keepsFiles: boolean }) => Promise<void>;

const openPage = async (service: Service, profile: Profile) =>
  EnginePage.open(await profile.newTab(), service.wire.url);

/** The file is on its way: some chunks count, and the rest is held back. */
async function midway(service: Service, profile: Profile, file: TestFile): Promise<EnginePage> {
  const page = await openPage(service, profile);
  service.wire.holdAfter(file.sizeBytes * 0.7);
  await page.send(file);
  await page.untilPercent(file, MIDWAY_PERCENT);
  return page;
}

const JOURNEYS: Readonly<Record<string, Journey>> = {
  "a file goes up and reaches the origin": async ({ service, profile }) => {
    const file = service.file("up ⚓.mp4", FILE_BYTES);
    const page = await openPage(service, profile);
    await page.send(file);
    await service.assertArrived(await page.untilRecorded(file), file);
  },

  "the line is cut and mended: it waits, says so, and goes on": async ({ service, profile }) => {
    const file = service.file("cut.mp4", FILE_BYTES);
    const page = await midway(service, profile, file);
    const [uploadId] = await service.openUploads(file);
    service.wire.cut();
    await page.untilText(file, /Trying again in \d+ s/);
    service.wire.release();
    service.wire.mend();
    assert.equal(await page.untilRecorded(file), uploadId);
    await service.assertArrived(String(uploadId), file);
  },

  "reloaded, it goes on from where it was, and asks for the file only where it was not kept": async (journey) => {
    const { service, profile, keepsFiles } = journey;
    const file = service.file("reloaded.mp4", FILE_BYTES);
    const page = await midway(service, profile, file);
    const [uploadId] = await service.openUploads(file);
    await page.reload();
    service.wire.release();
    await page.untilReloaded();
    if (keepsFiles) {
      await page.untilStage(file, "interrupted");
    } else {
      await page.untilStage(file, "missing");
      await page.choose(file);
    }
    await page.start();
    assert.ok((await page.resumedFrom(file)) >= MIDWAY_PERCENT);
    assert.equal(await page.untilRecorded(file), uploadId);
    await service.assertArrived(String(uploadId), file);
  },

  "closed, and chosen in a new tab: it resumes": async ({ service, profile }) => {
    const file = service.file("closed.mp4", LARGE_FILE_BYTES);
    const another = await profile.newTab();
    const page = await midway(service, profile, file);
    const [uploadId] = await service.openUploads(file);
    await page.close();
    service.wire.release();
    const again = await EnginePage.open(another, service.wire.url);
    await again.send(file);
    assert.ok((await again.resumedFrom(file)) >= MIDWAY_PERCENT);
    assert.equal(await again.untilRecorded(file), uploadId);
    await service.assertArrived(String(uploadId), file);
  },

  "two tabs are one upload: the second follows, and takes over": async ({ service, profile }) => {
    const file = service.file("two tabs.mp4", LARGE_FILE_BYTES);
    const first = await midway(service, profile, file);
    const [uploadId] = await service.openUploads(file);
    const second = await openPage(service, profile);
    await second.send(file);
    await second.untilStage(file, "following");
    assert.deepEqual(await service.openUploads(file), [uploadId]);
    await first.close();
    service.wire.release();
    assert.equal(await second.untilRecorded(file), uploadId);
    await service.assertArrived(String(uploadId), file);
  },
};

/** What a journey needs: a browser, and a service that nobody has used before. */
async function begin(name: EngineName): Promise<{ service: Service; engine: Engine; end: () => Promise<void> }> {
  const service = new Service(await Service.parts());
  const engine = await launch(name);
  return { service, engine, end: () => engine.close().then(() => service.close()) };
}

/** One test for each journey, called by the engine's name, by which `cargo xtask test` counts them. */
export function journeysIn(name: EngineName): void {
  const there = unlessThere(name);
  let stage: Awaited<ReturnType<typeof begin>> | undefined;
  const go = async (journey: Journey) => {
    stage ??= await begin(name);
    const { engine, service } = stage;
    const profile = await engine.newProfile();
    try {
      await journey({ service, profile, keepsFiles: KEEPS_FILES[name] });
    } finally {
      service.wire.mend();
      service.wire.release();
      await profile.close();
    }
  };
  after(() => stage?.end());
  for (const [title, journey] of Object.entries(JOURNEYS)) {
    test(`${name}: ${title}`, there, async (t) => {
      for (let tries = 1; ; tries++) {
        try {
          return await go(journey);
        } catch (error) {
          if (tries === TRIES[name]) {
            throw error;
          }
          t.diagnostic(`once more, with everything fresh: ${error}`);
          await stage?.end();
          stage = undefined;
        }
      }
    });
  }
}
