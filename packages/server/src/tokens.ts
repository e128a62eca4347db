// Upload tokens: JWTs that say who uploads, for how long, and within what bounds. Quayside checks them at the edge, with the shared secret
// (HS256) or a public key, and asks nobody.

import { type CryptoKey, type JWK, SignJWT } from "jose";

import { bytesOf, checkAudience, checkOwner, checkTerms, isSayable, TokenOptionError } from "./options.ts";

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
  /** Who uploads: your name for this user, up to 255 bytes. What is uploaded belongs to it, and nobody else sees it. */
  owner: string;
  /** For how long uploads may be created with it; those that were go on for as long as they live. An hour. */
  validSeconds?: number;
  /** TOKEN_AUDIENCE of the deployment. `quayside`. */
  audience?: string;
  /** The largest file, in bytes. */
  maxBytes?: number;
  /** What files may be, as media types: `image/*`. */
  types?: string[];
  /** What events tell as `attached`: text by name, up to 4 KiB. The client can neither see nor change it. */
  metadata?: Record<string, string>;
  /** What stands for `{prefix}` in the object's key, which is `uploads/{prefix}{id}` unless somebody says otherwise: `customers/42/`. */
  keyPrefix?: string;
  /** What the object's key is made of, where that is not as OBJECT_KEY says: `photos/{year}/{id}{.ext}`. */
  objectKey?: string;
  /** The bucket that its files lie in, where the deployment has several: `eu` for the binding `BUCKET_EU`. */
  bucket?: string;
  /** Whether what is uploaded with it is held until somebody has looked at it. */
  hold?: boolean;
  /** Whether everybody gets what is uploaded with it, below PUBLIC_FILES_URL. */
  public?: boolean;
  /**
   * `true`: what has no length when it is created is a live upload, also where its client does not say so; `{ endAfterSeconds, tellEveryBytes }`:
   * so, and this holds for each. `false`: none is.
   */
  live?: boolean | { endAfterSeconds?: number; tellEveryBytes?: number };
  /** Whether it may delete uploads that are complete. Not for users: for the application itself. */
  delete?: boolean;
  /** The id of the one upload that it is for; it creates none. */
  upload?: string;
  /**
   * For whoever runs the service, who is its `owner`: it opens everybody's uploads and the routes below `/admin/`, and uploads nothing. With no other
   * term, and for minutes.
   */
  scope?: "admin";
};

const AN_HOUR_SECONDS = 3600;
const LEAST_SECRET_BYTES = 32;
/** A longer token is refused unread. */
const MOST_TOKEN_BYTES = 8192;
const ALGORITHMS = ["ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256"];

/** The token, for the header `Authorization: Bearer`. */
export async function mintToken(key: SigningKey, options: TokenOptions): Promise<string> {
  const { owner, validSeconds = AN_HOUR_SECONDS, audience = "quayside", ...terms } = options ?? {};
  checkOwner(owner);
  checkAudience(audience);
  if (!Number.isFinite(validSeconds) || validSeconds <= 0) {
    throw new TokenOptionError("validSeconds is not a number of seconds above 0");
  }
  checkTerms(terms);
  const { kid, algorithm, signer } = signerOf(key);
  const token = await new SignJWT({ quayside: terms })
    .setProtectedHeader({ alg: algorithm, kid })
    .setSubject(owner)
    .setAudience(audience)
    .setExpirationTime(Math.floor(Date.now() / 1000 + validSeconds))
    .sign(signer)
    .catch(cannotSign);
  if (token.length > MOST_TOKEN_BYTES) {
    throw new TokenOptionError(
      "the token has more than 8 KiB, which is refused: leave out what Quayside need not know",
    );
  }
  return token;
}

/** It is of another kind than its algorithm, it is half of a pair, or an RSA key of less than 2,048 bits. */
function cannotSign(cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new TokenOptionError(`the key cannot sign: ${why}`, { cause });
}

type Signer = { kid: string; algorithm: string; signer: CryptoKey | JWK | Uint8Array };

function signerOf(key: SigningKey): Signer {
  if (key === undefined || key === null || key === "") {
    throw new TokenOptionError("there is no key: TOKEN_SECRETS is not set");
  }
  return typeof key === "string" ? ofSecrets(key) : ofPrivateKey(key);
}

function ofPrivateKey({ kid, algorithm, privateKey }: PrivateSigningKey): Signer {
  if (!ALGORITHMS.includes(algorithm) || !isSayable(kid)) {
    throw new TokenOptionError(`the key has no kid, or an algorithm that is none of ${ALGORITHMS.join(", ")}`);
  }
  return { kid, algorithm, signer: privateKey };
}

/** What is between two of them is what Quayside takes for it. A mark of the byte order in front is a file's, and no part of a name. */
function ofSecrets(secrets: string): Signer {
  const [first = ""] = secrets.split(/[, \t\n\r]/).filter((entry) => entry !== "");
  const [kid, secret = "", ...more] = first.split(":");
  const isPair = isSayable(kid) && !kid.startsWith("\ufeff") && isSayable(secret) && more.length === 0;
  if (!isPair || bytesOf(secret) < LEAST_SECRET_BYTES) {
    throw new TokenOptionError("the secret is not `<kid>:<at least 32 characters>`, as TOKEN_SECRETS has it");
  }
  return { kid, algorithm: "HS256", signer: new TextEncoder().encode(secret) };
}
