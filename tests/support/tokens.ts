// Tokens as an application mints them, and as somebody makes them up who has no key.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

import type { Headers } from "./http.ts";
import type { Stack } from "./stack.ts";

export type Claims = {
  sub?: unknown;
  aud?: unknown;
  exp?: unknown;
  nbf?: unknown;
  quayside?: unknown;
};

export const AUDIENCE = "quayside";

/** Good for ten minutes. */
export function claimsOf(owner: string, more: Claims = {}): Claims {
  return { sub: owner, aud: AUDIENCE, exp: secondsFromNow(600), ...more };
}

export function secondsFromNow(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

/** `kid:secret`, the first of those that the stack was started with. */
export function sharedKey(stack: Stack): { kid: string; secret: string } {
  const [first = ""] = (stack.secrets.TOKEN_SECRETS ?? "").split(/[ ,]/);
  const [kid, secret] = first.split(":");
  assert.ok(kid && secret);
  return { kid, secret };
}

export function mint(stack: Stack, claims: Claims, header: object = {}): string {
  const { kid, secret } = sharedKey(stack);
  return mintWith(secret, claims, { alg: "HS256", kid, ...header });
}

export function mintWith(secret: string | Buffer, claims: object, header: object): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

export function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** As a header. */
export function bearer(token: string): Headers {
  return { Authorization: `Bearer ${token}` };
}

/** A key pair that signs tokens, and its public half as a JWK. */
export class Signer {
  readonly kid: string;
  readonly algorithm: "ES256" | "EdDSA";
  readonly jwk: object;
  readonly #key: KeyObject;

  constructor(algorithm: "ES256" | "EdDSA", kid: string) {
    const pair =
      algorithm === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519");
    this.kid = kid;
    this.algorithm = algorithm;
    this.#key = pair.privateKey;
    this.jwk = { ...pair.publicKey.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" };
  }

  mint(claims: Claims, header: object = {}): string {
    const signed = `${encode({ alg: this.algorithm, kid: this.kid, ...header })}.${encode(claims)}`;
    const digest = this.algorithm === "ES256" ? "sha256" : null;
    const signature = sign(digest, Buffer.from(signed), { key: this.#key, dsaEncoding: "ieee-p1363" });
    return `${signed}.${signature.toString("base64url")}`;
  }
}
