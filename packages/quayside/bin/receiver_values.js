// What the Worker says of EVENT_RECEIVERS and SCANNER (see values.js): who hears of uploads beside the origin. Whether bindings and secrets are there, it
// finds out itself.

import { parsed } from "./text.js";
import { isAt, isSafeUrl } from "./token_values.js";

const MOST = 8;
const FIELDS = ["name", "url", "queue", "service", "secret", "kinds"];
const WAYS = ["url", "queue", "service"];
const KINDS = [
  "created",
  "progressed",
  "completed",
  "failed",
  "expired",
  "aborted",
  "deleted",
  "duplicate",
  "held",
  "released",
  "rejected",
].map((kind) => `upload.${kind}`);
const SCANNER_FIELDS = ["url", "service", "secret"];
const NAME = /^[a-z\d_-]{1,32}$/;

/** What is wrong with the list. */
export function receivers(text) {
  const entries = text === "" ? [] : parsed(text);
  if (!Array.isArray(entries)) {
    return 'is not a JSON list: [{"name": …, "url": …, "secret": …, "kinds": […]}]';
  }
  if (entries.length > MOST) {
    return `has ${entries.length} entries, and may have ${MOST}`;
  }
  const names = new Set();
  const services = new Map();
  for (const [at, entry] of entries.entries()) {
    const complaint = ofEntry(entry);
    if (complaint) {
      return `entry ${at}${isText(entry?.name) && NAME.test(entry.name) ? ` (${entry.name})` : ""}: ${complaint}`;
    }
    if (names.has(entry.name)) {
      return `entry ${at}: there is another receiver called ${entry.name}`;
    }
    names.add(entry.name);
    if (entry.service !== undefined) {
      const host = entry.name.replaceAll("_", "-");
      if (services.has(host)) {
        return `entry ${at} (${entry.name}): https://${host}/ would be its address and that of ${services.get(host)}: give one of them another name`;
      }
      services.set(host, entry.name);
    }
  }
  return entries.map(ofUrl).find(Boolean);
}

/** What is wrong with SCANNER: one receiver, that answers. */
export function scanner(text) {
  if (text === "") {
    return undefined;
  }
  const entry = parsed(text);
  if (typeof entry !== "object" || entry === null || Array.isArray(entry) || (entry.queue ?? null) !== null) {
    return "is not a JSON object with `url` and `secret`, or with `service`";
  }
  const unknown = unknownOf(entry, SCANNER_FIELDS);
  const wrong = unknown ?? ofWay(entry);
  if (wrong !== undefined) {
    return wrong.replace("with which its events are signed", "with which it is asked");
  }
  return isUnseen(entry) ? undefined : "url is not an address that begins with https://";
}

/** It, where it is right and there is one. */
export function scannerOf(text) {
  return scanner(text) === undefined && text !== "" ? [{ name: "scanner", ...parsed(text) }] : [];
}

/** Those of a list that is right. */
export function receiversOf(text) {
  return receivers(text) === undefined && text !== "" ? parsed(text) : [];
}

function ofEntry(entry) {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    return "is no object";
  }
  return unknownOf(entry, FIELDS) ?? ofName(entry) ?? ofWay(entry) ?? ofKinds(entry);
}

function unknownOf(entry, fields) {
  const unknown = Object.keys(entry)
    .toSorted()
    .find((name) => !fields.includes(name));
  return unknown === undefined
    ? undefined
    : `${shortened(unknown)} is none of its fields, which are ${fields.join(", ")}`;
}

function ofName({ name }) {
  if (name === undefined) {
    return "name is missing";
  }
  if (!isText(name)) {
    return "name is not text, or is empty";
  }
  if (!NAME.test(name)) {
    return "name is not one of 1 to 32 characters of a-z, 0-9, - and _";
  }
  if (name === "scanner") {
    return "name is scanner, which the setting SCANNER has";
  }
  return name === "origin" ? "name is origin, which ORIGIN_WEBHOOK_URL and the binding ORIGIN have" : undefined;
}

function ofWay(entry) {
  const given = WAYS.filter((way) => entry[way] !== undefined);
  const wrong = given.find((way) => !isText(entry[way]));
  if (wrong !== undefined) {
    return `${wrong} is not text, or is empty`;
  }
  if (given.length !== 1) {
    return "it has not exactly one of url, queue and service";
  }
  const { url, queue, secret } = entry;
  if (secret !== undefined && !isText(secret)) {
    return "secret is not text, or is empty";
  }
  if (url !== undefined && secret === undefined) {
    return "secret is missing: the name of the secret with which its events are signed";
  }
  return queue !== undefined && secret !== undefined
    ? "secret is of no use: a message of a queue has no signature"
    : undefined;
}

function ofKinds({ kinds }) {
  if (kinds === undefined) {
    return undefined;
  }
  if (!Array.isArray(kinds) || kinds.length === 0) {
    return `kinds is not a list of some of ${KINDS.join(", ")}`;
  }
  const unknown = kinds.find((kind) => !KINDS.includes(kind));
  if (unknown !== undefined) {
    return `kinds has ${shortened(JSON.stringify(unknown))}, which is none of ${KINDS.join(", ")}`;
  }
  return kinds.includes("upload.progressed") && !kinds.includes("upload.completed")
    ? "kinds has upload.progressed without upload.completed, which says the rest"
    : undefined;
}

function ofUrl(entry, at) {
  return isUnseen(entry) ? undefined : `entry ${at} (${entry.name}): url is not an address that begins with https://`;
}

function isUnseen({ url }) {
  return url === undefined || ((isSafeUrl(url) || isAt(url, ["http://localhost:"])) && URL.canParse(url));
}

function isText(value) {
  return typeof value === "string" && value !== "";
}

function shortened(text) {
  return [...text].slice(0, 64).join("");
}
