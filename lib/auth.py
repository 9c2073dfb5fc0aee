"""Who is asking: API keys in headers, the signed browser cookie, scopes and form tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from lib import keys
from lib.problems import Problem, bad_request, forbidden, unauthorized

if TYPE_CHECKING:
    from lib.store.database import DatabaseStore
    from lib.store.records import Key, User

COOKIE_MAX_AGE = 30 * 24 * 3600  # seconds; a grower should not sign in anew each field day
LONGEST_KEY = 200
WRONG_KEY = "This key is not known, or has been revoked."
NO_KEY = "Send a key: Authorization: Bearer …, or X-API-Key: …, or sign in on the page /sign-in."


class Headers(Protocol):
    """Request headers of any framework."""

    def get(self, key: str, /) -> str | None:
        """The value of a header, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """The user behind a request; `user` is None for a visitor. `via` is key, cookie, sole, guest or none."""

    user: User | None = None
    key: Key | None = None
    scopes: frozenset[str] = frozenset()
    via: str = "none"

    def demand(self, scope: str) -> None:
        """403 unless the key carries `scope`."""
        if scope not in self.scopes:
            raise forbidden(f"This key lacks the scope '{scope}'.")


VISITOR = Identity()


def presented_key(headers: Headers) -> str | None:
    """The key in the headers, or None; 400 when two headers disagree, 401 when one is not a key."""
    authorization = headers.get("Authorization")
    header_key = headers.get("X-API-Key")
    bearer = None
    if authorization is not None:
        scheme, _, value = authorization.strip().partition(" ")
        bearer = value.strip()
        if scheme.lower() != "bearer" or not bearer:
            raise unauthorized("The Authorization header must read: Bearer, a space, and the key.")
    if header_key is not None:
        header_key = header_key.strip()
        if not header_key:
            raise unauthorized("The X-API-Key header is empty.")
    if bearer and header_key and not hmac.compare_digest(bearer.encode(), header_key.encode()):
        raise bad_request("Authorization and X-API-Key hold different keys; send one.", field="X-API-Key")
    key = bearer or header_key
    if key and len(key) > LONGEST_KEY:
        raise unauthorized(WRONG_KEY)
    return key


def identify(store: DatabaseStore, secret: str) -> Identity:
    """The user of a key; 401 when the key is unknown or revoked, or its user is switched off."""
    digest = keys.digest(secret)
    found = store.find_key(digest)
    if found is None or not _usable(*found) or not hmac.compare_digest(found[0].digest, digest):
        raise unauthorized(WRONG_KEY)
    key, user = found
    store.touch_key(key.id, datetime.now(UTC))
    return Identity(user, key, frozenset(key.scopes), "key")


def sole_user(store: DatabaseStore) -> Identity:
    """The only user, for a machine that runs without sign-in; 503 when there is none or more than one."""
    user = store.sole_user()
    if user is None:
        raise Problem(
            503,
            detail="Without sign-in there must be exactly one active user: set AUTH_ENABLED=true.",
            kind="not-one-user",
        )
    return Identity(user, None, frozenset({"read", "write"}), "sole")


def guest(store: DatabaseStore) -> Identity:
    """Anybody, where photos may be dropped in for the only user: may add, and is shown nothing of theirs."""
    return replace(sole_user(store), scopes=frozenset({"write"}), via="guest")


def _usable(key: Key, user: User) -> bool:
    return key.revoked_at is None and user.is_active


class BrowserSession:
    """The signed cookie: which key signed in, and a nonce that binds form tokens to this browser.

    The cookie holds the key's number and the beginning of its digest, never the key; revoking the key ends the
    session at once, because each request looks the key up.
    """

    def __init__(self, secret_key: str, production: bool) -> None:
        self._secret = secret_key.encode("utf-8", "surrogateescape")  # it may be raw bytes
        # The __Host- prefix makes browsers refuse the cookie from subdomains and plain HTTP.
        self.cookie_name = "__Host-weeds" if production else "weeds"
        self.secure = production

    def _serializer(self) -> Any:
        from itsdangerous import URLSafeTimedSerializer

        return URLSafeTimedSerializer(
            self._secret, salt="browser-session", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def read(self, cookie: str | None) -> dict[str, Any]:
        """The cookie's payload; empty when there is none, it was tampered with, or it is too old."""
        if not cookie:
            return {}
        from itsdangerous import BadSignature

        try:
            payload = self._serializer().loads(cookie, max_age=COOKIE_MAX_AGE)
        except BadSignature:
            return {}
        return payload if isinstance(payload, dict) else {}

    def write(self, payload: Mapping[str, Any]) -> str:
        """The signed text of a payload."""
        return str(self._serializer().dumps(dict(payload)))

    @staticmethod
    def signed_in(key: Key) -> dict[str, Any]:
        """A fresh payload for a browser that showed `key`; a new nonce, so that old form tokens die."""
        return {"key": key.id, "print": key.digest[:16], "nonce": secrets.token_urlsafe(16)}

    @staticmethod
    def visitor() -> dict[str, Any]:
        """A payload for a browser without a key: only the nonce that its sign-in form needs."""
        return {"nonce": secrets.token_urlsafe(16)}

    def identify(self, store: DatabaseStore, payload: Mapping[str, Any]) -> Identity:
        """The user of a cookie's payload, or a visitor when the key is gone."""
        key_id, fingerprint = payload.get("key"), payload.get("print")
        if not isinstance(key_id, int) or not isinstance(fingerprint, str):
            return VISITOR
        found = store.key(key_id)
        if found is None or not _usable(*found) or not hmac.compare_digest(found[0].digest[:16], fingerprint):
            return VISITOR
        key, user = found
        store.touch_key(key.id, datetime.now(UTC))
        return Identity(user, key, frozenset(key.scopes), "cookie")

    def form_token(self, payload: Mapping[str, Any]) -> str:
        """The token that forms of this browser carry; empty when the browser has no nonce yet."""
        nonce = payload.get("nonce")
        if not isinstance(nonce, str) or not nonce:
            return ""
        return hmac.new(self._secret, b"form:" + nonce.encode(), hashlib.sha256).hexdigest()

    def check_form_token(self, payload: Mapping[str, Any], token: str | None) -> None:
        """403 unless `token` is this browser's."""
        expected = self.form_token(payload)
        if not expected or not token or not hmac.compare_digest(expected.encode(), token.encode()):
            raise Problem(
                403,
                "Stale form",
                "This form is too old or was not made by this site. Load the page again and send it once more.",
                kind="stale-form",
            )
