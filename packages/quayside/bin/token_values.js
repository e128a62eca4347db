// What the Worker says of the settings about tokens (see values.js): where claims are, whose keys are taken, and what may be uploaded.

import { parsed, trimmed } from "./text.js";

const LONGEST_CLAIM_NAME = 255;
const MOST_KEYS = 32;
const MOST_ISSUERS = 16;
const MOST_VALUES = 256;
const MOST_TYPES = 64;
const MOST_END_AFTER_SECONDS = 86_400;
const LEAST_TELL_EVERY_BYTES = 8 * 1024 * 1024;
const MOST_METADATA_BYTES = 4096;
const LONGEST_KEY_PREFIX = 512;
/** What stands in templates of keys (docs/guides/object-keys.md). */
const KEY_PLACES = /\{(id|prefix|owner|name|\.ext|date|year|month|day)\}/g;

const TYPES = "has an unknown field, or one that is not of its type";

const isText = (value) => typeof value === "string";
const areTexts = (value) => Array.isArray(value) && value.every(isText);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** What a text must be: the complaint, where there is one. */
export const TOKEN_RULES = {
  TOKEN_AUDIENCE: (text) => text === "" && "is empty",
  TOKEN_PUBLIC_KEYS: (text) => text !== "" && publicKeys(parsed(text)),
  TOKEN_JWKS_URL: (text) => text !== "" && !isSafeUrl(text) && "does not begin with https://",
  TOKEN_RULES: (text) => text !== "" && rules(parsed(text)),
  TOKEN_ISSUERS: (text) => text !== "" && issuers(parsed(text)),
  TOKEN_HEADER: (text) =>
    !/^(?!cookie$)[a-z\d-]*$/i.test(text) && "is not the name of a header, like Cf-Access-Jwt-Assertion",
  AUDIENCE_CLAIM: claimName,
  OWNER_CLAIM: (text) =>
    text
      .split(",")
      .map((name) => claimName(trimmed(name)))
      .find(Boolean),
  TENANT_CLAIM: (text) => text !== "" && claimName(text),
  POLICY_CLAIM: claimName,
  DEFAULT_POLICY: (text) => text !== "" && policy(parsed(text)),
};

/** Whether what is told from there, or fetched, is nobody else's on its way. */
export function isSafeUrl(text) {
  return isAt(text, ["https://", "http://127.0.0.1:"]);
}

