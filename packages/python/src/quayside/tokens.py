"""Upload tokens: JWTs that say who uploads, for how long, and within what bounds. Quayside checks them at the edge, with the
shared secret (HS256) or a public key, and asks nobody."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any, Literal, Mapping, Sequence, get_args

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .checks import TokenOptionError, check_audience, check_owner, check_terms, check_valid_seconds, is_sayable

LEAST_SECRET_BYTES = 32
LEAST_RSA_BITS = 2048
# A longer token is refused unread.
MOST_TOKEN_BYTES = 8192

Algorithm = Literal["ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256"]


# On which curve a key must be for its algorithm.
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1"}


@dataclass(frozen=True)
class PrivateSigningKey:
    """An asymmetric key, whose public half Quayside has (TOKEN_PUBLIC_KEYS or TOKEN_JWKS_URL) under the same ``kid``.

    ``private_key`` is PEM, or a key of the package ``cryptography``.
    """

    kid: str
    algorithm: Algorithm
    private_key: Any


def mint_token(
    key: str | PrivateSigningKey,
    *,
    owner: str,
    valid_seconds: float = 3600,
    audience: str = "quayside",
    max_bytes: int | None = None,
    types: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    key_prefix: str | None = None,
    object_key: str | None = None,
    bucket: str | None = None,
    hold: bool | None = None,
    public: bool | None = None,
    live: bool | Mapping[str, int] | None = None,
    delete: bool | None = None,
    upload: str | None = None,
    scope: Literal["admin"] | None = None,
) -> str:
    """The token, for the header ``Authorization: Bearer``.

    ``key``: TOKEN_SECRETS as Quayside has it, ``<kid>:<at least 32 characters>``, of which the first signs; or a private key.
    ``owner``: your name for this user, up to 255 bytes. What is uploaded belongs to it, and nobody else sees it.
    ``valid_seconds``: for how long uploads may be created with it; those that were go on for as long as they live.
    ``audience``: TOKEN_AUDIENCE of the deployment.
    ``max_bytes``, ``types``: the largest file, and what files may be (``image/*``).
    ``metadata``: what events tell as ``attached``: text by name, up to 4 KiB. The client can neither see nor change it.
    ``key_prefix``: what stands for ``{prefix}`` in the object's key: ``customers/42/``.
    ``object_key``: what the object's key is made of, where that is not as OBJECT_KEY says: ``photos/{year}/{id}{.ext}``.
    ``bucket``: the bucket that its files lie in, where the deployment has several: ``eu`` for the binding ``BUCKET_EU``.
    ``hold``: whether what is uploaded with it is held until somebody has looked at it.
    ``public``: whether everybody gets what is uploaded with it, below PUBLIC_FILES_URL.
    ``live``: True: what has no length when it is created is a live upload, also where its client does not say so;
    ``{"endAfterSeconds": 60, "tellEveryBytes": 64 * 2**20}``: so, and this holds for each. False: none is.
    ``delete``: whether it may delete uploads that are complete. Not for users: for the application itself.
    ``upload``: the id of the one upload that it is for; it creates none.
    ``scope``: for whoever runs the service, who is its ``owner``: it opens everybody's uploads and the routes below ``/admin/``, and uploads
    nothing. With no other term, and for minutes.
    """
    check_owner(owner)
    check_audience(audience)
    check_valid_seconds(valid_seconds)
    metadata = None if metadata is None else _plain(metadata)
    live = _plain(live)
    check_terms(
        max_bytes=max_bytes,
        types=types,
        metadata=metadata,
        key_prefix=key_prefix,
        object_key=object_key,
        bucket=bucket,
        hold=hold,
        public=public,
        live=live,
        delete=delete,
        upload=upload,
        scope=scope,
    )
    terms = {
        "maxBytes": None if max_bytes is None else int(max_bytes),
        "types": None if types is None else list(types),
        "metadata": metadata,
        "keyPrefix": key_prefix,
        "objectKey": object_key,
        "bucket": bucket,
        "hold": hold,
        "public": public,
        "live": live,
        "delete": delete,
        "upload": upload,
        "scope": scope,
    }
    claims = {
        "sub": owner,
        "aud": audience,
        "exp": int(time.time() + valid_seconds),
        "quayside": {name: term for name, term in terms.items() if term is not None},
    }
    kid, algorithm, signer = _signer(key)
    try:
        token = jwt.encode(claims, signer, algorithm=algorithm, headers={"kid": kid}, json_encoder=_Utf8)
    except (jwt.PyJWTError, TypeError, ValueError, AttributeError) as error:
        raise TokenOptionError(f"the key cannot sign: {error}") from error
    if len(token) > MOST_TOKEN_BYTES:
        raise TokenOptionError("the token has more than 8 KiB, which is refused: leave out what Quayside need not know")
    return token


class _Utf8(json.JSONEncoder):
    """Writes letters as they are: an escape has up to three times as many bytes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "ensure_ascii": False})


def _plain(metadata: Any) -> Any:
    """Any mapping as JSON can have it."""
    return dict(metadata) if isinstance(metadata, Mapping) else metadata


def _signer(key: str | PrivateSigningKey) -> tuple[str, str, Any]:
    if isinstance(key, PrivateSigningKey):
        return _of_private_key(key)
    if key is None or key == "":
        raise TokenOptionError("there is no key: TOKEN_SECRETS is not set")
    if not isinstance(key, str):
        raise TokenOptionError("the key is neither TOKEN_SECRETS, as text, nor a PrivateSigningKey")
    return _of_secrets(key)


def _of_private_key(key: PrivateSigningKey) -> tuple[str, str, Any]:
    if key.algorithm not in get_args(Algorithm) or not is_sayable(key.kid):
        raise TokenOptionError(f"the key has no kid, or an algorithm that is none of {', '.join(get_args(Algorithm))}")
    try:
        private = jwt.get_algorithm_by_name(key.algorithm).prepare_key(key.private_key)
    except (jwt.PyJWTError, TypeError, ValueError, AttributeError) as error:
        raise TokenOptionError(f"the key cannot sign: {error}") from error
    complaint = _complaint(key.algorithm, private)
    if complaint:
        raise TokenOptionError(f"the key cannot sign: {complaint}")
    return key.kid, key.algorithm, private


def _complaint(algorithm: str, key: Any) -> str | None:
    """What is wrong with a key that Quayside would not take, or that is the public half."""
    if not hasattr(key, "sign"):
        return "it is no private key"
    if algorithm in _CURVES and key.curve.name != _CURVES[algorithm]:
        return f"it is not on the curve of {algorithm}"
    if algorithm == "EdDSA" and not isinstance(key, Ed25519PrivateKey):
        return "it is no key for Ed25519"
    is_small = algorithm[:2] in ("RS", "PS") and key.key_size < LEAST_RSA_BITS
    return f"it has less than {LEAST_RSA_BITS} bits" if is_small else None


def _of_secrets(secrets: str) -> tuple[str, str, Any]:
    """What is between two of them is what Quayside takes for it. A mark of the byte order in front is a file's, and no part of a name."""
    entries = [entry for entry in re.split("[, \t\n\r]", secrets) if entry]
    kid, _, secret = (entries or [""])[0].partition(":")
    is_pair = is_sayable(kid) and not kid.startswith("\ufeff") and is_sayable(secret) and ":" not in secret
    if not is_pair or len(secret.encode()) < LEAST_SECRET_BYTES:
        raise TokenOptionError("the secret is not `<kid>:<at least 32 characters>`, as TOKEN_SECRETS has it")
    return kid, "HS256", secret
