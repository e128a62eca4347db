// Text as the Worker reads it.

/** Without what Rust calls white space at its ends: no byte order mark, which JavaScript's own `trim` would take away, too. */
export function trimmed(text) {
  return text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
}

const HALF = /\p{Cs}/u;
/** A text, or a number. */
const TOKENS = /"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;

/**
 * What the JSON says; undefined where it is none, or where it has half a character. A number that is written as no whole one (`1e9`, `5.0`,
 * `-0`) is an empty object here: the Worker takes it for no number of bytes, and no setting has another.
 */
export function parsed(text) {
  const whole = (_, value) => {
    if (typeof value === "string" && HALF.test(value)) {
      throw new SyntaxError("half a character");
    }
    if (typeof value === "object" && HALF.test(Object.keys(value ?? {}).join(" "))) {
      throw new SyntaxError("half a character");
    }
    return value;
  };
  try {
    JSON.parse(text.toWellFormed(), whole);
    return JSON.parse(text.replace(TOKENS, (token) => (/^("|(0|[1-9]\d*)$)/.test(token) ? token : "{}")));
  } catch {
    return undefined;
  }
}
