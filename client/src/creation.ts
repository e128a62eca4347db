// The creation of an upload. It is asked under a key, and repeated word for word until there is an answer: so there is one upload,
// however often the answer was lost. A small file comes along with it, and is whole with the answer: one request instead of three.

import { isGone, UploadError } from "./errors.ts";
import { cleanName, type Identity } from "./identity.ts";
import type { Runtime, UploadFile } from "./interfaces.ts";
import type { Settings } from "./options.ts";
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
  readonly runtime: Pick<Runtime, "hasher" | "random">;
}

/** What has been found out about the file's content: its hash, or all of it. */
export interface Content {
  readonly sha256?: string | undefined;
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

export class Creation {
  readonly #parts: CreationParts;
  readonly #identity: Identity;
  readonly #content: Content;
  #key: string;
  /** The header that describes the file, where it goes along. */
  #along: string | undefined;

  constructor(parts: CreationParts, identity: Identity, content: Content) {
    this.#parts = parts;
    this.#identity = identity;
    this.#content = content;
    this.#key = randomName(parts.runtime.random);
    this.#along = content.bytes && described(parts, identity);
  }

  /** Whether the file comes along. */
  get hasFile(): boolean {
    return this.#along !== undefined;
  }

  /** Asks once. */
  async ask(signal: AbortSignal): Promise<CreationAnswer> {
    const { server } = this.#parts;
    return (await this.askWithFile(signal)) ?? server.create(this.#body(), this.#key, signal);
  }

  /** The same where the file comes along. Undefined where something in front of the server does not let it through, from then on. */
  async askWithFile(signal: AbortSignal, onSent?: OnSent): Promise<Created | undefined> {
    const { settings, server, runtime } = this.#parts;
    const { bytes } = this.#content;
    if (this.#along === undefined || bytes === undefined) {
      return undefined;
    }
    const headers: Record<string, string> = { "Upload-Metadata": this.#along };
    if (settings.checksums) {
      headers["Upload-Checksum"] = `sha256 ${base64OfHex(await runtime.hasher.chunk(bytes))}`;
    }
    try {
      const created = await server.createWith(bytes, headers, this.#key, signal, onSent);
      if (created === undefined) {
        this.#along = undefined;
      }
      return created;
    } catch (error) {
      // That upload is gone, and its key with it.
      const isDamaged = error instanceof UploadError && error.problem?.code === "checksum-mismatch";
      if (isDamaged || isGone(error)) {
        this.#key = randomName(runtime.random);
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
      sha256: this.#content.sha256,
      metadata: this.#identity.metadata,
    });
  }
}

/** Whether it is small, and nothing is wanted for which it would have to go by itself. */
export function mayComeAlong(file: UploadFile, settings: Settings): boolean {
  const { oneRequest, parallel, direct, dedup, chunkBytes } = settings;
  const isSmall = file.size > 0 && file.size <= Math.min(chunkBytes, MAX_BYTES_ALONG);
  return oneRequest && isSmall && !parallel && !direct && !dedup;
}

/** `Upload-Metadata`, as tus has it; undefined where it cannot say the same. */
export function described(
  { file, settings }: { readonly file: Pick<UploadFile, "name">; readonly settings: Pick<Settings, "contentType"> },
  { metadata }: Pick<Identity, "metadata">,
): string | undefined {
  const isSayable = (key: string) => /^[!-+\--~]+$/.test(key) && !OTHER_MEANING.includes(key);
  if (!Object.keys(metadata).every(isSayable)) {
    return undefined;
  }
  const type = settings.contentType === "" ? [] : [["filetype", settings.contentType] as const];
  const pairs = [["filename", cleanName(file.name)] as const, ...type, ...Object.entries(metadata)];
  const header = pairs.map(([key, value]) => `${key} ${base64(new TextEncoder().encode(value))}`).join();
  return header.length > MAX_HEADER_CHARACTERS ? undefined : header;
}

function base64OfHex(hex: string): string {
  return btoa(hex.replace(/../g, (byte) => String.fromCharCode(Number.parseInt(byte, 16))));
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** 128 random bits in hexadecimal. */
export function randomName(random: () => number): string {
  const word = () => ((random() * 2 ** 32) >>> 0).toString(16).padStart(8, "0");
  return word() + word() + word() + word();
}
