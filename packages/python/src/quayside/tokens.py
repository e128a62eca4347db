"""Upload tokens: JWTs that say who uploads, for how long, and within what bounds. Quayside checks them at the edge, with the
shared secret (HS256) or a public key, and asks nobody."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, Literal, Sequence

import jwt

LEAST_SECRET_CHARACTERS = 32


class TokenOptionError(ValueError):
    """An option that would make a token which is refused, or a key that cannot sign."""


@dataclass(frozen=True)
class PrivateSigningKey:
    """An asymmetric key, whose public half Quayside has (TOKEN_PUBLIC_KEYS or TOKEN_JWKS_URL) under the same ``kid``.

    ``private_key`` is PEM, or a key of the package ``cryptography``.
    """

    kid: str
    algorithm: Literal["ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256"]
    private_key: Any


def mint_token(
    key: str | PrivateSigningKey,
    *,
    owner: str,
    valid_seconds: float = 3600,
    audience: str = "quayside",
    max_bytes: int | None = None,
    types: Sequence[str] | None = None,
    metadata: Any = None,
    key_prefix: str | None = None,
    delete: bool | None = None,
    upload: str | None = None,
) -> str:
    """The token, for the header ``Authorization: Bearer``.

    ``key``: TOKEN_SECRETS as Quayside has it, ``<kid>:<at least 32 characters>``, of which the first signs; or a private key.
    ``owner``: your name for this user. What is uploaded belongs to it, and nobody else sees it.
    ``valid_seconds``: for how long uploads may be created with it; those that were go on for as long as they live.
    ``audience``: TOKEN_AUDIENCE of the deployment.
    ``max_bytes``, ``types``: the largest file, and what files may be (``image/*``).
    ``metadata``: what events tell as ``attached``. The client can neither see nor change it.
    ``key_prefix``: the object's key is ``uploads/<key_prefix><upload id>``.
    ``delete``: whether it may delete uploads that are complete. Not for users: for the application itself.
    ``upload``: the id of the one upload that it is for; it creates none.
    """
    if not isinstance(owner, str) or not owner:
        raise TokenOptionError("owner is missing: whose is what this token uploads?")
    if not valid_seconds > 0:
        raise TokenOptionError("valid_seconds is not a number of seconds above 0")
    if max_bytes is not None and (isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 0):
        raise TokenOptionError("max_bytes is not a whole number of bytes")
    terms = {
        "maxBytes": max_bytes,
        "types": None if types is None else list(types),
        "metadata": metadata,
        "keyPrefix": key_prefix,
        "delete": delete,
        "upload": upload,
    }
    claims = {
        "sub": owner,
        "aud": audience,
        "exp": int(time.time() + valid_seconds),
        "quayside": {name: term for name, term in terms.items() if term is not None},
    }
    kid, algorithm, signer = _signer(key)
    return jwt.encode(claims, signer, algorithm=algorithm, headers={"kid": kid})


def _signer(key: str | PrivateSigningKey) -> tuple[str, str, Any]:
    if isinstance(key, PrivateSigningKey):
        return key.kid, key.algorithm, key.private_key
    kid, _, secret = re.split(r"[\s,]+", key.strip())[0].partition(":")
    if not kid or len(secret) < LEAST_SECRET_CHARACTERS:
        raise TokenOptionError("the secret is not `<kid>:<at least 32 characters>`, as TOKEN_SECRETS has it")
    return kid, "HS256", secret
