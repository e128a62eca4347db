// The draft's requests as curl's arguments, and its answers by the headers that matter.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { curl } from "./curl.ts";
import type { Reply } from "./http.ts";
import type { Stack } from "./stack.ts";

export function headers(...lines: string[]): string[] {
  return lines.flatMap((line) => ["-H", line]);
}

export const EMPTY = headers("Content-Length: 0");
export const APPEND = ["-X", "PATCH", ...headers("Content-Type: application/partial-upload")];

/** The answer has this status, and these headers or none of the name. */
export function says(reply: Reply, status: number, expected: Record<string, string | undefined>): void {
  const seen = Object.fromEntries(Object.keys(expected).map((name) => [name, reply.header(name)]));
  assert.deepEqual({ status: reply.status, ...seen }, { status, ...expected }, reply.body.toString());
}

export function idOf(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1);
}

export class Draft {
  /** Where uploads are created. */
  readonly files: string;
  readonly #stateDir: string;
  #written = 0;

  constructor(stack: Stack) {
    this.files = `${stack.baseUrl}/files`;
    this.#stateDir = stack.stateDir;
  }

  /** The arguments with which curl sends these bytes as content. */
  content(bytes: Uint8Array): string[] {
    const path = join(this.#stateDir, `content.${this.#written++}`);
    writeFileSync(path, bytes);
    return ["-T", path];
  }

  /** The URL of the upload that was created. */
  locationOf(reply: Reply): string {
    const location = reply.header("Location");
    assert.ok(location, `no Location: ${reply.status} ${reply.body.toString()}`);
    return new URL(location, this.files).href;
  }

  /** A creation without content. */
  async create(...lines: string[]): Promise<string> {
    const reply = await curl("-X", "POST", ...headers("Upload-Complete: ?0", ...lines), ...EMPTY, this.files);
    assert.equal(reply.status, 201, reply.body.toString());
    return this.locationOf(reply);
  }

  append(url: string, offset: number, complete: "?0" | "?1", bytes: Uint8Array, ...lines: string[]): Promise<Reply> {
    const said = headers(`Upload-Offset: ${offset}`, `Upload-Complete: ${complete}`, ...lines);
    return curl(...APPEND, ...said, ...this.content(bytes), url);
  }
}
