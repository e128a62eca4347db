// What the Worker has logged: every line that wrangler printed, and those of them that are the Worker's own JSON lines.

import { stripVTControlCharacters } from "node:util";

/** One structured line of the Worker. Which further fields it has depends on the event. */
export type LogLine = {
  event: string;
  uploadId?: string;
  bytes?: number;
  durationMs?: number;
  [field: string]: unknown;
};

/** In the message of every fault that was planned by `POST /faults`. */
const ON_PURPOSE = "a fault on purpose";

/** How the platform logs that an answer was broken off before its end, as it has to be where a recording is thrown away. */
const BROKEN_OFF = "a live upload is read no further";

export class WorkerLog {
  readonly texts: string[] = [];
  readonly lines: LogLine[] = [];
  #unfinished = "";

  append(output: string): void {
    const texts = (this.#unfinished + stripVTControlCharacters(output)).split("\n");
    this.#unfinished = texts.pop() ?? "";
    for (const text of texts) {
      this.texts.push(text);
      const line = parse(text);
      if (line !== undefined) {
        this.lines.push(line);
      }
    }
  }

  of(uploadId: string, event?: string): LogLine[] {
    return this.lines.filter((line) => line.uploadId === uploadId && (event === undefined || line.event === event));
  }

  /** What must never be there: errors that nobody caught, and the Worker's own word that something is its fault. Unless
   * a test has asked for the fault. */
  faults(): string[] {
    const own = this.lines.filter(({ event }) => event === "fault" || event.endsWith("_fault"));
    const uncaught = this.texts.filter((text) => /Uncaught|unhandled rejection|had hung|panicked/i.test(text));
    const isKnown = (text: string) => text.includes(ON_PURPOSE) || text.includes(BROKEN_OFF);
    return [...own.map((line) => JSON.stringify(line)), ...uncaught].filter((text) => !isKnown(text));
  }

  /** What was asked for has been seen, and is no news: what comes from now on is. */
  forget(): void {
    this.texts.length = 0;
    this.lines.length = 0;
  }

  tail(count = 40): string {
    return this.texts.slice(-count).join("\n");
  }
}

/** wrangler prints `console.log` as it is and puts a mark of its own before a line of `console.error` or `.warn`. */
function parse(text: string): LogLine | undefined {
  const from = text.indexOf("{");
  if (from < 0) {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text.slice(from));
    return isLogLine(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isLogLine(value: unknown): value is LogLine {
  return typeof value === "object" && value !== null && "event" in value && typeof value.event === "string";
}
