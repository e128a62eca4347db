// Alarms that the platform has lost: their rows are taken out of Miniflare's own tables, under a Worker that has been ended. Nothing
// then wakes an object but whoever asks for it, as its clients, its owner's list and the operator do: here, everybody who waits for
// something asks again and again.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import type { Random } from "./random.ts";
import type { World } from "./world.ts";

const OBJECTS = "v3/do/quayside-UploadSession/metadata.sqlite";

/** Loses some of the alarms of uploads; how many. */
export function loseAlarms(persistDir: string, random: Random): number {
  const path = join(persistDir, OBJECTS);
  if (!existsSync(path)) {
    return 0;
  }
  const database = new DatabaseSync(path);
  try {
    const objects = database.prepare("SELECT actor_id AS id FROM _cf_ALARM ORDER BY id").all();
    const lost = objects.filter(() => random.chance(0.5));
    const lose = database.prepare("DELETE FROM _cf_ALARM WHERE actor_id = ?");
    for (const { id } of lost) {
      lose.run(String(id));
    }
    return lost.length;
  } finally {
    database.close();
  }
}

/** Asks for these uploads, and for all that their owner's list names. */
export async function wake(world: World, uploadIds: Iterable<string>): Promise<void> {
  const { client } = world.stack;
  const listed = (await client.openUploads()).map(({ uploadId }) => uploadId);
  for (const uploadId of new Set([...uploadIds, ...listed])) {
    await client.status(uploadId);
  }
}
