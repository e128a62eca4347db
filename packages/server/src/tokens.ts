// Upload tokens: JWTs that say who uploads, for how long, and within what bounds. Quayside checks them at the edge, with the shared secret
// (HS256) or a public key, and asks nobody.

import { type CryptoKey, type JWK, SignJWT } from "jose";

/** An asymmetric key, whose public half Quayside has (TOKEN_PUBLIC_KEYS or TOKEN_JWKS_URL) under the same `kid`. */
export type PrivateSigningKey = {
  kid: string;
  algorithm: "ES256" | "ES384" | "EdDSA" | "RS256" | "RS384" | "RS512" | "PS256";
  privateKey: CryptoKey | JWK;
};

/**
 * What signs. A string is TOKEN_SECRETS as Quayside has it: `<kid>:<at least 32 characters>`; where it has several, with spaces between
 * them, the first signs.
 */
export type SigningKey = string | PrivateSigningKey;

export type TokenOptions = {
  /** Who uploads: your name for this user. What is uploaded belongs to it, and nobody else sees it. */
  owner: string;
  /** For how long uploads may be created with it; those that were go on for as long as they live. An hour. */
  validSeconds?: number;
  /** TOKEN_AUDIENCE of the deployment. `quayside`. */
  audience?: string;
  /** The largest file, in bytes. */
  maxBytes?: number;
  /** What files may be, as media types: `image/*`. */
  types?: string[];
  /** What events tell as `attached`. The client can neither see nor change it. */
  metadata?: unknown;
  /** The object's key is `uploads/<keyPrefix><upload id>`. */
  keyPrefix?: string;
  /** Whether it may delete uploads that are complete. Not for users: for the application itself. */
  delete?: boolean;
  /** The id of the one upload that it is for; it creates none. */
  upload?: string;
};

/** An option that would make a token which is refused, or a key that cannot sign. */
export class TokenOptionError extends TypeError {
  override readonly name = "TokenOptionError";
}

const AN_HOUR_SECONDS = 3600;
const LEAST_SECRET_CHARACTERS = 32;

/** The token, for the header `Authorization: Bearer`. */
export async function mintToken(key: SigningKey, options: TokenOptions): Promise<string> {
  const { owner, validSeconds = AN_HOUR_SECONDS, audience = "quayside", ...terms } = options;
  if (typeof owner !== "string" || owner === "") {
    throw new TokenOptionError("owner is missing: whose is what this token uploads?");
  }
  if (!Number.isFinite(validSeconds) || validSeconds <= 0) {
    throw new TokenOptionError("validSeconds is not a number of seconds above 0");
  }
  checkTerms(terms);
  const { kid, algorithm, signer } = signerOf(key);
  return await new SignJWT({ quayside: terms })
    .setProtectedHeader({ alg: algorithm, kid })
    .setSubject(owner)
    .setAudience(audience)
    .setExpirationTime(Math.floor(Date.now() / 1000 + validSeconds))
    .sign(signer);
}

const TERMS = new Set(["maxBytes", "types", "metadata", "keyPrefix", "delete", "upload"]);

/** Quayside refuses a token with a term that it does not know; here that is told to whoever wrote it. */
function checkTerms(terms: object): void {
  for (const name of Object.keys(terms)) {
    if (!TERMS.has(name)) {
      throw new TokenOptionError(`there is no option ${name}; there are ${[...TERMS].join(", ")}`);
    }
  }
  const { maxBytes } = terms as TokenOptions;
  if (maxBytes !== undefined && !(Number.isSafeInteger(maxBytes) && maxBytes >= 0)) {
    throw new TokenOptionError("maxBytes is not a whole number of bytes");
  }
  const { types } = terms as TokenOptions;
  if (types !== undefined && !(Array.isArray(types) && types.length > 0 && types.every(isMediaType))) {
    throw new TokenOptionError('types is not a list of media types like ["image/*"]');
  }
}

function isMediaType(type: unknown): boolean {
  return typeof type === "string" && /^[\w!#$&^.+-]+\/([\w!#$&^.+-]+|\*)$/.test(type);
}

type Signer = { kid: string; algorithm: string; signer: CryptoKey | JWK | Uint8Array };

function signerOf(key: SigningKey): Signer {
  if (key === undefined || key === null || key === "") {
    throw new TokenOptionError("there is no key: TOKEN_SECRETS is not set");
  }
  if (typeof key !== "string") {
    return { kid: key.kid, algorithm: key.algorithm, signer: key.privateKey };
  }
  const [first = ""] = key.trim().split(/[\s,]+/);
  const colon = first.indexOf(":");
  const secret = first.slice(colon + 1);
  if (colon < 1 || secret.length < LEAST_SECRET_CHARACTERS) {
    throw new TokenOptionError("the secret is not `<kid>:<at least 32 characters>`, as TOKEN_SECRETS has it");
  }
  return { kid: first.slice(0, colon), algorithm: "HS256", signer: new TextEncoder().encode(secret) };
}
