// The creation of an upload. It is asked under a key, and repeated word for word until there is an answer: so there is one upload,
// however often the answer was lost. A small file comes along with it, and is whole with the answer: one request instead of three.

import { isGone, problemCode, UploadError } from "./errors.ts";
import { readBytes } from "./file_reader.ts";
import { cleanName, type Identity } from "./identity.ts";
import type { Hasher, UploadFile } from "./interfaces.ts";
import type { Settings } from "./remote_upload.ts";
import type { Created, CreationAnswer, OnSent, Server } from "./server.ts";

/** What is larger is worth the requests that tell how much of it has arrived. */
const MAX_BYTES_ALONG = 1024 * 1024;
/** Proxies take no longer headers. */
const MAX_HEADER_CHARACTERS = 2048;
/** In tus these say the file's name and type. */
const OTHER_MEANING = ["filename", "name", "filetype", "type", "contentType"];

export interface CreationParts {
  readonly file: UploadFile;
  readonly settings: Settings;
  readonly server: Server;
  readonly hasher: Hasher;
  readonly random: () => number;
}

export class Creation {
  readonly #parts: CreationParts;
  readonly #identity: Identity;
  readonly #sha256: string | undefined;
  #key: string;
  /** The header that describes the file, where it goes along. */
  #along: string | undefined;

  constructor(parts: CreationParts, identity: Identity, sha256: string | undefined) {
    this.#parts = parts;
    this.#identity = identity;
    this.#sha256 = sha256;
    this.#key = randomName(parts.random);
    this.#along = goesAlong(parts) ? described(parts, identity) : undefined;
  }

  /** Whether the file comes along. */
  get hasFile(): boolean {
    return this.#along !== undefined;
  }

  /** Asks once. */
  async ask(signal: AbortSignal, onSent?: OnSent): Promise<CreationAnswer> {
    const { server } = this.#parts;
    const created = this.#along === undefined ? undefined : await this.#withFile(this.#along, signal, onSent);
    return created ?? server.create(this.#body(), this.#key, signal);
  }

  /** Undefined where something in front of the server does not let it through: from now on the file goes by itself. */
  async #withFile(along: string, signal: AbortSignal, onSent: OnSent | undefined): Promise<Created | undefined> {
    const { file, settings, server, hasher } = this.#parts;
    const bytes = await readBytes(file, 0, file.size, signal);
    const headers: Record<string, string> = { "Upload-Metadata": along };
    if (settings.checksums) {
      headers["Upload-Checksum"] = `sha256 ${base64(fromHex(await hasher.chunk(bytes)))}`;
    }
    try {
      const created = await server.createWith(bytes, headers, this.#key, signal, onSent);
      if (created === undefined) {
        this.#along = undefined;
      }
      return created;
    } catch (error) {
      // That upload is gone, and its key with it.
      const isDamaged = error instanceof UploadError && problemCode(error.problem) === "checksum-mismatch";
      if (isDamaged || isGone(error)) {
        this.#key = randomName(this.#parts.random);
      }
      throw error;
    }
  }

  #body(): string {
    const { file, settings } = this.#parts;
    const { chunkBytes, parallel, direct, contentType } = settings;
    return JSON.stringify({
      fileName: cleanName(file.name),
      fileSize: file.size,
      contentType,
      chunkSize: chunkBytes,
      ...(direct ? { direct } : { parallel }),
      sha256: this.#sha256,
      metadata: this.#identity.metadata,
    });
  }
}

function goesAlong({ file, settings }: CreationParts): boolean {
  const { oneRequest, parallel, direct, dedup, chunkBytes } = settings;
  const isSmall = file.size > 0 && file.size <= Math.min(chunkBytes, MAX_BYTES_ALONG);
  return oneRequest && isSmall && !parallel && !direct && !dedup;
}

/** `Upload-Metadata`, as tus has it; undefined where it cannot say the same. */
function described({ file, settings }: CreationParts, { metadata }: Identity): string | undefined {
  const isSayable = (key: string) => /^[!-+\--~]+$/.test(key) && !OTHER_MEANING.includes(key);
  if (!Object.keys(metadata).every(isSayable)) {
    return undefined;
  }
  const type = settings.contentType === "" ? [] : [["filetype", settings.contentType] as const];
  const pairs = [["filename", cleanName(file.name)] as const, ...type, ...Object.entries(metadata)];
  const header = pairs.map(([key, value]) => `${key} ${base64(new TextEncoder().encode(value))}`).join();
  return header.length > MAX_HEADER_CHARACTERS ? undefined : header;
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** 128 random bits in hexadecimal. */
function randomName(random: () => number): string {
  return Array.from({ length: 16 }, () =>
    Math.floor(random() * 256)
      .toString(16)
      .padStart(2, "0"),
  ).join("");
}
