"""API keys: making one, and the digest that is all the database keeps of it."""

from __future__ import annotations

import hashlib
import secrets

SCOPES = ("read", "write", "jobs")
PREFIX_LENGTH = 8


def new_key() -> tuple[str, str, str]:
    """A fresh key as (secret of 43 URL-safe characters, its digest, the prefix that may be shown).

    It begins with no hyphen: programs would take it for an option.
    """
    while (secret := secrets.token_urlsafe(32)).startswith("-"):
        pass
    return secret, digest(secret), secret[:PREFIX_LENGTH]


def digest(secret: str) -> str:
    """SHA-256 of the secret in hex.

    No salt and no slow hash: the secret has more than 255 random bits, so that it cannot be guessed from the
    digest, and a digest that can be computed without the row is what the unique index finds the key by.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
