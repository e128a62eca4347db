// What programs that know media make of a file: ffprobe and ffmpeg, where the system has them.

import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);
/** A line for each packet of an hour. */
const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

export async function hasMediaTools(): Promise<boolean> {
  const has = (tool: string) => run(tool, ["-version"]);
  return await Promise.all([has("ffmpeg"), has("ffprobe")]).then(
    () => true,
    () => false,
  );
}

/**
 * How long it plays, from its first packet to the end of its last: what is recorded live says no duration itself.
 */
export async function durationSeconds(path: string): Promise<number> {
  const asked = ["-v", "error", "-show_entries", "packet=pts_time,duration_time", "-of", "csv=p=0", path];
  const { stdout } = await run("ffprobe", asked, { maxBuffer: MOST_OUTPUT_BYTES });
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const line of stdout.split("\n")) {
    const [at, lasts] = line.split(",").map(Number);
    if (line !== "" && Number.isFinite(at)) {
      first = Math.min(first, Number(at));
      last = Math.max(last, Number(at) + (Number.isFinite(lasts) ? Number(lasts) : 0));
    }
  }
  return last - first;
}

/**
 * What a decoder complains of, from the first frame to the last; nothing where all is well. That the file ends where a next block would
 * have begun is no complaint: Chromium's recorder gives the first byte of a block with the piece before it.
 */
export async function decodingErrors(path: string): Promise<string[]> {
  const asked = ["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", path];
  const { stdout, stderr } = await run("ffprobe", asked);
  // What is at an address has an end that the server tells.
  const bytes = existsSync(path) ? statSync(path).size : undefined;
  const atEnd = new RegExp(`File ended prematurely at pos\\. ${bytes} `);
  const errors = stderr.split("\n").filter((line) => line !== "" && !atEnd.test(line));
  const frames = stdout.split("\n").filter((line) => line !== "");
  return frames.length > 0 && frames.every((count) => Number(count) > 0) ? errors : [...errors, `frames: ${stdout}`];
}
