"""What an application does for its users' uploads: it says who may upload what (``mint_token``), and hears what has become
of it (``verify_event``). Nothing here asks the network."""

from .checks import TokenOptionError
from .events import EventError, UploadData, UploadEvent, verify_event
from .tokens import PrivateSigningKey, mint_token

__all__ = [
    "EventError",
    "PrivateSigningKey",
    "TokenOptionError",
    "UploadData",
    "UploadEvent",
    "mint_token",
    "verify_event",
]
