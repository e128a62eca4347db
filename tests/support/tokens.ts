// Tokens as an application mints them, and as somebody makes them up who has no key.

import assert from "node:assert/strict";
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

import type { Headers } from "./http.ts";
import type { Stack } from "./stack.ts";

export type Claims = {
  iss?: unknown;
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

export type SigningAlgorithm = "ES256" | "ES384" | "EdDSA" | "RS256" | "RS384" | "RS512" | "PS256";

/** A key pair that signs tokens, and its public half as a JWK. */
export class Signer {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly jwk: Record<string, unknown>;
  /** The public half as PEM, which is what a careless server would take for a secret. */
  readonly pem: string;
  readonly #key: KeyObject;

  constructor(algorithm: SigningAlgorithm, kid: string, modulusLength = 2048) {
    const pair = pairFor(algorithm, modulusLength);
    this.kid = kid;
    this.algorithm = algorithm;
    this.#key = pair.privateKey;
    this.jwk = { ...pair.publicKey.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" };
    this.pem = pair.publicKey.export({ format: "pem", type: "spki" }).toString();
  }

  mint(claims: object, header: object = {}): string {
    const signed = `${encode({ alg: this.algorithm, kid: this.kid, ...header })}.${encode(claims)}`;
    const pss = this.algorithm === "PS256" ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : {};
    const digest = this.algorithm === "EdDSA" ? null : `sha${this.algorithm.slice(2)}`;
    const signature = sign(digest, Buffer.from(signed), { key: this.#key, dsaEncoding: "ieee-p1363", ...pss });
    return `${signed}.${signature.toString("base64url")}`;
  }
}

function pairFor(algorithm: SigningAlgorithm, modulusLength: number): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (algorithm) {
    case "EdDSA":
      return generateKeyPairSync("ed25519");
    case "ES256":
    case "ES384":
      return generateKeyPairSync("ec", { namedCurve: algorithm === "ES256" ? "P-256" : "P-384" });
    default:
      return generateKeyPairSync("rsa", { modulusLength });
  }
}
