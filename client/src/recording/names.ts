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
  // As if the clock on the wall showed UTC.
  const local = new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString();
  const said = local.slice(0, 19).replace("T", " ").replace(/:/g, ".");
  return `recording ${said}.${ENDINGS[contentType] ?? "bin"}`;
}
