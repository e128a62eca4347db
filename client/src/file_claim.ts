// The right to send a file: which file it is, and which of several in this page that cannot be told apart.

import { type Identity, identify, type Wanted } from "./identity.ts";
import type { Claim, Claims, Hasher, UploadFile } from "./interfaces.ts";

export interface FileClaimParts {
  readonly file: UploadFile;
  readonly wanted: Wanted;
  readonly hasher: Hasher;
  readonly claims: Claims;
  /** Names whoever shares the records of how to go on. */
  readonly scope: () => string;
}

export class FileClaim {
  readonly #parts: FileClaimParts;
  #identity: Identity | undefined;
  /** Which of several files that cannot be told apart this is; kept from one claim to the next. */
  #place: number | undefined;
  #firstPlace = 0;
  #claim: Claim | undefined;

  constructor(parts: FileClaimParts) {
    this.#parts = parts;
  }

  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** Where it is remembered how to go on. Undefined until there was a claim. */
  get recordName(): string | undefined {
    return this.#place === undefined ? undefined : this.#name(this.#place);
  }

  /** Where it would be remembered, if it were the only one of its looks. For a file that was read. */
  get firstRecordName(): string {
    return this.#name(0);
  }

  /** Reads samples of the file, unless its bytes are here. Undefined where it is not the one that was read before. */
  async read(signal: AbortSignal, bytes?: Uint8Array): Promise<Identity | undefined> {
    const { file, wanted, hasher } = this.#parts;
    const before = this.#identity;
    this.#identity = await identify(file, wanted, hasher, signal, bytes);
    const isSame = before === undefined || before.fingerprint === this.#identity.fingerprint;
    if (!isSame) {
      this.#place = undefined;
      this.#firstPlace = 0;
    }
    return isSame ? this.#identity : undefined;
  }

  /** For a file that was read. Undefined where another upload has it, in this page or another. */
  async take(): Promise<Claim | undefined> {
    for (let place = this.#place ?? this.#firstPlace; ; place++) {
      const claim = await this.#parts.claims.claim(this.#name(place), this);
      // An upload in this page is of another file, however much it looks like this one.
      if (claim !== "here" || this.#place !== undefined) {
        this.#place = place;
        return this.#keep(claim);
      }
    }
  }

  /** The same from another page that has stopped working. */
  async takeOver(): Promise<Claim | undefined> {
    return this.#keep(await this.#parts.claims.takeOver(this.#name(this.#place ?? this.#firstPlace), this));
  }

  /** Lets others send this file, or follow it. */
  release(): void {
    this.#claim?.release();
    this.#claim = undefined;
    if (this.#place !== undefined) {
      this.#parts.claims.leave(this.#name(this.#place), this);
    }
  }

  /** The page that has the claim does not say what it sends: from now on this is a file of its own. */
  giveUp(): void {
    this.release();
    this.#firstPlace = (this.#place ?? 0) + 1;
    this.#place = undefined;
  }

  #keep(claim: Claim | "here" | "elsewhere"): Claim | undefined {
    this.#claim = typeof claim === "string" ? undefined : claim;
    return this.#claim;
  }

  #name(place: number): string {
    const name = `${this.#parts.scope()}${this.#identity?.recordName}`;
    return place === 0 ? name : `${name}:${place}`;
  }
}
