"""Events, as they come to a webhook. They are signed (Standard Webhooks); what is not genuine, or was sent long ago, is refused.

An event is told until it is answered with a 2xx, so it may come more than once: ``id`` is the same each time."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Literal, Mapping, TypedDict

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

LEAST_SECRET_BYTES = 24
MOST_SECRET_BYTES = 64

_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class EventError(ValueError):
    """It is not genuine, or it is too old, or it is no event: answer 400, and forget it."""


class _UploadData(TypedDict):
    uploadId: str
    # Where the object is in the bucket.
    key: str
    # The owner of the token that created it; "anonymous" where AUTH is "open".
    owner: str
    fileName: str
    # In bytes; None where the upload has ended before it was known.
    fileSize: int | None
    # What the client has said.
    metadata: dict[str, str]
    createdAt: str


class UploadData(_UploadData, total=False):
    """What an event tells of its upload."""

    contentType: str | None
    # What the token has said, as `metadata`. The client can neither see nor change it.
    attached: dict[str, str]
    # Missing in "upload.created" and "upload.progressed".
    endedAt: str
    deletedAt: str
    # The bucket, where one was named for it.
    bucket: str
    etag: str
    digests: dict[str, str]
    # Where nothing was sent, since these bytes were stored already: the upload whose object they are. `key` is that object's.
    duplicateOf: str
    # Where everybody gets the file, where it is public.
    publicUrl: str
    # What its owner stored and had open with this upload when it was created, in bytes (`used`, `limit`, `softLimit`), where that was more than the soft limit.
    quotaWarning: dict[str, int | None]
    # The link that takes one file by which it came, with its `id`, and the `metadata` of whoever made it: an owner's word, and not the application's.
    link: dict[str, object]
    # What is new of a live upload that is told of on the way, in bytes: from here, and up to here. In "upload.progressed".
    fromBytes: int
    toBytes: int
    # A live upload that ended since nothing more came: its recorder has not said that this is all.
    truncated: bool
    # A signed link to the object; in "upload.held" for the scanner alone.
    downloadUrl: str
    # Why it has failed, or was rejected.
    reason: str


class UploadEvent(TypedDict):
    """An event. ``id`` is the same in every repetition: remember it, and a repetition is one."""

    id: str
    type: Literal["upload.created", "upload.progressed", "upload.completed", "upload.failed", "upload.expired", "upload.aborted", "upload.deleted", "upload.duplicate", "upload.held", "upload.released", "upload.rejected"]
    timestamp: str
    data: UploadData


def verify_event(secrets: str, headers: Mapping[str, str], body: bytes | str) -> UploadEvent:
    """The event, where it is genuine; else an ``EventError``.

    ``secrets`` is WEBHOOK_SECRET as Quayside has it: one, or two with a space between them while one is replaced. ``body`` is
    the body as it came, not parsed and put together again.
    """
    active = _active_secrets(secrets)
    lower = {name.lower(): value for name, value in headers.items()}
    given = {name: lower.get(name, "") for name in _HEADERS}
    refusal: Exception | None = None
    for webhook in map(Webhook, active):
        try:
            event = webhook.verify(body, given)
            return {"id": given["webhook-id"], **event}
        except (WebhookVerificationError, ValueError) as error:
            refusal = error
    raise EventError(f"the event is not genuine: {refusal}") from refusal


def _active_secrets(secrets: str) -> list[str]:
    """Each, by the rules by which Quayside reads them: one that it would refuse signs nothing."""
    active = [secret for secret in re.split("[, \n]", secrets or "") if secret]
    if not active:
        raise ValueError("there is no secret: WEBHOOK_SECRET is not set")
    if not all(map(_is_secret, active)):
        raise ValueError("WEBHOOK_SECRET is not `whsec_` and 24 to 64 bytes in base64")
    return active


def _is_secret(secret: str) -> bool:
    prefix, text = secret[:6], secret[6:]
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    # Its last character may say more than there is.
    is_exact = base64.b64encode(key).decode() == text
    return prefix == "whsec_" and is_exact and LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES
