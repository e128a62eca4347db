// Recordings as ffmpeg makes them, and playlists of them as a player reads them.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { MIB } from "./bytes.ts";

const run = promisify(execFile);

/** For `test`: why it is skipped, if it is. */
export const withMediaTools = { skip: (await hasMediaTools()) ? false : "there is no ffmpeg with ffprobe and libx264" };

async function hasMediaTools(): Promise<boolean> {
  try {
    await run("ffprobe", ["-version"]);
    return (await run("ffmpeg", ["-v", "error", "-encoders"])).stdout.includes("libx264");
  } catch {
    return false;
  }
}

const CONTAINERS = {
  mp4: ["-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-f", "mp4"],
  ts: ["-f", "mpegts"],
};

/** A recording of so many seconds with pictures and sound, and a key frame each two seconds. */
export async function recorded(container: keyof typeof CONTAINERS, seconds: number): Promise<Buffer> {
  const pictures = ["-f", "lavfi", "-i", `testsrc=duration=${seconds}:size=320x180:rate=25`];
  const sound = ["-f", "lavfi", "-i", `sine=frequency=440:duration=${seconds}`];
  const codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac"];
  const { stdout } = await run(
    "ffmpeg",
    ["-v", "error", ...pictures, ...sound, ...codecs, ...CONTAINERS[container], "-"],
    { encoding: "buffer", maxBuffer: 64 * MIB },
  );
  return stdout;
}

/** How long it is, in seconds, whatever reads it; and that all of it can be decoded. */
export async function played(url: string): Promise<number> {
  const decoded = await run("ffmpeg", ["-v", "error", "-i", url, "-f", "null", "-"]);
  assert.equal(decoded.stderr, "");
  const asked = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"];
  return Number((await run("ffprobe", [...asked, url])).stdout);
}

/** A piece of a file. */
export type Piece = { from: number; to: number; address: string };

/** What a playlist says. */
export class Playlist {
  readonly text: string;
  readonly map: Piece | undefined;
  readonly segments: (Piece & { seconds: number })[] = [];
  readonly hasEnded: boolean;
  readonly targetSeconds: number;

  constructor(text: string) {
    this.text = text;
    const lines = text.split("\n");
    assert.equal(lines[0], "#EXTM3U");
    assert.equal(lines.at(-1), "", "it ends with a line");
    this.targetSeconds = Number(/^#EXT-X-TARGETDURATION:(\d+)$/m.exec(text)?.[1]);
    this.hasEnded = lines.includes("#EXT-X-ENDLIST");
    const [, mapAddress = "", mapBytes] = /^#EXT-X-MAP:URI="([^"]*)",BYTERANGE="(\d+)@0"$/m.exec(text) ?? [];
    this.map = mapBytes === undefined ? undefined : { from: 0, to: Number(mapBytes), address: mapAddress };
    const segment = /^#EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n(.*)$/gm;
    for (const [, seconds, bytes, from, address = ""] of text.matchAll(segment)) {
      assert.ok(Math.round(Number(seconds)) <= this.targetSeconds, `${seconds} s`);
      this.segments.push({ seconds: Number(seconds), from: Number(from), to: Number(from) + Number(bytes), address });
    }
    assert.equal(lines.filter((line) => line.startsWith("#EXTINF")).length, this.segments.length);
  }

  get pieces(): Piece[] {
    return [...(this.map ? [this.map] : []), ...this.segments];
  }

  get seconds(): number {
    return this.segments.reduce((sum, { seconds }) => sum + seconds, 0);
  }

  /** Up to here the file is cut, without a gap. */
  get cutBytes(): number {
    let end = 0;
    for (const { from, to } of this.pieces) {
      assert.equal(from, end);
      end = to;
    }
    return end;
  }

  /** It has all that the one before had, in the same place. */
  follows(before: Playlist): void {
    assert.ok(this.text.startsWith(before.text.replace("#EXT-X-ENDLIST\n", "")) || before.pieces.length === 0);
    assert.equal(this.targetSeconds, before.targetSeconds);
  }
}
