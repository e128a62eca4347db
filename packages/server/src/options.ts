// What is said of a token's options before it is signed, by the rules by which Quayside reads them at the edge: whoever wrote them hears of a
// mistake, and not a user whose token is refused. `checks.py` of the Python package has the same rules.

/** An option that would make a token which is refused, or a key that cannot sign. */
export class TokenOptionError extends TypeError {
  override readonly name = "TokenOptionError";
}

const MOST_OWNER_BYTES = 255;
const MOST_METADATA_BYTES = 4096;
const MOST_KEY_PREFIX_BYTES = 512;
const MOST_TYPES = 64;

/** Control characters, and halves of characters, which no JSON can have. */
const UNSPEAKABLE = /[\p{Cc}\p{Cs}]/u;
const HALF = /\p{Cs}/u;
/** What Rust calls white space, at either end. */
const SPACE = /^\p{White_Space}+|\p{White_Space}+$/gu;
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/([\w!#$&^.+-]+|\*)$/;
const SEGMENTS = /^((?!\.{1,2}\/)[\w.=-]+\/)*$/;
const KEY_PLACES = /\{(id|prefix|owner|name|\.ext|date|year|month|day)\}/g;
const MOST_KEY_BYTES = 250;
const UPLOAD_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Each option that Quayside knows: whether a value will do, and what to say of one that will not. */
const TERMS: Record<string, [(value: unknown) => boolean, string]> = {
  maxBytes: [
    (value) => Number.isSafeInteger(value) && Number(value) >= 0,
    "is not a whole number of bytes up to 2^53 - 1",
  ],
  types: [areTypes, 'is not a list of up to 64 media types like ["image/*"]'],
  metadata: [isMetadata, 'is not text by name like { album: "2026" }, up to 4 KiB in all'],
  keyPrefix: [isKeyPrefix, "is not `folder/…/` of letters, digits and `-_.=`, up to 512 bytes"],
  objectKey: [isKeyTemplate, "is not a template like `photos/{year}/{id}{.ext}`, with {id} in it, up to 250 bytes"],
  bucket: [
    (value) => isText(value) && /^[a-z][a-z\d-]{0,31}$/.test(value) && !value.endsWith("\n"),
    "is no name of up to 32 small letters, digits and dashes, a letter first",
  ],
  hold: [(value) => typeof value === "boolean", "is neither true nor false"],
  public: [(value) => typeof value === "boolean", "is neither true nor false"],
  live: [isLivePermit, "is neither true nor false nor { endAfterSeconds: 1 to 86400, tellEveryBytes: from 8 MiB }"],
  delete: [(value) => typeof value === "boolean", "is neither true nor false"],
  scope: [(value) => value === "admin", 'is not "admin"'],
  upload: [(value) => isText(value) && UPLOAD_ID.test(value), "is not the id of an upload"],
};

/** Quayside refuses a token with a term that it does not know; here that is told to whoever wrote it. */
export function checkTerms(terms: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(terms)) {
    const [isRight, complaint] = TERMS[name] ?? [];
    if (isRight === undefined) {
      throw new TokenOptionError(`there is no option ${name}; there are ${Object.keys(TERMS).join(", ")}`);
    }
    if (value !== undefined && !isRight(value)) {
      throw new TokenOptionError(`${name} ${complaint}`);
    }
  }
  const said = Object.keys(terms).filter((name) => terms[name] !== undefined);
  if (terms.scope !== undefined && said.length > 1) {
    throw new TokenOptionError('scope: "admin" has nothing beside it: such a token uploads nothing');
  }
}

export function checkOwner(owner: unknown): void {
  if (!isText(owner) || owner === "") {
    throw new TokenOptionError("owner is missing: whose is what this token uploads?");
  }
  if (bytesOf(owner) > MOST_OWNER_BYTES || UNSPEAKABLE.test(owner)) {
    throw new TokenOptionError("owner is longer than 255 bytes, or has control characters");
  }
}

export function checkAudience(audience: unknown): void {
  if (!isSayable(audience)) {
    throw new TokenOptionError("audience is not a name: it is TOKEN_AUDIENCE of the deployment");
  }
}

/** In UTF-8. */
export function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Whether it is text, and a token can have it. */
export function isSayable(value: unknown): value is string {
  return isText(value) && value !== "" && !HALF.test(value);
}

/** Whether uploads without a length are live, none is, or they are with these bounds. */
function isLivePermit(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return typeof value === "boolean";
  }
  const within = (least: number, most: number) => (number: unknown) =>
    number === undefined || (Number.isSafeInteger(number) && Number(number) >= least && Number(number) <= most);
  const bounds: Record<string, (number: unknown) => boolean> = {
    endAfterSeconds: within(1, 86_400),
    tellEveryBytes: within(8 * 1024 * 1024, Number.MAX_SAFE_INTEGER),
  };
  return Object.entries(value).every(([name, number]) => Object.hasOwn(bounds, name) && bounds[name]?.(number));
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function areTypes(value: unknown): boolean {
  const isType = (type: unknown) => isText(type) && MEDIA_TYPE.test(type.replace(SPACE, ""));
  return Array.isArray(value) && value.length > 0 && value.length <= MOST_TYPES && value.every(isType);
}

function isMetadata(value: unknown): boolean {
  const isPlain = Object.prototype.toString.call(value) === "[object Object]";
  const texts: unknown[] = isPlain ? Object.entries(value as object).flat() : [undefined];
  return texts.every((text) => isText(text) && !HALF.test(text)) && bytesOf(texts.join("")) <= MOST_METADATA_BYTES;
}

function isKeyPrefix(value: unknown): boolean {
  return isText(value) && value.length <= MOST_KEY_PREFIX_BYTES && SEGMENTS.test(value);
}

/** As the Worker reads one (docs/guides/object-keys.md). */
function isKeyTemplate(value: unknown): boolean {
  if (!isText(value) || value.length > MOST_KEY_BYTES || /[^/]\{prefix\}/.test(value)) {
    return false;
  }
  const places: string[] = value.match(KEY_PLACES) ?? [];
  const filled = value.replace(KEY_PLACES, (place) => ({ "{prefix}": "a/", "{.ext}": "" })[place] ?? "a");
  return places.includes("{id}") && new Set(places).size === places.length && SEGMENTS.test(`${filled}/`);
}
