"""What is said of a token's options before it is signed, by the rules by which Quayside reads them at the edge: whoever wrote them hears of a
mistake, and not a user whose token is refused. ``options.ts`` of the JavaScript package has the same rules."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any, Callable

MOST_OWNER_BYTES = 255
MOST_METADATA_BYTES = 4096
MOST_KEY_PREFIX_BYTES = 512
MOST_KEY_BYTES = 250
MOST_TYPES = 64
MOST_BYTES = 2**53 - 1

# What Rust calls white space.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
# Halves of characters, which no JSON can have.
_HALF = re.compile("[\ud800-\udfff]")
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/([\w!#$&^.+-]+|\*)", re.ASCII)
_SEGMENTS = re.compile(r"((?!\.{1,2}/)[\w.=-]+/)*", re.ASCII)
_KEY_PLACE = re.compile(r"\{(id|prefix|owner|name|\.ext|date|year|month|day)\}")
_BUCKET = re.compile(r"[a-z][a-z\d-]{0,31}", re.ASCII)
_UPLOAD_ID = re.compile(r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}", re.ASCII)


class TokenOptionError(ValueError):
    """An option that would make a token which is refused, or a key that cannot sign."""


def check_owner(owner: Any) -> None:
    if not isinstance(owner, str) or not owner:
        raise TokenOptionError("owner is missing: whose is what this token uploads?")
    # Control characters, and halves of characters, which no JSON can have.
    if _bytes_of(owner) > MOST_OWNER_BYTES or any(unicodedata.category(char) in ("Cc", "Cs") for char in owner):
        raise TokenOptionError("owner is longer than 255 bytes, or has control characters")


def check_audience(audience: Any) -> None:
    if not is_sayable(audience):
        raise TokenOptionError("audience is not a name: it is TOKEN_AUDIENCE of the deployment")


def check_valid_seconds(seconds: Any) -> None:
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not math.isfinite(seconds) or not seconds > 0:
        raise TokenOptionError("valid_seconds is not a number of seconds above 0")


def check_terms(**terms: Any) -> None:
    """Each, unless it is None, which is the same as left out."""
    for name, value in terms.items():
        is_right, complaint = _TERMS[name]
        if value is not None and not is_right(value):
            raise TokenOptionError(f"{name} {complaint}")
    if terms.get("scope") is not None and sum(value is not None for value in terms.values()) > 1:
        raise TokenOptionError('scope="admin" has nothing beside it: such a token uploads nothing')


def is_sayable(value: Any) -> bool:
    """Whether it is text, and a token can have it."""
    return isinstance(value, str) and value != "" and not _HALF.search(value)


def _bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _is_whole(value: Any) -> bool:
    # 50e6 is as whole as 50_000_000.
    is_whole = isinstance(value, int) or isinstance(value, float) and value.is_integer()
    return is_whole and not isinstance(value, bool) and 0 <= value <= MOST_BYTES


def _are_types(value: Any) -> bool:
    # A text is a sequence, too, of letters.
    is_list = isinstance(value, (list, tuple)) and 0 < len(value) <= MOST_TYPES
    return is_list and all(isinstance(type_, str) and _MEDIA_TYPE.fullmatch(type_.strip(_SPACE)) for type_ in value)


def _is_metadata(value: Any) -> bool:
    texts = [text for pair in value.items() for text in pair] if isinstance(value, dict) else [None]
    is_text = all(isinstance(text, str) and not _HALF.search(text) for text in texts)
    return is_text and _bytes_of("".join(texts)) <= MOST_METADATA_BYTES


def _is_live(value: Any) -> bool:
    bounds = {"endAfterSeconds": (1, 86_400), "tellEveryBytes": (8 * 1024 * 1024, MOST_BYTES)}

    def is_within(name: Any, number: Any) -> bool:
        least, most = bounds.get(name, (1, 0))
        return isinstance(number, int) and not isinstance(number, bool) and least <= number <= most

    return isinstance(value, dict) and all(is_within(name, number) for name, number in value.items())


def _is_key_prefix(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_KEY_PREFIX_BYTES and _SEGMENTS.fullmatch(value) is not None


def _is_key_template(value: Any) -> bool:
    # As the Worker reads one (docs/guides/object-keys.md).
    if not isinstance(value, str) or len(value) > MOST_KEY_BYTES or re.search(r"[^/]\{prefix\}", value):
        return False
    places = [found[0] for found in _KEY_PLACE.finditer(value)]
    filled = _KEY_PLACE.sub(lambda place: {"{prefix}": "a/", "{.ext}": ""}.get(place[0], "a"), value)
    is_path = _SEGMENTS.fullmatch(f"{filled}/") is not None
    return "{id}" in places and len(set(places)) == len(places) and is_path


def _is_upload_id(value: Any) -> bool:
    return isinstance(value, str) and _UPLOAD_ID.fullmatch(value) is not None


# Each option that Quayside knows: whether a value will do, and what to say of one that will not.
_TERMS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_bytes": (_is_whole, "is not a whole number of bytes up to 2^53 - 1"),
    "types": (_are_types, 'is not a list of up to 64 media types like ["image/*"]'),
    "metadata": (_is_metadata, 'is not text by name like {"album": "2026"}, up to 4 KiB in all'),
    "key_prefix": (_is_key_prefix, "is not `folder/…/` of letters, digits and `-_.=`, up to 512 bytes"),
    "object_key": (_is_key_template, "is not a template like `photos/{year}/{id}{.ext}`, with {id} in it, up to 250 bytes"),
    "bucket": (
        lambda value: isinstance(value, str) and _BUCKET.fullmatch(value) is not None,
        "is no name of up to 32 small letters, digits and dashes, a letter first",
    ),
    "hold": (lambda value: isinstance(value, bool), "is neither True nor False"),
    "public": (lambda value: isinstance(value, bool), "is neither True nor False"),
    "live": (
        lambda value: isinstance(value, bool) or _is_live(value),
        'is neither True nor False nor {"endAfterSeconds": 1 to 86400, "tellEveryBytes": from 8 MiB}',
    ),
    "delete": (lambda value: isinstance(value, bool), "is neither True nor False"),
    "scope": (lambda value: value == "admin", 'is not "admin"'),
    "upload": (_is_upload_id, "is not the id of an upload"),
}
