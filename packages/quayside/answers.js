// What an answer says, from whoever may give one: a webhook and a function that returns a Response are read as the Worker reads a webhook
// (src/queue/webhook.rs), and an object that a function returns is taken for what it shows, or not at all.

/** So much of an answer is read: 64 KiB. */
const MOST_BYTES = 64 * 1024;

/**
 * What this Response says of an event. Nothing, where it is no JSON. Throws where it is no acknowledgement: by its status, or since it was cut
 * short or is too long, and may have had more to say.
 */
export async function saidBy(response, whose) {
  if (!response.ok) {
    throw new Error(`${whose} answers with the status ${response.status}`);
  }
  const bytes = await whole(response, whose);
  const text = textOf(bytes);
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch (error) {
    const claimsJson = response.headers.get("content-type")?.includes("json");
    if (claimsJson && text !== "" && isCut(text, error)) {
      throw new Error(`${whose} answers with JSON that does not end`, { cause: error });
    }
    return undefined;
  }
}

async function whole({ body }, whose) {
  const pieces = [];
  let size = 0;
  for await (const piece of body ?? []) {
    size += piece.byteLength;
    if (!(size <= MOST_BYTES)) {
      throw new Error(`${whose} answers with more than 64 KiB, or with what is no bytes`);
    }
    pieces.push(piece);
  }
  return new Blob(pieces).arrayBuffer();
}

/** Nothing, where it is no UTF-8. */
function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether all of it is the beginning of JSON. Nothing but the parser's own words says where it gave up. */
function isCut(text, { message }) {
  const place = /at position (\d+)/.exec(message)?.[1];
  return /end of JSON|^Unterminated string/.test(message) || Number(place) >= text.length;
}

/**
 * The value, where JSON says all of it: texts, numbers, true, false, null, lists, and objects that are nothing but their fields. Throws where
 * something would be left out, which may be what the application has meant to set.
 */
export function plain(value, name) {
  const isOne = Array.isArray(value) ? name !== "the answer" : isPlainObject(value);
  if (isOne) {
    const fields = Array.isArray(value) ? Array.from(value).entries() : Object.entries(value);
    for (const [field, inner] of fields) {
      if (!isSaid(inner)) {
        plain(inner, field);
      }
    }
    return value;
  }
  throw new TypeError(`${name} cannot be said in JSON: ${shown(value)}`);
}

function isSaid(value) {
  return value === null || ["string", "boolean"].includes(typeof value) || Number.isFinite(value);
}

/** One without a class, and without a field that JSON passes over. */
function isPlainObject(value) {
  const isObject = typeof value === "object" && value !== null;
  const isClassless = isObject && [Object.prototype, null].includes(Object.getPrototypeOf(value));
  return isClassless && Reflect.ownKeys(value).length === Object.keys(value).length;
}

function shown(value) {
  return typeof value === "object" ? Object.prototype.toString.call(value) : String(value);
}
