// The Worker's secrets: how a fresh one is made, and what the Worker says of one that somebody else has made.

import { randomBytes } from "node:crypto";

const LEAST_BYTES = 32;
/** While one takes the other's place there are two. */
const MOST_ACTIVE = 2;
const MOST_KEYS = 32;

const random = () => randomBytes(32).toString("base64url");

export const FRESH_SECRETS = {
  WEBHOOK_SECRET: () => `whsec_${randomBytes(32).toString("base64")}`,
  DOWNLOAD_SECRET: random,
  TOKEN_SECRETS: () => `k1:${random()}`,
};

const RULES = {
  WEBHOOK_SECRET: (text) => active(text, isForWebhooks, "is not `whsec_` and 24 to 64 bytes in base64"),
  DOWNLOAD_SECRET: (text) => active(text, isLong, "is shorter than 32 characters"),
  TOKEN_SECRETS: tokenSecrets,
};

/** Why the Worker would not take this secret; nothing where it would. */
export function secretComplaint(name, value) {
  return RULES[name]?.(value) || undefined;
}

/** The same of one with which what a receiver is told is signed, whatever it is called. */
export function signingComplaint(value) {
  return RULES.WEBHOOK_SECRET(value) || undefined;
}

function active(text, isRight, complaint) {
  const secrets = text.split(/[, \n]/).filter((secret) => secret !== "");
  if (secrets.length === 0) {
    return "is empty";
  }
  return secrets.length > MOST_ACTIVE ? "has more than two secrets" : !secrets.every(isRight) && complaint;
}

function isForWebhooks(secret) {
  const text = /^whsec_(.*)$/.exec(secret)?.[1] ?? "";
  const bytes = Buffer.from(text, "base64");
  return bytes.length >= 24 && bytes.length <= 64 && bytes.toString("base64") === text;
}

function isLong(secret) {
  return Buffer.byteLength(secret) >= LEAST_BYTES;
}

function tokenSecrets(text) {
  const entries = text.split(/[, \t\n\r]/).filter((entry) => entry !== "");
  const pairs = entries.map((entry) => entry.split(":"));
  if (pairs.length === 0) {
    return "is empty";
  }
  if (!pairs.every((pair) => pair.length === 2 && pair[0] !== "")) {
    return "has an entry that is not `kid:secret`";
  }
  if (new Set(pairs.map(([kid]) => kid)).size < pairs.length) {
    return "has a kid twice";
  }
  if (!pairs.every(([, secret]) => isLong(secret))) {
    return "has a secret that is shorter than 32 characters";
  }
  return pairs.length > MOST_KEYS && "has more than 32 keys";
}