/** Whether the address begins with one of these, and with nobody's name: of `http://127.0.0.1:1@evil.example` the host stands behind the `@`. */
export function isAt(text, beginnings) {
  const beginning = beginnings.find((beginning) => text.startsWith(beginning));
  return beginning !== undefined && !/^[/\\]*[^/\\?#]*@/.test(text.slice(beginning.length));
}

/** Whether this JWK set has a key that tokens may be signed with; others the Worker leaves out. */
export function hasKeys(text) {
  const keys = parsed(text)?.keys;
  return Array.isArray(keys) && keys.some(isUsable);
}

function isUsable(key) {
  const isPublic = ["EC", "OKP", "RSA"].includes(key?.kty);
  return isPublic && (key.use ?? "sig") === "sig" && (key.key_ops ?? ["verify"]).includes("verify");
}

/** The buckets that settings name for tokens which say nothing of it themselves. */
export function defaultBuckets({ DEFAULT_POLICY, TOKEN_ISSUERS }) {
  const issuers = parsed(TOKEN_ISSUERS ?? "");
  const policies = [
    parsed(DEFAULT_POLICY ?? ""),
    ...(Array.isArray(issuers) ? issuers : []).map((one) => one?.defaultPolicy),
  ];
  return policies.map((policy) => policy?.bucket).filter(isText);
}

/** Whether this list has an issuer. */
export function hasIssuers(text) {
  return parsed(text)?.length > 0;
}

export function mediaTypes(entries) {
  const token = "[A-Za-z0-9!#$&^_.+-]+";
  if (!entries.every((entry) => new RegExp(`^${token}/(\\*|${token})$`).test(trimmed(entry)))) {
    return "has a type that is neither `type/subtype` nor `type/*`";
  }
  return (entries.length === 0 || entries.length > MOST_TYPES) && "has a list of types that is empty or longer than 64";
}

function claimName(text) {
  const isName = text.length <= LONGEST_CLAIM_NAME && /^[!-~]+$/.test(text) && !/["\\,]/.test(text);
  return isName ? undefined : "is not the name of a claim, like sub or app_metadata.tenant";
}

function publicKeys(set) {
  if (!Array.isArray(set?.keys)) {
    return 'is not a JWK set, `{"keys": […]}`';
  }
  const fields = ["kid", "alg", "use", "crv", "x", "y", "n", "e"];
  const isKey = (key) =>
    isObject(key) &&
    isText(key.kty) &&
    fields.every((field) => isText(key[field] ?? "")) &&
    areTexts(key.key_ops ?? []);
  if (!set.keys.every(isKey)) {
    return "has a key that cannot be read";
  }
  return set.keys.filter(isUsable).length > MOST_KEYS && "has more than 32 keys";
}

function rules(wanted) {
  if (wanted === undefined) {
    return "is not JSON";
  }
  if (!isObject(wanted)) {
    return 'is not an object of claims, like {"sub": "repo:octo-org/octo-repo:*"}';
  }
  const claims = Object.entries(wanted);
  const none = claims.length === 0 && "asks for nothing: leave it empty where there are no rules";
  return none || claims.map(([name, value]) => rule(name, [value].flat())).find(Boolean);
}

function rule(name, values) {
  const isUnknown = values.some((value) => !isText(value) && typeof value !== "boolean");
  if (isUnknown) {
    return "has a value that is neither a text nor true nor false";
  }
  if (values.some((value) => value === "" || (isText(value) && value.slice(0, -1).includes("*")))) {
    return "has a value that is empty, or with a `*` that is not its end";
  }
  if (values.length === 0 || values.length > MOST_VALUES) {
    return "has a claim with no value, or with more than 256";
  }
  return claimName(name) && "has a name that is no claim's";
}

function policy(terms) {
  if (terms === undefined) {
    return "is not JSON";
  }
  const {
    upload,
    maxBytes,
    types,
    metadata = {},
    keyPrefix = "",
    objectKey = null,
    bucket = null,
    delete: mayDelete = false,
    hold = false,
    public: isPublic = null,
    live = null,
    scope = null,
    ...others
  } = terms ?? {};
  const isOfType =
    isObject(terms) &&
    Object.keys(others).length === 0 &&
    (upload === undefined || upload === null || isUploadId(upload)) &&
    (maxBytes ?? 0) >= 0 &&
    Number.isSafeInteger(maxBytes ?? 0) &&
    areTexts(types ?? []) &&
    isObject(metadata) &&
    Object.values(metadata).every(isText) &&
    isText(keyPrefix) &&
    (objectKey === null || isText(objectKey)) &&
    (bucket === null || isText(bucket)) &&
    (scope === null || scope === "admin") &&
    typeof hold === "boolean" &&
    (isPublic === null || typeof isPublic === "boolean") &&
    typeof mayDelete === "boolean";
  if (!isOfType) {
    return TYPES;
  }
  if (Buffer.byteLength(Object.entries(metadata).flat().join("")) > MOST_METADATA_BYTES) {
    return "has more than 4 KiB of metadata";
  }
  const isPrefix = keyPrefix.length <= LONGEST_KEY_PREFIX && /^((?!\.{1,2}\/)[\w.=-]+\/)*$/.test(keyPrefix);
  if (!isPrefix) {
    return "has a keyPrefix that is not `folder/…/` of letters, digits and `-_.=`";
  }
  if (objectKey !== null && keyTemplate(objectKey)) {
    return "has an objectKey that is no template, like `photos/{year}/{id}{.ext}`";
  }
  if (bucket !== null && !/^[a-z][a-z\d-]{0,31}$/.test(bucket)) {
    return "has a bucket that is no name of up to 32 small letters, digits and dashes";
  }
  if (!isLivePermit(live)) {
    return "has a live that is neither true nor false nor {endAfterSeconds, tellEveryBytes} within their bounds";
  }
  const ofToken =
    (isText(upload) && "names an upload, which only a token can") || (scope && "has a scope, which only a token can");
  return (types && mediaTypes(types)) || ofToken;
}

/** Whether it says something of live uploads, or nothing. */
function isLivePermit(said) {
  if (said === null || typeof said === "boolean") {
    return true;
  }
  const {
    endAfterSeconds = 1,
    tellEveryBytes = LEAST_TELL_EVERY_BYTES,
    ...others
  } = isObject(said) ? said : { no: said };
  return (
    Object.keys(others).length === 0 &&
    Number.isSafeInteger(endAfterSeconds) &&
    endAfterSeconds >= 1 &&
    endAfterSeconds <= MOST_END_AFTER_SECONDS &&
    Number.isSafeInteger(tellEveryBytes) &&
    tellEveryBytes >= LEAST_TELL_EVERY_BYTES
  );
}

/** What is wrong with a template of objects' keys. */
export function keyTemplate(text) {
  const places = text.match(KEY_PLACES) ?? [];
  if (!places.includes("{id}")) {
    return "does not have {id} in it: no two uploads may share a key";
  }
  if (new Set(places).size !== places.length) {
    return "has something in it twice";
  }
  const filled = text.replace(KEY_PLACES, (place) => ({ "{prefix}": "a/", "{.ext}": "" })[place] ?? "a");
  if (!/^((?!\.{1,2}\/)[\w.=-]+\/)+$/.test(`${filled}/`) || /[^/]\{prefix\}/.test(text)) {
    return (
      "is not folder/…/name of letters, digits, -_.= and {id}, {prefix}, {owner}, {name}, {.ext}, {date}, {year}, " +
      "{month}, {day}, with {prefix} at the beginning or behind a slash"
    );
  }
  return text.length > 250 && "is longer than 250 bytes";
}

/** In each of the spellings in which the Worker reads one. */
function isUploadId(value) {
  const id = "[\\da-f]{8}(-[\\da-f]{4}){3}-[\\da-f]{12}";
  return isText(value) && new RegExp(`^(${id}|[\\da-f]{32}|\\{${id}\\}|urn:uuid:${id})$`, "i").test(value);
}

function issuers(entries) {
  if (!Array.isArray(entries)) {
    return 'is not a JSON list, `[{"name": …}]`';
  }
  if (entries.length > MOST_ISSUERS) {
    return `has more than ${MOST_ISSUERS} issuers`;
  }
  const names = entries.map((entry) => entry?.name);
  const complaints = entries.map((entry, index) => {
    const isTwice = names.indexOf(entry?.name) < index;
    const complaint = isTwice ? "name is that of another" : issuer(entry);
    return complaint && `entry ${index}: ${complaint}`;
  });
  return complaints.find(Boolean);
}

const ISSUER_FIELDS = ["name", "issuer", "audience", "jwksUrl"];
const ISSUER_CLAIMS = ["audienceClaim", "tenantClaim", "policyClaim"];
const ISSUER_OPTIONS = [...ISSUER_CLAIMS, "ownerClaim", "ownerPrefix", "defaultPolicy", "rules", "admin"];

function issuer(entry) {
  if (!isObject(entry)) {
    return "is not an object";
  }
  const unknown = Object.keys(entry).find((field) => ![...ISSUER_FIELDS, ...ISSUER_OPTIONS].includes(field));
  if (unknown !== undefined) {
    return `there is no field ${unknown}`;
  }
  const empty = Object.keys(entry).find((field) => entry[field] === null);
  if (empty !== undefined) {
    return `${empty} is null: give it a value, or leave it out`;
  }
  const missing = ISSUER_FIELDS.find((field) => !isText(entry[field]) || entry[field] === "");
  if (missing !== undefined) {
    return `${missing} is missing or empty`;
  }
  return issuerValues(entry);
}

function issuerValues({
  name,
  jwksUrl,
  ownerPrefix = "",
  ownerClaim,
  defaultPolicy,
  rules: wanted,
  admin = false,
  ...entry
}) {
  if (typeof admin !== "boolean") {
    return "admin is neither true nor false";
  }
  if (!/^[a-z\d-]{1,32}$/.test(name)) {
    return "name is not up to 32 small letters, digits and hyphens";
  }
  if (!isSafeUrl(jwksUrl)) {
    return "jwksUrl does not begin with https://";
  }
  if (!isText(ownerPrefix) || !/^([a-z\d-]{1,32}:)?$/.test(ownerPrefix)) {
    return "ownerPrefix is neither empty nor small letters, digits and hyphens with a colon behind them";
  }
  const claims = ISSUER_CLAIMS.filter((field) => entry[field] !== undefined).map((field) => [field, entry[field]]);
  const owners = isText(ownerClaim) ? ownerClaim.split(",").map(trimmed) : [ownerClaim ?? "sub"];
  const bad = [...claims, ...owners.map((owner) => ["ownerClaim", owner])].find(
    ([, claim]) => !isText(claim) || claimName(claim),
  );
  if (bad !== undefined) {
    return `${bad[0]} ${claimName("")}`;
  }
  const ofPolicy = defaultPolicy !== undefined && policy(defaultPolicy);
  const ofRules = wanted !== undefined && rules(wanted);
  return (ofPolicy && `defaultPolicy ${ofPolicy}`) || (ofRules && `rules ${ofRules}`);
}
