// Numbers as people read them.

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** `28.4 MB`: in powers of 1024, as the Dashboard beside it counts. */
export function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
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
