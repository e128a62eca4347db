// What the Worker says of a setting's value, in its own words, so that it is heard before a deployment. A test compares both. Settings about
// tokens are in token_values.js.

import { isIPv6 } from "node:net";

import { receivers, scanner } from "./receiver_values.js";
import { NUMBERS, TEXTS } from "./settings.js";
import { trimmed } from "./text.js";
import { isAt, isSafeUrl, keyTemplate, mediaTypes, TOKEN_RULES } from "./token_values.js";

const U32_MAX = 2n ** 32n - 1n;
const U64_MAX = 2n ** 64n - 1n;
const MIB = 1024n * 1024n;
const LONGEST_LIFE_SECONDS = 561_600n;
const SHORTEST_MEMORY_SECONDS = 86_400n;
const LONGEST_MAX_AGE_SECONDS = 31_536_000n;
const MOST_ENTRIES = 64;
const LONGEST_ADDRESS = 2000;

/** Scheme, host and path. Nobody's name, and no question. */
const ENDPOINT = /^https?:\/\/[\w.~!$&'()*+,;=:[\]-]+(\/[^\0- #<>?`]*)?(#.*)?$/i;

const HOST = /^https?:\/\/[A-Za-z0-9\-._:[\]]+$/;

const WHOLE = "is not a whole number that fits";
const NO_TEXT = "is not text: put it between quotes";

/** Numbers that may be as large as 64 bits hold. Others are seconds or attempts, and have 32. */
const LARGE = [
  "MAX_UPLOAD_BYTES",
  "MAX_CHUNK_BYTES",
  "QUOTA_OPEN_UPLOADS",
  "QUOTA_OPEN_BYTES",
  "QUOTA_BYTES_PER_DAY",
  "QUOTA_STORED_BYTES",
  "QUOTA_STORED_BYTES_SOFT",
  "DOWNLOAD_URL_TTL_SECONDS",
  "DIRECT_URL_TTL_SECONDS",
];

/** What else a number must be: the complaint, where there is one. */
const BOUNDS = {
  PUBLIC_FILES_MAX_AGE_SECONDS: (seconds) =>
    seconds > LONGEST_MAX_AGE_SECONDS && "is above 31536000, a year, which is for ever to caches",
  MAX_UPLOAD_BYTES: byteCount,
  MAX_CHUNK_BYTES: (bytes) =>
    byteCount(bytes) ?? (bytes < 5n * MIB && "is below 5 MiB, the smallest part that R2 takes"),
  STALLED_BODY_SECONDS: (seconds) => seconds === 0n && "is 0: every body would be refused at once",
  UPLOAD_TTL_SECONDS: (seconds) =>
    (seconds === 0n && "is 0: every upload would expire at once") ||
    (seconds > LONGEST_LIFE_SECONDS &&
      "is above 561600 (6.5 days): R2 drops unfinished uploads 7 days after they were created"),
  REPAIR_TTL_SECONDS: (seconds) =>
    seconds > LONGEST_LIFE_SECONDS && "is above 561600 (6.5 days), the longest life of an unfinished upload",
  WEBHOOK_TIMEOUT_SECONDS: (seconds) => seconds === 0n && "is 0: no event would ever be told",
  OUTBOX_RESEND_SECONDS: (seconds) =>
    seconds === 0n && "is 0: an event would be handed out again before it has been told",
  RESULT_WAIT_SECONDS: (seconds) => seconds > 25n && "is above 25: clients and proxies give up after 30 seconds",
  TOMBSTONE_TTL_SECONDS: (seconds) =>
    seconds < SHORTEST_MEMORY_SECONDS &&
    "is below 86400, a day, for which an Idempotency-Key is remembered: a creation that is repeated would upload a file again that is there",
};

/** What a text must be: the complaint, where there is one. */
const RULES = {
  ...TOKEN_RULES,
  AUTH: (text) => !["token", "open"].includes(text) && 'is neither "token" nor "open"',
  OBJECT_KEY: keyTemplate,
  ALLOWED_TYPES: (text) => text !== "" && mediaTypes(text.split(",")),
  PUBLIC_URL: (text) =>
    withoutSlash(text) !== "" &&
    !HOST.test(withoutSlash(text)) &&
    "is not a scheme and a host like https://upload.example.com; a path goes into BASE_PATH",
  PUBLIC_FILES_URL: (text) =>
    withoutSlash(text) !== "" &&
    !(HOST.test(withoutSlash(text)) && URL.canParse(withoutSlash(text))) &&
    "is not a scheme and a host like https://files.example.com",
  BASE_PATH: (text) =>
    !/^[A-Za-z0-9\-._~/]*$/.test(text) && "is not a path like /api/files, of letters, digits and `-._~`",
  PROBLEMS_URL: (text) =>
    !/^(https?:\/\/[!-~]+[/#=])?$/.test(text.replaceAll(/["<>\\^`{|}]/g, " ")) &&
    "is not an address like https://docs.example.com/problems/ or https://docs.example.com/errors#, which ends where a code begins",
  CORS_ORIGINS: corsOrigins,
  CORS_HEADERS: corsHeaders,
  FORM_REDIRECTS: formRedirects,
  DELETE_COMPLETED: (text) => !["claim", "owner"].includes(text) && 'is neither "claim" nor "owner"',
  EVENT_RECEIVERS: receivers,
  SCANNER: scanner,
  ACCEPT_HOOK: (text) =>
    text !== "" &&
    !((isSafeUrl(text) || isAt(text, ["http://localhost:"])) && URL.canParse(text)) &&
    "is not an address that begins with https://",
};

/** What the Worker says of these vars: one complaint for each setting that it does not take. */
export function valueComplaints(vars) {
  const said = [...TEXTS, ...NUMBERS].map((name) => [name, vars[name] !== undefined && complaintOf(name, vars[name])]);
  const { R2_S3_ENDPOINT: endpoint = "", R2_S3_BUCKET: bucket = "" } = vars;
  if (typeof endpoint === "string" && typeof bucket === "string") {
    said.push(["R2_S3_ENDPOINT", s3(trimmed(endpoint), trimmed(bucket))]);
  }
  const { PUBLIC_FILES_URL: files = "", PUBLIC_URL: own = "" } = vars;
  if (hostOf(files) !== undefined && hostOf(own) === undefined) {
    said.push(["PUBLIC_FILES_URL", "is set, and PUBLIC_URL is not"]);
  } else if (hostOf(files) !== undefined && hostOf(files) === hostOf(own)) {
    said.push([
      "PUBLIC_FILES_URL",
      "has the host of PUBLIC_URL: files of strangers are handed out on a host of their own",
    ]);
  }
  return said.filter(([, complaint]) => complaint).map(([name, complaint]) => `${name} ${complaint}`);
}

function withoutSlash(text) {
  return text.replace(/\/+$/, "");
}

/** The name of the host, where it is an address that the Worker takes. */
function hostOf(value) {
  const url = typeof value === "string" ? withoutSlash(trimmed(value)) : "";
  return HOST.test(url) && URL.canParse(url) ? new URL(url).hostname.replace(/\.+$/, "") : undefined;
}

function complaintOf(name, value) {
  const isNumber = NUMBERS.includes(name);
  if (typeof value !== "string" && !(isNumber && typeof value === "number")) {
    return NO_TEXT;
  }
  return isNumber ? numberComplaint(name, value) : RULES[name]?.(trimmed(value));
}

function numberComplaint(name, value) {
  // Above 2^53 - 1 it may have been another number when it was written.
  const text = typeof value === "number" && value > Number.MAX_SAFE_INTEGER ? "" : trimmed(`${value}`);
  const number = /^\+?\d+$/.test(text) ? BigInt(text.replace("+", "")) : undefined;
  if (number === undefined || number > (LARGE.includes(name) ? U64_MAX : U32_MAX)) {
    return WHOLE;
  }
  return BOUNDS[name]?.(number);
}

function byteCount(bytes) {
  return bytes > BigInt(Number.MAX_SAFE_INTEGER) ? "is above 2^53 - 1" : undefined;
}

/** The entries of a list with commas between them. */
function entriesOf(text) {
  const entries = text.split(",").map(trimmed);
  return entries.filter((entry) => entry !== "");
}

function corsOrigins(text) {
  const entries = entriesOf(text);
  if (!entries.every((entry) => entry === "*" || isOrigin(entry))) {
    return "has an entry that is no origin like https://app.example.com";
  }
  return entries.includes("*") && entries.some((entry) => entry !== "*") && "has `*` beside other entries";
}

/** As browsers write one, or with `*.` for all subdomains of a name that has a dot. */
function isOrigin(entry) {
  const host = /^https?:\/\/(.*)$/.exec(entry)?.[1];
  if (host === undefined || /[A-Z]/.test(entry)) {
    return false;
  }
  const domain = host.startsWith("*.") ? host.slice(2) : undefined;
  return domain === undefined ? isHost(host) : isHost(domain) && domain.includes(".");
}

function isHost(text) {
  const [, host = text, port] = /^(.*):([^:\]]*)$/.exec(text) ?? [];
  const isPort = port === undefined || (/^(0|[1-9]\d{0,4})$/.test(port) && Number(port) < 65_536);
  const inner = /^\[([\da-f:.]*)\]$/.exec(host)?.[1];
  const isName = () => host.split(".").every((label) => /^[a-z\d_-]{1,63}$/.test(label));
  return isPort && (inner === undefined ? isName() : isIPv6(inner));
}

function corsHeaders(text) {
  const names = entriesOf(text);
  if (!names.every((name) => name !== "*" && /^[\w!#$%&'*+.^`|~-]+$/.test(name))) {
    return "has an entry that is no name of a header, like traceparent";
  }
  return names.length > MOST_ENTRIES && "has more than 64 names";
}

function formRedirects(text) {
  const entries = entriesOf(text);
  if (entries.length > MOST_ENTRIES) {
    return "has more than 64 addresses";
  }
  const complaint =
    "has an entry that is no address with a path, like https://app.example.com/thanks or https://app.example.com/";
  return !entries.every(isPage) && complaint;
}

/** Scheme, host and path, and nothing that a browser would read as something else. */
function isPage(entry) {
  const segments = entry.toLowerCase().replaceAll("%2e", ".").split("/");
  const isPlain = /^https?:\/\/[A-Za-z0-9\-._:[\]]+\/[!-~]*$/.test(entry) && !/[\\"<>^`{|}?#]/.test(entry);
  return isPlain && entry.length <= LONGEST_ADDRESS && !segments.some((segment) => [".", ".."].includes(segment));
}

function s3(endpoint, bucket) {
  if (endpoint === "") {
    return undefined;
  }
  const isEndpoint = ENDPOINT.test(endpoint) && URL.canParse(endpoint);
  const isBucket = bucket !== "" && !bucket.includes("/");
  return !(isEndpoint && isBucket) && "is not an http or https URL, or R2_S3_BUCKET no name";
}
