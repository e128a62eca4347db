// Numbers as people read them.

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** `28.4 MB`, in powers of 1000, as the words say and as file managers count. */
export function size(bytes: number): string {
  let [value, unit] = [bytes, 0];
  // 999.95 kB would be written as 1000.0 kB.
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `1 min 20 s`; a lower bound of a second, as nobody trusts a zero. */
export function duration(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 60) {
    return `${seconds} s`;
  }
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Whole percent; 100 only when it is all there. */
export function percent(bytes: number, ofBytes: number): number {
  return ofBytes === 0 ? 100 : Math.floor((100 * bytes) / ofBytes);
}

/** `1 file`, `1,000 files`. */
export function files(count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? "file" : "files"}`;
}
