// What the page is told by whoever serves it, as `/config.json` beside it.

export interface PageConfig {
  /** Where the origin shows its records, such as `http://127.0.0.1:8788`; null where it shows them to nobody. */
  readonly originUrl: string | null;
  /** Media types and file name endings that may be chosen, such as `image/*` or `.pdf`; null for all. */
  readonly allowedFileTypes: string[] | null;
}

const NOTHING: PageConfig = { originUrl: null, allowedFileTypes: null };

/** The largest file that the server takes, in bytes, as it tells clients of tus; null where it does not say. */
export async function largestFileBytes(endpoint: string): Promise<number | null> {
  try {
    const response = await fetch(`${endpoint}/files`, { method: "OPTIONS", headers: { "Tus-Resumable": "1.0.0" } });
    const bytes = Number(response.headers.get("Tus-Max-Size") ?? Number.NaN);
    return Number.isSafeInteger(bytes) ? bytes : null;
  } catch {
    return null;
  }
}

/** Uploading works without it, so its absence is no error. */
export async function readConfig(): Promise<PageConfig> {
  try {
    const response = await fetch("config.json");
    return response.ok ? { ...NOTHING, ...((await response.json()) as Partial<PageConfig>) } : NOTHING;
  } catch {
    return NOTHING;
  }
}
