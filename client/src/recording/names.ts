// What a recording is called where nobody says.

const ENDINGS: Readonly<Record<string, string>> = {
  "video/webm": "webm",
  "audio/webm": "webm",
  "video/mp4": "mp4",
  "audio/mp4": "m4a",
  "audio/ogg": "ogg",
  "video/x-matroska": "mkv",
};

/** `recording 2026-11-30 09.05.07.webm`, by the clock on the wall. */
export function defaultName(atMs: number, contentType: string): string {
  const at = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(".");
  return `recording ${day} ${time}.${ENDINGS[contentType] ?? "bin"}`;
}
